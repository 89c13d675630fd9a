#!/usr/bin/python3
"""cost.py PROGRAM [PAIRS [OPS]]: CPU time of the naive producer under the hook over plain, by its own
count (user and system) from main on.

A machine that does other things, too, is noisy: runs are short and many, in the order ABBA so that a
drift cancels, on one processor (the last one; CPU=N), with GOGC set. Told is the median of the ratios
of pairs with its 95 % interval (bootstrap), with one and with two of GOMAXPROCS; and the same of plain
over plain, which is 1: how far that is off is what this machine cannot tell apart.

Before that, what one EncodeAll costs more, from batches so small (33 KiB) that the hook is a good part
of them, and what part of a call of the naive producer that is: of the two the finer measure."""
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


SMALL = ("-ops", "2000", "-min", "33000", "-max", "34000")


def run(hooked, procs, batches=("-ops", ops)):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        environment = dict(os.environ, GOMAXPROCS=procs, GOGC="100")
        if hooked:
            environment.update(LD_PRELOAD=library, SQUALL_DIR=folder)
        counts = os.path.join(folder, "counts")
        subprocess.run([program, "-g", "64", *batches, "-report", counts], env=environment,
                       check=True, preexec_fn=lambda: os.sched_setaffinity(0, {processor}))
        told = json.load(open(counts))
        return told["cpu_seconds"] / told["calls"]


def abba(procs, *more):
    """The seconds of CPU of a call: plain, hooked, hooked, plain."""
    return [run(h, procs, *more) for h in (False, True, True, False)]


def interval(ratios):
    medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


def tell_call():
    more, plain = [], []
    for _ in range((pairs + 1) // 2):
        a, b, c, d = abba("1", SMALL)
        more += [b - a, c - d]
        plain += [a, d]
    low, high = interval(more)
    whole = statistics.median(run(False, "1") for _ in range(9))
    print("a call with its block: %.2f us more (95 %%: %.2f to %.2f) than %.0f us of 33 KiB; of %.0f us "
          "of the naive producer %.2f %% (%.2f to %.2f), %d pairs" % (
              statistics.median(more) * 1e6, low * 1e6, high * 1e6, statistics.median(plain) * 1e6,
              whole * 1e6, statistics.median(more) / whole * 100, low / whole * 100,
              high / whole * 100, len(more)), flush=True)


def tell(name, ratios):
    low, high = interval(ratios)
    print("%s: %.4f (95 %%: %.4f to %.4f), %d pairs" % (
        name, statistics.median(ratios), low, high, len(ratios)), flush=True)


run(True, "1")
tell_call()
for procs in "1", "2":
    hooked, plain = [], []
    for _ in range((pairs + 1) // 2):
        a, b, c, d = abba(procs)
        hooked += [b / a, c / d]
        plain += [d / a]
    tell("GOMAXPROCS=%s, hooked over plain" % procs, hooked)
    tell("GOMAXPROCS=%s, plain over plain " % procs, plain)
