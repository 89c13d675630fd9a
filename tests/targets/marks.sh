#!/bin/bash
# A program may mark its own codec calls with include/squall/squall.h: they are counted like others,
# in a stripped program and in a plugin as well; and without squall the marks do nothing and need
# nothing.
. "$(dirname "$0")/lib.sh"

# compile NAME COMPILER FLAGS…: the target, told of all that a careful project asks of a header
compile() {
    local name=$1
    shift
    "$@" -O1 -g -fno-builtin -Wall -Wextra -Werror -I"$here/../../include" "$here/src/mark.c" \
        -o "$TMPDIR/$name" || { not_ok "$name" "does not build"; return 1; }
    ok "$name builds"
}

# run_it NAME SEES PROGRAM…: SEES is the function that must be on the stacks, or nothing
run_it() {
    local name=$1 sees=$2 wanted="100 calls, 13435000 bytes to 671800" conf
    shift 2
    [ "$("$@")" = "$wanted" ] && ok "$name, without squall" ||
        not_ok "$name, without squall" "$("$@" 2>&1 | tail -n 1)"
    for conf in mode:default mode:exact args:off; do
        fresh
        [ "$(under "$conf" "$@")" = "$wanted" ] || { not_ok "$name, $conf" "says something else"; continue; }
        report "$TMPDIR/json" || { not_ok "$name, $conf" "no report"; continue; }
        check "$name, $conf" "$TMPDIR/json" "$conf" "$sees" <<'P'
from squall import *
p, = load(argument(1))
conf, sees = argument(2), argument(3)
packs, unpacks = ([r for r in p["codec_calls"] if r["function"] == "runs"
                   and r["direction"] == d] for d in ("compress", "decompress"))
# A mark is the program's own wish: it does not go with args:off, which is about the codecs' code.
same("calls", total(packs, "calls"), 107)
same("failures", total(packs, "failures"), 7)
same("source bytes", total(packs, "source_bytes"), 13435000 + 7000)
same("produced bytes", total(packs, "produced_bytes"), 671800)
same("capacity", total(packs, "output_capacity"), 13435000 + 70)
same("nested", total(packs + unpacks, "nested"), 0)
same("left", total(packs + unpacks, "left"), 0)
same("calls back", total(unpacks, "calls"), 100)
same("produced back", total(unpacks, "produced_bytes"), 13435000)
same("levels", levels(packs), {1: 107})
# CPU time is taken of few, but not only of the first ones.
if total(unpacks, "timed") < 8:
    raise SystemExit(f"{total(unpacks, 'timed')} of 100 calls are timed")
if sees:
    same("on the stack", all(any(bare(f["function"]) == sees for f in r["stack"])
                             for r in packs), True)
outputs = [s for s in p["sites"] if s["roles"]["output"]["allocs"]]
same("outputs", sum(s["roles"]["output"]["allocs"] for s in outputs), 100)
same("output bytes", sum(s["roles"]["output"]["bytes"] for s in outputs), 13435000)
same("role", {s["role"] for s in outputs}, {"output"})
same("flagged", {s["flagged"] for s in outputs}, {True})
near("source ratio", outputs[0]["source_ratio"]["mean"], 1, 0.001)
same("found by its mark", {"mark" in str(f["found"]) for f in p["codec_functions"] if f["name"] == "runs"},
     {True})
P
    done
}

compile mark gcc && run_it mark run "$TMPDIR/mark" &&
    strip -o "$TMPDIR/mark-stripped" "$TMPDIR/mark" &&
    run_it stripped "" "$TMPDIR/mark-stripped"
compile mark-optimised gcc -O3 && run_it optimised "" "$TMPDIR/mark-optimised"
compile mark-static gcc -static && [ "$("$TMPDIR/mark-static")" ] && ok "static, without squall"
compile mark-c99 gcc -std=c99 -pedantic && run_it c99 run "$TMPDIR/mark-c99"
compile mark-c++ g++ -x c++ -std=c++11 -pedantic && run_it c++ run "$TMPDIR/mark-c++"
compile host gcc -DHOST && compile plugin.so gcc -DPLUGIN -fPIC -shared &&
    run_it plugin run "$TMPDIR/host" "$TMPDIR/plugin.so"

# A mark around another codec's call: what both make of a buffer is one message.
gcc -O1 -g -fno-builtin -Wall -Werror -I"$here/../../include" "$here/src/mark_inner.c" \
    -o "$TMPDIR/inner" -lzstd || not_ok inner "does not build"
fresh
if under mode:default "$TMPDIR/inner" >"$TMPDIR/said" && report "$TMPDIR/json"; then
    check "inner: one message" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
output, = [s for s in p["sites"] if s["roles"]["output"]["allocs"]]
same("outputs", output["roles"]["output"]["allocs"], 20)
same("reused", output["reused"], False)
same("flagged", output["flagged"], True)
for function in "outer", "ZSTD_compress":
    calls = [r for r in p["codec_calls"] if r["function"] == function]
    same("calls of " + function, [(r["calls"], r["nested"]) for r in calls], [(20, 0)])
P
else
    not_ok inner "exit status $?"
fi

# Nothing is needed of anybody.
if [ -e "$TMPDIR/plugin.so" ]; then
    needs=$(nm -D --undefined-only "$TMPDIR/plugin.so" | grep -i squall)
    [ -z "$needs" ] && ok "needs no library" || not_ok "needs no library" "$needs"
fi
finish
