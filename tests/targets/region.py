"""Reads tables of a region as they are in the file, for what no report shows whole."""
import glob
import struct
import subprocess

MODULES, STRINGS, STACKS, FRAMES, ANON = 2, 3, 4, 5, 17
LOST = ("threads modules strings stacks sites cells large histograms live commits busy unwind ticks "
        "codec contexts private mappings go").split()


class Region:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.image = f.read()
        self.tables = {}
        at, = struct.unpack_from("<Q", self.image, 24)
        count, = struct.unpack_from("<I", self.image, 20)
        for i in range(count):
            type_, size, offset, _, committed, used = struct.unpack_from("<IIQQQQ", self.image, at + 48 * i)
            self.tables[type_] = (size, offset, min(committed, used))
        self.modules = [struct.unpack_from("<QQQQ", row) for row in self.rows(MODULES)]

    def rows(self, table):
        size, offset, used = self.tables[table]
        return [self.image[offset + size * i:offset + size * (i + 1)] for i in range(used)]

    def string(self, offset):
        start = self.tables[STRINGS][1] + offset
        return self.image[start:self.image.index(b"\0", start)].decode()

    def stack(self, row):
        """(path, offset in the module) of each frame, innermost first."""
        size, offset, _ = self.tables[STACKS]
        _, first, count = struct.unpack_from("<QIH", self.image, offset + size * row)
        frames = struct.unpack_from(f"<{count}Q", self.image, self.tables[FRAMES][1] + 8 * first)
        return [next(((self.string(path), a - base) for base, start, end, path in self.modules
                      if start <= a < end), (None, a)) for a in frames]

    def lost(self):
        return {name: n for name, n in zip(LOST, struct.unpack_from(f"<{len(LOST)}Q", self.image, 528))
                if n}

    def anons(self, program):
        """{functions of the program on the stack, innermost first: [maps, unmaps, bytes,
        unmapped bytes]}"""
        found = {}
        for row in self.rows(ANON) if ANON in self.tables else []:
            stack, *sums = struct.unpack_from("<5Q", row)
            if not any(sums):
                continue
            names = [name_of(path, at) for path, at in self.stack(stack) if path == program]
            key = " ".join(n for n in names if n != "_start")
            found[key] = [x + y for x, y in zip(found.get(key, [0] * 4), sums)]
        return found


symbols = {}


def name_of(path, offset):
    if path not in symbols:
        out = subprocess.run(["nm", path], capture_output=True, text=True).stdout if path else ""
        symbols[path] = sorted((int(f[0], 16), f[2]) for f in map(str.split, out.splitlines())
                               if len(f) == 3 and f[1] in "tT")
    below = [name for at, name in symbols[path] if at < offset]
    return below[-1] if below else "?"


def regions(folder):
    """By the order in which they were made: a parent before its children."""
    found = [Region(path) for path in glob.glob(folder + "/*.region")]
    return sorted(found, key=lambda r: struct.unpack_from("<I", r.image, 92)[0])
