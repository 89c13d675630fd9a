"""What is compared: each way to run a program is a Subject. Its figures are taken against its base:
the same program plain, or on the same allocator with its profiler off."""
import contextlib
import os
import signal
import subprocess

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
HEAPTRACK = "/usr/lib/heaptrack"


class Subject:
    def __init__(self, name, title, base=None, preload=None, **variables):
        self.name = name
        self.title = title
        self.base = base
        self.preload = preload
        self.variables = variables

    def words(self, folder):
        """NAME=VALUE for `timed`; {folder} in a value is where this run may write."""
        words = [f"LD_PRELOAD={self.preload}"] if self.preload else []
        return words + [f"{k}={v.format(folder=folder)}" for k, v in self.variables.items()]

    def is_there(self):
        return self.preload is None or os.path.exists(self.preload)

    @contextlib.contextmanager
    def around(self, folder):
        """Whatever must run beside the program; gives the words."""
        yield self.words(folder)


class Heaptrack(Subject):
    """As its script does it, a pipe to the interpreter and a compressor, but started here: so the
    processor time of the program is not mixed with theirs."""

    def is_there(self):
        return super().is_there() and os.path.exists(f"{HEAPTRACK}/libexec/heaptrack_interpret")

    @contextlib.contextmanager
    def around(self, folder):
        pipe = f"{folder}/pipe"
        os.mkfifo(pipe)
        reader = subprocess.Popen(
            ["sh", "-c", f'{HEAPTRACK}/libexec/heaptrack_interpret <"$1/pipe" | '
             'zstd -c >"$1/heaptrack.zst"', "-", folder],
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield self.words(folder)
            reader.wait(timeout=120)
        except BaseException:
            os.killpg(reader.pid, signal.SIGKILL)
            reader.wait()
            raise
        finally:
            os.remove(pipe)


def all_subjects(programs):
    """By name, in the order in which they take turns. `programs` holds what the bench built."""
    squall = f"{programs}/libsquall.so"
    jemalloc = f"{LIBRARIES}/libjemalloc.so.2"
    tcmalloc = f"{LIBRARIES}/libtcmalloc.so.4"
    prefix = "prof_prefix:{folder}/jeprof"
    subjects = [
        Subject("plain", "plain"),
        Subject("wrapper", "bare wrapper", "plain", f"{programs}/wrapper.so"),
        Subject("default", "squall default", "plain", squall, SQUALL_DIR="{folder}"),
        Subject("exact", "squall exact", "plain", squall, SQUALL_DIR="{folder}",
                SQUALL_CONF="mode:exact"),
        Heaptrack("heaptrack", "heaptrack", "plain", f"{HEAPTRACK}/libheaptrack_preload.so",
                  DUMP_HEAPTRACK_OUTPUT="{folder}/pipe"),
        Subject("jemalloc", "jemalloc, not profiling", "plain", jemalloc),
        Subject("jemalloc_sampled", "jemalloc, one in 512 KiB", "jemalloc", jemalloc,
                MALLOC_CONF="prof:true,lg_prof_sample:19," + prefix),
        Subject("jemalloc_each", "jemalloc, each", "jemalloc", jemalloc,
                MALLOC_CONF="prof:true,lg_prof_sample:0," + prefix),
        Subject("tcmalloc", "tcmalloc, not profiling", "plain", tcmalloc),
        Subject("gperftools", "gperftools HEAPPROFILE", "tcmalloc", tcmalloc,
                HEAPPROFILE="{folder}/gperftools"),
    ]
    return {s.name: s for s in subjects}


def why_missing(subject):
    """None, or why this subject cannot take part here."""
    if not subject.is_there():
        return f"{subject.title}: {subject.preload} is not there"
    if subject.base == "jemalloc":
        said = subprocess.run(["/bin/true"], capture_output=True, text=True, check=False,
                              env={"LD_PRELOAD": subject.preload,
                                   "MALLOC_CONF": "prof:true"}).stderr
        if "Invalid conf" in said:
            return f"{subject.title}: this libjemalloc2 is built without --enable-prof"
    return None
