#!/bin/bash
# Every table at its bound: what is recorded stays right, what is not is counted. A region of 2 MiB
# holds 1,536 sites and 2,560 cells; the target has 20,000 stacks.
. "$(dirname "$0")/lib.sh"
build grower
fresh
[ "$(under mode:exact,region:2m "$TMPDIR/grower")" = 20000 ] || not_ok tables "the program failed"
report "$TMPDIR/json" || not_ok tables "no report"
check "tables at their bounds" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
lost = p["totals"]["lost"]
same("stacks or sites were lost", lost.get("stacks", 0) + lost.get("sites", 0) > 10000, True)
same("nothing is missing in the totals", p["totals"]["allocs"] >= 20000, True)
same("sums over sites", total(p["sites"], "allocs"), p["totals"]["allocs"])
same("bytes over sites", total(p["sites"], "bytes"), p["totals"]["bytes"])
for s in p["sites"]:
    same("allocs - frees at a site", s["allocs"] - s["frees"] >= 0, True)
same("what fits nowhere is one site without a stack",
     max(s["allocs"] for s in p["sites"] if not s["stack"]) > 10000, True)
same("said", any("not" in v["statement"] for v in p["visibility"]), True)
P

# Live blocks without room: a small address space leaves a small table.
cat >"$TMPDIR/many.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    void **p = malloc(200000 * sizeof *p);
    for (int i = 0; i < 200000; i++)
        p[i] = malloc(16);
    for (int i = 0; i < 200000; i++)
        free(p[i]);
    free(p);
    puts("done");
}
C
gcc -O1 -fno-builtin "$TMPDIR/many.c" -o "$TMPDIR/many" || not_ok tables "does not build"
fresh
out=$(ulimit -v 100000; under mode:exact "$TMPDIR/many" 2>/dev/null)
[ "$out" = done ] || not_ok tables "the program failed"
report "$TMPDIR/json" || not_ok tables "no report"
check "table of live blocks at its bound" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
lost = p["totals"]["lost"]["live"]
same("lost", lost > 1000, True)
same("recorded or lost", total(p["sites"], "allocs") + lost, p["totals"]["allocs"])
same("none is live", total(p["sites"], "live_bytes") < 5000, True)
P
finish
