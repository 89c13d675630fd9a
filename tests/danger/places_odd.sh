#!/bin/bash
# danger: SQUALL_DIR is a dangling link, a fifo, a device, /dev/full, a file, /proc, empty, too long, odd bytes
# program: worker worker.c
# needs: unshare root
# allocators: glibc
# lines: 40
# processes: 0
# deadline: 60
set -u
ln -s nowhere dangling
ln -s loop loop
ln -s /dev/full linked
mkfifo fifo
echo >file_here
mkdir -m 0 closed
mknod device c 1 3
mkdir -p here
cat >inside <<'END'
mount --make-rprivate / && mount -t tmpfs -o mode=1777 danger /dev/shm
cd here
for place in dangling loop linked fifo file_here closed device; do
    $WRAP SQUALL_DIR="$where/$place" XDG_RUNTIME_DIR="$where/$place" "$worker" >out
    echo "$place: $? $(tr '\n' ' ' <out)"
done
long=$(printf '%05000d' 0)
for place in ../dangling ../fifo /dev/full /dev/null /proc /proc/self/fd /dev/tty "" / . .. "$long" "/$long" $'\x1b[31m\xff\n' '%s%n' /dev/stderr; do
    $WRAP SQUALL_DIR="$place" "$worker" >out 2>err
    status=$?
    grep -av '^squall: ' err | grep -av '^\xff*;*: ' | head -n 2 >&2
    case $place in *00*) place=long ;; *31m*) place=odd ;; esac
    echo "$place: $status $(tr '\n' ' ' <out)"
done
rm -f /squall.*.region
END
cp "$DANGER_BIN/worker" worker 
where=$PWD worker=$PWD/worker unshare -m bash inside
