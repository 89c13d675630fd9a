#!/bin/bash
# A forked child gets a region of its own and never writes into its parent's; children that record
# nothing leave no file; exec starts over; threads come and go by the thousand.
. "$(dirname "$0")/lib.sh"
build family

# go NAME CONF ARGUMENT…
go() {
    local name=$1 conf=$2
    shift 2
    fresh
    [ "$(under "$conf" "$TMPDIR/family" "$@")" = done ] || not_ok "$name" "the program failed"
    report "$TMPDIR/json" || not_ok "$name" "no report"
}

for mode in default exact; do
    go fork mode:$mode fork
    check "fork gives each child its own, $mode" "$TMPDIR/json" <<'P'
from squall import *
parent, child, grandchild = load(argument(1))
same("parents", [child["parent"], grandchild["parent"]], [parent["pid"], child["pid"]])
count = lambda p, f: (total(sites(p, f), "allocs"), total(sites(p, f), "frees"))
same("parent", [count(parent, "parent_block"), count(parent, "child_block")], [(2, 2), (0, 0)])
same("child", [count(child, "parent_block"), count(child, "child_block")], [(1, 1), (1, 1)])
same("grandchild", [count(grandchild, "parent_block"), count(grandchild, "child_block")],
     [(0, 0), (1, 1)])
same("inherited", child["totals"]["inherited_frees"] >= 1, True)
same("parent's own", parent["totals"]["inherited_frees"], 0)
same("do_fork's block in the parent",
     [(s["allocs"], s["frees"]) for s in sites(parent, "do_fork") if s["size"]["max"] == 300000],
     [(1, 1)])
for p in (parent, child, grandchild):
    same("state", p["state"], "ended")
    same("negative", [s["id"] for s in p["sites"] if s["live_bytes"] < 0], [])
P
done

go clone mode:default clone
check "a bare clone is noticed" "$TMPDIR/json" <<'P'
from squall import *
parent, child = load(argument(1))
same("parent", total(sites(parent, "child_block"), "allocs"), 0)
same("parent's own", total(sites(parent, "parent_block"), "allocs"), 2)
same("child", total(sites(child, "child_block"), "allocs"), 1)
same("child ended without its handlers", child["state"], "died")
P

go short mode:default,sample:0 short 300
check "short children leave no file" "$TMPDIR/json" <<'P'
from squall import *
same("regions", len(load(argument(1))), 1)
P

go children mode:default,children:off fork
check "children:off" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("parent", (total(sites(p, "parent_block"), "allocs"), total(sites(p, "child_block"), "allocs")),
     (2, 0))
P

go vfork mode:default vfork
check "vfork and exec" "$TMPDIR/json" <<'P'
from squall import *
by_exe = {p["exe"].split("/")[-1]: p for p in load(argument(1))}
same("programs", sorted(by_exe), ["family", "true"])
same("parent", total(sites(by_exe["family"], "parent_block"), "allocs"), 2)
P

go exec mode:default exec
check "exec starts over" "$TMPDIR/json" <<'P'
from squall import *
before, after = load(argument(1))
same("one process", before["pid"], after["pid"])
same("states", [before["state"], after["state"]], ["replaced", "ended"])
same("before", total(sites(before, "parent_block"), "allocs"), 1)
same("after", total(sites(after, "thread_block"), "allocs"), 8)
P

go threads mode:exact threads 20000
check "20,000 threads" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
for f in ("thread_block", "small_block"):
    same(f, (total(sites(p, f), "allocs"), total(sites(p, f), "frees")), (20000, 20000))
    same("by thread", sum(by_thread(sites(p, f), "allocs").values()), 20000)
same("totals", p["totals"]["allocs"], total(p["sites"], "allocs"))
same("lost", {k: v for k, v in p["totals"]["lost"].items() if v}, {})
P

# 256 rows in 2 MiB: dead threads' rows are taken over.
go takeover mode:exact,region:2m threads 4000
check "rows of dead threads are taken over" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("thread_block", total(sites(p, "thread_block"), "allocs"), 4000)
same("sum over threads", sum(t["allocs"] for t in p["threads"]), p["totals"]["allocs"])
same("rows", len(p["threads"]) <= 256, True)
same("lost threads", p["totals"]["lost"].get("threads", 0), 0)
P

go crowd mode:exact,region:2m crowd 600
check "more threads than rows share one" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
found, lost = sites(p, "thread_block"), p["totals"]["lost"]
# walkers are lent to those without a row; who finds none left is counted without a stack
same("all are counted", total(found, "allocs") + lost["unwind"], 600)
same("totals", p["totals"]["allocs"], total(p["sites"], "allocs"))
same("frees", p["totals"]["frees"], total(p["sites"], "frees"))
same("lost", lost["threads"] >= 600 - 256, True)
P

# A signal handler may fork while the next allocator runs: the child comes back into the hook.
build forker -shared -fPIC
build forked_within "$TMPDIR/forker"
for mode in default exact; do
    for how in malloc realloc; do
        for more in 100 300000 "100 victim" "300000 victim"; do
            fresh
            # shellcheck disable=SC2086 # one argument or two
            status=$(under mode:$mode "$TMPDIR/forked_within" $how $more)
            [ "$status" = 0 ] || not_ok "fork within $how $more, $mode" "the child ended with $status"
            [ "$mode" = default ] && [[ $more = 100* ]] && continue
            report "$TMPDIR/json" || not_ok "fork within $how $more, $mode" "no report"
            check "fork within $how $more, $mode" "$TMPDIR/json" "by_$how" <<'P'
from squall import *
parent, child = load(argument(1))
count = lambda p: tuple(total(sites(p, argument(2)), k) for k in ("allocs", "frees"))
blocks = 2 if argument(2) == "by_realloc" else 1
same("parent", count(parent), (blocks, blocks))
same("child", count(child), (1, 1))
P
        done
    done
done
finish
