#!/bin/bash
# abort, a segfault, _exit, no more memory and the OOM killer lose nothing: what is left of
# src/killed.c agrees with its own counts, and the report says how it ended: exactly under squall
# run, and without it that its exit handlers did not run.
. "$(dirname "$0")/lib.sh"
build killed -llz4
ulimit -c 0

# verify NAME JSON COUNTS STATE ENDED_BY TEXT SAID
verify() {
    check "$1" "${@:2}" <<'P'
from squall import *
import killed
p, = load(argument(1))
same("state", p["state"], argument(3))
same("ended_by", p["ended_by"], argument(4) or None)
same("exit_handlers", p["exit_handlers"], False)
first = open(argument(6)).readline()
if not first.endswith(f" · {argument(5)}\n"):
    raise SystemExit(f"the report says: {first}")
if sum(c["allocs_done"] for c in killed.counts(argument(2)).values()) < 200000:
    raise SystemExit("it ended too early")
killed.check(p, argument(2))
P
}

# one NAME HOW ENDED_BY STATE TEXT STATUS COMMAND…: COMMAND is put before the program; once under
# squall run, once under the library alone
one() {
    local name=$1 how=$2 by=$3 state=$4 text=$5 want=$6 dump=$TMPDIR/$1.squall status
    shift 6
    fresh
    rm -f "$TMPDIR/counts"
    "$@" env SQUALL_DIR="$dumps" "$SQUALL_BIN" run --quiet --conf region:8m -o "$dump" -- \
        "$TMPDIR/killed" "$TMPDIR/counts" "$how" 2>"$TMPDIR/err"
    status=$?
    if [ "$status" = "$want" ] && "$SQUALL_BIN" report --json "$dump" >"$TMPDIR/json"; then
        "$SQUALL_BIN" report "$dump" >"$TMPDIR/text"
        verify "$name, under squall run" "$TMPDIR/json" "$TMPDIR/counts" "$state" "$by" "$text" \
            "$TMPDIR/text"
    else
        not_ok "$name, under squall run" "exit status $status: $(tail -n 1 "$TMPDIR/err")"
    fi
    fresh
    rm -f "$TMPDIR/counts"
    "$@" env SQUALL_DIR="$dumps" SQUALL_CONF=mode:exact,region:8m LD_PRELOAD="$SQUALL_LIB" \
        "$TMPDIR/killed" "$TMPDIR/counts" "$how" 2>"$TMPDIR/err"
    report "$TMPDIR/json" || not_ok "$name, by itself" "no report"
    "$SQUALL_BIN" report "$dumps"/* >"$TMPDIR/text"
    verify "$name, by itself" "$TMPDIR/json" "$TMPDIR/counts" died "" \
        "ended without its exit handlers" "$TMPDIR/text"
}

{
    one abort abort "signal 6" died "killed by SIGABRT" 134
    one segfault segfault "signal 11" died "killed by SIGSEGV" 139
    one _exit _exit "exit 3" ended "ended without its exit handlers (exit 3)" 3
    # The region and the tables beside it have their share of what is allowed.
    one "no more memory" memory "signal 6" died "killed by SIGABRT" 134 \
        bash -c 'ulimit -v 1000000; exec "$@"' -
} 2>/dev/null # bash's words about signals

# ---- the OOM killer ----

# in_group COMMAND…: in a memory cgroup of 96 MiB, $group
in_group() {
    bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

# make_group: a group of version 1 or 2; prints its folder
make_group() {
    local base limit path
    if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
        base=/sys/fs/cgroup/memory limit=memory.limit_in_bytes
        path=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    else
        base=/sys/fs/cgroup limit=memory.max
        path=$(sed -n 's/^0:://p' /proc/self/cgroup)
    fi
    # Version 2 has no limits below a group with processes: then one beside ours.
    for base in "$base$path" "$base"; do
        base=$base/squall-test-$$
        mkdir "$base" && echo 100663296 >"$base/$limit" && echo "$base" && return
        rmdir "$base"
    done
    return 1
}

if group=$(make_group 2>"$TMPDIR/why"); then
    { one oom oom oom died "killed by the OOM killer" 137 in_group; } 2>/dev/null
    # squall run stays outside: only the program is in the group.
    fresh
    rm -f "$TMPDIR/counts"
    SQUALL_DIR=$dumps "$SQUALL_BIN" run --quiet --conf region:8m -o "$TMPDIR/moved.squall" -- \
        bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
        "$TMPDIR/killed" "$TMPDIR/counts" oom 2>"$TMPDIR/err"
    "$SQUALL_BIN" report "$TMPDIR/moved.squall" | grep -q ' · killed by the OOM killer$' && ok "oom of a group of its own" ||
        not_ok "oom of a group of its own" "$("$SQUALL_BIN" report "$TMPDIR/moved.squall" | grep ' · ' | head -n 2)"
    until rmdir "$group" 2>/dev/null; do read -rt 0.05 <> <(:); done
else
    echo "ok the OOM killer # skip no memory cgroup can be made here ($(tail -n 1 "$TMPDIR/why")); \"no more memory\" is the nearest"
fi
finish
