#!/bin/bash
# A watched program's user can neither use root, who watches it, nor hide from it: what lies in a folder
# that this user owns, and the folder itself, may be anything at any moment.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, to be another user"; exit 77; }
# The names /dev/shm/squall-UID and the processes of a machine of its own.
if [ -z "${PRIVATE-}" ]; then
    unshare -m -p -f true 2>/dev/null || { echo "no namespaces here"; exit 77; }
    exec env PRIVATE=1 unshare -m -p -f --mount-proc --propagation private bash "$0"
fi
mount -t tmpfs -o mode=1777 squall-test /dev/shm || { echo "cannot mount"; exit 77; }
public
install -m 755 "$SQUALL_BIN" "$TMPDIR/squall"
export SQUALL_LIB XDG_RUNTIME_DIR=
uid=65534
as_user() { setpriv --reuid=$uid --regid=$uid --clear-groups "$@"; }
its=/dev/shm/squall-$uid ours=/dev/shm/squall-0
build grower

# ---- a program that root starts and that becomes another user's ----
# What it leaves in that user's folder is found, packed into root's, and removed.
run() { "$TMPDIR/squall" run "$@" 2>"$TMPDIR/err"; }
run -- setpriv --reuid=$uid --regid=$uid --clear-groups "$TMPDIR/grower" >"$TMPDIR/out"
if [ "$(find $its -type f | wc -l)" = 0 ] && [ "$(find $ours -name 'squall.*.squall' | wc -l)" = 1 ] &&
    grep -q "recorded in $ours/squall\..*\.squall" "$TMPDIR/err"; then
    ok "run: another user's region becomes root's dump"
else
    not_ok "run: another user's region" "$(ls -l $its $ours) $(cat "$TMPDIR/err")"
fi
"$TMPDIR/squall" report --json $ours >"$TMPDIR/json"
check "run: it is the program's" "$TMPDIR/json" <<<'from squall import *
same("blocks", [total(sites(p, "step"), "allocs") > 0 for p in load(argument(1)) if "grower" in p["exe"]], [True])'
rm -rf $its $ours

# What bears the run's id but no name that the library gives is not the library's: it stays.
run --quiet -o "$TMPDIR/dump" -- setpriv --reuid=$uid --regid=$uid --clear-groups \
    bash -c "'$TMPDIR/grower'; cd $its && cp \$(ls squall.*.region | head -n 1) shadow" >"$TMPDIR/out"
if [ "$(ls -A $its)" = shadow ] && [ -s "$TMPDIR/dump" ]; then
    ok "run: takes regions by their names only"
else
    not_ok "run: takes regions by their names only" "$(ls -lA $its) $(cat "$TMPDIR/err")"
fi
rm -rf $its $ours "$TMPDIR/dump"
finish
