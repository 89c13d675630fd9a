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


def bare(function):
    """A name without the arguments that C++ gives it."""
    return (function or "").split("(")[0]


def rows_under(process, within, function):
    """Codec calls of this function whose stack passes through another one."""
    return [r for r in process["codec_calls"] if bare(r["function"]) == function
            and any(bare(f["function"]) == within for f in r["stack"])]


def levels(found):
    """Calls by how many ran at once."""
    sums = {}
    for row in found:
        for c in row["concurrency"]:
            if c["calls"]:
                sums[c["level"]] = sums.get(c["level"], 0) + c["calls"]
    return sums


def findings(process, rule):
    return [f for f in process["findings"] if f["rule"] == rule]


def promised(finding, remedy, key):
    """What a way out would have spared: said with the remedy of this name, or in the evidence."""
    for r in finding.get("remedies", []):
        if r["remedy"] == remedy and (r["saves"] or {}).get(key.removeprefix("saved_")) is not None:
            return r["saves"][key.removeprefix("saved_")]
    return finding["evidence"][key]


def near(what, got, want, part):
    """Within this part of what is wanted."""
    if abs(got - want) > abs(want) * part:
        raise SystemExit(f"{what}: {got}, expected {want} within {part:.0%}")


def argument(i=1):
    return sys.argv[i]
