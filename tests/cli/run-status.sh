#!/bin/bash
# squall run passes output, exit status and signals through.
. "$SQUALL_ROOT/tests/cli/lib.sh"
build_target
squall run -- "$TMPDIR/target" 2>/dev/null
echo "status $?"
squall run -- "$TMPDIR/target" 7 2>/dev/null
echo "status $?"
squall run -- "$TMPDIR/target" -6 2>/dev/null
echo "status $?"
squall run -- "$TMPDIR/nothing" >/dev/null 2>&1
echo "not there: status $?"
squall run -- "$TMPDIR" >/dev/null 2>&1
echo "not a program: status $?"
# A signal to squall goes to the program.
"$SQUALL_BIN" run -- bash -c 'trap "echo got it; exit 5" TERM; touch '"$TMPDIR"'/ready; while :; do sleep 0.05; done' 2>/dev/null &
until [ -e "$TMPDIR/ready" ]; do sleep 0.02; done
kill -TERM $!
wait $!
echo "status $?"
find "$SQUALL_DIR" -name '*.region' | wc -l
