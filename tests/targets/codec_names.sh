#!/bin/bash
# Whose a name is: common names are believed beside names that only the library has, local ones
# beside local ones; what the linker made local is the library's; and what has a name but not its
# arguments is a loss, not a call.
. "$(dirname "$0")/lib.sh"
libraries=$(dirname "$(gcc -print-file-name=libc.so)")

# compile NAME FLAGS…: the target as $TMPDIR/NAME
compile() {
    local name=$1
    shift
    gcc -O1 -g -fno-inline -fno-ipa-sra "$here/src/codec_names.c" -x none -o "$TMPDIR/$name" "$@" ||
        { not_ok "$name" "does not build"; return 1; }
}

# look NAME FUNCTION CALLS: of the functions with detours only this one was called, so often;
# CALLS lost: no call is recorded, and some are lost
look() {
    local name=$1
    "$TMPDIR/$name" >"$TMPDIR/plain" || { not_ok "$name" "fails by itself"; return; }
    fresh
    if ! under mode:default "$TMPDIR/$name" >"$TMPDIR/said" || ! cmp -s "$TMPDIR/plain" "$TMPDIR/said"; then
        not_ok "$name" "not as without squall"
        return
    fi
    report "$TMPDIR/json" || { not_ok "$name" "no report"; return; }
    check "$name" "$TMPDIR/json" "$2" "$3" <<'P'
from squall import *
p, = load(argument(1))
calls = {}
for r in p["codec_calls"]:
    if r["calls"] > r["nested"]:
        calls[r["function"]] = calls.get(r["function"], 0) + r["calls"] - r["nested"]
if argument(3) == "lost":
    same("calls", calls, {})
    same("lost", p["totals"]["lost"]["codec"], 3)
    names = {f["name"] for f in p["codec_functions"]}
    same("names", names & {"snappy_uncompress", "BrotliEncoderCompress"}, {"BrotliEncoderCompress"})
else:
    same("calls", calls, {argument(2): int(argument(3))})
    same("lost", p["totals"]["lost"]["codec"], 0)
    same("bytes", sum(r["source_bytes"] for r in p["codec_calls"]), 300000)
P
}

compile names && look names "" lost
for codec in zlib snappy; do
    declare -A FUNCTION=([zlib]=compress2 [snappy]=snappy_compress) ARCHIVE=([zlib]=libz.a [snappy]=libsnappy.a)
    archive=$libraries/${ARCHIVE[$codec]}
    [ -e "$archive" ] || { echo "ok $codec # skip no ${ARCHIVE[$codec]}"; continue; }
    compile "$codec" "-DWITH_$codec" "$archive" -lstdc++ && look "$codec" "${FUNCTION[$codec]}" 3
    # As the linker makes local what is hidden.
    echo '{ global: main; local: *; };' >"$TMPDIR/script"
    compile "$codec.local" "-DWITH_$codec" "$archive" -lstdc++ "-Wl,--version-script=$TMPDIR/script" &&
        look "$codec.local" "${FUNCTION[$codec]}" 3
done
finish
