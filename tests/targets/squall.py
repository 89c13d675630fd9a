"""Helpers for the checks of this folder: reads what `squall report --json` wrote."""
import json
import sys


def load(path):
    with open(path) as f:
        return json.load(f)["processes"]


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got}, expected {want}")


def sites(process, function):
    """Sites with a frame of this function; names of C++ without their arguments."""
    return [s for s in process["sites"]
            if any((f.get("function") or "").split("(")[0] == function for f in s["stack"])]


def total(found, key):
    return sum(s[key] for s in found)


def by_thread(found, key):
    """Sums of a key by thread id."""
    sums = {}
    for s in found:
        for t in s["threads"]:
            sums[t["tid"]] = sums.get(t["tid"], 0) + t[key]
    return sums


def argument(i=1):
    return sys.argv[i]
