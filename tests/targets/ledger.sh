#!/bin/bash
# A region that 64 threads write adds up, in both modes: for each thread and site what the program
# counted for itself is what is reported, frees by other threads too; allocs - frees are what lives;
# sums over cells are the totals. Reports taken all the time agree with themselves. SOAK_SECONDS a
# mode: `make soak` takes ten minutes.
. "$(dirname "$0")/lib.sh"
build ledger
THREADS=64
for conf in mode:exact mode:default; do
    fresh
    fifo=$TMPDIR/end.$conf out=$TMPDIR/$conf
    mkfifo "$fifo"
    mkdir "$out"
    : >"$TMPDIR/said"
    # not `under`: its number would be that of a shell
    env SQUALL_DIR="$dumps" SQUALL_CONF="$conf" LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/ledger" $THREADS \
        "$out/counts" <"$fifo" >"$TMPDIR/said" &
    ledger=$!
    exec 9>"$fifo"
    until grep -q ready "$TMPDIR/said" || ! kill -0 $ledger 2>/dev/null; do sleep 0.02; done
    begin=$SECONDS taken=0 bad="" said=""
    while [ $taken -lt 3 ] || [ $((SECONDS - begin)) -lt "${SOAK_SECONDS:-5}" ]; do
        if ! "$SQUALL_BIN" report --json --no-lines $ledger >"$TMPDIR/now.json" ||
            ! said=$(/usr/bin/python3 "$here/snapshot.py" $THREADS 160000 "$TMPDIR/now.json"); then
            bad="reading $taken: $(tail -n 1 <<<"${said:-no report}")"
            break
        fi
        taken=$((taken + 1))
    done
    exec 9>&-
    wait $ledger || not_ok "ledger, $conf" "ended with $?"
    if [ -z "$bad" ]; then ok "readings agree with themselves, $conf"; else not_ok "reading, $conf" "$bad"; fi
    report "$out/json"
    check "it adds up, $conf" "$out/json" "$out/counts" <<'P'
from squall import *
p, = load(argument(1))
own = {}
for line in open(argument(2)):
    tid, site, *n = line.split()
    own[int(tid), site] = dict(zip(("allocs", "bytes", "frees", "freed_bytes", "remote_frees"), map(int, n)))
is_exact = p["mode"] == "exact"
same("lost", {k: n for k, n in p["totals"]["lost"].items() if n and k != "ticks"}, {})
same("threads", len({tid for tid, _ in own}), 64)
# What each thread made at each site, to the block and the byte. In default mode: of large blocks.
for k in range(8):
    name = f"make_{k}"
    if not is_exact and name not in ("make_5", "make_6"):
        continue
    found = sites(p, name)
    for key in "allocs", "bytes", "frees", "freed_bytes", "remote_frees":
        got = by_thread(found, key)
        for (tid, site), n in own.items():
            if site == name:
                same(f"{key} of thread {tid} at {site}", got.get(tid, 0), n[key])
# Cells add up to sites, and sites to threads and to the process.
for s in p["sites"]:
    for key in "allocs", "frees", "bytes", "freed_bytes", "remote_frees":
        same(f"{key} of the threads of site {s['id']}", sum(t[key] for t in s["threads"]), s[key])
    for row in [s] + s["threads"]:
        same(f"live bytes at site {s['id']}", row["live_bytes"], row["bytes"] - row["freed_bytes"])
        same(f"frees at site {s['id']}", row["frees"] <= row["allocs"], True)
totals = p["totals"]
for key in "allocs", "bytes":
    same(f"{key} of the threads", sum(t[key] for t in p["threads"]), totals[key])
    made = {}
    for (tid, _), n in own.items():
        made[tid] = made.get(tid, 0) + n[key]
    for t in p["threads"]:
        if t["tid"] in made:
            same(f"{key} of thread {t['tid']} ({t[key]})", made[t["tid"]] <= t[key] <= made[t["tid"]] + 4096, True)
same("large blocks", totals["large"]["allocs"], sum(s["large"]["allocs"] for s in p["sites"]))
if is_exact:
    for key in "allocs", "frees", "bytes", "freed_bytes", "live_bytes":
        if key in totals:
            same(f"{key} of the sites", total(p["sites"], key), totals[key])
    for t in p["threads"]:
        got = sum(c["allocs"] for s in p["sites"] for c in s["threads"] if c["row"] == t["row"])
        same(f"allocs of thread {t['tid']} over its sites", got, t["allocs"])
P
    [ ! -e "$out/counts" ] || echo "# $conf: $taken readings, $(awk '{ n += $3; r += $7 } END { print n " blocks, " r " freed by another thread" }' "$out/counts")"
done
finish
