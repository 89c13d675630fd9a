#!/bin/bash
# One process that has hundreds of regions mapped counts for a few, leaves descriptors to who
# watches, and what was left out is said; where descriptors run out for all that, that is said, too.
. "$(dirname "$0")/lib.sh"
build producer -lzstd -lz -llz4
fresh
export PYTHONPATH=$here
check "one process with many regions" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" "$dumps" <<'P'
import glob, json, mmap, os, resource, shutil, struct, subprocess
from squall import argument, same
import metrics
folder, library, squall, dumps = (argument(i) for i in range(1, 5))
MANY, OWN, LIMIT, LOW = 300, 64, 256, 40
os.mkdir(folder + "/dumps", 0o700)
producer = metrics.Producer(folder, library, "zstd")
metrics.wait_for("a region", lambda: glob.glob(folder + "/dumps/*.region"))
region, = glob.glob(folder + "/dumps/*.region")
kept = []
for i in range(MANY):  # as if of other processes, in a namespace that nobody sees
    path = f"{dumps}/squall.{i}.region"
    with open(region, "rb") as f:
        head = bytearray(f.read(8192))
    struct.pack_into("<Q", head, 48, 0x1000 + i)
    struct.pack_into("<Qi", head, 72, 7, 1 + i)
    with open(path, "wb+") as f:
        f.write(head)
        f.truncate(os.stat(region).st_size)
        kept.append(mmap.mmap(f.fileno(), 8192, mmap.MAP_SHARED, mmap.PROT_READ))
environment = {**os.environ, "SQUALL_DIR": dumps}
def with_limit(soft, hard=None):
    most = hard or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
def ps(limit):
    said = subprocess.run([squall, "ps", "--json", "--no-findings"], env=environment, preexec_fn=limit, stdout=subprocess.PIPE)
    return said.returncode, json.loads(said.stdout or "{}")
status, found = ps(with_limit(LIMIT))
theirs = [p for p in found["processes"] if p["region"].startswith(dumps)]
same("those of one process", (status, len(theirs)), (0, OWN))
assert found["unseen"]["left_out"] >= MANY - OWN, found["unseen"]
assert "left out: more than one process has" in found["unseen"]["why"], found["unseen"]
same("the producer is there", [p["pid"] for p in found["processes"] if p["region"] == region], [int(producer.pid)])
# With few descriptors, however they are raised.
status, found = ps(with_limit(LOW, LOW))
assert status == 0 and len(found["processes"]) < LOW and found["unseen"]["left_out"] > MANY - OWN, (status, found["unseen"])
subprocess_popen = subprocess.Popen
subprocess.Popen = lambda *a, **k: subprocess_popen(*a, preexec_fn=with_limit(LOW), **k)
server = metrics.Server(squall, "--every", "200ms", env=environment)
subprocess.Popen = subprocess_popen
figures = server.figures()
assert metrics.value(figures, "squall_processes_unseen") >= MANY - OWN
same("the producer has figures", metrics.value(figures, "squall_process_running", pid=producer.pid), 1)
server.stop()
producer.child.kill()
P
finish
