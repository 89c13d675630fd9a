#!/usr/bin/python3
"""report.py ROOT BUILD: lines with code and lines that ran, per file and in total, of what gcov says
about the objects under BUILD. A line counts once, however many objects it is in, and ran if it did
in one of them. MISSED=FILE…: which lines of these did not run, instead."""
import concurrent.futures
import json
import os
import subprocess
import sys

# Objects whose counts are the library's; every other one is the companion's.
LIBRARY = ("shim", "parts", "shim-old")
ROOMS = {
    "library": ("src/base/", "src/region/", "src/go/hook", "src/go/rows", "src/go/install", "src/shim/"),
    "companion": ("src/", "tools/squall/"),
}
# Run only in the watched program; the fuzz harnesses, which are built and not counted, have copies.
WATCHED = ("src/go/hook", "src/go/rows", "src/shim/")


def objects(build):
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcno"):
                yield os.path.join(folder, name)


def lines_of(path):
    """[(source file, line, how often)] of one object, of all that ran it."""
    said = subprocess.run(["gcov", "--json-format", "--stdout", path], capture_output=True, text=True)
    if said.returncode:
        raise SystemExit(f"coverage: gcov {path}: {said.stderr.strip()}")
    found = []
    for text in said.stdout.splitlines():
        unit = json.loads(text)
        for f in unit["files"]:
            source = os.path.normpath(os.path.join(unit["current_working_directory"], f["file"]))
            found += [(source, l["line_number"], l["count"]) for l in f["lines"]]
    return found


def gather(root, build):
    """{half: {source file: {line: how often}}}"""
    halves = {half: {} for half in ROOMS}
    paths = list(objects(build))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, found in zip(paths, pool.map(lines_of, paths)):
            half = "library" if os.path.relpath(path, build).split("/")[0] in LIBRARY else "companion"
            for source, line, count in found:
                name = os.path.relpath(source, root)
                if name.startswith(ROOMS[half]) and (half == "library" or not name.startswith(WATCHED)):
                    lines = halves[half].setdefault(name, {})
                    lines[line] = lines.get(line, 0) + count
    return halves


def share(lines):
    ran = sum(1 for count in lines if count)
    return f"{ran:6} of {len(lines):6} {100 * ran / max(len(lines), 1):6.1f} %"


def ranges(numbers):
    """1-3 5 of [1, 2, 3, 5]"""
    runs = []
    for n in sorted(numbers):
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return " ".join(f"{a}-{b}" if a != b else str(a) for a, b in runs)


def main():
    root, build = map(os.path.realpath, sys.argv[1:3])
    halves = gather(root, build)
    wanted = os.environ.get("MISSED", "").split()
    for half, files in halves.items():
        for name in sorted(files):
            lines = files[name]
            if not wanted:
                print(f"{name:36}{share(lines.values())}")
            elif "all" in wanted or name in wanted:
                print(f"{half} {name}: {ranges(n for n, c in lines.items() if not c)}")
    for half, files in halves.items() if not wanted else ():
        print(f"{half:36}{share([c for lines in files.values() for c in lines.values()])}")


main()
