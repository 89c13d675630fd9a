"""The real part: processor time and memory of programs that nobody here wrote, run by
tests/real/run.sh."""
import json
import os
import re
import shutil
import subprocess

from measure import Usage, added, in_turns, ratio, say, shown, table, Spread

PROGRAMS = ["rdkx_zstd", "kcat_zstd", "db_bench_zstd", "node_zlib", "borg_zstd", "java_jni",
            "git_gc"]
# A run longer than this is not repeated: the peer is known to be slow, and its median as well.
PATIENCE = 60  # seconds


def run_once(place, root, subject, program, keep=None):
    """Its Usage, or None when it failed. What the subject wrote goes to the folder `keep`."""
    with place.run_folder() as folder:
        used = f"{place.root}/used"
        try:
            with subject.around(folder) as words:
                wrap = " ".join([f"{place.programs}/timed", used, *words])
                subprocess.run([f"{root}/tests/real/run.sh", program], check=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, timeout=900,
                               env={**os.environ, "WRAP": wrap, "LIMIT": "600"})
            if keep:
                shutil.rmtree(keep, ignore_errors=True)
                os.rename(folder, keep)  # a copy would fill the holes of a region
            return Usage(used)
        except (subprocess.SubprocessError, OSError, ValueError):
            return None
        finally:
            if os.path.exists(used):
                os.remove(used)


def measure(place, root, subjects, rounds, kept, often, only):
    """{(program, subject): one Usage a round}. Subjects that are not in `often` run only in the
    first round. `kept` gives the folder to keep what a run wrote in, or None; `only` is a pattern
    of programs."""
    results = {}
    for program in filter(only.search, PROGRAMS):
        say(f"real: {program}")
        for i, name in in_turns(list(subjects), rounds):
            had = results.setdefault((program, name), [])
            is_slow = i > 0 and (name not in often or not had[0] or had[0].wall > PATIENCE)
            had.append(None if is_slow else
                       run_once(place, root, subjects[name], program, kept(program, name)))
    return results


def count_pairs(squall, folder):
    """Allocations that a recording counted, or None."""
    said = subprocess.run([squall, "report", "--json", folder], capture_output=True, check=False)
    try:
        return sum(p["totals"]["allocs"] for p in json.loads(said.stdout)["processes"])
    except (ValueError, KeyError):
        return None


def bytes_in(folder, pattern=""):
    """What the files in a folder take of the disk; a region is sparse."""
    return sum(os.stat(f"{folder}/{f}").st_blocks * 512 for f in os.listdir(folder)
               if re.search(pattern, f))


class Real:
    def __init__(self, subjects, results, pairs):
        self.subjects = subjects
        self.results = results
        self.pairs = pairs  # {program: allocations}

    def column(self, program, name, what="cpu"):
        return [u and getattr(u, what) for u in self.results.get((program, name), [])]

    def ratio(self, program, name):
        base = self.subjects[name].base
        return ratio(self.column(program, name), self.column(program, base))

    def added_memory(self, program, name):
        base = self.subjects[name].base
        return added(self.column(program, name, "peak"), self.column(program, base, "peak"))

    def ns_a_pair(self, program, name):
        """Added processor time for each allocation, or None."""
        count = self.pairs.get(program)
        more = added(self.column(program, name), self.column(program, "plain"))
        return more.median * 1e9 / count if more and count else None

    def programs(self):
        return [p for p in PROGRAMS if (p, "plain") in self.results]

    def compared(self):
        return [n for n, s in self.subjects.items() if s.base and n not in ("jemalloc", "tcmalloc")]

    def markdown(self):
        rows = []
        for program in self.programs():
            plain = [v for v in self.column(program, "plain") if v]
            row = [program, f"{self.pairs[program]:,}" if self.pairs.get(program) else "–",
                   shown(Spread(plain) if plain else None, "{:.2f}")]
            row += [shown(self.ratio(program, name), "{:.3f}") for name in self.compared()]
            for name in ("exact", "heaptrack"):
                each = self.ns_a_pair(program, name) if name in self.subjects else None
                row.append("–" if each is None else f"{each:,.0f}")
            rows.append(row)
        head = ["CPU, times plain", "allocations", "plain, s"]
        head += [self.subjects[n].title for n in self.compared()]
        return table(head + ["exact, ns an allocation", "heaptrack, ns"], rows)

    def memory_markdown(self):
        rows = [[program] + [shown(self.added_memory(program, n), "{:+.1f}")
                             for n in self.compared()] for program in self.programs()]
        head = ["peak resident MiB, over plain"]
        return table(head + [self.subjects[n].title for n in self.compared()], rows)
