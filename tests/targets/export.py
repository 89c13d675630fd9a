"""export.py NAME FOLDER: the totals of an export, as NAME reads it, are those of the report.
Exit status 77: the program that reads it is not here; the last line says which."""
import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys

name, folder = sys.argv[1:3]


def path(of):
    return os.path.join(folder, of)


report = json.load(open(path("report.json"), encoding="utf-8"))
sites = [s for p in report["processes"] for s in p["sites"]]
FIELDS = ["allocs", "bytes", "live_blocks", "live_bytes", "allocator_ns"]
wanted = {f: sum(s[f] for s in sites) for f in FIELDS}
wanted_codecs = {s["codec"] for s in sites if s["codec"]}
wanted_by_role = {}
for s in sites:
    wanted_by_role[s["role"]] = wanted_by_role.get(s["role"], 0) + s["bytes"]
assert len(report["processes"]) >= 2 and wanted["live_bytes"] > 0 and "zlib" in wanted_codecs


def need(program, *places):
    found = shutil.which(program) or next((p for p in places if os.path.exists(p)), None)
    if not found:
        print(f"no {program}")
        sys.exit(77)
    return found


def same(got, want, what=""):
    if got != want:
        sys.exit(f"{what}: {got}, the report has {want}")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr[-1000:]}")
    return done.stdout


# ---- pprof: by a reader of protocol buffers in a few lines, and by go ----

def fields(data):
    """(number, value): an int, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2, key
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size


def packed(data):
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    return values


def pprof_bytes():
    profile = {}
    for number, value in fields(gzip.open(path("pprof")).read()):
        profile.setdefault(number, []).append(value)
    strings = [s.decode("utf-8") for s in profile[6]]
    same(strings[0], "", "first string")
    types = [[strings[v] for _, v in fields(t)] for t in profile[1]]
    same([t[0] for t in types], ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space",
                                 "allocator_time"])
    sums, labels, used = [0] * 5, {}, set()
    for sample in profile[2]:
        row = {}
        for number, value in fields(sample):
            row.setdefault(number, []).append(value)
        values = packed(row[2][0])
        sums = [a + b for a, b in zip(sums, values)]
        used.update(packed(row[1][0]) if 1 in row else [])
        for label in row.get(3, []):
            label = dict(fields(label))
            key = strings[label[1]], strings[label[2]]
            labels[key] = labels.get(key, 0) + values[1]
    same(sums, [wanted[f] for f in FIELDS])
    same(used, {dict(fields(location))[1] for location in profile[4]}, "locations")
    for role in ("workspace", "output"):
        same(labels.get(("role", role), 0), wanted_by_role.get(role, 0), role)
    same({k[1] for k in labels if k[0] == "codec"}, wanted_codecs)
    same({k[1] for k in labels if k[0] == "pid"}, {str(p["pid"]) for p in report["processes"]})
    ids = {m["build_id"] for p in report["processes"] for m in p["modules"] if m["build_id"]}
    told = {strings[dict(fields(m)).get(6, 0)] for m in profile[3]}
    same(told - ids - {""}, set(), "build-ids that nobody has")
    assert len(told) > 2


def go_pprof():
    go = need("go")
    raw = run(go, "tool", "pprof", "-raw", path("pprof"))
    same(sum(int(line.split()[1]) for line in raw.split("Samples:")[1].splitlines()
             if re.match(r" +\d+ +\d+ +\d+ +\d+ +\d+: ", line)), wanted["bytes"])
    for index, field in (("alloc_space", "bytes"), ("inuse_space", "live_bytes")):
        top = run(go, "tool", "pprof", "-unit=B", f"-sample_index={index}", "-top", path("pprof"))
        total = re.search(r"of (\d+)B total", top) or re.search(r"of ([\d.]+)B total", top)
        same(float(total[1]), float(wanted[field]), index)
    assert "deflateInit2_" in run(go, "tool", "pprof", "-top", path("pprof"))


def pprof_uploads():
    """What the servers of Parca and Pyroscope ask of an upload; neither is in Debian."""
    profile = {}
    for number, value in fields(gzip.open(path("pprof")).read()):
        profile.setdefault(number, []).append(value)
    strings = [s.decode("utf-8") for s in profile[6]]
    same(strings[0], "", "first string")
    # Parca: ids count from 1, in order, without a gap; every label has a key; all refer to what is there.
    for number, what in ((3, "mapping"), (4, "location"), (5, "function")):
        rows = [dict(fields(row)) for row in profile[number]]
        same([row[1] for row in rows], list(range(1, len(rows) + 1)), f"{what} ids")
    for location in profile[4]:
        for number, value in fields(location):
            if number == 2:
                assert value <= len(profile[3]), "mapping of a location"
            elif number == 4:
                assert 0 < dict(fields(value))[1] <= len(profile[5]), "function of a location"
    # Both: as many values as types. Pyroscope: at most 1000 frames, 100 labels, 65535 bytes of text.
    for sample in profile[2]:
        rows = list(fields(sample))
        frames = [packed(v) for n, v in rows if n == 1]
        assert frames and all(0 < f <= len(profile[4]) for f in frames[0]), "frames"
        assert len(frames[0]) <= 1000 and sum(n == 3 for n, _ in rows) <= 100
        same(len(packed([v for n, v in rows if n == 2][0])), len(profile[1]), "values")
        assert all(dict(fields(v))[1] for n, v in rows if n == 3), "a label without a key"
    assert max(map(len, strings)) <= 65535
    # Both take the time and the kind of the profile from it.
    kind = dict(fields(profile[11][0]))
    same([strings[kind[1]], strings[kind[2]]], ["space", "bytes"], "period type")
    starts = [p["start"] for p in report["processes"]]
    assert abs(profile[9][0] / 1e9 - min(starts)) < 1 and profile[10][0] > 0


# ---- heap: google-pprof, and its heir ----

def google_pprof(program="google-pprof"):
    program = need(program)
    for option, field, unit in (("alloc_space", "bytes", " B"), ("inuse_space", "live_bytes", " B"),
                                ("alloc_objects", "allocs", ""),
                                ("inuse_objects", "live_blocks", "")):
        text = run(program, "--text", "--show_bytes", f"--{option}", path("heap"))
        total = re.search(r"Total: +(\d+)" + unit, text, re.M)
        same(total and int(total[1]), wanted[field], option)
    text = run(program, "--text", "--show_bytes", "--alloc_space", path("heap"))
    zlib = sum(s["bytes"] for s in sites if any(f["function"] == "deflateInit2_" for f in s["stack"]))
    line = re.search(r"^ *(\d+) +[\d.]+% +[\d.]+% +(\d+) +[\d.]+% deflateInit2_$", text, re.M)
    same(line and int(line[2]), zlib, "deflateInit2_")


def jeprof():
    google_pprof("jeprof")


# ---- folded ----

def folded_sum(of):
    return sum(int(line.rsplit(" ", 1)[1]) for line in open(path(of), encoding="utf-8"))


def folded():
    same(folded_sum("folded"), wanted["bytes"])
    same(folded_sum("folded.allocs"), wanted["allocs"])
    assert any(";deflateInit2_" in line for line in open(path("folded"), encoding="utf-8"))


def flamegraph():
    program = need("flamegraph.pl", "/usr/share/perl5/Devel/NYTProf/flamegraph.pl")
    svg = run("perl", program, path("folded"))
    total = re.search(r"<title>all \(([\d,]+) samples, 100%\)</title>", svg)
    same(int(total[1].replace(",", "")), wanted["bytes"])
    assert "deflateInit2_" in svg


# ---- speedscope ----

def speedscope():
    document = json.load(open(path("speedscope"), encoding="utf-8"))
    frames = document["shared"]["frames"]
    same(sum(p["endValue"] for p in document["profiles"]), wanted["bytes"])
    for profile in document["profiles"]:
        same(sum(profile["weights"]), profile["endValue"])
        same(len(profile["weights"]), len(profile["samples"]))
        assert all(f < len(frames) for s in profile["samples"] for f in s)
    assert any(f["name"].startswith("deflateInit2_") for f in frames)


def speedscope_schema():
    """Its own schema, from its package."""
    npm = need("npm")
    try:
        import jsonschema
    except ImportError:
        print("no python3-jsonschema")
        sys.exit(77)
    if not os.environ.get("ALL"):
        print("its schema is fetched by make check-real only")
        sys.exit(77)
    run(npm, "pack", "--silent", "speedscope@1.25.0", cwd=folder)
    run("tar", "xzf", "speedscope-1.25.0.tgz", "package/dist/release/file-format-schema.json",
        cwd=folder)
    schema = json.load(open(path("package/dist/release/file-format-schema.json"), encoding="utf-8"))
    document = json.load(open(path("speedscope"), encoding="utf-8"))
    jsonschema.validate(document, schema)
    document["profiles"][0]["weights"] = "none"  # what it is worth
    try:
        jsonschema.validate(document, schema)
    except jsonschema.ValidationError:
        return
    sys.exit("the schema accepts anything")


# ---- DHAT ----

def dhat():
    document = json.load(open(path("dhat"), encoding="utf-8"))
    same(document["dhatFileVersion"], 2)
    same(sum(p["tb"] for p in document["pps"]), wanted["bytes"])
    same(sum(p["tbk"] for p in document["pps"]), wanted["allocs"])
    assert all(0 < f < len(document["ftbl"]) for p in document["pps"] for f in p["fs"])


VIEW = """
const fs = require('fs'), vm = require('vm');
const [viewer, file] = process.argv.slice(2);
const context = vm.createContext({document: {}, console, URLSearchParams});
vm.runInContext(fs.readFileSync(viewer, 'utf8'), context);
context.text = fs.readFileSync(file, 'utf8');
vm.runInContext(`
  gData = JSON.parse(text);
  gSelect = {childNodes: gSelectData.map(() => ({})), selectedIndex: 1};
  buildTree();
  console.log(JSON.stringify([gRoot._totalBytes, gRoot._totalBlocks]));`, context);
"""


def dh_view():
    """The viewer's own code builds its tree, without a page around it."""
    node = need("node")
    viewer = need("dh_view.js", "/usr/libexec/valgrind/dh_view.js")
    with open(path("view.js"), "w", encoding="utf-8") as f:
        f.write(VIEW)
    same(json.loads(run(node, path("view.js"), viewer, path("dhat"))),
         [wanted["bytes"], wanted["allocs"]])


# ---- tables ----

def check_rows(rows):
    for field in FIELDS:
        same(sum(int(r[field]) for r in rows), wanted[field], field)
    same({r["codec"] for r in rows if r["codec"]}, wanted_codecs)
    same(len(rows), sum(len(s["threads"]) for s in sites))


def csv_rows():
    with open(path("csv"), encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, strict=True))
    check_rows(rows)
    assert any("deflateInit2_" in r["stack"] for r in rows)


def jsonl():
    rows = [json.loads(line) for line in open(path("jsonl"), encoding="utf-8")]
    check_rows(rows)
    assert any(f["function"] and f["function"].startswith("deflateInit2_")
               for r in rows for f in r["stack"])


def sqlite():
    program = need("sqlite3")
    sums = ", ".join(f"sum({f})" for f in FIELDS)
    out = run(program, ":memory:", f".import --csv {path('csv')} sites",
              f"SELECT {sums} FROM sites")
    same([int(v) for v in out.strip().split("|")], [wanted[f] for f in FIELDS])
    sums = ", ".join(f"sum(json_extract(line, '$.{f}'))" for f in FIELDS)
    out = run(program, ":memory:", "CREATE TABLE rows(line)", ".mode ascii",
              r'.separator "\037" "\n"', f".import {path('jsonl')} rows", f"SELECT {sums} FROM rows")
    same([int(v) for v in out.strip("\n").split("\x1f")], [wanted[f] for f in FIELDS])


{"csv": csv_rows}.get(name, globals().get(name))()
