#!/usr/bin/python3
"""cost.py PROGRAM [PAIRS [OPS]]: CPU time of the naive producer under the hook over plain, by its own
count (user and system) from main on.

A machine that does other things, too, is noisy: runs are short and many, in the order ABBA so that a
drift cancels, on one processor (the last one; CPU=N), with GOGC set. Told is the median of the ratios
of pairs with its 95 % interval (bootstrap), with one and with two of GOMAXPROCS; and the same of plain
over plain, which is 1: how far that is off is what this machine cannot tell apart."""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

program = sys.argv[1]
pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 100
ops = sys.argv[3] if len(sys.argv) > 3 else "60"
library = os.environ.get("SQUALL_LIB") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../build/libsquall.so")
processor = int(os.environ.get("CPU", max(os.sched_getaffinity(0))))


def run(hooked, procs):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        environment = dict(os.environ, GOMAXPROCS=procs, GOGC="100")
        if hooked:
            environment.update(LD_PRELOAD=library, SQUALL_DIR=folder)
        counts = os.path.join(folder, "counts")
        subprocess.run([program, "-g", "64", "-ops", ops, "-report", counts], env=environment,
                       check=True, preexec_fn=lambda: os.sched_setaffinity(0, {processor}))
        return json.load(open(counts))["cpu_seconds"]


def interval(ratios):
    medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


def tell(name, ratios):
    low, high = interval(ratios)
    print("%s: %.4f (95 %%: %.4f to %.4f), %d pairs" % (
        name, statistics.median(ratios), low, high, len(ratios)), flush=True)


run(True, "1")
for procs in "1", "2":
    hooked, plain = [], []
    for _ in range((pairs + 1) // 2):
        a, b, c, d = (run(h, procs) for h in (False, True, True, False))
        hooked += [b / a, c / d]
        plain += [d / a]
    tell("GOMAXPROCS=%s, hooked over plain" % procs, hooked)
    tell("GOMAXPROCS=%s, plain over plain " % procs, plain)
