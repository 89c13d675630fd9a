#!/bin/bash
# The allocator behind the library is the one that the program would have had: glibc's for debugging
# (MALLOC_CHECK_=3) defines malloc in the oldest version only, as a program asks for it.
. "$(dirname "$0")/lib.sh"
BEHIND=libc_malloc_debug.so.0
if ! env LD_PRELOAD=$BEHIND true 2>&1 </dev/null | cmp -s - /dev/null; then
    echo "ok debugged # skip no $BEHIND: glibc before 2.34"
    exit 77
fi
build debugged
export MALLOC_CHECK_=3
# What the program prints, and its status; bash's own word about a signal goes nowhere.
run_in() { # alone|MODE HOW
    if [ "$1" = alone ]; then
        env LD_PRELOAD=$BEHIND "$TMPDIR/debugged" "$2" >"$TMPDIR/said" 2>"$TMPDIR/error"
    else
        under "mode:$1" "$TMPDIR/debugged" "$2" >"$TMPDIR/said" 2>"$TMPDIR/error"
    fi
    local status=$?
    echo "$(<"$TMPDIR/said"), status $status, $(grep -ao '^free(): [a-z ]*' "$TMPDIR/error")"
}
for how in once twice; do
    alone=$(run_in alone $how 2>/dev/null)
    [[ $alone == "7 9 300000 33, "* ]] || not_ok "debugged $how alone" "$alone"
    for mode in default exact; do
        fresh
        watched=$(run_in $mode $how 2>/dev/null)
        if [ "$watched" = "$alone" ]; then
            ok "debugged $how $mode"
        else
            not_ok "debugged $how $mode" "$watched; alone $alone"
        fi
    done
done
finish
