#!/usr/bin/python3
"""glob.py PATTERNS OUTPUT: compares a golden .glob file with what was printed, line by line.

A line `...` stands for any number of lines, `*` for any text within a line; nothing else is
special, so that JSON can be written as it is. Exit status 1, and the first line that is missing,
where they differ.
"""
import re
import sys


def line_pattern(line):
    return re.compile(".*".join(re.escape(part) for part in line.split("*")))


def mismatch(patterns, lines):
    """None, or (index of the pattern, index of the line) where the furthest attempt ended."""
    furthest = (0, 0)
    # One row of the classic dynamic programme: which prefixes of the lines can be matched so far.
    reachable = {0}
    for i, pattern in enumerate(patterns):
        if pattern == "...":
            reachable = set(range(min(reachable), len(lines) + 1))
        else:
            match = line_pattern(pattern).fullmatch
            furthest = (i, max(reachable))
            reachable = {n + 1 for n in reachable if n < len(lines) and match(lines[n])}
        if not reachable:
            return furthest
    return None if len(lines) in reachable else (len(patterns), max(reachable))


def main():
    patterns, lines = (open(name, errors="replace").read().splitlines() for name in sys.argv[1:3])
    found = mismatch(patterns, lines)
    if found is None:
        return 0
    pattern, line = found
    print("expected:", patterns[pattern] if pattern < len(patterns) else "(the end)")
    print(f"instead, line {line + 1}:", lines[line] if line < len(lines) else "(the end)")
    print("whole output:", *lines[:40], sep="\n    ")
    return 1


sys.exit(main())
