#!/bin/bash
# Exact mode counts exactly: allocs, frees, bytes, live and peak of every (stack, thread), for every
# entry point, frees by other threads, realloc both ways and failing, over each allocator.
. "$(dirname "$0")/lib.sh"
build exact
for allocator in "" libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
    fresh
    without=
    [ "$allocator" = libjemalloc.so.2 ] && without=pvalloc
    # shellcheck disable=SC2086 # no argument rather than an empty one
    BEHIND=$allocator under mode:exact "$TMPDIR/exact" $without >"$TMPDIR/want" ||
        { not_ok "exact ${allocator:-glibc}" "the program failed"; continue; }
    report "$TMPDIR/json" || not_ok "exact ${allocator:-glibc}" "no report"
    check "exact ${allocator:-glibc}" "$TMPDIR/json" "$TMPDIR/want" <<'P'
from squall import *
p, = load(argument(1))
keys = ("allocs", "frees", "bytes", "freed_bytes", "live_bytes", "peak_live_bytes")
want = {}
for line in open(argument(2)):
    name, tid, *numbers = line.split()
    want.setdefault(name, {})[int(tid)] = tuple(map(int, numbers))
for name, threads in want.items():
    found = sites(p, name)
    # reallocs of one function are one site, so peaks need no adding up
    for tid, numbers in threads.items():
        rows = [t for s in found for t in s["threads"] if t["tid"] == tid]
        got = tuple(sum(r[k] for r in rows) for k in keys)
        if len(rows) != 1:
            # several call sites in one function: peaks do not add up
            got, numbers = got[:5], numbers[:5]
        same(f"{name} of thread {tid}", got, numbers)
    same(f"{name} estimated", any(s["estimated"] for s in found), False)
mixed = sites(p, "by_mixed")
same("large blocks of by_mixed", total([s["large"] for s in mixed], "allocs"), 4 * 500)
same("remote frees of by_handover", total(sites(p, "by_handover"), "remote_frees"), 4 * 500)
same("totals against sites", p["totals"]["allocs"], total(p["sites"], "allocs"))
same("bytes against sites", p["totals"]["bytes"], total(p["sites"], "bytes"))
same("lost", {k: v for k, v in p["totals"]["lost"].items() if v}, {})
P
done

build switch
fresh
under mode:exact "$TMPDIR/switch" >"$TMPDIR/want" && report "$TMPDIR/json" ||
    not_ok switch "the program failed"
check "a stack is not taken for that of a coroutine or a handler in between" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
for name, blocks, size in ("by_main", 200, 40), ("by_coroutine", 100, 50), ("by_handler", 100, 60):
    found = sites(p, name)
    same(name, (total(found, "allocs"), total(found, "frees"), total(found, "bytes")),
         (blocks, blocks, blocks * size))
P

build handed -pthread
fresh
under mode:exact "$TMPDIR/handed" && report "$TMPDIR/json" || not_ok handed "the program failed"
check "blocks that another thread frees, counts and bytes" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
found = sites(p, "by_maker")
for key, value in ("allocs", 20000), ("frees", 20000), ("remote_frees", 20000), \
        ("bytes", 2000000), ("live_bytes", 0), ("live_blocks", 0), ("peak_live_bytes", 2000000):
    same(key, total(found, key), value)
P
finish
