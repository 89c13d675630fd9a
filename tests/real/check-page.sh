#!/bin/bash
# The pages of report and diff in a real browser (tests/page/browser.mjs, diff.mjs): clicks, sorts, zooms, searches,
# by mouse and by keys, in light and dark, on a phone and on paper, with axe's word on who cannot see
# or point; how long 100,000 sites take; exports in speedscope and DHAT's viewer (viewers.mjs). Part of `make check-real`. SHOTS=DIR keeps pictures.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${SQUALL_BIN:=$root/build/squall}" "${SQUALL_WORK:=${TMPDIR:-/tmp}/squall-work}"
work=$SQUALL_WORK/page
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

skip() {
    echo "ok page # skip $*"
    exit 77
}
command -v node >/dev/null && command -v npm >/dev/null || skip "no npm"
browser=$(command -v chromium) || skip "no chromium: tools/setup.sh real"

mkdir -p "$work" || exit 1
if ! cmp -s "$root/tests/page/package-lock.json" "$work/node_modules/.lock"; then
    cp "$root"/tests/page/package*.json "$work/"
    (cd "$work" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund) >"$scratch/npm.log" 2>&1 ||
        skip "npm ci: $(tail -n 1 "$scratch/npm.log")"
    cp "$root/tests/page/package-lock.json" "$work/node_modules/.lock"
fi
cp "$root"/tests/page/*.mjs "$work/"

# ---- what is shown ----

"$SQUALL_BIN" run --mode exact --quiet -o "$scratch/run.squall" -- /usr/bin/python3 -c '
import os, threading, time, zlib
data = os.urandom(30000) + bytes(200000)
def work(n):
    for i in range(n):
        zlib.compress(data[:1000 << (i % 8)])
        time.sleep(.001)
threads = [threading.Thread(target=work, args=(n,)) for n in (200, 400, 600)]
for t in threads: t.start()
for t in threads: t.join()' >/dev/null 2>&1
gcc -O1 -g -fno-inline -pthread "$root/tests/targets/src/hostile_names.c" -o "$scratch/<img src=x>"
"$SQUALL_BIN" run --mode exact --quiet -o "$scratch/hostile.squall" -- "$scratch/<img src=x>" \
    '</script><script>window.broken=2</script>' $'\xff\x1b[31m' '<!--<script>' >/dev/null 2>&1
# Kept from run to run: it takes a while.
if [ ! -e "$work/large.squall" ]; then
    echo "# recording 100,000 sites"
    mkdir -m 700 "$scratch/large"
    env SQUALL_DIR="$scratch/large" SQUALL_CONF=mode:exact,region:512m \
        LD_PRELOAD="${SQUALL_LIB:-$root/build/libsquall.so}" node "$root/tools/bench/sites.js" 27000 >/dev/null 2>&1
    "$SQUALL_BIN" pack -o "$scratch/large.squall" "$scratch/large"/* >/dev/null 2>&1 &&
        mv "$scratch/large.squall" "$work/large.squall"
fi
for name in run hostile; do
    "$SQUALL_BIN" export --format html "$scratch/$name.squall" -o "$scratch/$name.html" ||
        { echo "not ok page: $name is not exported"; exit 1; }
done
"$SQUALL_BIN" export --format html --no-lines "$work/large.squall" -o "$scratch/large.html" ||
    { echo "not ok page: large is not exported"; exit 1; }
"$SQUALL_BIN" export --format html "$scratch/run.squall" "$scratch/hostile.squall" -o "$scratch/both.html"
CHROMIUM=$browser node "$work/browser.mjs" "$scratch/run.html" "$scratch/hostile.html" \
    "$scratch/both.html" "$scratch/large.html"
status=$?

# ---- two compared ----

# record NAME CODEC: the same messages, by zlib or by zstd
record() {
    "$SQUALL_BIN" run --mode exact --quiet -o "$scratch/$1.squall" -- /usr/bin/python3 -c '
import sys, zlib, zstandard
text = b"".join(b"%d a message of some length, to be made shorter %d\n" % (i, i * i % 977) for i in range(1200))
for i in range(64):
    if sys.argv[1] == "zlib":
        zlib.compress(text)
    else:
        zstandard.ZstdCompressor().compress(text)' "$2" >/dev/null 2>&1
}
record zlib zlib && record again zlib && record zstd zstd || { echo "not ok page: not recorded"; exit 1; }
for pair in zlib:zstd zlib:again run:hostile; do
    "$SQUALL_BIN" diff --per run "$scratch/${pair%:*}.squall" "$scratch/${pair#*:}.squall" \
        --html "$scratch/$pair.html" >/dev/null || { echo "not ok page: $pair is not compared"; exit 1; }
done
"$SQUALL_BIN" diff "$scratch/zlib.squall" "$scratch/zstd.squall" --format html >"$scratch/zlib:zstd.html"
CHROMIUM=$browser node "$work/diff.mjs" "$scratch/zlib:zstd.html" "$scratch/zlib:again.html" \
    "$scratch/run:hostile.html" || status=1

# ---- exports, in the pages of others ----

viewer=/usr/libexec/valgrind/dh_view.html
if [ -e "$viewer" ]; then
    "$SQUALL_BIN" report --json "$scratch/zlib.squall" >"$scratch/zlib.json"
    for format in speedscope dhat; do
        "$SQUALL_BIN" export --format "$format" "$scratch/zlib.squall" -o "$scratch/zlib.$format.json"
    done
    CHROMIUM=$browser node "$work/viewers.mjs" "$scratch/zlib.json" "$scratch/zlib.speedscope.json" \
        "$scratch/zlib.dhat.json" "$viewer" || status=1
else
    echo "ok viewers # skip no valgrind"
fi
exit "$status"
