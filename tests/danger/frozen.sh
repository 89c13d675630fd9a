#!/bin/bash
# danger: the program is stopped by SIGSTOP, and by the freezer cgroup, while it is read, and goes on
# program: busy busy.c
# needs: root
# allocators: glibc jemalloc (it is about what reads the program)
# deadline: 100
set -u
dumps=$(sed -n 's/.*SQUALL_DIR=\([^ ]*\).*/\1/p' <<<"$WRAP")

# What a reader does; the program is as it is now for as long as that takes.
look() {
    [ -n "$dumps" ] || return
    "$SQUALL_BIN" report "$dumps" >report || echo "no report"
    "$SQUALL_BIN" report --json "$dumps" >report || echo "no JSON"
    SQUALL_DIR=$dumps timeout -s KILL 60 "$SQUALL_BIN" live $pid --every 100ms --count 2 --json >report ||
        echo "no live view"
}

mkfifo in out
$WRAP "$DANGER_BIN/busy" <in >out &
pid=$!
exec 3>in 4<out
read -r line <&4 # it is through the start
is() { until grep -q "^State:.$1" /proc/$pid/status; do :; done; }
for _ in 1 2 3; do
    kill -STOP $pid
    is T
    look
    kill -CONT $pid
    is '[RSD]'
done
for cgroup in /sys/fs/cgroup/freezer /sys/fs/cgroup; do
    cage=$cgroup/squall-danger-$$
    [ -e $cgroup/cgroup.procs ] && mkdir $cage 2>/dev/null || continue
    frozen=() # how to ask for it in either kind
    [ -e $cage/freezer.state ] && frozen=(freezer.state FROZEN THAWED FROZEN)
    [ -e $cage/cgroup.freeze ] && frozen=(cgroup.freeze 1 0 1)
    if [ ${#frozen[@]} != 0 ] && echo $pid >$cage/cgroup.procs 2>/dev/null; then
        for _ in 1 2; do
            echo "${frozen[1]}" >$cage/${frozen[0]}
            until [ "$(cat $cage/${frozen[0]})" = "${frozen[3]}" ]; do :; done
            look
            echo "${frozen[2]}" >$cage/${frozen[0]}
        done
        echo $pid >$cgroup/cgroup.procs
    fi
    rmdir $cage
    break
done
echo >&3
cat <&4
wait $pid
echo "ended: $?"
