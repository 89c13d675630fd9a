#!/bin/bash
# The kernel is asked for CPU time and faults of few calls, from however many places a thread comes:
# it takes longer to answer than a small call takes.
. "$(dirname "$0")/lib.sh"
build call_places -llz4
fresh
under mode:default "$TMPDIR/call_places" >/dev/null || not_ok "many places" "exit status $?"
report "$TMPDIR/json" || not_ok "many places" "no report"
check "many places" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
rows = [r for r in p["codec_calls"] if r["function"] == "LZ4_compress_default"]
same("places", [r["calls"] for r in rows], [500] * 20)
timed = [r["timed"] for r in rows]
if min(timed) < 8 or sum(timed) > 2000:
    raise SystemExit(f"of 500 calls each are timed {timed}")
P
finish
