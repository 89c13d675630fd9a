#!/usr/bin/python3
"""hostile_names.py FROM TO: a copy of a Go program that gives its version and main.evilname_z… names that no
toolchain would: the terminal's reset; a colour by one control character, text that turns round, no UTF-8."""
import os
import re
import sys

program = open(sys.argv[1], "rb").read()
found = re.search(rb"\xff Go buildinf:\x08\x02.{16}(.)(go1\.\d+)", program, re.S)
start, length = found.start(2), found[1][0]
version = (found[2] + b"\x1bc").ljust(length, b"!")
assert len(version) == length, "the version is too short"
program = program[:start] + version + program[start + length:]
evil = b"\xc2\x9b41m\xe2\x80\xae\xff"
program, count = re.subn(rb"main\.evilname_z+", lambda m: (b"main." + evil).ljust(len(m[0]), b"z"), program)
assert count, "no such name"
with open(sys.argv[2], "wb") as out:
    out.write(program)
os.chmod(sys.argv[2], 0o755)
