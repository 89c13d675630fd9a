#!/bin/bash
# A codec library that is unloaded before a fork: the child does not say that its arguments are not seen.
. "$(dirname "$0")/lib.sh"
cat >"$TMPDIR/unload.py" <<'P'
import _ctypes, ctypes, os, shutil, sys, zlib
linked = next(line.split()[-1] for line in open("/proc/self/maps") if "/libz.so" in line)
shutil.copy(linked, sys.argv[1])
library = ctypes.CDLL(sys.argv[1])
room, size = ctypes.create_string_buffer(90000), ctypes.c_ulong(90000)
assert library.compress(room, ctypes.byref(size), bytes(80000), ctypes.c_ulong(80000)) == 0
_ctypes.dlclose(library._handle)
assert sys.argv[1] not in open("/proc/self/maps").read()
if not os.fork():
    zlib.compress(bytes(200000))
    os._exit(0)
assert os.wait()[1] == 0
P
fresh
under mode:default /usr/bin/python3 -S "$TMPDIR/unload.py" "$TMPDIR/libunloaded.so" || not_ok "the program" "ended with $?"
report "$TMPDIR/json"
check "unloaded before a fork" "$TMPDIR/json" <<'P'
from squall import *
parent, child = load(argument(1))
for p in parent, child:
    same("calls", [c["function"] for c in p["codec_calls"] if "deflate" == c["function"]] != [], True)
    said = [v["statement"] for v in p["visibility"] if v["subject"] == "codecs" and "arguments" in v["statement"]]
    same("one statement", len(said), 1)
    numbers = [int(word) for word in said[0].split() if word.isdigit()]
    same(said[0], numbers[0] == numbers[1] >= 30, True)
P
finish
