#!/bin/bash
# Static Go programs that a recorded program starts: nothing is preloaded into them, squall run looks
# for them and hooks their heap while they run.
. "$(dirname "$0")/lib.sh"
need_go
version=$(versions | head -n 1)
build "$version" static || { not_ok build "does not build"; finish; }

# started NAME COMMAND: $program is recorded beneath it, its results are right, the status is passed on
started() {
    local name=$1 status
    shift
    fresh
    SQUALL_CONF=large:32k "$SQUALL_BIN" run --dir "$dumps" -- "$@" >"$dumps/out" 2>"$dumps/said"
    status=$?
    [ "$status" = 7 ] || { not_ok "$name" "exit status $status: $(tail -n 1 "$dumps/said")"; return; }
    grep -q '^squall: 1 static Go program that it started was hooked while running' "$dumps/said" ||
        { not_ok "$name" "$(tail -n 1 "$dumps/said")"; return; }
    rm "$dumps/out" "$dumps/said"
    check "$name" naive attached
}
line="$program -g 16 -ops 300 -report counts"
started shell sh -c "$line && exit 7"
started nested bash -c "sh -c 'env A=b $line; true'; exit 7"
started python /usr/bin/python3 -c "import subprocess, sys; subprocess.run('$line'.split(), check=True); sys.exit(7)"

# It becomes one: the process that squall waits for, whose status it passes on.
fresh
SQUALL_CONF=large:32k "$SQUALL_BIN" run --dir "$dumps" -- sh -c "exec $line" 2>"$dumps/said"
status=$?
grep -q 'hooked while running' "$dumps/said" && [ "$status" = 0 ] && ok becomes ||
    not_ok becomes "status $status: $(tail -n 1 "$dumps/said")"
fresh
"$SQUALL_BIN" run --dir "$dumps" -- sh -c "exec $program -g 16 -ops 0" 2>"$dumps/said" &
run=$!
until pid=$(pgrep -P "$run") && "$SQUALL_BIN" report --json "$pid" 2>/dev/null | grep -q '"state":"hooked"'; do
    kill -0 "$run" 2>/dev/null || break
done
kill -9 "$pid"
wait "$run" 2>/dev/null
status=$?
[ "$status" = 137 ] && ok killed || not_ok killed "status $status: $(tail -n 1 "$dumps/said")"

# Where nothing may be hooked, it is named at the end.
fresh
"$SQUALL_BIN" run --no-patch --quiet --dir "$dumps" -- sh -c "$line; true" 2>"$dumps/said"
grep -q "^squall: 1 static program that it started is not recorded: $version-static (go:off)" "$dumps/said" &&
    ok off || not_ok off "$(tail -n 1 "$dumps/said")"
fresh
"$SQUALL_BIN" run --no-children --quiet --dir "$dumps" -- sh -c "$line; true" 2>"$dumps/said"
[ ! -s "$dumps/said" ] && ok alone || not_ok alone "$(tail -n 1 "$dumps/said")"
finish
