#!/usr/bin/env python3
"""Our compiled rules against readelf's interpretation of every row of .eh_frame.

usage: unwind_rules.py PATH_OF_unwind_rules FILE...
Each row is asked for at its first and at its last byte. Rows that readelf prints as expressions
are only counted. Ends with "N passed, N failed" (files)."""
import re
import subprocess
import sys

RSP, RBP, AT_RSP, AT_RBP, DRAP, SIGNAL, OUTERMOST, MISSING, OUTSIDE, HARD = range(1, 11)
IN_REGISTER = re.compile(r"\br(\d+) \(\w+\)")  # one column, printed as two words
FDE = re.compile(r"^[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)")


def rows(path):
    """(first, last, columns) of every row, columns such as {'CFA': 'rsp+8', 'ra': 'c-8'}."""
    out = subprocess.Popen(["readelf", "--debug-dump=frames-interp", path],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    end, names, pending = None, None, None
    for line in out.stdout:
        words = IN_REGISTER.sub(r"reg\1", line).split()
        fde = FDE.match(line)
        if fde or not words:
            if pending and end:
                yield pending[0], end - 1, pending[1]
            pending = None
            end = int(fde.group(2), 16) if fde else None
        elif words[0] == "LOC":
            names = words[1:]
        elif end and re.fullmatch(r"[0-9a-f]{16}", words[0]):
            here = int(words[0], 16)
            if pending and here > pending[0]:
                yield pending[0], here - 1, pending[1]
            pending = (here, dict(zip(names, words[1:])))


def expected(columns):
    """(kind, offset, place), "hard" for what a rule need not do, or None where readelf is mum."""
    cfa, ra, bp = columns["CFA"], columns.get("ra", "u"), columns.get("rbp", "u")
    if ra == "u":
        return (OUTERMOST, None, None)
    if "exp" in (cfa, ra, bp):
        return None
    if ra.startswith("reg") or bp.startswith("reg"):
        return "hard"
    match = re.fullmatch(r"(\w+?)([+-]\d+)", cfa)
    if ra != "c-8" or not match or match.group(1) not in ("rsp", "rbp"):
        return "hard"
    if bp in ("u", "s"):
        place = 0
    elif re.fullmatch(r"c-\d+", bp) and int(bp[2:]) % 8 == 0:
        place = int(bp[2:]) // 8
    else:
        return "hard"
    offset = int(match.group(2))
    if place > 254 or offset % 8 or not -512 <= offset < 261632:
        return "hard"
    return (RSP if match.group(1) == "rsp" else RBP, offset, place)


def check(tool, path):
    asked = []
    for first, last, columns in rows(path):
        want = expected(columns)
        asked.append((first, want, columns))
        if last > first:
            asked.append((last, want, columns))
    text = "".join("%x\n" % a for a, _, _ in asked)
    answers = subprocess.run([tool, path], input=text, capture_output=True, text=True,
                             check=True).stdout.splitlines()
    peeked = subprocess.run([tool, path, "peek"], input="".join(text.splitlines(True)[:20000]),
                            capture_output=True, text=True, check=True).stdout.splitlines()
    if peeked != answers[:len(peeked)]:
        print("  another rule when the tables are read through the kernel")
        return False
    counts = dict(right=0, expression=0, expression_done=0, hard=0, wrong=0)
    for (address, want, columns), answer in zip(asked, answers):
        kind, offset, place = map(int, answer.split())
        if want is None:
            counts["expression"] += 1
            counts["expression_done"] += kind != HARD
        elif want == "hard":
            counts["hard" if kind == HARD else "wrong"] += 1
        elif kind == want[0] and (want[1] is None or (offset, place) == want[1:]):
            counts["right"] += 1
        else:
            counts["wrong"] += 1
            if counts["wrong"] < 6:
                print("  %x: %s, ours %s" % (address, columns, answer))
    total = len(asked)
    handled = counts["right"] + counts["expression_done"]
    print("%-28s %8d addresses, handled %.4f%%, wrong %d, expressions %d (done %d), hard %d" %
          (path.split("/")[-1], total, 100.0 * handled / max(total, 1), counts["wrong"],
           counts["expression"], counts["expression_done"], counts["hard"]), flush=True)
    return total > 0 and counts["wrong"] == 0 and len(answers) == total


def main():
    results = [check(sys.argv[1], path) for path in sys.argv[2:]]
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    sys.exit(results.count(False) > 0)


main()
