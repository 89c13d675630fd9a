#!/bin/bash
# Instructions are as long as objdump says, over all code of the codecs and of some libraries with
# much assembly; and every codec function there can be moved, but those that begin with a call.
. "$(dirname "$0")/lib.sh"
src=$here/../../src
command -v objdump >/dev/null || { echo "no objdump"; exit 77; }
build insn_check -I"$src" "$src"/shim/{first,insn,move}.c "$src"/base/*.c

# library NAME: its file, as the loader finds it
library() { ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }'; }

# lengths NAME FILE [OPTION…]
lengths() {
    local name=$1 counts
    shift
    if counts=$(objdump -d -w --insn-width=16 "$@" | "$TMPDIR/insn_check" lengths 2>"$TMPDIR/wrong"); then
        ok "lengths in $name: ${counts%% *} instructions"
    else
        not_ok "lengths in $name" "$counts: $(head -n 1 "$TMPDIR/wrong")"
        cat "$TMPDIR/wrong"
    fi
}

# calls_first FILE FUNCTION: a call is among its first instructions, up to the fifth byte
calls_first() {
    objdump -d -w --no-show-raw-insn --disassemble="$2" "$1" |
        sed -n '/^ *[0-9a-f]*:\t/p' | grep -v endbr64 | head -n 5 | grep -q 'call'
}

found=0 moved=0
# codecs NAME FILE: moves the codec functions
codecs() {
    local name=$1 file=$2 all good function
    read -r all good < <("$TMPDIR/insn_check" codecs "$file" 2>"$TMPDIR/refused")
    [ "${all:-0}" -gt 0 ] || { [ -n "${all:-}" ] || not_ok "moves in $name" "no result"; return; }
    found=$((found + all)) moved=$((moved + good))
    while IFS=: read -r function why; do
        echo "$name: $function:$why"
        [ "$why" = " cannot be moved" ] && calls_first "$file" "$function" && good=$((good + 1))
    done <"$TMPDIR/refused"
    if [ "$good" = "$all" ]; then
        ok "moves in $name: $all functions"
    else
        not_ok "moves in $name" "$((all - good)) of $all refused"
    fi
}

for name in libzstd.so.1 libz.so.1 liblz4.so.1 libsnappy.so.1 libbrotlienc.so.1 libbrotlidec.so.1 \
    liblzma.so.5 libbz2.so.1.0 libc.so.6 libm.so.6 libcrypto.so.3 libstdc++.so.6; do
    file=$(library "$name")
    [ -n "$file" ] || { echo "ok lengths in $name # skip not installed"; continue; }
    lengths "$name" "$file"
    codecs "$name" "$file"
done
# Of node only the beginning: it has 50 MB of code.
if node=$(command -v node) && node=$(readlink -f "$node") &&
    start=$(readelf -SW "$node" 2>/dev/null |
        awk '{ sub(/^ *\[ *[0-9]+\]/, "") } $1 == ".text" { print $3 }') && [ -n "$start" ]; then
    lengths node "$node" --start-address="0x$start" --stop-address=$((16#$start + (8 << 20)))
    codecs node "$node"
fi
echo "moved $moved of $found codec functions"
[ "$found" -gt 0 ] || echo "ok moves # skip no codec library here"
finish
