#!/bin/bash
# A full disk or tmpfs, a read-only folder, somebody else's folder, RLIMIT_FSIZE, closed descriptors,
# a changed uid: the program runs on as without squall, one line tells, and the report reads.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, to mount"; exit 77; }
build grower
public
other=$TMPDIR/other
export XDG_RUNTIME_DIR=$other
mounted=()
trap 'for m in "${mounted[@]}"; do umount "$m" 2>/dev/null; done; rm -rf /dev/shm/squall-65534' EXIT

# place SIZE: a tmpfs of its own in $dumps; the next choice of the library is $other/squall
place() {
    fresh
    mount -t tmpfs -o "size=$1,mode=700" squall-test "$dumps" || { echo "cannot mount"; exit 77; }
    mounted+=("$dumps")
    rm -rf "$other"
    mkdir -m 700 "$other"
}

# run NAME LINES ARGUMENT…: the program's output and status as alone; so many lines of ours
run() {
    local name=$1 lines=$2
    shift 2
    "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"
    local status=$? got
    got=$(grep -c '^squall: ' "$TMPDIR/err")
    if [ "$status" != 0 ] || [ "$(cat "$TMPDIR/out")" != 20000 ]; then
        not_ok "$name" "exit $status, output $(head -c 100 "$TMPDIR/out"), $(tail -n 1 "$TMPDIR/err")"
    elif [ "$got" != "$lines" ]; then
        not_ok "$name" "$got lines instead of $lines: $(head -c 300 "$TMPDIR/err")"
    else
        ok "$name"
    fi
}

# reads NAME FOLDER PYTHON: what the dumps in a folder say
reads() {
    "$SQUALL_BIN" report --json "$2" >"$TMPDIR/json" || { not_ok "$1" "no report"; return; }
    check "$1" "$TMPDIR/json" <<<"from squall import *
ps = load(argument(1))
$3"
}

for mode in default,sample:1k exact; do
    place 64k
    run "full tmpfs at the start, $mode" 1 under mode:$mode "$TMPDIR/grower"
    reads "full tmpfs: recorded in the next place, $mode" "$other/squall" \
        'same("processes", len(ps), 1)'
    umount "$dumps"

    place 4m
    run "tmpfs full while growing, $mode" 1 under mode:$mode "$TMPDIR/grower"
    reads "tmpfs full while growing: counted, $mode" "$dumps" '
p, = ps
same("commits lost", p["totals"]["lost"]["commits"] > 0, True)
same("thread is exact", p["totals"]["allocs"] >= 20000, True)
same("said", any("not" in v["statement"] for v in p["visibility"]), True)'
    umount "$dumps"

    place 64m
    mount -o remount,ro "$dumps"
    run "read-only folder, $mode" 1 under mode:$mode "$TMPDIR/grower"
    reads "read-only folder: recorded in the next place, $mode" "$other/squall" \
        'same("processes", len(ps), 1)'
    umount "$dumps"
done

# An ext4 disk that is full, where a store through a mapping would be a SIGBUS.
fresh
if truncate -s 8M "$TMPDIR/disk" && mkfs.ext4 -q -F -O ^has_journal "$TMPDIR/disk" 2>/dev/null &&
    mount -o loop "$TMPDIR/disk" "$dumps" 2>/dev/null; then
    mounted+=("$dumps")
    head -c 100M /dev/zero >"$dumps/filler" 2>/dev/null
    run "full disk at the start" 1 under mode:exact "$TMPDIR/grower"
    truncate -s 0 "$dumps/filler" && head -c 3M /dev/zero >"$dumps/filler" && sync "$dumps/filler"
    run "disk full while growing" 1 under mode:exact "$TMPDIR/grower"
    umount "$dumps"
else
    ok "full disk # skip no loop device"
fi

fresh
rm -rf "$other"
chmod 755 "$dumps"
run "folder of another owner" 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
    env SQUALL_DIR="$dumps" XDG_RUNTIME_DIR= SQUALL_CONF=mode:exact LD_PRELOAD="$SQUALL_LIB" \
    "$TMPDIR/grower"
reads "folder of another owner: recorded elsewhere" /dev/shm/squall-65534 'same("n", len(ps), 1)'
rm -rf /dev/shm/squall-65534
chmod 777 "$dumps"
mkdir -m 700 "$other"
run "folder open to all and not sticky" 1 under mode:exact "$TMPDIR/grower"

fresh
run "RLIMIT_FSIZE of 16 KiB" 1 bash -c "ulimit -f 16; exec env SQUALL_DIR='$dumps' \
    SQUALL_CONF=mode:exact LD_PRELOAD='$SQUALL_LIB' '$TMPDIR/grower'"
run "RLIMIT_FSIZE of 8 MiB" 1 bash -c "ulimit -f 8192; exec env SQUALL_DIR='$dumps' \
    SQUALL_CONF=mode:exact LD_PRELOAD='$SQUALL_LIB' '$TMPDIR/grower'"
reads "RLIMIT_FSIZE of 8 MiB: a smaller region" "$dumps" '
same("n", len(ps), 1)
same("said", any("smaller" in v["statement"] or "RLIMIT" in v["statement"]
                 for v in ps[0]["visibility"]), True)'

fresh
run "all descriptors closed before it grew" 0 under mode:exact "$TMPDIR/grower" close
reads "all descriptors closed: nothing lost" "$dumps" '
same("blocks", total(sites(ps[0], "step"), "allocs"), 20000)
same("lost", {k: v for k, v in ps[0]["totals"]["lost"].items() if v}, {})'

fresh
run "uid changed before it grew" 0 under mode:exact "$TMPDIR/grower" setuid
reads "uid changed: nothing lost" "$dumps" '
same("blocks", total(sites(ps[0], "step"), "allocs"), 20000)
same("lost", {k: v for k, v in ps[0]["totals"]["lost"].items() if v}, {})'

fresh
run "uid changed, then a child" 1 env XDG_RUNTIME_DIR= SQUALL_DIR="$dumps" \
    SQUALL_CONF=mode:exact LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/grower" setuid-fork
reads "uid changed: the child's is elsewhere" /dev/shm/squall-65534 'same("n", len(ps), 1)'
finish
