#!/bin/bash
# That squall sees codec calls cannot be seen: weak names, dlsym, addresses and namespaces are as
# they are without it, and plugins come and go. src/weak.c asks.
. "$(dirname "$0")/lib.sh"
library=$(realpath "$(gcc -print-file-name=libzstd.so)")
build weak -D_GNU_SOURCE -ldl
mv "$TMPDIR/weak" "$TMPDIR/unlinked"
build weak -D_GNU_SOURCE -DLINKED -lzstd -ldl
mv "$TMPDIR/weak" "$TMPDIR/linked"
# A plugin that needs libzstd, which comes and goes with it where nobody else has it.
gcc -O1 -g -fno-builtin -fPIC -shared -DPLUGIN "$here/src/weak.c" -o "$TMPDIR/plugin.so" -lzstd ||
    { not_ok plugin "does not build"; finish; }

for program in unlinked linked; do
    command=("$TMPDIR/$program" "$TMPDIR/plugin.so" "$library")
    "${command[@]}" >"$TMPDIR/plain" ||
        { not_ok "$program" "fails by itself: $(tail -n 1 "$TMPDIR/plain")"; continue; }
    for conf in mode:default mode:exact args:off; do
        fresh
        under "$conf" "${command[@]}" >"$TMPDIR/said"
        status=$?
        if [ "$status" = 0 ] && cmp -s "$TMPDIR/plain" "$TMPDIR/said"; then
            ok "$program, $conf: the same is said"
        else
            not_ok "$program, $conf: the same is said" \
                "$status, $(diff "$TMPDIR/plain" "$TMPDIR/said" | head -n 4 | tr '\n' ' ')"
        fi
        [ "$conf" = args:off ] && continue
        report "$TMPDIR/json" || { not_ok "$program, $conf" "no report"; continue; }
        check "$program, $conf: calls of libraries that come and go" "$TMPDIR/json" "$program" <<'P'
from squall import *
p, = load(argument(1))
def outer(within):
    return [r for r in rows_under(p, within, "ZSTD_compress") if not r["nested"]]
same("in plugins", total(outer("plugin_calls"), "calls"), 1200)
same("their source bytes", total(outer("plugin_calls"), "source_bytes"), 1200 * 100000)
same("opened", total(outer("open_globally"), "calls"), 1)
# What is in another namespace may be seen or not, but not in part.
inside = total(outer("in_another_namespace"), "calls")
same("all or none in the namespace", inside in (0, 10), True)
same("the program's own", total(outer("main_calls"), "calls"),
     402 if argument(2) == "linked" else 0)
P
    done
done
finish
