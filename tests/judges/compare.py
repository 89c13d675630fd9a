"""The results of one suite, alone and under the library: a line a mode, and a row of the table.

    compare.py JUDGE VERSION FOLDER ROWS EXCUSED MODE...

FOLDER/alone/results and FOLDER/MODE/results have a line a test, HOW<tab>NAME. A test may be run
more than once; it counts by its place among those of its name."""

import collections
import re
import sys

judge, version, folder, rows, excused, *modes = sys.argv[1:]
excused = [line.split("|") for line in excused.splitlines() if line]


def results_of(mode):
    found, seen = {}, collections.Counter()
    with open(f"{folder}/{mode}/results", errors="replace") as lines:
        for line in lines:
            how, _, name = line.rstrip("\n").partition("\t")
            seen[name] += 1
            found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = how
    return found


def listed(names, most=6):
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more" if len(names) > most else "")


def excuse_of(name):
    return next((why for pattern, why in excused if re.fullmatch(pattern, name)), None)


alone = results_of("alone")
passed = [n for n, how in alone.items() if how.startswith("pass")]
skipped = [n for n, how in alone.items() if how.startswith("skip")]
failed = [n for n, how in alone.items() if not how.startswith(("pass", "skip"))]
told = f"{len(passed)} pass"
told += f", {len(skipped)} skipped" if skipped else ""
told += f", {len(failed)} fail alone too" if failed else ""
cells, wrong = [], 0
if not passed:
    print(f"not ok {judge}: no test passes alone")
    sys.exit(1)
for mode in modes:
    under = results_of(mode)
    others = [n for n in {**alone, **under} if alone.get(n) != under.get(n)]
    known = [n for n in others if excuse_of(n)]
    others = [n for n in others if not excuse_of(n)]
    regions = open(f"{folder}/{mode}/regions").read().strip()
    for name in known:
        print(f"# {judge} {mode}: {name}: alone {alone.get(name, 'not run')}, under squall "
              f"{under.get(name, 'not run')}: it {excuse_of(name)}")
    why = [f"{n}: alone {alone.get(n, 'not run')}, under squall {under.get(n, 'not run')}" for n in others]
    if not regions.isdigit():
        why.append(regions)
    if why:
        wrong += 1
        print(f"not ok {judge} {mode}: {listed(why)}")
    else:
        print(f"ok {judge} {mode} ({len(alone)} tests: {told}; {regions} processes recorded)")
    good = sum(how.startswith("pass") for how in under.values())
    cells.append(f"{good} pass" if not others else f"{good} pass, **{len(others)} differ**")
    cells[-1] += f", {len(known)} excused" if known else ""
if failed:
    print(f"# {judge}: fails alone too: {listed(failed, 30)}")
with open(f"{rows}/{judge}.row", "w") as row:
    row.write(f"| {judge} | {version} | {len(alone)} | {told} | {' | '.join(cells)} |\n")
sys.exit(wrong > 0)
