"""Figures of squall metrics, read back by the parsers of Prometheus's own client."""
import atexit
import http.client
import json
import re
import subprocess
import time
import urllib.parse

from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as open_parser

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def samples(text, openmetrics):
    """{name: {frozenset of labels: value}}; no sample twice, each under its family's name."""
    parser = open_parser if openmetrics else text_parser
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for s in family.samples:
            rows, key = found.setdefault(s.name, {}), frozenset(s.labels.items())
            if key in rows:
                raise SystemExit(f"{s.name} {s.labels} stands there twice")
            if not s.name.startswith(family.name):
                raise SystemExit(f"{s.name} stands under {family.name}")
            rows[key] = s.value
    return found


def value(found, name, **labels):
    """The sum of the samples that have these labels; None if there is none."""
    rows = [v for key, v in found.get(name, {}).items() if labels.items() <= dict(key).items()]
    return sum(rows) if rows else None


def by_codec(process):
    """What a report says: bytes and codec calls by codec."""
    sums = {}
    for site in process["sites"]:
        mine = sums.setdefault(site["codec"] or "none", dict.fromkeys(("bytes", "calls", "source", "produced"), 0))
        mine["bytes"] += site["bytes"]
    for call in process["codec_calls"]:
        mine = sums[call["codec"]]
        mine["calls"] += call["calls"]
        mine["source"] += call["source_bytes"]
        mine["produced"] += call["produced_bytes"]
    return sums


NAMES = {"bytes": "squall_recorded_bytes_total", "calls": "squall_codec_calls_total",
         "source": "squall_codec_source_bytes_total", "produced": "squall_codec_produced_bytes_total"}


def started(child):
    """Nothing outlives a check that fails: who waits for its output would wait for ever."""
    atexit.register(child.kill)
    return child


class Server:
    """squall metrics that listens on a port of the kernel's choice."""

    def __init__(self, squall, *options, where="127.0.0.1:0", env=None):
        self.child = started(subprocess.Popen([squall, "metrics", "--listen", where, *options],
                                              text=True, stderr=subprocess.PIPE, env=env))
        line = self.child.stderr.readline()
        at = re.search(r"http://(\[?[^/]*?\]?):(\d+)/metrics$", line.strip())
        if not at:
            raise SystemExit(f"squall metrics says: {line}")
        self.host, self.port = at[1].strip("[]"), int(at[2])

    def ask(self, path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Content-Type"), text

    def figures(self):
        _, kind, text = self.ask(Accept="application/openmetrics-text")
        if kind != OPENMETRICS or not text.endswith("# EOF\n"):
            raise SystemExit(f"{kind}: {text[-200:]}")
        return samples(text, True)

    def stop(self):
        self.child.terminate()
        _, said = self.child.communicate()
        if self.child.returncode or said:
            raise SystemExit(f"squall metrics ended with {self.child.returncode}: {said}")


class Producer:
    """src/producer.c under the library. still(): it compresses no more; end()."""

    def __init__(self, folder, library, codec, program=None, conf="", env=None, before=()):
        self.folder, self.codec = folder, codec
        self.mark = f"{folder}/{codec}.{time.monotonic_ns()}"
        self.child = started(subprocess.Popen(
            [*before, program or f"{folder}/producer", codec, self.mark + ".still", self.mark + ".end"],
            stdout=subprocess.PIPE, text=True, env=env or {
                "LD_PRELOAD": library, "SQUALL_DIR": folder + "/dumps", "SQUALL_CONF": conf}))
        self.pid = str(self.child.pid)

    def still(self):
        open(self.mark + ".still", "w").close()
        if self.child.stdout.readline() != "still\n":
            raise SystemExit(f"the producer of {self.codec} ended")

    def end(self):
        open(self.mark + ".end", "w").close()
        if self.child.wait():
            raise SystemExit(f"the producer of {self.codec} failed")


def report(squall, pid):
    said = subprocess.run([squall, "report", "--json", "--no-lines", pid], stdout=subprocess.PIPE, check=True)
    process, = json.loads(said.stdout)["processes"]
    return process


def get(port, path):
    """(status, body) of what a server of this machine answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def ready(port):
    """Whether the Prometheus that listens there answers queries."""
    return get(port, "/-/ready")[0] == 200


def query(port, text):
    """Prometheus's answer to a query: [(labels, value)]."""
    status, body = get(port, "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
    if status != 200:
        raise SystemExit(f"{text}: {status} {body}")
    said = json.loads(body)
    return [(r["metric"], float(r["value"][1])) for r in said["data"]["result"]]


def wait_for(what, condition):
    """Until it holds; the runner's limit is the net under this."""
    while not condition():
        time.sleep(0.1)
    return what
