#!/usr/bin/python3
"""check_oracle.py REPORT.json FOLDER: compares the large blocks of every process in the report with
what the oracle (oracle.c) counted of it in FOLDER/oracle.PID.

Blocks are compared by stack: allocs, frees, bytes, smallest and largest size must be equal for each,
and no stack may be on one side only. A stack is its frames (module, offset of the return address)
from the allocation outwards, as far as they lie in modules: above JIT code every unwinder guesses.
Where the two unwinders end at different outer frames, the stacks are compared by their innermost
frames, as many as agree; fewer than MIN_DEPTH is a failure. Prints a line a process; exits with 1
when one differs."""
import collections
import json
import os
import struct
import sys

HEADER = struct.Struct("<8s7Q")
SITE = struct.Struct("<2Q9Q")
PATH_SIZE = 240
MODULE_SIZE = 8 + PATH_SIZE
LARGE = 64 * 1024
# How far the hooks' own frames reach, at most: oracle, squall, libstdc++'s operator new between.
HOOK_FRAMES = 10
HOOKS = ("oracle.so", "libsquall.so")
MIN_DEPTH = 6


class Sum:
    """The blocks of one stack."""

    def __init__(self):
        self.allocs = self.frees = self.bytes = self.max = 0
        self.min = None

    def add(self, allocs, frees, bytes_, min_, max_):
        self.allocs += allocs
        self.frees += frees
        self.bytes += bytes_
        self.min = min_ if self.min is None else min(self.min, min_)
        self.max = max(self.max, max_)

    def __eq__(self, other):
        return isinstance(other, Sum) and vars(self) == vars(other)

    def __str__(self):
        return f"{self.allocs} allocs, {self.frees} frees, {self.bytes} bytes of {self.min}..{self.max}"


def without_hooks(frames):
    """Neither the hooks of the allocation nor squall's detour, which stands below a codec call."""
    own = 0
    for n, (module, _) in enumerate(frames[:HOOK_FRAMES]):
        if module in HOOKS:
            own = n + 1
        elif not (module or "").startswith("libstdc++.so"):
            break
    return [frame for frame in frames[own:] if frame[0] not in HOOKS]


def oracle_stacks(path, exe):
    """(frames, numbers) of each stack, innermost frame first."""
    image = open(path, "rb").read()
    magic, frame_max, _, module_max, site_count, module_count, lost, _ = HEADER.unpack_from(image)
    assert magic == b"ORACLE01", path
    if lost:
        raise ValueError(f"the oracle lost {lost} blocks")
    at = HEADER.size
    names = [None]
    for i in range(module_count):
        name = image[at + i * MODULE_SIZE + 8:at + (i + 1) * MODULE_SIZE].split(b"\0")[0].decode()
        names.append(os.path.basename(name or exe))
    at += module_max * MODULE_SIZE
    for i in range(site_count):
        where = at + i * (SITE.size + 16 * frame_max)
        _, count, allocs, frees, bytes_, _, min_, max_, _, _, _ = SITE.unpack_from(image, where)
        pairs = struct.unpack_from(f"<{2 * count}Q", image, where + SITE.size)
        frames = [(names[m], o) for m, o in zip(pairs[::2], pairs[1::2])]
        yield without_hooks(frames), (allocs, frees, bytes_, min_, max_)


def report_stacks(process):
    for site in process["sites"]:
        large = site["large"]
        if large and large["allocs"]:
            frames = [(f["module"] and os.path.basename(f["module"]), f["offset"])
                      for f in site["stack"] if not f["inlined"]]
            yield frames, (large["allocs"], large["frees"], large["bytes"], large["min"], large["max"])


def in_modules(frames):
    """The frames up to the first that lies in no module."""
    for n, (module, _) in enumerate(frames):
        if not module:
            return tuple(frames[:n])
    return tuple(frames)


def sums(stacks, depth):
    table = collections.defaultdict(Sum)
    for frames, numbers in stacks:
        table[in_modules(frames)[:depth]].add(*numbers)
    return table


def differences(ours, theirs):
    for key in sorted(ours.keys() | theirs.keys(), key=str):
        if ours.get(key) != theirs.get(key):
            stack = " < ".join(f"{m}+{o:#x}" for m, o in key[:8])
            yield f"{stack or '(no frame in a module)'}:\n  squall {ours.get(key)}\n  oracle {theirs.get(key)}"


def compare(process, folder):
    """Returns whether they agree; prints how."""
    title = f"{os.path.basename(process['exe'])} {process['pid']} {process['mode']}"
    path = f"{folder}/oracle.{process['pid']}"
    ours = list(report_stacks(process))
    try:
        theirs = list(oracle_stacks(path, process["exe"])) if os.path.exists(path) else []
    except ValueError as e:
        print(f"{title}: {e}")
        return False
    deepest = max([len(f) for f, _ in ours + theirs], default=0)
    for depth in [deepest, *range(min(deepest - 1, 60), MIN_DEPTH - 1, -1)]:
        table, other = sums(ours, depth), sums(theirs, depth)
        wrong = list(differences(table, other))
        if not wrong:
            total = Sum()
            for numbers in (n for _, n in theirs):
                total.add(*numbers)
            whole = "whole stacks" if depth == deepest else f"the innermost {depth} frames"
            print(f"{title}: {total} at {len(theirs)} stacks agree, by {whole}")
            return True
    print(f"{title}: {len(wrong)} stacks differ, even by their innermost {depth} frames")
    print("\n".join(wrong[:6]))
    return False


def main():
    processes = json.load(open(sys.argv[1]))["processes"]
    # A process without a large block says nothing about either.
    seen = [p for p in processes if os.path.exists(f"{sys.argv[2]}/oracle.{p['pid']}")
            or any(s["large"]["allocs"] for s in p["sites"])]
    if not seen:
        print("no large block on either side")
        return 1
    files = {int(f.split(".")[1]) for f in os.listdir(sys.argv[2])}
    missing = files - {p["pid"] for p in processes}
    if missing:
        print("processes that only the oracle saw:", *sorted(missing))
    agree = [compare(p, sys.argv[2]) for p in seen]
    return 0 if all(agree) and not missing else 1


sys.exit(main())
