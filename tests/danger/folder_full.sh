#!/bin/bash
# danger: the tmpfs or disk of the dumps is full, or out of inodes, from the Nth page on: start, growth, threads, fork, exit
# program: worker worker.c
# needs: root unshare
# allocators: glibc
# lines: 100
# processes: 0
# deadline: 90
#
# Every store through a mapping of a file without room would be SIGBUS. The second place is full, too.
set -u
cat >inside <<'END'
mount --make-rprivate / && mount -t tmpfs -o mode=1777,size=16k danger /dev/shm || exit 77
head -c 1M /dev/zero >/dev/shm/filler 2>/dev/null
mkdir full && mount -t tmpfs -o mode=1777,size=1m danger full || exit 77

# run NAME: worker in a folder of its own, recording into full/
run() {
    (mkdir -p here && cd here && $WRAP SQUALL_DIR="$PWD/../full" XDG_RUNTIME_DIR= "$worker" >out
        [ "$? $(tr '\n' ' ' <out)" = "5 child 3 worked " ] || echo "$1: $? $(cat out)")
    rm -rf full/*
}
for kib in $(seq 4 4 64) 80 100 128 160 200 256 320 400 512 640 800 1024 1500 2048 3000 4096; do
    mount -o remount,size="${kib}k" full
    run "$kib KiB"
done
mount -o remount,size=64m,nr_inodes=1 full && run "no inode"
mount -o remount,nr_inodes=2 full && run "one inode"
mount -o remount,nr_inodes=0 full
umount full
# On a disk blocks are taken when pages are written; without MADV_POPULATE_WRITE that was a SIGBUS.
if truncate -s 12M disk && mkfs.ext4 -q -F -O ^has_journal disk 2>/dev/null && mount -o loop disk full 2>/dev/null; then
    for kib in 0 100 300 1000 3000; do
        head -c 20M /dev/zero >full.filler
        cat full.filler >full/filler 2>/dev/null
        truncate -s -${kib}k full/filler && sync full/filler
        run "disk, $kib KiB left"
    done
    umount full
fi
END
cp "$DANGER_BIN/worker" worker
worker=$PWD/worker unshare -m bash inside
echo "all of it"
