"""Writes the table of dangers in Markdown from the lines that run.sh printed.

   table.py FOLDER LINES ALLOCATORS MODES OUTPUT   OUTPUT: a new file, or a page with a place for it:
                                                   <!-- dangers --> … <!-- end of dangers -->
"""
import glob
import os
import re
import sys


def told(path, key):
    """The value of a line `KEY: VALUE` in the comment that opens a file, as run.sh reads it."""
    with open(path) as f:
        head = "".join(line for line, _ in zip(f, range(40)))
    found = re.search(rf"^[/*# ]*{key}: +(.*[^ */]) *(?:\*/)?$", head, re.M)
    return found.group(1) if found else ""


def read_lines(path):
    cells = {}
    with open(path) as f:
        for line in f:
            m = re.match(r"(not ok|ok) (\S+) (\S+) ([a-z]+)(?:: (.*)| # skip (.*))?$", line.rstrip())
            if m:
                cells[m[2], m[3], m[4]] = ("not run: " + m[6] if m[6] else
                                           "same" if m[1] == "ok" else "**not**")
            elif line.startswith("not ok"):
                cells[line.split()[2].rstrip(":"), "", ""] = "**not**"
    return cells


def table(folder, lines, allocators, modes):
    cells, notes, out = read_lines(lines), [], []
    columns = [(a, m) for a in allocators.split() for m in modes.split()]
    out.append("| danger | " + " | ".join(f"{a} {m}" for a, m in columns) + " |")
    out.append("|---" * (len(columns) + 1) + "|")
    for name in sorted({n for n, _, _ in cells}):
        path, = [p for p in glob.glob(os.path.join(folder, name + ".*"))
                 if p.endswith((".c", ".cc", ".sh"))]
        row = []
        for allocator, mode in columns:
            cell = cells.get((name, mode, allocator), "–")
            note = told(path, "allocators") if cell == "–" else ""
            if cell.startswith("not run: "):
                cell, note = "–", cell[9:]
            if note:
                why = f"`{name}`: {note}"
                if why not in notes:
                    notes.append(why)
                cell += f" ({notes.index(why) + 1})"
            row.append(cell)
        out.append(f"| {told(path, 'danger')} (`{name}`) | " + " | ".join(row) + " |")
    out += [""] if notes else []
    out += [f"{i}. {note}" for i, note in enumerate(notes, 1)]
    return "\n".join(out) + "\n"


def main(folder, lines, allocators, modes, output):
    text, page = table(folder, lines, allocators, modes), None
    if os.path.exists(output):
        with open(output) as f:
            page = re.fullmatch(r"(.*<!-- dangers -->\n).*(<!-- end of dangers -->\n.*)", f.read(), re.S)
    with open(output, "w") as f:
        f.write(page[1] + "\n" + text + "\n" + page[2] if page else text)


main(*sys.argv[1:])
