# Sourced by the tests of this folder. A target is a small program with a known pattern, built from
# src/ beside this file, run under the library; what it did is compared with what is reported.
# shellcheck shell=bash
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SQUALL_LIB:=$here/../../build/libsquall.so}" "${SQUALL_BIN:=$here/../../build/squall}"
: "${TMPDIR:=$(mktemp -d)}"
failures=0

ok() { echo "ok $1"; }
not_ok() {
    echo "not ok $1: $2"
    failures=$((failures + 1))
}
finish() { exit $((failures > 0)); }

# build NAME [FLAGS…]: src/NAME.c or .cc → $TMPDIR/NAME
build() {
    local name=$1 src compiler=gcc
    shift
    src=$here/src/$name.c
    [ -e "$src" ] || { src=$here/src/$name.cc compiler=g++; }
    "$compiler" -O1 -g -fno-builtin -fno-inline -pthread "$src" -o "$TMPDIR/$name" "$@" ||
        { not_ok "$name" "does not build"; finish; }
}

# fresh: an empty folder for dumps, in $dumps
fresh() {
    dumps=$(mktemp -d "$TMPDIR/dumps.XXXXXX")
    chmod 700 "$dumps"
}

# public: for tests that run as another user, who may not see into the checkout: from here on the
# library is a copy in the scratch folder, which everybody may enter
public() {
    chmod 1777 "$TMPDIR"
    install -m 755 "$SQUALL_LIB" "$TMPDIR/libsquall.so" || { echo "cannot copy the library"; exit 1; }
    SQUALL_LIB=$TMPDIR/libsquall.so
}

# under CONF COMMAND…: runs it under the library, dumps go to $dumps
under() {
    local conf=$1
    shift
    env SQUALL_DIR="$dumps" SQUALL_CONF="$conf" LD_PRELOAD="$SQUALL_LIB${BEHIND:+:$BEHIND}" "$@"
}

# report FILE: the JSON of all that is in $dumps
report() { "$SQUALL_BIN" report --json "$dumps" >"$1"; }

# check NAME FILE…: runs the Python on standard input with squall.py's helpers at hand; what it
# raises is the reason
check() {
    local name=$1 out
    shift
    if out=$(PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - "$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" "$(tail -n 1 <<<"$out")"
    fi
}
