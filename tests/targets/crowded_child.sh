#!/bin/bash
# A forked child whose threads allocate all at once: one of them makes the region, the others neither
# crash in a half-made one nor are lost: the child's totals hold every call.
. "$(dirname "$0")/lib.sh"
build crowded_child
for mode in default exact; do
    fresh
    [ "$(under mode:$mode,region:2m "$TMPDIR/crowded_child")" = done ] ||
        not_ok "crowded child, $mode" "the program failed"
    report "$TMPDIR/json" || not_ok "crowded child, $mode" "no report"
    check "crowded child, $mode" "$TMPDIR/json" <<'P'
from squall import *
children = [p for p in load(argument(1)) if p["totals"]["allocs"] >= 2000]
same("children", len(children), 40)
for p in children:
    # what was allocated while another thread made the region is in the totals alone
    at_site, all_calls = total(sites(p, "worker_block"), "allocs"), p["totals"]["allocs"]
    same("every call counts", all_calls >= 12 * 200, True)
    same("sites hold the rest", 0 < at_site <= 12 * 200, True)
    same("none is live", total(sites(p, "worker_block"), "live_bytes"), 0)
P
done
finish
