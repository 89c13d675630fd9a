"""Running one program under one subject, and numbers about many runs."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile


class Place:
    """Where a run writes: memory, so that no disk is measured. A folder for each run."""

    def __init__(self):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="squall-bench.", dir=memory)
        os.chmod(self.root, 0o755)
        self.programs = f"{self.root}/programs"
        os.mkdir(self.programs)

    @contextlib.contextmanager
    def run_folder(self):
        folder = tempfile.mkdtemp(dir=self.root)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class Usage:
    """What `timed` wrote of a run that ended well."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            wall, user, system, peak, self.status = map(int, file.read().split())
        self.wall = wall / 1e9
        self.cpu = (user + system) / 1e6
        self.peak = peak / 1024  # MiB


def run_timed(place, words, command, **options):
    """Runs COMMAND with these NAME=VALUE; its Usage, or None when it failed."""
    handle, path = tempfile.mkstemp(dir=place.root)
    os.close(handle)
    try:
        subprocess.run([f"{place.programs}/timed", path, *words, *command], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       **{"stdout": subprocess.DEVNULL, "timeout": 300, **options})
        return Usage(path)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None
    finally:
        os.remove(path)


def in_turns(names, rounds):
    """(round, name): A B C, C B A, A B C… so that none is always after the same one."""
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            yield i, name


def say(text):
    print(f"  BENCH   {text}", file=sys.stderr, flush=True)


# ---- numbers ----

class Spread:
    """Median and quartiles of what was seen."""

    def __init__(self, values):
        self.count = len(values)
        self.median = statistics.median(values)
        self.low = self.high = self.median
        if self.count > 1:
            self.low, _, self.high = statistics.quantiles(values, n=4, method="inclusive")

    def show(self, form):
        if self.count == 1:
            return form.format(self.median)
        low, high = form.format(self.low).lstrip("+"), form.format(self.high).lstrip("+")
        return f"{form.format(self.median)} ({low}…{high})"


def paired(values, bases, combine):
    """Spread of combine(value, base) over the rounds that have both; None when there is none."""
    both = [combine(v, b) for v, b in zip(values, bases) if v is not None and b is not None]
    return Spread(both) if both else None


def added(values, bases):
    return paired(values, bases, lambda v, b: v - b)


def ratio(values, bases):
    return paired(values, bases, lambda v, b: v / b)


def shown(spread, form):
    return spread.show(form) if spread else "–"


def table(head, rows):
    """Markdown; the first column is text, the others numbers."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1)] + rows
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
