"""The micro part: nanoseconds that a subject adds to a malloc+free pair."""
import re
import subprocess

from measure import Spread, added, in_turns, paired, say, shown, table

# Title, program, arguments after MILLISECONDS, and which of the two numbers: 0 = CPU, 1 = clock.
WORKLOADS = [
    *((f"{threads} thread{'s'[:threads - 1]}, {levels} levels", "micro",
       f"{threads} pairs {levels}") for threads in (1, 2, 8) for levels in (8, 16, 32, 64)),
    ("200 random paths, 13 frames shared", "micro", "1 paths 8 200 13"),
    ("10,000 random stacks of 17 frames", "micro", "1 paths 14 10000"),
    ("depth changes at each call, 1 to 24", "micro", "1 wave 24"),
    ("freed by another thread", "micro", "1 remote 16"),
    ("realloc chains, 16 B to 16 KiB", "micro", "1 chains 16"),
    ("blocks of 64 KiB to 4 MiB", "micro", "1 large 16"),
    ("with frame pointers, 16 levels", "micro-fp", "1 pairs 16"),
    ("C++ with inlining, 16 levels", "inlined", "1 16"),
]
LEFT_OUT = re.compile(r"[28] threads, (8|32|64) levels")  # of a quick run
CLOCKED = ["2 threads, 16 levels", "8 threads, 16 levels"]


def run_once(place, subject, program, milliseconds, arguments):
    """(CPU, clock) in ns a pair, or None."""
    command = [f"{place.programs}/{program}", str(milliseconds), *arguments.split()]
    with place.run_folder() as folder:
        try:
            with subject.around(folder) as words:
                said = subprocess.run(["env", *words, *command], capture_output=True, text=True,
                                      timeout=60, check=True).stdout
            cpu, clock = said.split()[-2:]
            return float(cpu), float(clock)
        except (subprocess.SubprocessError, OSError, ValueError):
            return None


def measure(place, subjects, rounds, milliseconds, wanted):
    """{(workload, subject): one result a round} of the workloads whose title is `wanted`."""
    results = {}
    for title, program, arguments in WORKLOADS:
        if not wanted(title):
            continue
        say(f"micro: {title}")
        for _, name in in_turns(list(subjects), rounds):
            # Appended in each round once, so that equal places are the same round.
            results.setdefault((title, name), []).append(
                run_once(place, subjects[name], program, milliseconds, arguments))
    return results


class Micro:
    """The results, and what is read off them."""

    def __init__(self, subjects, results):
        self.subjects = subjects
        self.results = results

    def column(self, title, name, which=0):
        return [r and r[which] for r in self.results.get((title, name), [])]

    def added(self, title, name, base=None, which=0):
        base = base or self.subjects[name].base
        return added(self.column(title, name, which), self.column(title, base, which))

    def times_exact(self, title, name, which=0):
        """How many times as much as exact mode it adds."""
        plain, exact = self.column(title, "plain", which), self.column(title, "exact", which)
        over = [e and p and max(e - p, 0.1) for e, p in zip(exact, plain)]
        mine = [v and p and v - p for v, p in zip(self.column(title, name, which), plain)]
        return paired(mine, over, lambda v, b: v / b)

    def row(self, title, which=0):
        plain = [v for v in self.column(title, "plain", which) if v is not None]
        row = [title + (", by the clock" if which else ""),
               shown(Spread(plain) if plain else None, "{:.1f}")]
        for name, subject in self.subjects.items():
            if not subject.base or name in ("jemalloc", "tcmalloc"):
                continue
            form = "{:+.1f}" if name in ("wrapper", "default", "jemalloc_sampled") else "{:+,.0f}"
            row.append(shown(self.added(title, name, which=which), form))
            if name == "default":
                row.append(shown(self.added(title, name, "wrapper", which), "{:+.1f}"))
            if name == "heaptrack":
                row.append(shown(self.times_exact(title, name, which), "{:.1f}×"))
        return row

    def markdown(self):
        head = ["ns a pair", "plain"]
        for name, subject in self.subjects.items():
            if not subject.base or name in ("jemalloc", "tcmalloc"):
                continue
            head.append(subject.title)
            head += ["default over wrapper"] if name == "default" else []
            head += ["heaptrack : exact"] if name == "heaptrack" else []
        measured = [title for title, _, _ in WORKLOADS if (title, "plain") in self.results]
        rows = [self.row(title) for title in measured]
        rows += [self.row(title, 1) for title in CLOCKED if title in measured]
        return table(head, rows)
