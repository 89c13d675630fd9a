"""Compares what codec_calls said that it did with what squall counted; codec_calls.sh runs it.

codec_calls.py NAME CODEC WAY SAID JSON PROGRAM: a line ok or not ok for each thing compared.

What the numbers mean here, where more than one meaning would do: source bytes are of all calls,
those that failed included (they had read it, or part of it); produced bytes are of calls that did
not fail; a call that another one of the same codec made is in a row of its own, where nested says
how many of the calls were such."""
import json
import sys

from squall import bare, load, same, sites, total

name, codec, way, said_path, json_path, program = sys.argv[1:]
with open(said_path) as file:
    said = [json.loads(line) for line in file]
process, = load(json_path)
compress_rows = [r for r in process["codec_calls"] if r["codec"] == codec]
outer = [r for r in compress_rows if not r["nested"]]


def of_kind(what):
    return [s for s in said if s["what"] == what]


def rows(function, direction):
    return [r for r in outer if bare(r["function"]) == function and r["direction"] == direction]


def check_found():
    for function in {f["function"] for f in of_kind("function")}:
        found = [f for f in process["codec_functions"]
                 if bare(f["name"]) == function and f["codec"] == codec]
        same(f"{function} found", bool(found), True)
        same(f"{function}: arguments seen", [f["arguments"] for f in found], [True] * len(found))
        same(f"{function} refused", [f["refused"] for f in found if f["refused"]], [])


def check_calls():
    for f in of_kind("function"):
        mine = rows(f["function"], f["direction"])
        for key in ("calls", "failures", "source_bytes", "produced_bytes", "output_capacity"):
            if key in f:
                same(f"{key} of {f['function']}", total(mine, key), f[key])
        same(f"threads of {f['function']}", {r["threads"] for r in mine}, {1})
        same(f"left of {f['function']}", total(mine, "left"), 0)


def check_nested():
    for r in compress_rows:
        if r["nested"]:
            same(f"nested of {r['function']}", r["nested"], r["calls"])
    # No function but those that the program calls is outermost, if it has anything to say.
    known = {f["function"] for f in of_kind("function")}
    others = {bare(r["function"]) for r in outer if r["source_bytes"]} - known
    same("others", others, set())


def histogram(direction, kind):
    """Messages by the start of their class, of the functions of one kind."""
    kinds = {bare(f["name"]): f["kind"] for f in process["codec_functions"] if f["codec"] == codec}
    sums = {}
    for r in outer:
        if r["direction"] == direction and kinds.get(bare(r["function"])) == kind:
            for c in r["size_histogram"]:
                if c["calls"]:
                    sums[c["from"]] = sums.get(c["from"], 0) + c["calls"]
    return sums


def check_messages():
    for direction in "compress", "decompress":
        for kind in "one-shot", "stream":
            want = {m["from"]: m["calls"] for m in of_kind("messages")
                    if m["direction"] == direction and m["kind"] == kind}
            got = histogram(direction, kind)
            # Calls that fail are in these classes, where no other message is.
            got.pop(1 << 19, None)
            got.pop(1 << 21, None)
            same(f"{direction} {kind}", dict(sorted(got.items())), want)


def check_concurrency():
    for r in outer:
        levels = {c["level"] for c in r["concurrency"] if c["calls"]}
        if r["direction"] == "compress":
            same(f"levels of {r['function']}", levels - {1}, set())
    same("levels of the process", {c["level"] for c in process["concurrency"] if c["calls"]}, {1})


def check_roles():
    for s in of_kind("site"):
        mine = [x for x in sites(process, s["name"]) if x["large"]["allocs"]]
        what = s["name"]
        same(f"role of {what}", {x["role"] for x in mine}, {s["role"]})
        for role in "output", "input", "workspace":
            for key in "allocs", "bytes":
                same(f"{role} {key} of {what}", sum(x["roles"][role][key] for x in mine),
                     s[key] if role == s["role"] else 0)
        same(f"{what} reused", any(x["reused"] for x in mine), False)
        if s["role"] != "output":
            continue
        for part, of in ("min", min), ("max", max):
            got = of(x["source_ratio"][part] for x in mine)
            want = s["ratio"][("min", "max").index(part)]
            if abs(got - want) > 0.0001: # a ratio is kept in 1/65536
                raise SystemExit(f"{part} ratio of {what}: {got}, expected {want}")
        mean = sum(x["source_ratio"]["mean"] * x["large"]["allocs"] for x in mine) / s["allocs"]
        if abs(mean - s["ratio"][2]) > 0.0001:
            raise SystemExit(f"mean ratio of {what}: {mean}, expected {s['ratio'][2]}")
    kept = [x for x in sites(process, "kept_output") if x["large"]["allocs"]]
    same("kept", [(x["role"], x["reused"], x["flagged"]) for x in kept], [("output", True, False)])


def check_contexts():
    for c in of_kind("contexts"):
        mine = [x for x in process["contexts"]
                if any((f["function"] or "") == c["in"] for f in x["stack"])
                and bare(x["function"]) == c["function"]]
        for key in "created", "ended", "single", "messages", "source_bytes":
            same(f"{key} in {c['in']}", total(mine, key), c[key])


def check_nothing():
    """Calls cannot be seen; that has to be said where it is for want of symbols."""
    same("calls", compress_rows, [])
    same("output roles", {s["role"] for s in process["sites"]} & {"output", "input"}, set())
    statements = [v["statement"] for v in process["visibility"] if v["subject"] == "codecs"]
    if way == "stripped" and not any(program in s for s in statements):
        raise SystemExit(f"it is not said that {program} hides what is in it: {statements}")


bad = 0
if way in ("stripped", "off"):
    checks = [check_nothing]
else:
    checks = [check_found, check_calls, check_nested, check_messages, check_concurrency,
              check_roles]
    checks += [check_contexts] if of_kind("contexts") else []
for check in checks:
    what = f"{name}: {check.__name__.split('_')[1]}"
    try:
        check()
        print("ok", what)
    except SystemExit as why:
        print(f"not ok {what}: {why}")
        bad += 1
    except Exception as why:  # a field that is not there
        print(f"not ok {what}: {type(why).__name__}: {why}")
        bad += 1
sys.exit(bad > 0)
