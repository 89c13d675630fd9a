#!/bin/bash
# The pictures of the documentation, made anew: docs/images/report.png and top.png of kcat and
# its mock broker, diff.png of db_bench. Needs a build, kcat, rocksdb-tools, tmux, chromium, pngquant.
#
#   tools/shots/shots.sh [OUT]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath -m "${1:-$root/docs/images}")
PATH=$root/build:$PATH
scratch=$(mktemp -d)
mkdir -p "$out"
tm() { tmux -u -f /dev/null -S "$scratch/tmux" "$@"; }
# shellcheck disable=SC2329 # called by the trap
stop() {
    tm kill-server 2>/dev/null || true
    [ -z "${feeder:-}" ] || kill "$feeder" 2>/dev/null || true
    rm -rf "$scratch"
}
trap stop EXIT
export LC_ALL=C.UTF-8 SQUALL_DIR=$scratch/regions
mkdir -m 700 "$SQUALL_DIR"
cd "$scratch"
seq 300000 >lines

# shot PAGE NAME WIDTH HEIGHT: 150 KiB at most
shot() {
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3,$4" \
        --virtual-time-budget=5000 --screenshot="$scratch/$2.png" "file://$1" >"$scratch/log" 2>&1
    pngquant --force --strip --speed 1 --output "$out/$2.png" 64 "$scratch/$2.png"
    [ "$(stat -c %s "$out/$2.png")" -le 153600 ] || { echo "$2.png is too large" >&2; exit 1; }
}

producer=(kcat -P -b localhost -X test.mock.num.brokers=1 -t lines)
squall run --quiet -o kcat.squall -- "${producer[@]}" -z zstd -l lines 2>/dev/null
squall report --html kcat.squall >report.html
shot "$scratch/report.html" report 1100 1100
for codec in snappy zstd; do
    squall run --quiet -o "$codec.squall" -- db_bench --benchmarks=fillrandom,compact --num=100000 \
        --value_size=400 --threads=2 --seed=1 --compression_type="$codec" --max_background_jobs=2 --db=db >/dev/null 2>&1
    rm -rf db
done
squall diff snappy.squall zstd.squall --html diff.html >/dev/null
shot "$scratch/diff.html" diff 1100 1250

# One that does not end by itself, and a terminal that watches it.
mkfifo endless
(while cat lines; do :; done) >endless 2>/dev/null &
feeder=$!
LD_PRELOAD=$root/build/libsquall.so "${producer[@]}" -z zstd -l endless >/dev/null 2>&1 &
kcat=$!
# shows COMMAND…: waits some minutes for a command to succeed
shows() {
    for _ in {1..900}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "shots: never: $*" >&2
    tm capture-pane -p >&2 || true
    return 1
}
shows squall report --json "$kcat"
tm new-session -d -x 112 -y 24 "squall top $kcat"
on_screen() { tm capture-pane -p | grep -qE "$1"; }
shows on_screen 'workspace +ZSTD'
shows on_screen '[5-9] s, to '
tm capture-pane -e -p | python3 "$root/tools/shots/screen.py" >top.html
shot "$scratch/top.html" top 1040 480
kill "$kcat"
