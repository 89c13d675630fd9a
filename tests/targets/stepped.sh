#!/bin/bash
# A kill between any two instructions leaves sums that hold: src/stepped.c takes a program through
# its allocations one by one and looks into the region after each. (killed.sh kills at random
# moments, with threads, and asks the report; this one misses no moment.)
. "$(dirname "$0")/lib.sh"
build stepped -I"$here/../../include"
cd "$TMPDIR" || exit 1
for conf in sample:1k mode:exact sample:64k,large:1k; do
    fresh
    rm -f counts
    if said=$(SQUALL_DIR=$dumps "$TMPDIR/stepped" "$SQUALL_LIB" "$conf,region:4m" "${STEPS:-30000}" 2>&1); then
        ok "after each instruction, $conf"
    elif [ -z "$said" ]; then
        echo "ok after each instruction, $conf # skip no ptrace here"
    else
        not_ok "after each instruction, $conf" "$(head -n 1 <<<"$said")"
    fi
done
finish
