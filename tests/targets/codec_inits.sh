#!/bin/bash
# An init that fails makes no context, and nothing of its struct is read; a copy of a stream is one.
. "$(dirname "$0")/lib.sh"
build codec_inits -lz -lbz2 -llzma
"$TMPDIR/codec_inits" >"$TMPDIR/plain" || not_ok inits "fails by itself"
fresh
under mode:default "$TMPDIR/codec_inits" >"$TMPDIR/said" && cmp -s "$TMPDIR/plain" "$TMPDIR/said" ||
    not_ok inits "not as without squall"
report "$TMPDIR/json"
check inits "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
sums = {}
for c in p["contexts"]:
    was = sums.get(c["function"], (0, 0))
    sums[c["function"]] = (was[0] + c["created"], was[1] + c["ended"])
same("created and ended", {f: n for f, n in sums.items() if any(n)},
     {"deflateInit_": (1, 1), "deflateCopy": (1, 1), "BZ2_bzCompressInit": (1, 1),
      "lzma_easy_encoder": (1, 1)})
failures = {}
for r in p["codec_calls"]:
    if r["failures"]:
        failures[r["function"]] = failures.get(r["function"], 0) + r["failures"]
same("failures", failures, {"deflateInit_": 2, "deflateCopy": 1, "BZ2_bzCompressInit": 2,
                            "lzma_easy_encoder": 2})
same("lost", p["totals"]["lost"]["codec"], 0)
P
finish
