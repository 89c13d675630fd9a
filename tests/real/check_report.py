#!/usr/bin/python3
"""check_report.py MODE PROCESSES: reads `squall report --json` on standard input. It has to be
valid, of that mode, and to hold at least so many processes that allocated. Prints a summary, or
what is wrong and exits with 1."""
import json
import sys


def main():
    mode, wanted = sys.argv[1], int(sys.argv[2])
    try:
        processes = json.load(sys.stdin)["processes"]
    except (ValueError, KeyError) as e:
        return f"not valid: {e!r}"
    alive = [p for p in processes if p["totals"]["allocs"] > 0]
    if len(alive) < wanted:
        return f"{len(alive)} processes that allocated, expected {wanted}"
    if not any(p["sites"] for p in alive):
        return "no sites"
    if any(p["mode"] != mode for p in alive):
        return "of another mode"
    lost = {k: n for p in alive for k, n in p["totals"]["lost"].items() if n}
    print(f"{sum(p['totals']['allocs'] for p in alive)} allocs in {len(alive)} processes"
          + (f", lost {lost}" if lost else ""))
    return 0


result = main()
if result:
    print(result)
    sys.exit(1)
