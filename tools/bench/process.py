"""The process part: start-up, bytes written, time of a report."""
import glob
import os
import shutil

from measure import Spread, added, in_turns, run_timed, say, shown, table
from real import bytes_in

# What the recordings are of: (program, subject).
RECORDED = [("kcat_zstd", "default"), ("kcat_zstd", "exact"), ("kcat_zstd", "heaptrack"),
            ("db_bench_zstd", "default"), ("db_bench_zstd", "exact"),
            ("db_bench_zstd", "heaptrack")]
MANY_SITES = 100_000
MANY_DUMPS = 2000


# ---- start-up ----

def start_once(place, subject):
    with place.run_folder() as folder:
        if subject.name == "heaptrack":  # its script, as it is used
            usage = run_timed(place, [], ["heaptrack", "-o", f"{folder}/out", "/bin/true"])
        else:
            usage = run_timed(place, subject.words(folder), ["/bin/true"])
        return usage and usage.wall * 1e3


def measure_start(place, subjects, rounds):
    say("start-up of /bin/true")
    results = {name: [] for name in subjects}
    for _, name in in_turns(list(subjects), rounds):
        results[name].append(start_once(place, subjects[name]))
    return results


def start_markdown(subjects, results):
    rows = []
    for name, subject in subjects.items():
        if subject.base:
            rows.append([subject.title, shown(added(results[name], results[subject.base]),
                                              "{:+.2f}")])
        else:
            rows.append([subject.title, shown(Spread([v for v in results[name] if v]), "{:.2f}")])
    return table(["start-up of /bin/true", "ms"], rows)


# ---- recordings ----

def one_recording(folder, pattern):
    """The largest such file: a program's helpers leave small ones."""
    return max(glob.glob(f"{folder}/{pattern}"), key=os.path.getsize, default=None)


def kib(count):
    return f"{count / 1024:,.0f}"


def seconds(usage):
    return f"{usage.wall:.2f}" if usage else "failed"


def read_twice(place, command):
    """Cells: seconds, seconds again, MiB."""
    first, again = (run_timed(place, [], command) for _ in range(2))
    return [seconds(first), seconds(again), f"{first.peak:.0f}" if first else "–"]


def squall_row(place, squall, folder):
    region = one_recording(folder, "*.region")
    if not region:
        return ["–"] * 7
    written = bytes_in(folder, r"\.region$")
    read = read_twice(place, [squall, "report", region])
    packing = run_timed(place, [], [squall, "pack", folder])
    dump = one_recording(folder, "*.squall")
    if not dump:
        return [kib(written), "–", *read, seconds(packing), "–"]
    packed = run_timed(place, [], [squall, "report", dump])
    return [kib(written), kib(bytes_in(folder, r"\.squall$")), *read, seconds(packing),
            seconds(packed)]


def heaptrack_row(place, folder):
    written = kib(bytes_in(folder, r"^heaptrack\.zst$"))
    read = read_twice(place, ["heaptrack_print", "-f", f"{folder}/heaptrack.zst"])
    return [written, written, *read, "–", "–"]


def many_sites(place, subject):
    """Programs of that many distinct stacks: (title, folder with the region)."""
    here = os.path.dirname(os.path.abspath(__file__))
    programs = {"17 frames": [f"{place.programs}/micro", "1000", "1", "paths", "17",
                              str(MANY_SITES)]}
    if shutil.which("node"):
        programs["node, 70 frames"] = ["node", f"{here}/sites.js", "7500"]
    for title, command in programs.items():
        folder = f"{place.root}/many-sites-{len(title)}"
        os.makedirs(folder, exist_ok=True)
        words = [w for w in subject.words(folder) if not w.startswith("SQUALL_CONF=")]
        run_timed(place, [*words, "SQUALL_CONF=mode:exact,region:512m"], command)
        yield title, folder


def merge_markdown(place, squall, subject):
    """Many small processes, each packed, merged into one dump."""
    say(f"merging {MANY_DUMPS:,} dumps")
    folder = f"{place.root}/many-dumps"
    os.makedirs(folder, exist_ok=True)
    script = f"for i in $(seq {MANY_DUMPS}); do ls / >/dev/null; done"
    run_timed(place, subject.words(folder), ["bash", "-c", script])
    run_timed(place, [], [squall, "pack", "--quiet", folder])
    dumps = bytes_in(folder, r"\.squall$")
    usage = run_timed(place, [], [squall, "merge", "--quiet", folder, "-o",
                                  f"{place.root}/merged.squall"])
    return table(["squall merge", "KiB in", "KiB out", "s", "its peak MiB"],
                 [[f"{len(os.listdir(folder)):,} dumps", kib(dumps),
                   kib(bytes_in(place.root, r"^merged\.squall$")), seconds(usage),
                   f"{usage.peak:.0f}" if usage else "–"]])


def recordings_markdown(place, squall, subjects, folders):
    say("reading what was recorded")
    rows = []
    for program, name in RECORDED:
        folder = folders.get((program, name), "")
        if not os.path.isdir(folder):
            continue
        cells = heaptrack_row(place, folder) if name == "heaptrack" else \
            squall_row(place, squall, folder)
        rows.append([f"{program}, {subjects[name].title}", *cells])
    if "exact" in subjects:
        for title, folder in many_sites(place, subjects["exact"]):
            cells = squall_row(place, squall, folder)
            rows.append([f"{MANY_SITES:,} sites ({title}), squall exact", *cells])
    recordings = table(["recording", "KiB written", "KiB kept", "report, s", "again, s",
                        "its peak MiB", "pack, s", "report of the pack, s"], rows)
    if "exact" not in subjects:
        return recordings
    return recordings + "\n\n" + merge_markdown(place, squall, subjects["exact"])
