#!/usr/bin/python3
"""snapshot.py THREADS LARGEST REPORT...: does each report agree with itself?

Of a process that goes on allocating, a sum may be ahead of another by what its threads were doing
at that moment: one block each."""
import json
import sys

threads, largest = int(sys.argv[1]), int(sys.argv[2])
wrong = []
last = 0


def claim(true, name, what):
    if not true:
        wrong.append(f"{name}: {what}")


def check(name, p):
    global last
    totals, sites = p["totals"], p["sites"]
    slack = threads + sum(totals["lost"].values())
    for s in sites:
        where = f"site {s['id']}"
        for part in (s, s["large"]):
            claim(part["frees"] <= part["allocs"], name, f"{where}: {part['frees']} frees of {part['allocs']}")
        claim(s["freed_bytes"] <= s["bytes"], name, f"{where}: more bytes freed than allocated")
        claim(s["live_bytes"] == s["bytes"] - s["freed_bytes"], name, f"{where}: live bytes")
        claim(s["large"]["allocs"] <= s["allocs"] + slack, name,
              f"{where}: {s['large']['allocs']} large of {s['allocs']}")
        for t in s["threads"]:
            claim(t["frees"] <= t["allocs"] and t["freed_bytes"] <= t["bytes"], name, f"{where}: thread {t['name']}")
    large = sum(s["large"]["allocs"] for s in sites)
    claim(abs(large - totals["large"]["allocs"]) <= slack, name,
          f"large blocks {totals['large']['allocs']}, of sites {large}")
    # Nobody holds more than 16 blocks: more live bytes than these were never there.
    most = (threads * 16 + slack + threads) * largest
    claim(totals["large"]["live_bytes"] <= most, name, f"{totals['large']['live_bytes']} live bytes")
    of_threads = sum(t["allocs"] for t in p["threads"])
    claim(of_threads == totals["allocs"], name, "threads and totals")
    if p["mode"] == "exact":
        claim(totals["live_bytes"] <= most, name, f"{totals['live_bytes']} live bytes, at most {most}")
        for key, unit in (("allocs", 1), ("bytes", largest), ("frees", 1)):
            both = totals[key], sum(s[key] for s in sites)
            claim(abs(both[0] - both[1]) <= slack * unit, name, f"{key}: {both[0]}, of sites {both[1]}")
    claim(totals["allocs"] >= last, name, "fewer blocks than before")
    last = totals["allocs"]


for path in sys.argv[3:]:
    for process in json.load(open(path))["processes"]:
        check(path, process)
print("\n".join(wrong[:10]) or f"{len(sys.argv) - 3} reports agree")
sys.exit(bool(wrong))
