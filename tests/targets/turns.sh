#!/bin/bash
# Stacks that take turns, which a thread knows whole: each allocation is counted at its own, also in
# a forked child, whose sites have other numbers.
. "$(dirname "$0")/lib.sh"
build turns
fresh
under mode:exact "$TMPDIR/turns" || not_ok turns "the program failed"
report "$TMPDIR/json"
check "turns of three stacks, and in a child" "$TMPDIR/json" <<'P'
from squall import *
parent, child = load(argument(1))
for p, wanted in (parent, {"red": 1000, "green": 2000, "blue": 3000}), \
        (child, {"red": 500, "green": 300, "blue": 107}):
    for name, count in wanted.items():
        same(name, [total(sites(p, name), what) for what in ("allocs", "frees", "live_bytes")],
             [count, count, 0])
P
finish
