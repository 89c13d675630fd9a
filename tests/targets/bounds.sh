#!/bin/bash
# Every other table at its bound (see tables.sh for stacks, sites, cells and live blocks): the program
# is not disturbed, what is recorded stays right, what is not is counted and said in words. A region
# of 2 MiB holds 256 threads, codec functions and mappings, 128 modules, and 768 cells with large blocks.
. "$(dirname "$0")/lib.sh"
: "${SQUALL_ROOT:=$here/../..}"
build tables -I"$SQUALL_ROOT/include" -lzstd

# part NAME CONF PART COUNT PYTHON: `p` is the process, `lost` what was lost, `count` how many times
part() {
    local said
    fresh
    said=$(under "$2" "$TMPDIR/tables" "$3" "$4" 2>"$TMPDIR/err")
    [ "$said" = "$4" ] || { not_ok "$1" "the program: ${said:-nothing} $(tail -n 1 "$TMPDIR/err")"; return; }
    report "$TMPDIR/json" || { not_ok "$1" "no report"; return; }
    check "$1" "$TMPDIR/json" "$4" <<<"from squall import *
p, = load(argument(1))
count = int(argument(2))
lost = {k: n for k, n in p['totals']['lost'].items() if n}
words = [v['statement'] for v in p['visibility'] if v['subject'] == 'lost']
def said(n, phrase):
    same(f'said of {phrase} in {words}', any(w.startswith(f'{n} ') and phrase in w for w in words), True)
def at_sites(key='allocs', found=None):
    return total(p['sites'] if found is None else found, key)
for s in p['sites']:
    same('more frees than blocks', s['frees'] <= s['allocs'], True)
same('a reason in words for each', len(words) >= len(lost), True)
$5"
}

part "rows of large blocks" mode:exact,region:2m large 1000 '
same("blocks", at_sites(found=sites(p, "large")), 3 * count)
same("of them live", at_sites("live_bytes", sites(p, "large")), 0)
same("in all", p["totals"]["large"]["allocs"] >= 3 * count, True)
same("cells without", lost["large"] >= count - 768, True)
said(lost["large"], "large blocks")'
part "histograms" mode:exact,region:2m events 700 '
found = sites(p, "events")
same("blocks", (at_sites(found=found), at_sites("frees", found), at_sites("bytes", found)),
     (400 * count, 400 * count, 120000 * count))
same("sites without", count - 256 <= lost["histograms"] <= count, True)
said(lost["histograms"], "histograms")
same("means are there", {s["size"]["mean"] for s in found}, {300})'
part "codec calls" mode:default,region:2m call 400 '
rows = [r for r in p["codec_calls"] if bare(r["function"]) == "ZSTD_compress"]
same("calls of a row", {r["calls"] for r in rows}, {3})
same("bytes of a row", {r["source_bytes"] for r in rows}, {6000})
same("rows", 20 < len(rows) < 256, True)
same("calls lost", lost["codec"] >= 3 * (count - len(rows)), True)
sized = [r for r in rows if r["size_histogram"]]
same("some have no sizes", 5 < len(sized) < 43, True)
same("those that have are whole", {sum(c["calls"] for c in r["size_histogram"]) for r in sized}, {3})
said(lost["codec"], "codec calls")'
part "mappings by stack" mode:default,region:2m mapping 400 '
same("lost", lost, {})
mapped = [v["statement"] for v in p["visibility"] if v["subject"] == "mappings"]
same(f"with a row: {mapped}", any(m.startswith("255 MiB in 255 ") and "(0 B of it" in m for m in mapped), True)
same(f"without: {mapped}", any(m.startswith("145 MiB in 145 ") and "not known" in m for m in mapped), True)'
part "mappings at once" mode:default mappings_alive 9000 '
same("mappings", 0 < lost["mappings"] <= 2 * count, True)
said(lost["mappings"], "mappings")'
for mode in exact default; do
    part "threads at once, $mode" mode:$mode,region:2m together 600 '
same("threads", lost["threads"] >= count - 256, True)
said(lost["threads"], "counted together")
same("in all", p["totals"]["allocs"] >= 100 * count, True)
same("of all threads", sum(t["allocs"] for t in p["threads"]), p["totals"]["allocs"])
found = sites(p, "thread")
if p["mode"] == "exact":
    # Threads without a row share 32 walkers; a block that comes while all are in use has no stack.
    same("blocks", at_sites(found=found) + lost.get("unwind", 0), 100 * count)
    same("frees", at_sites("frees", found), at_sites(found=found))
    same("in all, at sites", at_sites(), p["totals"]["allocs"])'
done
part "threads in turn" mode:exact,region:2m in_turn 1000 '
same("lost", lost, {})
same("blocks", at_sites(found=sites(p, "thread")), 100 * count)
same("rows", len(p["threads"]) <= 256, True)'
part "marks" mode:default marks 100 '
rows = [r for r in p["codec_calls"] if r["function"].startswith("codec-")]
same("calls", {r["calls"] for r in rows}, {2})
same("recorded or lost", sum(r["calls"] for r in rows) + lost["codec"], 2 * count)
said(lost["codec"], "codec calls")'
# Live blocks at more addresses than the map has leaves for: the table takes the others.
MALLOC_ARENA_MAX=400 part "addresses of live blocks" mode:exact arenas 300 '
found = sites(p, "in_arena")
same("lost", lost, {})
same("blocks", (at_sites(found=found), at_sites("frees", found), at_sites("live_bytes", found)),
     (50 * count, 50 * count, 0))'
# In a small address space there are fewer slots for contexts.
(ulimit -v 700000
part "contexts at once" mode:default contexts_alive 20000 '
same("contexts", 0 < lost["contexts"] < count, True)
said(lost["contexts"], "contexts")'
finish) || failures=1

# In a small region 128 modules have a row. 4,096 are known at all; to load so many takes a minute.
modules=200
[ -z "${ALL:-}" ] || modules=4200
mkdir "$TMPDIR/m"
echo 'static void *volatile s; void *malloc(unsigned long); void free(void *);
void plugin(void) { free(s = malloc(80000)); }' >"$TMPDIR/plugin.c"
gcc -O1 -fno-builtin -shared -fPIC -nostdlib "$TMPDIR/plugin.c" -o "$TMPDIR/m/m0.so" || not_ok modules "does not build"
/usr/bin/python3 - "$TMPDIR/m" $modules <<'P'
import sys
folder, count = sys.argv[1], int(sys.argv[2])
image = open(f"{folder}/m0.so", "rb").read()
for i in range(1, count):
    open(f"{folder}/m{i}.so", "wb").write(image)
P
export MODULES=$TMPDIR/m
part "rows of modules" mode:exact,region:2m modules 200 '
same("modules", lost["modules"] >= count - 128, True)
said(lost["modules"], "modules")
same("allocations", p["totals"]["large"]["allocs"] >= count, True)
same("in all, at sites", at_sites(), p["totals"]["allocs"])'
[ -z "${ALL:-}" ] || part "known modules" mode:default modules $modules '
same("modules", lost["modules"] >= count - 4096, True)
said(lost["modules"], "modules")
same("allocations", p["totals"]["large"]["allocs"] >= count, True)
same("of large blocks at sites", sum(s["large"]["allocs"] for s in p["sites"]), p["totals"]["large"]["allocs"])'

# Paths of 3 KB: 48 KiB of strings hold some of them.
deep=$TMPDIR/deep
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do deep+=/$(head -c 240 /dev/zero | tr '\0' d); done
mkdir -p "$deep" && cp "$TMPDIR"/m/m[0-9].so "$TMPDIR"/m/m[1-2][0-9].so "$deep"
MODULES=$deep part "strings" mode:exact,region:2m modules 30 '
same("strings", 10 < lost["strings"] <= count, True)
said(lost["strings"], "did not fit")
same("paths that did", sum(len(m["path"] or "") > 2800 for m in p["modules"]) + lost["strings"], count)
same("blocks", total([s for s in p["sites"] if s["size"]["max"] == 80000], "allocs"), count)'

# More functions by name than the table has rows for; the others of the module are not lost quietly.
for ((i = 0; i < 400; i++)); do echo "__attribute__((noinline)) int made_$i(int x) { return x * $i + 1; }"; done >"$TMPDIR/f.c"
echo 'int made_399(int); int puts(const char *); int main(int c, char **v) { (void)v; puts("400"); return made_399(c) == 0; }' >"$TMPDIR/main.c"
gcc -O0 -shared -fPIC "$TMPDIR/f.c" -o "$TMPDIR/libf.so" &&
    gcc "$TMPDIR/main.c" -L"$TMPDIR" -lf -Wl,-rpath,"$TMPDIR" -o "$TMPDIR/functions" || not_ok functions "does not build"
fresh
[ "$(under 'mode:default,region:2m,codec:made_*' "$TMPDIR/functions")" = 400 ] || not_ok "codec functions" "the program failed"
report "$TMPDIR/json"
check "codec functions" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("lost", p["totals"]["lost"]["codec"] > 0, True)
P

finish
