#!/bin/bash
# What 48 hours and more do to counters: sums that began near 2^32, 2^53 and 2^63, and every counter
# of fewer bits at its end: histograms, messages of a buffer, calls that were left, the clock of
# calls at once, lives, ratios, ticks, forks. The program sets them and goes on.
. "$(dirname "$0")/lib.sh"
: "${SQUALL_ROOT:=$here/../..}"
build long_run -I"$SQUALL_ROOT/src" -I"$SQUALL_ROOT/include" -lzstd
SYMBOLS=$(nm "$SQUALL_LIB" | awk '$2 ~ /[bBdD]/ && $3 ~ /^(shim|running|block_rows)$/ { printf "%s=%s ", $3, $1 }')
export SYMBOLS

# part CONF PART SIZE: what the program says of itself; its dump is in $dumps
part() {
    fresh
    said=$(under "$1" "$TMPDIR/long_run" "$2" "$3" 2>"$TMPDIR/err") || said=${said:-status $?}
    if [ "${said##* }" = ok ]; then
        ok "$2, $1"
    else
        not_ok "$2, $1" "$said $(tail -n 1 "$TMPDIR/err")"
    fi
}

# Blocks of 100 bytes are all recorded in exact mode, those of 100,000 in both.
for conf in "mode:exact 100" "mode:exact 100000" "mode:default 100000"; do
    for bits in 32 53 63; do
        # shellcheck disable=SC2086 # two words
        part ${conf% *} sums_$bits ${conf#* }
        report "$TMPDIR/json"
        check "the report of sums_$bits, $conf" "$TMPDIR/json" "${said% *}" "${conf#* }" <<'P'
from squall import *
p, = load(argument(1))
allocs, size = int(argument(2)), int(argument(3))
s, = [s for s in sites(p, "make") if s["allocs"] > 6000]
n = 1003 + 5000 + 20
before = allocs - n
same("allocs", s["allocs"], allocs)
same("frees", s["frees"], allocs)
same("bytes", s["bytes"], before + n * size)
same("live", (s["live_bytes"], s["peak_live_bytes"]), (0, size))
same("of the thread", s["threads"][0]["allocs"], allocs)
same("large", s["large"]["allocs"], allocs if size >= 65536 else 0)
same("nothing lost", {k: v for k, v in p["totals"]["lost"].items() if v}, {})
if before < 1 << 60:
    same("in all", allocs <= p["totals"]["allocs"] < allocs + 2000, True)
P
    done
    part ${conf% *} lives ${conf#* }
    report "$TMPDIR/json"
    check "the report of lives, $conf" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
s = max(sites(p, "make"), key=lambda s: s["allocs"])
hours = s["lifetime_ns"]["mean"] / 3.6e12
same(f"the mean of lives ({hours} hours)", 5 < hours < 500, True)
P
    part ${conf% *} histograms ${conf#* }
done
for mode in exact default; do
    for what in idle served ratios left; do
        part mode:$mode $what 100000
    done
    part mode:$mode,tick:1ms ticks 100000
    report "$TMPDIR/json"
    check "the timeline, $mode" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
t = [x["t"] for x in p["timeline"]]
same("in order", t, sorted(t))
P
    part mode:$mode,tick:1h hours 100000
    report "$TMPDIR/json"
    check "the report after 48 hours, $mode" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
near("seconds", p["seconds"], 48 * 3600, 0.001)
c = max(p["codec_calls"], key=lambda c: c["seconds"])
near("seconds in the call", c["seconds"], 48 * 3600, 0.01)
s = max(sites(p, "make"), key=lambda s: s["allocs"])
near("a second", s["allocs_per_second"], s["allocs"] / p["seconds"], 0.01)
P
    part mode:$mode epochs 100000
    same_line=$(grep -c 'not recorded' "$TMPDIR/err")
    report "$TMPDIR/json"
    check "forks beyond the last epoch, $mode" "$TMPDIR/json" "$same_line" <<'P'
from squall import *
ps = load(argument(1))
same("recorded: the first and its child", len(ps), 2)
same("said", argument(2), "1")
same("inherited", [p["totals"]["inherited_frees"] for p in ps], [0, 300])
for p in ps:
    for s in p["sites"]:
        same("frees of no blocks", s["frees"] <= s["allocs"], True)
P
done
finish
