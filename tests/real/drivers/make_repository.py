#!/usr/bin/python3
"""make_repository.py LOG: a git history for `git fast-import`, the same every time: 1200 files of
1 to 130 KiB and a large one, then three commits that each change 300 of them."""
import random
import sys

FILES = 1200
CHANGED = 300
COMMITS = 3


def emit(out, number, files):
    message = b"commit %d\n" % number
    out.write(b"commit refs/heads/main\ncommitter A B <a@example.com> %d +0000\ndata %d\n%s"
              % (1700000000 + number, len(message), message))
    for name, content in files:
        out.write(b"M 100644 inline %s\ndata %d\n" % (name, len(content)))
        out.write(content)
        out.write(b"\n")
    out.write(b"\n")


def main():
    log = open(sys.argv[1], "rb").read()
    source = random.Random(11)
    files = {}
    for i in range(FILES):
        size = min(int(source.expovariate(1 / 9000)) + 1024, 130 << 10)
        start = source.randrange(len(log) - size)
        files[b"folder%d/file%04d.txt" % (i % 20, i)] = log[start:start + size]
    files[b"large.txt"] = log[:8 << 20]
    out = sys.stdout.buffer
    emit(out, 0, files.items())
    for commit in range(1, COMMITS + 1):
        for name in source.sample(sorted(files), CHANGED):
            files[name] = b"# change %d\n" % commit + files[name]
        emit(out, commit, files.items())


main()
