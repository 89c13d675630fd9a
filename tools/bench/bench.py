#!/usr/bin/python3 -B
"""make bench: squall and its peers side by side, on the same work, taking turns.

Prints a page of tables in markdown and leaves it in build/bench/. Environment: QUICK=1 fewer and
shorter rounds, few minutes; ROUNDS=N; PARTS="micro real process" (all by default);
ONLY=PATTERN of the workloads and programs to run; BUILD, CC, CXX.
Every figure is the median over the rounds of a difference or ratio within the round, with its
quartiles."""
import datetime
import os
import platform
import re
import shlex
import resource
import shutil
import signal
import subprocess
import sys
import time

import goals
import micro
import process
import real
from measure import Place, say
from subjects import all_subjects, why_missing

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.realpath(os.environ.get("BUILD", f"{ROOT}/build"))
QUICK = os.environ.get("QUICK", "") not in ("", "0")
ONLY = re.compile(os.environ.get("ONLY", ""))
PARTS = os.environ.get("PARTS", "micro real process").split()
NOISE = 0.2  # processors; less than that are the mock brokers and what else a machine does
FLAGS = ["-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-fno-builtin", "-pthread"]


def rounds(full, quick):
    return int(os.environ.get("ROUNDS", quick if QUICK else full))


def build(programs):
    """The bench's own programs, and the library and the companion as they are now: a build that
    goes on elsewhere changes nothing."""
    cc = shlex.split(os.environ.get("CC", "cc"))
    cxx = shlex.split(os.environ.get("CXX", "c++"))

    def compile_to(out, *words, compiler=cc):
        subprocess.run([*compiler, *FLAGS, *words, "-o", f"{programs}/{out}"], check=True, cwd=HERE)

    compile_to("micro", "-fomit-frame-pointer", "micro.c", "clocked.c")
    compile_to("micro-fp", "-fno-omit-frame-pointer", "micro.c", "clocked.c")
    compile_to("clocked.o", "-c", "clocked.c")
    compile_to("inlined", "inlined.cc", f"{programs}/clocked.o", compiler=cxx)
    compile_to("wrapper.so", "-fPIC", "-shared", "wrapper.c")
    compile_to("timed", "timed.c")
    shutil.copy(f"{BUILD}/libsquall.so", programs)
    shutil.copy(f"{BUILD}/squall", programs)


# ---- the page ----

def first_line(*command):
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout
    return said.split("\n")[0].strip()


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} × {names[0] if names else platform.machine()}"


class Others:
    """How many processors whatever is not the bench kept busy, or the hypervisor took away."""

    def __init__(self):
        self.began, self.busy, self.own = self.now()
        self.load = os.getloadavg()[0]

    @staticmethod
    def now():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
        used = [resource.getrusage(who)
                for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return (time.monotonic(),
                (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK"),
                sum(u.ru_utime + u.ru_stime for u in used))

    def average(self):
        now, busy, own = self.now()
        return max(0.0, (busy - self.busy) - (own - self.own)) / (now - self.began)

    def are_loud(self):
        return self.average() > NOISE


def versions():
    peers = []
    for package in ("heaptrack", "libjemalloc2", "libgoogle-perftools4", "libc6"):
        version = first_line("dpkg-query", "-W", "-f", "${Version}", package)
        peers.append(f"{package} {version or 'not installed'}")
    commit = first_line("git", "rev-parse", "--short", "HEAD")
    dirty = "+" if first_line("git", "status", "--porcelain", "-uno", "src") else ""
    return f"squall {commit}{dirty}; " + ", ".join(peers)


def heading(began, others):
    minutes = (datetime.datetime.now() - began).total_seconds() / 60
    lines = [
        f"# make bench{' QUICK=1' if QUICK else ''}, {began:%Y-%m-%d %H:%M}",
        f"{processor()}; Linux {platform.release()}; {minutes:.0f} minutes; load {others.load:.1f} "
        f"before, {os.getloadavg()[0]:.1f} after; others kept {others.average():.2f} processors "
        "busy",
        versions(),
    ]
    if others.are_loud():
        lines.append("**The machine was loaded by others: small differences mean nothing.**")
    return "\n\n".join(lines)


MICRO_NOTE = """Processor time that a subject adds to one malloc+free pair: median of the
differences within a round (quartiles). jemalloc and gperftools are compared with their own
allocator, not profiling. N levels are N+4 frames. Rows *by the clock* show waiting as well: the
time that passed, as if each thread had a core."""
REAL_NOTE = """User and system time of the program alone, as a multiple of plain in the same round.
heaptrack's interpreter, which runs beside the program, is not counted. No quartiles: one run."""


def run_micro(place, subjects):
    def wanted(title):
        return ONLY.search(title) and not (QUICK and micro.LEFT_OUT.search(title))

    results = micro.measure(place, subjects, rounds(15, 5), 15 if QUICK else 60, wanted)
    return micro.Micro(subjects, results)


def run_real(place, subjects, folders):
    """Quick leaves out what is not squall or heaptrack, and runs heaptrack once."""
    taking_part = {n: s for n, s in subjects.items() if n != "wrapper" and
                   (not QUICK or n in ("plain", "default", "exact", "heaptrack"))}
    often = ("plain", "default", "exact") if QUICK else tuple(taking_part)

    def kept(program, name):
        # Every program's exact recording says how many allocations it made.
        if name == "exact" or (program, name) in process.RECORDED:
            return folders.setdefault((program, name), f"{place.root}/{program}-{name}")
        return None

    results = real.measure(place, ROOT, taking_part, rounds(9, 3), kept, often,
                           ONLY)
    pairs = {program: real.count_pairs(f"{place.programs}/squall", folders[program, "exact"])
             for program in real.PROGRAMS if (program, "exact") in folders}
    return real.Real(taking_part, results, pairs)


def run_parts(place, subjects, others):
    """The page's sections."""
    sections, folders, micro_results, real_results, start = [], {}, None, None, None
    if "micro" in PARTS:
        micro_results = run_micro(place, subjects)
        sections += ["## A pair", MICRO_NOTE, micro_results.markdown()]
    if "real" in PARTS:
        real_results = run_real(place, subjects, folders)
        sections += ["## Real programs", REAL_NOTE, real_results.markdown()]
    if "process" in PARTS:
        start = process.measure_start(place, subjects, rounds(51, 15))
        sections += ["## The process", process.start_markdown(subjects, start)]
        if real_results:
            sections.append(real_results.memory_markdown())
        sections.append(process.recordings_markdown(place, f"{place.programs}/squall", subjects,
                                                    folders))
    verdict = goals.markdown(micro_results, real_results, start, others.are_loud())
    return ["## Goals", verdict, *sections] if verdict else sections


def main():
    # What would change what is measured; and an end by signal leaves nothing in memory.
    for name in ("LD_PRELOAD", "SQUALL_CONF", "SQUALL_DIR", "MALLOC_CONF", "HEAPPROFILE"):
        os.environ.pop(name, None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, others = datetime.datetime.now(), Others()
    place = Place()
    try:
        build(place.programs)
        subjects = all_subjects(place.programs)
        missing = [why for s in subjects.values() if (why := why_missing(s))]
        subjects = {n: s for n, s in subjects.items() if not why_missing(s)}
        for why in missing:
            say(why)
        sections = run_parts(place, subjects, others)
        page = "\n\n".join([heading(began, others), *missing, *sections]) + "\n"
    finally:
        place.remove()
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    path = f"{BUILD}/bench/{began:%Y%m%d-%H%M}.md"
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    print(page)
    say(f"written to {path}")


if __name__ == "__main__":
    sys.exit(main())
