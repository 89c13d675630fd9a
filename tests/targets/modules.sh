#!/bin/bash
# Modules are kept after dlclose, with build-id, and their stacks keep their names, also when another
# library is loaded at the same addresses.
. "$(dirname "$0")/lib.sh"
build plugins
for name in first_plugin second_plugin; do
    gcc -O1 -g -fno-builtin -fPIC -shared -Wl,--build-id -DNAME=$name "$here/src/plugin.c" \
        -o "$TMPDIR/$name.so" || { not_ok modules "does not build"; finish; }
done
for mode in default exact; do
    fresh
    [ "$(under mode:$mode,tick:1ms "$TMPDIR/plugins" "$TMPDIR/first_plugin.so" first_plugin \
        "$TMPDIR/second_plugin.so" second_plugin)" = done ] || not_ok modules "the program failed"
    report "$TMPDIR/json" || not_ok modules "no report"
    first=$(readelf -n "$TMPDIR/first_plugin.so" | sed -n 's/.*Build ID: //p')
    check "modules, $mode" "$TMPDIR/json" "$first" <<'P'
from squall import *
p, = load(argument(1))
for name in ("first_plugin", "second_plugin"):
    same(name, total(sites(p, name), "allocs"), 10)
    modules = [m for m in p["modules"] if m["path"].endswith(name + ".so")]
    same(name + " is kept", bool(modules), True)
    same(name + " unloaded", all(m["unloaded"] for m in modules), True)
same("build-id", {m["build_id"] for m in p["modules"] if m["path"].endswith("first_plugin.so")},
     {argument(2)})
same("libc", [m["unloaded"] for m in p["modules"] if "/libc.so" in m["path"]], [False])
same("main's", total([s for s in sites(p, "main") if s["size"]["max"] == 70000
                      and s["size"]["min"] == 70000], "allocs"), 20)
P
done

# A thread remembers its last stack, and another thread changes the code under it.
build replaced
for size in 101 102; do
    gcc -O1 -g -fno-builtin -fno-inline -fPIC -shared -Wl,--build-id -DSIZE=$size \
        "$here/src/replaced_library.c" -o "$TMPDIR/replaced$size.so" ||
        { not_ok replaced "does not build"; finish; }
done
fresh
blocks=$(under mode:exact "$TMPDIR/replaced" "$TMPDIR/replaced101.so" "$TMPDIR/replaced102.so") ||
    not_ok replaced "the program failed"
report "$TMPDIR/json" || not_ok replaced "no report"
check "code replaced by another thread" "$TMPDIR/json" "$blocks" <<'P'
from squall import *
p, = load(argument(1))
found = sites(p, "run")
for size in (101, 102):
    same(f"blocks of {size}", total([s for s in found if (s["size"]["min"], s["size"]["max"])
                                     == (size, size)], "allocs"), int(argument(2)))
P
finish
