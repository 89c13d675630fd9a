#!/bin/bash
# What scripts depend on: the fields of the report, and the numbers of a known program.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
squall report --json "$TMPDIR/region" >json || exit 1
/usr/bin/python3 - <<'PYTHON'
import json
report = json.load(open("json"))
print("format", report["format"], "processes", len(report["processes"]))
p = report["processes"][0]
blocks = [s for s in p["sites"] if s["large"]["allocs"]
          and any(f["function"] == "make_blocks" for f in s["stack"])]
s = blocks[0]


def expect(what, map_, *names):
    """Fields are only ever added: these are there for good."""
    for name in names:
        if name not in map_:
            print("BAD:", what, "lacks", name)


expect("process", p, "pid", "parent", "exe", "argv", "start", "mode", "configuration", "seconds",
       "state", "ended_by", "totals", "threads", "modules", "sites", "codec_calls", "timeline",
       "findings", "visibility", "concurrency", "contexts", "codec_functions",
       "anonymous_mappings")
expect("totals", p["totals"], "allocs", "frees", "bytes", "freed_bytes", "live_bytes",
       "peak_live_bytes", "allocator_ns", "inherited_frees", "lost", "codec_bytes")
expect("thread", p["threads"][0], "row", "tid", "name", "start", "allocs", "frees", "bytes")
expect("module", p["modules"][0], "path", "build_id", "base", "unloaded", "allocator")
expect("site", s, "id", "runtime", "codec", "codec_function", "direction", "role", "flagged",
       "reused", "allocs", "frees", "bytes", "freed_bytes", "live_bytes", "peak_live_bytes",
       "estimated", "samples", "large", "roles", "size", "lifetime_ns", "transient", "mmapped",
       "remote_frees", "allocator_ns", "bytes_per_second", "allocs_per_second", "source_ratio",
       "produced_ratio", "threads", "stack", "stack_end", "served_by", "grown")
expect("large", s["large"], "allocs", "frees", "bytes", "min", "max")
expect("roles", s["roles"], "workspace", "output", "input")
for spread in "size", "lifetime_ns":
    expect(spread, s[spread], "min", "max", "mean", "p50", "p99")
expect("thread of a site", s["threads"][0], "row", "tid", "name", "allocs", "frees", "bytes",
       "freed_bytes", "live_bytes", "peak_live_bytes", "remote_frees")
expect("frame", s["stack"][0], "function", "file", "line", "module", "offset", "inlined")
for statement in p["visibility"]:
    expect("visibility", statement, "subject", "statement")
print("sites of make_blocks:", len(blocks))
print({k: s[k] for k in ("runtime", "allocs", "frees", "bytes", "freed_bytes", "live_bytes",
                         "estimated", "large", "stack_end")})
print({k: s["size"][k] for k in ("min", "max", "mean")})
for t in sorted(s["threads"], key=lambda t: t["name"]):
    print("thread", {k: t[k] for k in ("name", "allocs", "frees", "bytes", "live_bytes", "peak_live_bytes")})
frame = next(f for f in s["stack"] if f["function"] == "make_blocks")
print("frame", frame["file"].rsplit("/", 1)[-1], frame["line"], frame["module"].rsplit("/", 1)[-1])
kept = [s for s in p["sites"] if s["large"]["allocs"] and s not in blocks]
print("kept", [(s["large"]["allocs"], s["live_bytes"]) for s in kept if s["live_bytes"]])
print(p["mode"], p["state"], p["argv"][0].rsplit("/", 1)[-1])
PYTHON
