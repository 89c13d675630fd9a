#!/bin/bash
# Default mode is unbiased: over many seeds the mean estimate of each site's bytes and blocks lies
# within the confidence interval that the sampling theory gives; blocks from `large` up are exact.
. "$(dirname "$0")/lib.sh"
build sampling
fresh
runs=${RUNS:-300}
for seed in $(seq "$runs"); do
    under "sample:32k,region:2m,seed:$seed" "$TMPDIR/sampling" ||
        { not_ok sampling "the program failed"; finish; }
done
report "$TMPDIR/json" || { not_ok sampling "no report"; finish; }
check "sampling is unbiased over $runs seeds" "$TMPDIR/json" "$runs" <<'P'
from math import exp, sqrt
from squall import *
runs, mean = int(argument(2)), 32768
processes = load(argument(1))
same("runs", len(processes), runs)
blocks = {"small": (40, 8000), "middle": (3000, 400), "wide": (60000, 50), "kept": (500, 200)}
Z = 4.0  # a true mean falls outside once in 16,000 times, for each of eight
for name, (size, count) in blocks.items():
    p = 1 - exp(-size / mean)
    # A block is taken with probability p and counts 1/p: variance (1 - p)/p a block.
    sd = sqrt(count * (1 - p) / p / runs)
    for key, unit in (("allocs", 1), ("bytes", size)):
        got = sum(total(sites(x, name), key) for x in processes) / runs
        # what rounding to whole blocks can add
        slack = 0.5 if key == "allocs" else 0.5 * count * p + 1
        if abs(got - count * unit) > Z * sd * unit + slack:
            raise SystemExit(f"{name} {key}: mean {got:.1f}, true {count * unit}, "
                             f"standard error {sd * unit:.2f}")
for x in processes:
    s, = sites(x, "large")
    same("large", (s["allocs"], s["frees"], s["bytes"], s["estimated"]), (25, 25, 25 * 70000, False))
    t, = [t for t in x["threads"] if t["allocs"]]
    # what the program itself and the C library's start make is the same in every run
    same("exact totals of the thread", (t["allocs"], t["bytes"]),
         (processes[0]["threads"][-1]["allocs"], processes[0]["threads"][-1]["bytes"]))
    live = total([s for s in sites(x, "small")], "live_bytes")
    same("live bytes of freed blocks", live, 0)
P
finish
