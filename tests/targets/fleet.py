"""Three producers, squall metrics and Prometheus, for some seconds: what a query by codec answers
is what the producers' own reports say."""
import atexit
import os
import re
import shutil
import subprocess
import sys
import time

import metrics
from squall import near, same

folder, library, squall, examples, seconds = *sys.argv[1:5], float(sys.argv[5])


def configure(target):
    """The example as it stands, but for who is scraped and how often."""
    with open(f"{examples}/prometheus.yml") as f:
        text = f.read()
    for old, new in ("127.0.0.1:9788", target), ("interval: 15s", "interval: 1s"):
        if old not in text:
            raise SystemExit(f"the example has no {old}")
        text = text.replace(old, new)
    with open(f"{folder}/prometheus.yml", "w") as f:
        f.write(text)
    shutil.copy(f"{examples}/squall-rules.yml", folder)


def start_prometheus():
    """Prometheus on a port of the kernel's choice; it logs which. It listens some time before it
    answers queries: until then it says 503, and no JSON."""
    log = f"{folder}/prometheus.log"
    with open(log, "w") as f:
        child = metrics.started(subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             "--web.listen-address=127.0.0.1:0"], stdout=f, stderr=f))
    def port():
        if child.poll() is not None:
            raise SystemExit("prometheus: " + open(log).readlines()[-1])
        return re.search(r'msg="Listening on" address=127\.0\.0\.1:(\d+)', open(log).read())
    metrics.wait_for("prometheus", port)
    at = int(port()[1])
    metrics.wait_for("its data", lambda: metrics.ready(at))
    return child, at


server = metrics.Server(squall, "--every", "1s")
configure(f"127.0.0.1:{server.port}")
prometheus, port = start_prometheus()
producers = [metrics.Producer(folder, library, codec) for codec in ("zstd", "zlib", "lz4")]
pids = '{pid=~"%s"}' % "|".join(p.pid for p in producers)


def scrapes():
    return sum(v for _, v in metrics.query(port, "squall_updates_total"))


# That is how long it is watched; what is compared below does not hang on it.
metrics.wait_for("the first scrape", lambda: scrapes() > 0)
end = time.monotonic() + seconds
metrics.wait_for("the time", lambda: time.monotonic() > end)
metrics.wait_for("all three", lambda: len(metrics.query(port, f"count by (pid) (squall_codec_calls_total{pids})")) == 3)
RATE = "codec:squall_recorded_bytes:rate5m"
metrics.wait_for("the example's rules give roles", lambda: {"workspace", "output"} <= {
    labels["role"] for labels, v in metrics.query(port, RATE) if v > 0})
for p in producers:
    p.still()
reports = {p.pid: metrics.report(squall, p.pid) for p in producers}

want = {}
for r in reports.values():
    for codec, sums in metrics.by_codec(r).items():
        for key, n in sums.items():
            want.setdefault(codec, {}).setdefault(key, 0)
            want[codec][key] += n
want.pop("none") # what is new, and nobody's yet, is counted some seconds later
expected = {name: {codec: sums[key] for codec, sums in want.items()} for key, name in metrics.NAMES.items()}
for name, key in ("squall_allocations_total", "allocs"), ("squall_allocated_bytes_total", "bytes"):
    expected[name] = {pid: r["totals"][key] for pid, r in reports.items()}


def answers():
    said = {name: {labels["codec"]: v for labels, v in
                   metrics.query(port, f'sum by (codec) ({name}{pids[:-1]}, codec!="none"}})')}
            for name in metrics.NAMES.values()}
    for name in expected.keys() - said.keys():
        said[name] = {labels["pid"]: v for labels, v in metrics.query(port, name + pids)}
    return said


# What is counted late (see above) comes with one of the next scrapes; forty say that it does not.
last = scrapes() + 40
metrics.wait_for("what the reports say", lambda: answers() == expected or scrapes() > last)
said = answers()
for name in expected:
    same(name, said[name], expected[name])
# The rate over the time is what was done in it.
if seconds >= 30:
    grown = metrics.query(port, f'sum by (codec) (increase(squall_codec_source_bytes_total{pids}[{int(seconds) + 60}s]))')
    for labels, v in grown:
        near(f"increase of {labels['codec']}", v, want[labels["codec"]]["source"], 0.1)
    same("codecs that grew", len(grown), 3)
# A scrape may have been too late for the second that it has here, but not all of them are.
for name in "up", "scrape_samples_scraped":
    metrics.wait_for(name, lambda: [v > 0 for _, v in metrics.query(port, name)] == [True])
for p in producers:
    p.end()
metrics.wait_for("their ends in Prometheus", lambda: [v for _, v in metrics.query(port, f"squall_process_running{pids}")] == [0, 0, 0])
prometheus.terminate()
prometheus.wait()
server.stop()
