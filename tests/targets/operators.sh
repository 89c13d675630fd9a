#!/bin/bash
# Every C++ operator is counted once, whether it passes through malloc (libstdc++) or not (the
# operators of jemalloc, tcmalloc, mimalloc), preloaded behind the library or linked into the program.
. "$(dirname "$0")/lib.sh"

verify() {
    report "$TMPDIR/json" || not_ok "$1" "no report"
    check "$1" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
sizes = {"plain": 48, "array": 192, "nothrow": 50, "nothrow_array": 51, "aligned": 256,
         "aligned_array": 512, "aligned_nothrow": 600, "aligned_nothrow_array": 601, "sized": 52,
         "unsized": 53, "sized_array": 54, "aligned_sized": 200}
for name, size in sizes.items():
    found = sites(p, name)
    # libstdc++ rounds what it asks of aligned_alloc up to the alignment
    slack = 512 if "aligned" in name else 0
    got = [total(found, k) for k in ("allocs", "frees", "live_bytes")]
    same(name, got, [10, 10, 0])
    for s in found:
        if not size <= s["size"]["max"] <= size + slack:
            raise SystemExit(f"{name}: size {s['size']['max']}, expected {size}")
same("frees of the thread", p["totals"]["frees"] - p["totals"]["untracked_frees"],
     total(p["sites"], "frees"))
if sum(s["allocs"] for s in sites(p, "fails") if s["size"]["max"] > 1 << 40):
    raise SystemExit("a failed allocation is counted")
P
}

# mimalloc aborts where the others throw.
spare() { case $allocator in *mimalloc*) echo spare ;; esac; }

build operators
for allocator in "" libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
    fresh
    # shellcheck disable=SC2046 # no argument rather than an empty one
    out=$(BEHIND=$allocator under mode:exact "$TMPDIR/operators" $(spare) 2>/dev/null)
    [ "$out" = done ] || not_ok "operators ${allocator:-glibc}" "the program failed"
    verify "operators over ${allocator:-libstdc++}"
done
for allocator in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
    build operators -Wl,--no-as-needed -l:"$allocator"
    fresh
    # shellcheck disable=SC2046
    out=$(under mode:exact "$TMPDIR/operators" $(spare) 2>/dev/null)
    [ "$out" = done ] || not_ok "operators linked $allocator" "the program failed"
    verify "operators with $allocator linked in"
done
finish
