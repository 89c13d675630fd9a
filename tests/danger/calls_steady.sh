#!/bin/bash
# danger: system calls of squall's own: none in steady state, and none but malloc's once there is a sandbox
# program: phases phases.c -lz
# needs: strace
# conf: sample:1k
#
# strace tells the address of the instruction of each call.
set -u
strace -f -i -qq -o calls $WRAP "$DANGER_BIN/phases" >text
echo "ended: $?"
DUMPS=$(sed -n 's/.*SQUALL_DIR=\([^ ]*\).*/\1/p' <<<"$WRAP")
export DUMPS
/usr/bin/python3 - <<'END'
import re

text = [int(n, 16) for n in open("text").read().split("-") if n.strip()] or [0, 0]
own = {"phase 1": set(), "phase 2": set(), "phase 3": set()}
phase = None
for line in open("calls", errors="replace"):
    told = re.search(r'write\(-1, "(phase .)"', line)
    if told:
        phase = told[1]
    call = re.match(r"\d+ +\[(?:pid +\d+\] \[)?([0-9a-f]+)\] (\w+)\(", line)
    if phase and call and text[0] <= int(call[1], 16) < text[1]:
        own[phase].add(call[2])
mallocs = {"mmap", "munmap", "mprotect", "madvise"}
print("in steady state:", sorted(own["phase 2"] - {"madvise"}))
print("in a sandbox:", sorted(own["phase 3"] - mallocs))
if text[1]:
    import json, os, subprocess
    said = subprocess.run([os.environ["SQUALL_BIN"], "report", "--json", os.environ["DUMPS"]],
                          stdout=subprocess.PIPE, check=True).stdout
    subjects = [v["subject"] for p in json.loads(said)["processes"] for v in p["visibility"]]
    assert "sandbox" in subjects, subjects
    assert own["phase 1"], "not even the first blocks: is this the library's text?"
END
