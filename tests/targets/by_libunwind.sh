#!/bin/bash
# unwind:libunwind, for who accepts what it brings along: the same sites with the same functions and
# blocks as the walker of our own, with threads, signals and C++ exceptions, and the program runs as
# without. Where there is no libunwind, one line tells, and the own walker is used.
. "$(dirname "$0")/lib.sh"
: "${SQUALL_ROOT:=$here/../..}"
build tables -I"$SQUALL_ROOT/include" -lzstd
build throwing -shared -fPIC
cat >"$TMPDIR/catch.cc" <<'C'
#include <cstdio>
#include <stdexcept>
#include <vector>
extern "C" int squall_test_throws();
static int deep(int n) {
    std::vector<char> kept(100000);
    if (n == 0)
        throw std::runtime_error("here");
    return deep(n - 1) + kept[0];
}
int main() {
    int caught = squall_test_throws();
    for (int i = 0; i < 100; i++)
        try {
            deep(i % 10);
        } catch (const std::runtime_error &) {
            caught++;
        }
    std::printf("%d\n", caught);
}
C
g++ -O1 -g "$TMPDIR/catch.cc" "$TMPDIR/throwing" -Wl,-rpath,"$TMPDIR" -o "$TMPDIR/catch" || not_ok catch "does not build"
ldconfig -p 2>/dev/null | grep -q 'libunwind\.so\.8 ' || { echo "no libunwind.so.8"; exit 77; }

for part in "large 50" "together 20" "call 20"; do
    for mode in exact default; do
        [ "$mode,$part" = "default,large 50" ] || [ $mode = exact ] || continue # the others have no large blocks
        for walker in own libunwind; do
            fresh
            # shellcheck disable=SC2086 # two words
            under mode:$mode,sample:0,unwind:$walker "$TMPDIR/tables" $part >"$TMPDIR/out" 2>&1 || not_ok "$part" "status $?"
            [ "$(cat "$TMPDIR/out")" = "${part#* }" ] || not_ok "$part, $mode, $walker" "$(head -n 1 "$TMPDIR/out")"
            report "$TMPDIR/$walker.json"
        done
        check "$part, $mode: the same by both" "$TMPDIR/own.json" "$TMPDIR/libunwind.json" <<'P'
from squall import *
def sums(path):
    p, = load(path)
    # what the loader does is more with one library more
    found = {}
    for s in p["sites"]:
        names = tuple(bare(f["function"]) for f in s["stack"])
        if ("main" not in names and "thread" not in names) or "allocate_dtv" in names:
            continue
        key = tuple(n for n in names if n not in ("", "_start"))
        a = found.setdefault(key, [0, 0, 0])
        for i, k in enumerate(("allocs", "frees", "bytes")):
            a[i] += s[k]
    return p, found
p, own = sums(argument(1))
q, other = sums(argument(2))
same("mode of walking", [v["statement"] for v in q["visibility"] if "libunwind" in v["statement"]] != [], True)
same("sites", len(other) > 0 and sorted(other), sorted(own))
for key in own:
    same(f"sums of {key}", other[key], own[key])
P
    done
done

# Exceptions pass through, and are still libgcc's.
fresh
said=$(under mode:exact,unwind:libunwind "$TMPDIR/catch" 2>&1)
if [ "$said" = 200 ]; then ok exceptions; else not_ok exceptions "$said"; fi

# Without the library: LD_LIBRARY_PATH leads to a file that is none.
fresh
mkdir "$TMPDIR/none"
echo "no library" >"$TMPDIR/none/libunwind.so.8"
said=$(LD_LIBRARY_PATH=$TMPDIR/none under mode:exact,unwind:libunwind "$TMPDIR/tables" large 50 2>"$TMPDIR/err")
report "$TMPDIR/json"
if [ "$said" = 50 ] && grep -q 'the own walker is used' "$TMPDIR/err"; then
    check "no libunwind" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("blocks", total(sites(p, "large"), "allocs"), 150)
P
else
    not_ok "no libunwind" "$said $(cat "$TMPDIR/err")"
fi
finish
