"""What is left of src/killed.c: its own counts beside a report, and what no report may hold."""
import os
import struct

from squall import same

NAMES = ("tid allocs_begun allocs_done frees_begun frees_done bytes_begun bytes_done "
         "calls_begun calls_done").split()
IMPOSSIBLE = 1 << 50  # more than any sum here can be; what fell below zero is near 1 << 64


def counts(path):
    """The counts of each thread, by tid; {} if it ended before its threads began."""
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return {}
    with open(path, "rb") as f:
        image = f.read()
    rows = [dict(zip(NAMES, struct.unpack_from("<9Q", image, 80 * i))) for i in range(8)]
    return {row["tid"]: row for row in rows if row["tid"]}


def begun(path):
    try:
        with open(path, "rb") as f:
            return f.read(648)[640:] not in (b"", bytes(8))
    except FileNotFoundError:
        return False


def possible(where, value):
    """No number below zero, or so large that it must have been."""
    if isinstance(value, dict):
        for key, v in value.items():
            # addresses
            if key not in ("base", "offset"):
                possible(f"{where}.{key}", v)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            possible(f"{where}[{i}]", v)
    elif isinstance(value, (int, float)) and not 0 <= value < IMPOSSIBLE:
        raise SystemExit(f"{where}: {value}")


def between(what, low, value, high):
    if not low <= value <= high:
        raise SystemExit(f"{what}: {value}, not from {low} to {high}")


def sums_hold(p):
    """What must hold of any process, whenever it was ended."""
    for s in p["sites"]:
        for row in [s] + s["threads"]:
            what = f"site {s['id']} thread {row.get('tid')}"
            between(f"{what} frees", 0, row["frees"], row["allocs"])
            between(f"{what} freed bytes", 0, row["freed_bytes"], row["bytes"])
            same(f"{what} live bytes", row["live_bytes"], row["bytes"] - row["freed_bytes"])
            between(f"{what} peak", row["live_bytes"], row["peak_live_bytes"], row["bytes"])
        for key in "allocs", "bytes":
            between(f"site {s['id']} large {key}", 0, s["large"][key], s[key])
    same("lost", {k: n for k, n in p["totals"]["lost"].items() if n and k != "ticks"}, {})


def agrees(p, own):
    """Each thread's counts lie between what it began and what it had finished."""
    rows = {t["tid"]: t for t in p["threads"]}
    for tid, mine in own.items():
        for key in "allocs", "frees", "bytes":
            got = rows[tid][key] if tid in rows else 0
            between(f"{key} of thread {tid}", mine[key + "_done"], got, mine[key + "_begun"])
    calls = sum(c["calls"] for c in p["codec_calls"] if c["function"] == "LZ4_compress_default")
    between("codec calls", sum(c["calls_done"] for c in own.values()), calls,
            sum(c["calls_begun"] for c in own.values()))
    if p["mode"] == "exact":
        # a thread is counted first, then its site
        recorded = sum(s["allocs"] for s in p["sites"])
        between("allocs at sites", p["totals"]["allocs"] - len(own) - 1, recorded, p["totals"]["allocs"])


def check(p, path):
    possible("report", {k: v for k, v in p.items() if k not in ("start", "argv")})
    sums_hold(p)
    agrees(p, counts(path))
