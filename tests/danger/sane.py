"""Reads a report in JSON and prints what in it cannot be; nothing when all can.

   sane.py REPORT PROCESSES ALLOWED   PROCESSES: at least so many; ALLOWED: words of an `allow` line,
                                      checks that this danger breaks by its nature
"""
import json
import sys

ABSURD = 1 << 50  # bytes, blocks, nanoseconds: none of these programs comes near
PLACES = {"base", "offset", "address", "start", "id", "run", "end", "inode", "seed"}


def numbers(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, path + (key,))
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def complaints(process, allowed):
    for path, value in numbers(process):
        if value != value or path[-1] in PLACES:
            continue
        if value < 0 and "negative" not in allowed:
            yield f"{'.'.join(path)} is {value}"
        if value > ABSURD and "absurd" not in allowed:
            yield f"{'.'.join(path)} is {value}"
    totals, lost = process["totals"], sum(process["totals"]["lost"].values())
    threads = sum(t["allocs"] for t in process["threads"])
    if threads != totals["allocs"] and not lost:
        yield f"threads have {threads} allocs, the total is {totals['allocs']}"
    if process["mode"] == "exact" and not lost and "sums" not in allowed:
        for what in ("allocs", "bytes"):
            sites = sum(s[what] for s in process["sites"])
            if sites != totals[what]:
                yield f"sites have {sites} {what}, the total is {totals[what]}"
    for site in process["sites"]:
        if not site["estimated"] and site["frees"] > site["allocs"] and "frees" not in allowed:
            yield f"site {site['id']} has {site['frees']} frees of {site['allocs']}"


def main(path, at_least, allowed):
    try:
        with open(path) as f:
            processes = json.load(f)["processes"]
    except ValueError as e:
        print(f"the report is no JSON: {e}")
        return
    if len(processes) < int(at_least):
        print(f"{len(processes)} processes in the report, expected {at_least}")
    found = [f"pid {p['pid']}: {c}" for p in processes for c in complaints(p, allowed.split())]
    print("; ".join(found[:4]), end="")


main(*sys.argv[1:])
