#!/bin/bash
# Static Go programs that a recorded program starts: nothing is preloaded into them, squall run looks
# for them and hooks their heap while they run.
. "$(dirname "$0")/lib.sh"
need_go
version=$(versions | head -n 1)
build "$version" static || { not_ok build "does not build"; finish; }

# Each goes on until it was hooked, and long enough for something to be found: nobody says how long a
# busy machine takes for that.
enough=$TMPDIR/enough
line="$program -g 16 -ops 0 -until $enough -report counts"

# recorded COMMAND: by squall run, until that is so; then it may end, and the status is $status
recorded() {
    local run
    fresh
    rm -f "$enough"
    SQUALL_CONF=large:32k "$SQUALL_BIN" run --dir "$dumps" -- "$@" >"$TMPDIR/out" 2>"$TMPDIR/said" &
    run=$!
    until_found "$run" output-as-large-as-source
    touch "$enough"
    wait "$run"
    status=$?
}

# started NAME COMMAND: $program is recorded beneath it, its results are right, the status is passed on
started() {
    local name=$1
    shift
    recorded "$@"
    [ "$status" = 7 ] || { not_ok "$name" "exit status $status: $(tail -n 1 "$TMPDIR/said")"; return; }
    grep -q '^squall: 1 static Go program that it started was hooked while running' "$TMPDIR/said" ||
        { not_ok "$name" "$(tail -n 1 "$TMPDIR/said")"; return; }
    check "$name" naive attached
}
started shell sh -c "$line && exit 7"
started nested bash -c "sh -c 'env A=b $line; true'; exit 7"
started python /usr/bin/python3 -c "import subprocess, sys; subprocess.run('$line'.split(), check=True); sys.exit(7)"

# It becomes one: the process that squall waits for, whose status it passes on.
recorded sh -c "exec $line"
grep -q 'hooked while running' "$TMPDIR/said" && [ "$status" = 0 ] && ok becomes ||
    not_ok becomes "status $status: $(tail -n 1 "$TMPDIR/said")"
fresh
"$SQUALL_BIN" run --dir "$dumps" -- sh -c "exec $program -g 16 -ops 0" 2>"$TMPDIR/said" &
run=$!
until pid=$(pgrep -P "$run") && "$SQUALL_BIN" report --json "$pid" 2>/dev/null | grep -q '"state":"hooked"'; do
    kill -0 "$run" 2>/dev/null || break
done
kill -9 "$pid"
wait "$run" 2>/dev/null
status=$?
[ "$status" = 137 ] && ok killed || not_ok killed "status $status: $(tail -n 1 "$TMPDIR/said")"

# Where nothing may be hooked, it is named at the end.
line="$program -g 16 -ops 300 -report counts"
fresh
"$SQUALL_BIN" run --no-patch --quiet --dir "$dumps" -- sh -c "$line; true" 2>"$TMPDIR/said"
grep -q "^squall: 1 static program that it started is not recorded: $version-static (go:off)" "$TMPDIR/said" &&
    ok off || not_ok off "$(tail -n 1 "$TMPDIR/said")"
fresh
"$SQUALL_BIN" run --no-children --quiet --dir "$dumps" -- sh -c "$line; true" 2>"$TMPDIR/said"
[ ! -s "$TMPDIR/said" ] && ok alone || not_ok alone "$(tail -n 1 "$TMPDIR/said")"
finish
