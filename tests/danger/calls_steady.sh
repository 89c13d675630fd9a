#!/bin/bash
# danger: system calls of squall's own: none in steady state, and none but malloc's, with malloc's arguments, once there is a sandbox
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
own = {"phase 1": set(), "phase 2": set(), "phase 3": set(), "phase 4": set()}
phase = None
for line in open("calls", errors="replace"):
    told = re.search(r'write\(-1, "(phase .)"', line)
    if told:
        phase = told[1]
    call = re.match(r"\d+ +\[(?:pid +\d+\] \[)?([0-9a-f]+)\] (\w+)(\([^<=]*)", line)
    if phase and call and text[0] <= int(call[1], 16) < text[1]:
        own[phase].add((call[2], call[3]))
# What malloc calls, with the arguments that it has.
mallocs = re.compile(r"munmap\(|madvise\(.*, MADV_DONTNEED|mprotect\([^,]*, \d+, PROT_READ\|PROT_WRITE\b(?!\|)|"
                     r"mmap\([^,]*, \d+, PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_ANONYMOUS, ")
print("in steady state:", sorted({name for name, _ in own["phase 2"]} - {"madvise"}))
print("in a sandbox:", sorted(name + said for name, said in own["phase 4"] if not mallocs.match(name + said)))
if text[1]:
    import json, os, subprocess
    said = subprocess.run([os.environ["SQUALL_BIN"], "report", "--json", os.environ["DUMPS"]],
                          stdout=subprocess.PIPE, check=True).stdout
    subjects = [v["subject"] for p in json.loads(said)["processes"] for v in p["visibility"]]
    assert "sandbox" in subjects, subjects
    assert own["phase 1"], "not even the first blocks: is this the library's text?"
END
