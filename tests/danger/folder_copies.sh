#!/bin/bash
# danger: the dumps are asked for on a disk that copies on write (btrfs), which gets full once their pages are written back
# program: worker worker.c
# needs: root unshare mkfs.btrfs
# allocators: glibc (it is about squall's own file)
# deadline: 60
#
# A page of a file there takes a new block at its first store after each time it was written back.
set -u
DUMPS=$(sed -n 's/.*SQUALL_DIR=\([^ ]*\).*/\1/p' <<<"$WRAP")
export DUMPS
cat >inside <<'END'
mount --make-rprivate / && truncate -s 128M disk && mkfs.btrfs -q -f disk && mkdir full || exit 1
if ! mount -o loop disk full 2>/dev/null; then
    echo "btrfs cannot be mounted here" # the same with squall and without
    [ -z "$DUMPS" ] || $WRAP true
    exit 0
fi
mkdir full/dumps run
mkfifo lines
: >said
$WRAP SQUALL_DIR="$PWD/full/dumps" XDG_RUNTIME_DIR="$PWD/run" "$worker" wait <lines >said 2>errors &
exec 3>lines
until grep -q ready said; do sleep 0.05; done
for i in 1 2 3 4 5 6; do
    head -c 200M /dev/urandom >full/filler.$i 2>/dev/null
    dd if=/dev/urandom of=full/rest.$i bs=4k count=50000 2>/dev/null
    sync -f full
done
printf '\n\n' >&3
wait $!
echo "ended: $? $(tr '\n' ' ' <said)"
grep -v '^squall: SQUALL_DIR=.*: a file system that copies on write; recording into .*/run/squall$' errors >&2
[ -z "$DUMPS" ] || mv run/squall/* "$DUMPS"/
umount full
END
cp "$DANGER_BIN/worker" worker
worker=$PWD/worker unshare -m bash inside
