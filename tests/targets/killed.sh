#!/bin/bash
# kill -9 at random moments, RUNS times (200): what is left reads back, the counts of each of the
# eight threads are within the one operation that it was in, and no value is impossible. SEED
# repeats what a failure names.
. "$(dirname "$0")/lib.sh"
build killed -llz4
fresh
seed=${SEED:-$RANDOM$RANDOM}
check "kill -9, ${RUNS:-200} times, seed $seed" "$seed" "${RUNS:-200}" "$dumps" "$SQUALL_LIB" \
    "$SQUALL_BIN" "$TMPDIR" <<'P'
import json, os, random, subprocess, time
from squall import argument, same
import killed

seed, runs = int(argument(1)), int(argument(2))
dumps, library, squall, folder = (argument(i) for i in range(3, 7))
CONFIGURATIONS = ("mode:exact", "sample:64k", "mode:exact,large:1k", "sample:64", "large:1k")
BATCH = 20

def kill_one(number, chance):
    """Ends one some time after its threads began, or (one in eight) after it was started."""
    own = f"{folder}/counts.{number}"
    conf = CONFIGURATIONS[number % len(CONFIGURATIONS)] + f",region:8m,seed:{number + 1}"
    child = subprocess.Popen([f"{folder}/killed", own, "wait"], env={
        "SQUALL_DIR": dumps, "SQUALL_CONF": conf, "LD_PRELOAD": library})
    if chance.random() < 7 / 8:
        while not killed.begun(own):
            time.sleep(0.001)
    time.sleep(chance.random() * 0.03)
    child.kill()
    child.wait()
    return child.pid, own, conf

def check_batch(ended):
    said = subprocess.run([squall, "report", "--json", "--no-lines", dumps], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if said.returncode:
        raise SystemExit(said.stderr)
    found = {p["pid"]: p for p in json.loads(said.stdout)["processes"]}
    for pid, own, conf in ended:
        try:
            if pid in found:
                same("state", found[pid]["state"], "died")
                killed.check(found[pid], own)
            else: # before the region was complete, so before main
                same("own counts without a region", os.path.exists(own), False)
        except SystemExit as e:
            raise SystemExit(f"{conf}: {e}")
    for name in os.listdir(dumps):
        os.unlink(f"{dumps}/{name}")
    return len(found)

chance, read = random.Random(seed), 0
for first in range(0, runs, BATCH):
    read += check_batch([kill_one(i, chance) for i in range(first, min(first + BATCH, runs))])
if read < runs * 3 / 4:
    raise SystemExit(f"only {read} of {runs} left a region")
P
finish
