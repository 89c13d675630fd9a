#!/bin/bash
# Where nothing was seen the report says that it is not visible: a codec that is given memory from a
# pool, codecs without a name in programs that nobody here built, mappings past malloc.
. "$(dirname "$0")/lib.sh"

# says NAME PYTHON: on the report of $dumps; `said` is what stands under codecs and mappings
says() {
    report "$TMPDIR/json" || { not_ok "$1" "no report"; return; }
    check "$1" "$TMPDIR/json" <<<"from squall import *
p = load(argument(1))[0]
said = [v['statement'] for v in p['visibility'] if v['subject'] in ('codecs', 'mappings')]
def says(*parts):
    if not any(all(part in s for part in parts) for s in said):
        raise SystemExit(f'{parts} is not said: {said}')
$2"
}

# Its block is at a site outside every call: it is seen as handed over, or said not to be.
fresh
build pool -lz
if under mode:default "$TMPDIR/pool"; then
    says "memory from a pool" '
pool = [s for s in p["sites"] if s["size"]["max"] == 270352]
same("blocks", total(pool, "allocs"), 40)
if not any(s["roles"]["workspace"]["allocs"] for s in pool):
    says("zlib", "not visible", "memory")'
else
    not_ok "memory from a pool" "exit status $?"
fi

# Their calls are seen, but no block that was their output.
build elsewhere -D_GNU_SOURCE -lzstd
fresh
if under mode:default "$TMPDIR/elsewhere" raw; then
    says "outputs from elsewhere" 'says("zstd wrote 40 of 40 messages to outputs", "in no block of malloc")'
else
    not_ok "outputs from elsewhere" "exit status $?"
fi
fresh
if under mode:default "$TMPDIR/elsewhere" malloc; then
    says "outputs of malloc" 'same("said", [s for s in said if " wrote " in s], [])'
else
    not_ok "outputs of malloc" "exit status $?"
fi

# Debian's zstd: libzstd linked statically, stripped.
if zstd=$(command -v zstd) && ! nm "$zstd" 2>/dev/null | grep -q .; then
    fresh
    head -c 2000000 /dev/zero >"$TMPDIR/data"
    if under mode:default "$zstd" -q -f "$TMPDIR/data" -o "$TMPDIR/data.zst"; then
        says "zstd, static and stripped" '
if not any("zstd in libzstd" in s for s in said):
    says("contains zstd (its error messages are in the file)", "(stripped)", "not visible")
same("another", [s for s in said if "contains" in s and "contains zstd" not in s], [])'
    else
        not_ok "zstd, static and stripped" "exit status $?"
    fi
else
    ok "zstd, static and stripped # skip no such zstd"
fi

# Not every program contains a codec.
fresh
if under mode:default /usr/bin/env true; then
    says "no codec" 'same("contained", [s for s in said if " contains " in s], [])'
else
    not_ok "no codec" "exit status $?"
fi

build mapping
fresh
if under mode:default "$TMPDIR/mapping" pools; then
    says mappings '
says("39.2 MiB in 40 anonymous mappings (9.80 MiB of it still mapped)", "take_buffer (mapping)",
     "not by malloc", "not visible")
says("2.50 MiB in 10 anonymous mappings", "own_malloc (mapping)")'
else
    not_ok mappings "exit status $?"
fi
finish
