#!/bin/bash
# What is read of a process that goes on allocating with eight threads agrees with itself, in both
# modes, over many readings: nothing freed that was not allocated, sums that add up to within what
# the threads were doing. Neither a snapshot nor a report stops it.
. "$(dirname "$0")/lib.sh"
build busy
for conf in mode:exact mode:default; do
    fresh
    : >"$TMPDIR/said"
    mkfifo "$TMPDIR/end.$conf"
    # not `under`: its number would be that of a shell
    env SQUALL_DIR="$dumps" SQUALL_CONF="$conf" LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/busy" 8 \
        <"$TMPDIR/end.$conf" >"$TMPDIR/said" &
    busy=$!
    exec 9>"$TMPDIR/end.$conf"
    until grep -q ready "$TMPDIR/said" 2>/dev/null || ! kill -0 $busy 2>/dev/null; do sleep 0.02; done
    out=$TMPDIR/$conf
    mkdir "$out"
    for n in 1 2 3 4 5 6; do
        "$SQUALL_BIN" snapshot $busy --quiet -o "$out/$n.squall" || not_ok "snapshot $conf" "status"
    done
    for n in {10..29}; do
        "$SQUALL_BIN" report --json --no-lines $busy >"$out/$n.json" || not_ok "report $conf" "status"
    done
    exec 9>&-
    wait $busy || not_ok "busy $conf" "ended with $?"
    for n in 1 2 3 4 5 6; do
        "$SQUALL_BIN" report --json --no-lines "$out/$n.squall" >"$out/0$n.json" || not_ok "snapshot $conf" "cannot be read"
    done
    if said=$(/usr/bin/python3 "$here/snapshot.py" 8 204800 "$out"/0*.json "$out"/[12]*.json); then
        ok "agree with themselves: $conf"
    else
        not_ok "agree with themselves: $conf" "$(tail -n 1 <<<"$said")"
    fi
done
finish
