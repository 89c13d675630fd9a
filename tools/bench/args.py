#!/usr/bin/python3 -B
"""What it costs to see the arguments of codec calls: the same calls plain, under squall, and under
squall with args:off, taking turns. Prints a table in markdown: time of a call, and what each way
adds to it, median (quartiles) of the differences within a round.

Environment: QUICK=1 fewer rounds; ROUNDS=N; ONLY=PATTERN of "zstd-1 1024" and the like; BUILD, CC."""
import os
import re
import shlex
import shutil
import subprocess
import sys

from measure import Place, Spread, in_turns, paired, say, shown, table
from micro import run_once
from subjects import Subject

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.realpath(os.environ.get("BUILD", f"{ROOT}/build"))
QUICK = os.environ.get("QUICK", "") not in ("", "0")
ROUNDS = int(os.environ.get("ROUNDS", 7 if QUICK else 21))
ONLY = re.compile(os.environ.get("ONLY", ""))
MILLISECONDS = 30 if QUICK else 100
CALLS = [f"{function} {size}" for function in ("zstd-1", "zstd-3", "lz4", "deflate-1")
         for size in (1024, 16384, 65536)]


def build(programs):
    """The program, and the library as it is now."""
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O2", "-g", "-Wall", "-Wextra",
                    "-D_GNU_SOURCE", "-pthread", "args.c", "clocked.c", "-o", f"{programs}/args",
                    "-lzstd", "-llz4", "-lz"], check=True, cwd=HERE)
    shutil.copy(f"{BUILD}/libsquall.so", programs)


def subjects_of(programs):
    library = f"{programs}/libsquall.so"
    return {s.name: s for s in (
        Subject("plain", "plain"),
        Subject("off", "args:off", "plain", library, SQUALL_DIR="{folder}", SQUALL_CONF="args:off"),
        Subject("on", "args:on", "plain", library, SQUALL_DIR="{folder}", SQUALL_CONF="args:on"))}


def row(call, results):
    """CPU time: what others on the machine do shows less in it."""
    plain, off, on = ([r and r[0] for r in results[name]] for name in ("plain", "off", "on"))
    percent = [paired(v, b, lambda v, b: 100 * (v - b) / b)
               for v, b in ((off, plain), (on, plain), (on, off))]
    seen = [v for v in plain if v is not None]
    return [call.replace(" ", ", ") + " bytes", shown(Spread(seen) if seen else None, "{:,.0f}"),
            *(shown(p, "{:+.2f}%") for p in percent),
            shown(paired(on, off, lambda v, b: v - b), "{:+,.0f}")]


def main():
    for name in ("LD_PRELOAD", "SQUALL_CONF", "SQUALL_DIR"):
        os.environ.pop(name, None)
    place, rows = Place(), []
    try:
        build(place.programs)
        subjects = subjects_of(place.programs)
        for call in filter(ONLY.search, CALLS):
            say(f"args: {call}")
            results = {name: [] for name in subjects}
            for _, name in in_turns(list(subjects), ROUNDS):
                results[name].append(run_once(place, subjects[name], "args", MILLISECONDS, call))
            rows.append(row(call, results))
    finally:
        place.remove()
    print(table(["a call", "plain, ns", "args:off adds", "args:on adds", "on over off",
                 "on over off, ns"], rows))


if __name__ == "__main__":
    sys.exit(main())
