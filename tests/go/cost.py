#!/usr/bin/python3
"""cost.py PROGRAM [PAIRS [OPS]]: CPU time of the naive producer under the hook over plain, by its own
count from main on; medians and quartiles of pairs run in turn."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

program = sys.argv[1]
pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 21
ops = sys.argv[3] if len(sys.argv) > 3 else "600"
library = os.environ.get("SQUALL_LIB") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../build/libsquall.so")


def run(hooked):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        environment = dict(os.environ, GOMAXPROCS="2")
        if hooked:
            environment.update(LD_PRELOAD=library, SQUALL_DIR=folder)
        counts = os.path.join(folder, "counts")
        subprocess.run([program, "-g", "64", "-ops", ops, "-report", counts], env=environment,
                       check=True)
        return json.load(open(counts))["cpu_seconds"]


ratios = []
for i in range(pairs):
    order = (True, False) if i % 2 else (False, True)
    got = {hooked: run(hooked) for hooked in order}
    ratios.append(got[True] / got[False])
quartiles = statistics.quantiles(ratios, n=4)
print("CPU time under the hook over plain: %.3f (%.3f to %.3f), %d pairs"
      % (quartiles[1], quartiles[0], quartiles[2], pairs))
