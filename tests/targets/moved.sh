#!/bin/bash
# Functions that begin with a jump to their moved first instructions do what they did: a program's
# own, as several compilers make them, and those of the codec libraries.
. "$(dirname "$0")/lib.sh"
src=$here/../../src

# variant NAME COMPILER FLAGS…
variant() {
    local name=$1 compiler=$2 counts
    shift 2
    command -v "$compiler" >/dev/null || { echo "ok $name # skip no $compiler"; return; }
    "$compiler" -fno-inline -rdynamic -I"$src" "$@" "$here/src/moved.c" \
        "$src"/shim/{first,insn,move}.c "$src"/base/*.c -o "$TMPDIR/moved" -ldl ||
        { not_ok "$name" "does not build"; return; }
    counts=$("$TMPDIR/moved" libz.so.1 libzstd.so.1 liblz4.so.1)
    status=$?
    # The libraries' functions all can be moved; of its own a few begin with what cannot run twice.
    if [ "$status" = 0 ] && [ "${counts#* }" -le 4 ]; then
        ok "$name: ${counts% *} moved, ${counts#* } refused"
    else
        not_ok "$name" "status $status, moved and refused: $counts"
    fi
}

variant "as it comes" gcc -O2
variant "not optimised" gcc -O0
variant "small" gcc -Os
variant "endbr64 in front" gcc -O2 -fcf-protection=full
variant "canaries" gcc -O1 -fstack-protector-all
variant "at a fixed address" gcc -O2 -no-pie
variant "for this processor" gcc -O3 -march=native
variant "by clang" clang -O2
variant "by clang, canaries" clang -O1 -fstack-protector-all -fcf-protection=full
finish
