#!/bin/bash
# Codec calls that do not simply return disturb nothing: neither the program, nor what is counted of
# the ordinary calls that come after them. src/leave.cc has the ways.
. "$(dirname "$0")/lib.sh"
build leave -lzstd -lz -lsnappy

for way in longjmp exception nested suspended abandoned pthread_exit pthread_cancel fork exit; do
    "$TMPDIR/leave" "$way" >"$TMPDIR/plain" || { not_ok "$way" "fails by itself: $?"; continue; }
    for conf in mode:default mode:exact args:off; do
        fresh
        under "$conf" "$TMPDIR/leave" "$way" >"$TMPDIR/said"
        status=$?
        if [ "$status" = 0 ] && cmp -s "$TMPDIR/plain" "$TMPDIR/said"; then
            ok "$way, $conf: unharmed"
        else
            not_ok "$way, $conf: unharmed" "$status, $(diff "$TMPDIR/plain" "$TMPDIR/said" | head -n 3)"
        fi
        [ "$conf" = args:off ] && continue
        report "$TMPDIR/json" || { not_ok "$way, $conf" "no report"; continue; }
        check "$way, $conf: ordinary calls" "$TMPDIR/json" "$way" <<'P'
from squall import *
processes = load(argument(1))
way = argument(2)
same("processes", len(processes), 2 if way == "fork" else 1)
for p in processes:
    calls = 2000 if way.startswith("pthread") else 1000
    mine = rows_under(p, "ordinary", "ZSTD_compress")
    same("calls", total(mine, "calls"), calls)
    same("source bytes", total(mine, "source_bytes"), calls * 2000)
    same("nested", total(mine, "nested"), 0)
    same("failures", total(mine, "failures"), 0)
    same("left", total(mine, "left"), 0)
    same("levels", levels(mine), {1: calls})
    # Nothing that was left still counts as running, nor has anything been taken off twice.
    same("levels of the process", set(levels([p])) - {1, 2}, set())
P
        check "$way, $conf: the others" "$TMPDIR/json" "$way" <<'P'
from squall import *
p = load(argument(1))[0]
way = argument(2)
def outer(within, function):
    return [r for r in rows_under(p, within, function) if not r["nested"]]
if way in ("longjmp", "exception"):
    # Every second time it is left in the creation of the context.
    same("left", total(outer("with_zstd", "ZSTD_compressCCtx"), "left"), 10)
if way == "exception":
    same("left by the sink's", total(outer("with_snappy", "snappy::Compress"), "left"), 20)
if way == "nested":
    # What is nested stands under the stack of the outermost call.
    inside = [r for r in rows_under(p, "with_zstd", "ZSTD_compress") if r["nested"]]
    same("zstd in zstd", total(inside, "nested"), 20)
    # Not so in snappy: it is another codec's call that they are made in.
    appended = total(outer("inner", "ZSTD_compress"), "calls")
    same("zlib", total(outer("inner", "compress"), "calls"), 20 + appended)
    same("zstd in snappy is there", appended >= 10, True)
    same("theirs", total(outer("with_zstd", "ZSTD_compressCCtx"), "calls"), 20)
    same("none left", sum(r["left"] for r in p["codec_calls"]), 0)
if way in ("suspended", "abandoned"):
    same("between", total(outer("between", "ZSTD_compress"), "calls"), 20)
    same("nested between", total(rows_under(p, "between", "ZSTD_compress"), "nested"), 0)
if way == "suspended":
    mine = outer("on_own_stack", "ZSTD_compressCCtx")
    same("resumed", total(mine, "calls"), 20)
    same("source bytes", total(mine, "source_bytes"), 20 * 200000)
    same("none left", sum(r["left"] for r in p["codec_calls"]), 0)
if way == "fork":
    same("the parent's", total(outer("with_zstd", "ZSTD_compressCCtx"), "calls"), 1)
same("ended", p["state"], "ended")
P
    done
done
finish
