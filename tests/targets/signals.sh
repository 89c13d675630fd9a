#!/bin/bash
# Blocks made in signal handlers, on the alternate stack, are counted with their stacks.
. "$(dirname "$0")/lib.sh"
build signals
for mode in default exact; do
    fresh
    read -r handlers threads < <(under mode:$mode timeout 60 "$TMPDIR/signals") ||
        { not_ok "signals, $mode" "the program failed"; continue; }
    report "$TMPDIR/json" || not_ok signals "no report"
    check "signals, $mode" "$TMPDIR/json" "$handlers" "$threads" <<'P'
from squall import *
p = [p for p in load(argument(1)) if p["exe"].endswith("/signals")][0]
size = lambda n: [s for s in p["sites"] if s["size"]["min"] == s["size"]["max"] == n]
same("in handlers", total(size(90000), "allocs"), int(argument(2)))
same("in threads", total(size(77777), "allocs"), int(argument(3)))
same("freed", total(size(90000), "frees"), int(argument(2)))
named = [s for s in size(90000) if any(f["function"] == "handler" for f in s["stack"])]
same("handler is on the stacks", total(named, "allocs"), int(argument(2)))
through = [s for s in named if any(f["function"] in ("run", "main") for f in s["stack"])]
same("and what it interrupted", total(through, "allocs"), int(argument(2)))
P
done
finish
