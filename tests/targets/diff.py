"""diff.py SQUALL FOLDER: prints ok and not ok lines; see diff.sh."""
import itertools
import json
import os
import subprocess
import sys

squall, folder = sys.argv[1:3]
RUNS = 9
failures = 0

# Messages of any size, as many as chance has it, the same at each test; and much that has nothing to do with them.
PROGRAM = """
import os, random, threading, zlib
reuse = {reuse}
text = os.urandom(3000) * 100
def work(seed):
    chance = random.Random(seed)
    n = chance.randrange(40, 120)
    made = zlib.compressobj(1)
    for i in range(n):
        data = text[:chance.randrange(70000, 200000)]
        if reuse:
            made.compress(data)
            made.flush(zlib.Z_SYNC_FLUSH)
        else:
            zlib.compress(data, 1)
        [bytes(chance.randrange(1, 5000)) for _ in range(20)]
threads = [threading.Thread(target=work, args=(2 * {seed} + i,)) for i in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""


def result(name, problem):
    global failures
    failures += bool(problem)
    print(f"not ok {name}: {problem}" if problem else f"ok {name}", flush=True)


def record(name, mode, seed, reuse=False):
    path = os.path.join(folder, f"{name}.squall")
    subprocess.run([squall, "run", "--mode", mode, "-o", path, "--", "/usr/bin/python3", "-c",
                    PROGRAM.format(reuse=reuse, seed=seed)], check=True, stderr=subprocess.DEVNULL)
    return path


def diff(before, after, *options):
    out = subprocess.run([squall, "diff", "--json", before, after, *options], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def changes(d):
    """What a person would be told has changed."""
    told = [f"{f['name']} {f['verdict']}" for f in d["figures"]
            if f["verdict"] not in (None, "same")]
    told += [f"{f['rule']} {f['verdict']}" for f in d["findings"]
             if f["verdict"] != "same" and f["confirmed"]]
    told += [f"{s['verdict']} {[f['function'] for f in s['stack']][:4]}" for s in d["sites"]]
    assert len(d["sites"]) == d["sites_changed"] <= d["sites_compared"]
    return told


def check(path, *bounds):
    done = subprocess.run([squall, "check", path, *bounds], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout


for mode in ("exact", "default"):
    runs = [record(f"{mode}{i}", mode, i) for i in range(RUNS)]
    pairs = list(itertools.combinations(runs, 2))
    changed = [c for c in (changes(diff(*pair)) for pair in pairs) if c]
    result(f"{mode}_same_program", len(changed) > len(pairs) * 0.05 and
           f"{len(changed)} of {len(pairs)} pairs changed: {changed[:3]}")
    lengths = [diff(*pair)["after"]["messages"] for pair in pairs]
    result(f"{mode}_lengths_differ", max(lengths) < 1.3 * min(lengths) and lengths)

    remedied = record(f"{mode}-remedied", mode, RUNS, reuse=True)
    d = diff(runs[0], remedied)
    told = changes(d)
    result(f"{mode}_remedy", not (
        # the stream that is kept is one message, of which no other says anything
        d["per"] == "source-byte" and
        "context-per-call-binding gone" in told and
        any(s["role"] == "workspace" and s["verdict"] in ("less", "gone") and
            "deflateInit2_" in [f["function"] for f in s["stack"]] for s in d["sites"])) and told)
    d = diff(remedied, runs[0])
    result(f"{mode}_and_back", not any(
        s["role"] == "workspace" and s["verdict"] in ("more", "new") for s in d["sites"]) and
        changes(d))
    status, why = check(runs[0], "--max-bytes-per-message", "64k", "--no-finding",
                        "context-per-call-binding")
    result(f"{mode}_check_fails", not (
        status == 1 and "--max-bytes-per-message: 2" in why and
        "--no-finding: context-per-call-binding: " in why) and (status, why))
    status, why = check(remedied, "--max-bytes-per-message", "4m", "--no-finding",
                        "context-per-call-binding", "--max-peak", "1g")
    result(f"{mode}_check_passes", (status or why) and (status, why))

# A file beside itself, and another kind of file of the same run, are the same.
same = diff(runs[0], runs[0], "--tolerance", "0")
result("itself", changes(same) or any(f["before"] != f["after"] for f in same["figures"]))
merged = os.path.join(folder, "merged.squall")
subprocess.run([squall, "merge", "--quiet", *runs, "-o", merged], check=True)
d = diff(merged, runs[0])
# Of the sites compared, one in twenty may be told by chance.
told = changes(d) if len(changes(d)) > d["sites_compared"] / 20 else []
result("many_beside_one", told or (d["before"]["processes"] != RUNS and d["before"]))
sys.exit(failures > 0)
