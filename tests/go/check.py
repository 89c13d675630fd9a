"""check.py REPORT COUNTS MODE [WORD]...: what squall saw of one run of the producer against what the
producer counted itself. Words: cgo (blocks of C beside Go's), attached (from the middle on), kept
(nothing is swept, so nothing is wrong)."""
import json
import os
import sys

report, counts, mode = sys.argv[1:4]
words = set(sys.argv[4:])
processes = json.load(open(report))["processes"]
counts = json.load(open(counts)) if os.path.exists(counts) else None
process = next(p for p in processes if p.get("go"))
go = process["go"]
sites = [s for s in process["sites"] if s["runtime"] == "go"]

# What the finding has to be, and which remedy it names.
FINDINGS = {
    "naive": ("output-as-large-as-source", "EncodeAll(source, buffer[:0])"),
    "made": ("output-as-large-as-source", "EncodeAll(source, buffer[:0])"),
    "limited": ("output-as-large-as-source", "WithEncoderConcurrency"),
    "lowmem": ("output-grown", "EncodeAll(source, buffer[:0])"),
    "append": ("output-grown", "EncodeAll(source, buffer[:0])"),
    "per-batch": ("context-per-call", "encoderOptions.encoder"),
    "pooled": None,
}


def expect(condition, *what):
    if not condition:
        raise SystemExit(" ".join(str(w) for w in what))


def named(site, function, line=False):
    return any((f["function"] or "").endswith(function) and (f["line"] or not line)
               for f in site["stack"])


expect(go["state"] in ("hooked", "detached"), "state", go["state"], go["reason"])
expect(process["totals"]["lost"]["go"] == 0, "lost", process["totals"]["lost"])
# The line that makes it: in EncodeAll, or, of a destination that the caller makes, his.
maker = "EncodeAll" if mode != "made" else "main.(*batcher).flush"
outputs = [s for s in sites if s["role"] == "output" and named(s, maker, True)]

if "attached" not in words:
    # Every large block, and each one that began ended.
    expect(go["entries"] == go["exits"] == counts["large_allocs"],
           "entries", go["entries"], "exits", go["exits"], "the runtime's", counts["large_allocs"])
    expect(sum(s["allocs"] for s in sites) == go["exits"], "sum of sites",
           sum(s["allocs"] for s in sites), "exits", go["exits"])
    # One may end, or begin to, while the counts are taken.
    expect(abs(go["collections"] - counts["cycles"]) <= 1, "collections",
           go["collections"], counts["cycles"])
    # The calls, by their arguments.
    calls = [c for c in process["codec_calls"] if c["function"].endswith("EncodeAll") and c["calls"]]
    for key, name in (("calls", "calls"), ("source_bytes", "source_bytes"),
                      ("produced_bytes", "produced_bytes")):
        expect(sum(c[key] for c in calls) == counts[name], key, sum(c[key] for c in calls),
               counts[name])
    if mode in ("naive", "made"):
        expect(sum(s["allocs"] for s in outputs) == counts["calls"], "outputs", counts["calls"])
        expect(sum(s["bytes"] for s in outputs) == counts["source_bytes"], "bytes of outputs")
        expect(all(s["source_ratio"]["min"] == s["source_ratio"]["max"] == 1 for s in outputs),
               "ratio", [s["source_ratio"] for s in outputs])

flagged = [s for s in process["sites"] if s["flagged"]]
findings = {f["rule"]: f for f in process["findings"]}
wanted = None if "kept" in words else FINDINGS[mode]
if wanted is None:
    expect(not [s for s in flagged if s["runtime"] == "go"], "flagged", [s["id"] for s in flagged])
    expect(not [r for r in findings if "output" in r or "context" in r], "findings", list(findings))
else:
    rule, remedy = wanted
    expect(rule in findings, "no finding", rule, "but", list(findings))
    expect(remedy in findings[rule]["fix"], "the fix of", rule, "is", findings[rule]["fix"])
    expect(("flush" if mode == "made" else "encode") + " (klauspost/compress)" in
           findings[rule]["summary"], findings[rule]["summary"])
    expect("EncodeAll" in findings[rule]["summary"] or rule == "context-per-call", "no EncodeAll")
    expect("not the cause" in findings[rule]["caution"], "no caution")
    worst = next(s for s in sites if s["id"] == findings[rule]["site"])
    expect(worst["flagged"] and named(worst, maker, True), "site", worst["id"])
    expect(named(worst, "main.(*batcher).flush", True), "no line of the caller")
    expect(worst["go"]["goroutines_at_once"] >= 1 and worst["go"]["longest_goroutine"],
           "goroutines", worst["go"])
    expect(worst["stack_end"] == "outermost", "stack ends", worst["stack_end"])
    spent = sum(worst["go"][k] for k in ("assist_ns", "heap_ns", "zero_ns"))
    expect(abs(spent - worst["allocator_ns"]) <= 3, "phases", spent, worst["allocator_ns"])
if mode == "per-batch":
    expect(any(named(s, "encoderOptions.encoder") for s in sites), "encoderOptions.encoder")

if "cgo" in words:
    c = [s for s in process["sites"] if s["runtime"] == "c" and named(s, "c_block")]
    if not c:  # stripped: no name, but the blocks
        c = [s for s in process["sites"] if s["runtime"] == "c" and s["large"]["min"] == 200000]
    expect(sum(s["large"]["allocs"] for s in c) == counts["extra"], "blocks of C", len(c))
