#!/usr/bin/python3
"""spoil.py FROM TO: a copy of a Go program whose mallocgc begins as no compiler makes it: the check of
the stack (cmp, jbe) is nops. It still runs, for its callers check as well and leave room below; but
it is nothing that squall knows."""
import os
import struct
import sys

data = bytearray(open(sys.argv[1], "rb").read())


def at(format, offset):
    return struct.unpack_from("<" + format, data, offset)


table = next(i for magic in (0xFFFFFFF1, 0xFFFFFFF0)
             for i in [data.find(struct.pack("<IBBBB", magic, 0, 0, 1, 8))] if i >= 0)
functions, = at("Q", table + 8)
names, = at("Q", table + 32)
entries, = at("Q", table + 64)
headers, = at("Q", 32)
count, = at("H", 56)
loads = [at("IIQQQQ", headers + 56 * i) for i in range(count)]
where = next((offset, address) for kind, flags, offset, address, _, size in loads
             if kind == 1 and offset <= table < offset + size)
address = table - where[0] + where[1]
module = data.find(struct.pack("<QQ", address, address + names))
text, = at("Q", module + 176)
for i in range(functions):
    start, info = at("II", table + entries + 8 * i)
    name = table + names + at("i", table + entries + info + 4)[0]
    if data[name:name + 17] == b"runtime.mallocgc\0":
        break
offset = next(o + text + start - a for kind, flags, o, a, _, size in loads
              if kind == 1 and a <= text + start < a + size)
assert data[offset:offset + 4] == b"\x49\x3b\x66\x10" and data[offset + 4:offset + 6] == b"\x0f\x86"
data[offset:offset + 10] = b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00\x90"
with open(sys.argv[2], "wb") as out:
    out.write(data)
os.chmod(sys.argv[2], 0o755)
