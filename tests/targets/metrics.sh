#!/bin/bash
# squall metrics: both formats read back by Prometheus's own parsers and promtool; what it serves,
# how it is asked, how it ends, also while a look hangs; figures agree with the report, never fall, and vanish some time
# after their process; more processes than are wanted are counted together.
. "$(dirname "$0")/lib.sh"
build producer -lzstd -lz -llz4
mkdir -m 700 "$TMPDIR/dumps"
export PYTHONPATH=$here

check "formats, names and agreement with the report" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" <<'P'
import os, shutil, subprocess
from squall import argument, same, near
import metrics
folder, library, squall = argument(1), argument(2), argument(3)
hostile = folder + '/a "quoted" \\ name\nof two lines\x1b[31m \udcff'
shutil.copy(folder + "/producer", hostile)
producers = [metrics.Producer(folder, library, "zstd"), metrics.Producer(folder, library, "zlib"),
             metrics.Producer(folder, library, "lz4", conf="mode:exact"),
             metrics.Producer(folder, library, "lz4", program=hostile)]
server = metrics.Server(squall, "--every", "200ms")
RULE = "output-as-large-as-source"
def work(p):
    return metrics.value(server.figures(), "squall_recorded_bytes_total", pid=p.pid, finding=RULE)
for p in producers:
    metrics.wait_for("bytes of a finding", lambda: work(p))
    p.still()
reports = {p.pid: report for p in producers for report in [metrics.report(squall, p.pid)]}
# what is new is counted once it is known what for
metrics.wait_for("all figures", lambda: all(
    metrics.value(server.figures(), "squall_recorded_bytes_total", pid=pid) ==
    sum(s["bytes"] for s in r["sites"]) for pid, r in reports.items()))
# Both formats of the same moment: an update between may know the clock better.
def moment():
    said = server.ask(Accept="text/plain"), server.figures()
    updates = "squall_updates_total"
    return said if metrics.value(metrics.samples(said[0][2], False), updates) == metrics.value(said[1], updates) else None
while not (said := moment()):
    pass
(status, kind, text), found = said
for p in producers:
    r = reports[p.pid]
    for key, name in (("allocs", "squall_allocations_total"), ("frees", "squall_frees_total"),
                      ("bytes", "squall_allocated_bytes_total")):
        same(name, metrics.value(found, name, pid=p.pid), r["totals"][key])
    for codec, sums in metrics.by_codec(r).items():
        for key, name in metrics.NAMES.items():
            if sums[key]:
                same(f"{name} of {codec}", metrics.value(found, name, pid=p.pid, codec=codec), sums[key])
    same("live bytes", metrics.value(found, "squall_live_bytes", pid=p.pid),
         sum(s["live_bytes"] for s in r["sites"]))
    near("time in the allocator", metrics.value(found, "squall_allocator_seconds_total", pid=p.pid),
         r["totals"]["allocator_ns"] / 1e9, 0.01)
    near("time in codec calls", metrics.value(found, "squall_codec_seconds_total", pid=p.pid),
         sum(c["seconds"] for c in r["codec_calls"]), 0.01)
    for f in r["findings"]:
        same(f["rule"], metrics.value(found, "squall_findings", pid=p.pid, finding=f["rule"]), 1)
programs = {dict(key)["pid"]: dict(key)["program"] for key in found["squall_process_info"]}
same("the hostile name", programs[producers[3].pid], 'a "quoted" \\ name\ufffdof two lines\ufffd[31m \ufffd')
exact = {dict(key)["pid"]: dict(key)["mode"] for key in found["squall_process_info"]}
same("mode", (exact[producers[1].pid], exact[producers[2].pid]), ("default", "exact"))
# the older format says the same
same("type", kind, metrics.TEXT)
older = metrics.samples(text, False)
mine = {p.pid for p in producers}
for name in found:
    if name.startswith("squall_codec") or name.startswith("squall_recorded"):
        same(name, *({k: v for k, v in rows[name].items() if dict(k)["pid"] in mine} for rows in (older, found)))
said = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT)
same("promtool", (said.returncode, said.stdout), (0, ""))
# an ended process's figures stay for a while, and do not fall
before = {p.pid: metrics.value(found, "squall_allocated_bytes_total", pid=p.pid) for p in producers}
for p in producers:
    p.end()
metrics.wait_for("their ends", lambda: all(
    metrics.value(server.figures(), "squall_process_running", pid=p.pid) == 0 for p in producers))
found = server.figures()
for p in producers:
    if metrics.value(found, "squall_allocated_bytes_total", pid=p.pid) < before[p.pid]:
        raise SystemExit("figures of a process that ended fell")
    same("live bytes of what is gone", metrics.value(found, "squall_live_bytes", pid=p.pid), 0)
server.stop()
P

check "what is asked for, and how" "$SQUALL_BIN" <<'P'
import socket, subprocess
from squall import argument, same
import metrics
squall = argument(1)
server = metrics.Server(squall)
for accept, kind in (("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", metrics.OPENMETRICS),
                     ("application/openmetrics-text; q=0.3, text/plain; q=0.5", metrics.TEXT),
                     ("application/openmetrics-text;q=0", metrics.TEXT),
                     ("text/html, */*", metrics.TEXT), ("", metrics.TEXT)):
    same(f"type for {accept!r}", server.ask(Accept=accept)[:2], (200, kind))
same("no Accept", server.ask()[1], metrics.TEXT)
same("HEAD", server.ask(method="HEAD")[::2], (200, ""))
same("POST", server.ask(method="POST")[0], 405)
same("another path", server.ask("/../etc/passwd")[0], 404)
same("/", server.ask("/")[0], 200)
# half a request, and nonsense, hold up nobody
half = socket.create_connection((server.host, server.port))
half.send(b"GET /metr")
with socket.create_connection((server.host, server.port)) as s:
    s.send(b"\x00\xff" * 5000 + b"\r\n\r\n")
    try:
        s.recv(100)
    except ConnectionResetError:
        pass
same("after nonsense", server.ask()[0], 200)
# the port is taken
second = subprocess.run([squall, "metrics", "--listen", f"127.0.0.1:{server.port}"], stderr=subprocess.PIPE, text=True)
same("a port that is taken", (second.returncode, second.stderr.split(": ")[-1]), (1, "Address already in use\n"))
half.close()
server.stop()
for where in "nowhere:x", "127.0.0.1:", "::1:9788", "127.0.0.1:99999", "[::1]":
    said = subprocess.run([squall, "metrics", "--listen", where], stderr=subprocess.PIPE, text=True)
    same(where, said.returncode, 2)
same("the port alone: this machine only", metrics.Server(squall, where="0").host, "127.0.0.1")
P

if grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then
    check "IPv6" "$SQUALL_BIN" <<'P'
from squall import argument, same
import metrics
server = metrics.Server(argument(1), where="[::1]:0")
same("host", server.host, "::1")
same("status", server.ask()[0], 200)
server.stop()
server = metrics.Server(argument(1), where=":0") # all addresses, of both kinds
for server.host in "127.0.0.1", "::1":
    same(server.host, server.ask()[0], 200)
server.stop()
P
else
    echo "ok IPv6 # skip this machine has none"
fi

check "too many, exec, and vanishing" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" <<'P'
import os
from squall import argument, same
import metrics
folder, library, squall = argument(1), argument(2), argument(3)
env = {**os.environ, "SQUALL_DIR": folder + "/dumps"}
server = metrics.Server(squall, "--every", "200ms", "--max-processes", "0", env=env)
producers = [metrics.Producer(folder, library, codec) for codec in ("zstd", "zstd", "lz4")]
def calls(codec):
    return metrics.value(server.figures(), "squall_codec_calls_total", pid="other", codec=codec) or 0
metrics.wait_for("all", lambda: calls("zstd") > 200 and calls("lz4") > 50)
for p in producers:
    p.still()
reports = [metrics.report(squall, p.pid) for p in producers]
want = sum(r["source_bytes"] for p in reports for r in p["codec_calls"])
metrics.wait_for("their sum", lambda: metrics.value(
    server.figures(), "squall_codec_source_bytes_total", pid="other") >= want)
found = server.figures()
same("no figures of their own", [p for p in producers if metrics.value(found, "squall_allocations_total", pid=p.pid)], [])
if metrics.value(found, "squall_processes_aggregated") < 3:
    raise SystemExit("not counted together")
last = 0
for p in producers:
    p.end()
    now = metrics.value(server.figures(), "squall_codec_source_bytes_total", pid="other")
    if now < last:
        raise SystemExit("the common figures fell")
    last = now
server.stop()

# the same number, another image: the figures of the first make way
server = metrics.Server(squall, "--every", "200ms", "--keep", "1ms", env=env)
mark = folder + "/go"
first = metrics.Producer(folder, library, "lz4", program="/bin/bash", before=[
    "/bin/bash", "-c", f'until [ -e {mark} ]; do read -rt 0.05 <> <(:); done; exec {folder}/producer "${{@:2}}"', "-"])
def programs():
    return [dict(key)["program"] for key in server.figures().get("squall_process_info", {}) if dict(key)["pid"] == first.pid]
metrics.wait_for("the first", lambda: programs() == ["bash"])
open(mark, "w").close()
metrics.wait_for("the second", lambda: programs() == ["producer"])
first.still()
first.end()
metrics.wait_for("nothing", lambda: programs() == [])
server.stop()
P

check "the file for the node exporter" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" <<'P'
import os, signal, subprocess
from squall import argument, same
import metrics
folder, library, squall = argument(1), argument(2), argument(3)
os.mkdir(folder + "/collector")
path = folder + "/collector/squall.prom"
producer = metrics.Producer(folder, library, "zlib")
child = metrics.started(subprocess.Popen([squall, "metrics", "--textfile", folder + "/collector", "--every", "100ms"],
                                         stderr=subprocess.PIPE, text=True))
metrics.wait_for("the file", lambda: os.path.exists(path))
seen, last = set(), 0
while len(seen) < 8:
    with open(path) as f:
        at = os.fstat(f.fileno())
        seen.add((at.st_ino, at.st_mtime_ns)) # a file system may use a number again at once
        text = f.read()
    if not text.splitlines()[-1].startswith("squall_update_duration_seconds "):
        raise SystemExit("half a file was read")
    now = metrics.value(metrics.samples(text, False), "squall_codec_source_bytes_total", pid=producer.pid) or 0
    if now < last:
        raise SystemExit("figures fell")
    last = now
same("mode", oct(os.stat(path).st_mode), oct(0o100644))
child.send_signal(signal.SIGTERM)
same("end", (child.wait(), child.stderr.read(), os.listdir(folder + "/collector")), (0, "", []))
producer.still()
producer.end()
said = subprocess.run([squall, "metrics", "--textfile", folder + "/nowhere"], stderr=subprocess.PIPE, text=True)
same("no such folder", (said.returncode, said.stderr.split(": ")[-1]), (1, "No such file or directory\n"))
P

gcc -O1 -D_GNU_SOURCE -fPIC -shared "$here/src/stall.c" -o "$TMPDIR/stall.so" -ldl || { not_ok stall "does not build"; finish; }
check "a look that takes for ever" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" <<'P'
import os, signal, subprocess, time
from squall import argument, same
import metrics
folder, library, squall = argument(1), argument(2), argument(3)
stall, collector = folder + "/fifo", folder + "/stalled"
os.mkdir(collector)
env = {**os.environ, "LD_PRELOAD": folder + "/stall.so", "STALL": stall}
def hangs():
    metrics.wait_for("the look", lambda: os.path.exists(stall + ".here"))
    os.unlink(stall + ".here")
def ends(child, number, how):
    child.send_signal(number)
    same(f"the end by {number}", (child.wait(), os.listdir(collector)), (how, []))
server = metrics.Server(squall, "--every", "100ms", "--textfile", collector, env=env)
os.mkfifo(stall)
producer = metrics.Producer(folder, library, "zstd")
hangs()
# Once they are old a scrape waits for new ones, in vain: those that follow do without.
def scrape():
    begun = time.monotonic()
    server.figures()
    return time.monotonic() - begun
metrics.wait_for("a scrape that waits", lambda: scrape() > 1)
if min(scrape() for _ in range(5)) > 1:
    raise SystemExit("each scrape waited")
found = server.figures()
same("not seen yet", metrics.value(found, "squall_allocations_total", pid=producer.pid), None)
ends(server.child, signal.SIGTERM, 0)
# before it begins to serve, and where it does not
for options, number, how in (["--listen", "0"], signal.SIGINT, 0), (["--textfile", collector], signal.SIGHUP, 0), (
        ["--once"], signal.SIGTERM, -signal.SIGTERM):
    child = metrics.started(subprocess.Popen([squall, "metrics", *options], env=env, stdout=subprocess.DEVNULL))
    hangs()
    ends(child, number, how)
# and one that was held up goes on
os.unlink(stall)
server = metrics.Server(squall, "--every", "100ms", env=env)
os.mkfifo(stall)
producers = producer, metrics.Producer(folder, library, "zstd")
hangs()
server.figures()
os.rename(stall, stall + ".gone")
os.close(os.open(stall + ".gone", os.O_WRONLY))
metrics.wait_for("figures", lambda: metrics.value(server.figures(), "squall_allocations_total", pid=producers[1].pid))
for p in producers:
    p.still()
    p.end()
server.stop()
P
finish
