#!/bin/bash
# danger: a setuid program (AT_SECURE) that the loader lets squall into: the environment says nothing then
# program: worker worker.c
# needs: root setpriv unshare setcap /lib/x86_64-linux-gnu/libmemusage.so
# allocators: glibc
# lines: 4
# allow: sums
#
# Only a library with the setuid bit, in a folder of the system's, is preloaded into such a program:
# in a mount namespace one stands in the place of the C library's own libmemusage.so.
set -u
dumps=$(sed -n 's/.*SQUALL_DIR=\([^ ]*\).*/\1/p' <<<"$WRAP")
squall=$(sed -n 's/.*LD_PRELOAD=\([^ :]*\).*/\1/p' <<<"$WRAP")
[ -n "$dumps" ] && chmod 1777 "$dumps"
chmod 755 .
cat >inside <<'END'
set -u
mount --make-rprivate / && mount -t tmpfs -o mode=755 danger /srv || exit 77
mount -t tmpfs -o mode=1777 danger /dev/shm && mount -t tmpfs -o mode=1777 danger /mnt || exit 77
install -m 4755 "$DANGER_BIN/worker" /srv/worker
if [ -n "$squall" ]; then
    install -m 4755 "$squall" /srv/libsquall.so
    mount --bind /srv/libsquall.so "$place" || exit 77
fi
mkdir -m 1777 /mnt/asked /mnt/here
cd /mnt/here || exit 77
as_user="setpriv --reuid=65534 --regid=65534 --clear-groups env -i ${squall:+LD_PRELOAD=libmemusage.so} \
    SQUALL_DIR=/mnt/asked SQUALL_CONF=mode:exact,region:4m XDG_RUNTIME_DIR=/mnt/asked"
$as_user /srv/worker
echo "setuid: $?"
ls -A /mnt/asked
rm -f file
# file capabilities are the same to the loader
chmod 755 /srv/worker
setcap cap_net_raw+ep /srv/worker
$as_user /srv/worker
echo "capable: $?"
ls -A /mnt/asked
# What was recorded is where the environment has no say, by the effective user, in default mode.
[ -n "$squall" ] || exit 0
cp /dev/shm/squall-*/*.region "$dumps"/ || echo "nothing was recorded"
"$SQUALL_BIN" report --json /dev/shm | grep -aq '"mode" *: *"exact"' &&
    echo "the environment was read"
exit 0
END
export squall dumps place=/lib/x86_64-linux-gnu/libmemusage.so
unshare -m bash inside
