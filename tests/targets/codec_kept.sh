#!/bin/bash
# Detours leave alone what no call may change: registers, arguments of any size, code that is
# relocated, and libraries that squall is told wrong things about. src/kept.c has the ways.
. "$(dirname "$0")/lib.sh"
build kept
gcc -O1 -fno-builtin -DLIBRARY -shared -fPIC -Wl,-z,now "$here/src/kept.c" -o "$TMPDIR/library.so" &&
    gcc -O1 -DTEXT -shared -fPIC -nostdlib -Wl,-z,notext "$here/src/kept.c" -o "$TMPDIR/text.so" ||
    not_ok "libraries" "do not build"

try() {
    local name=$1 plain said
    shift
    plain=$("$TMPDIR/kept" "$@")
    fresh
    said=$(under "codec:my_compress*" timeout 60 "$TMPDIR/kept" "$@" 2>&1)
    local status=$?
    if [ "$status" = 0 ] && [ -n "$plain" ] && [ "$plain" = "$said" ]; then
        ok "$name"
    else
        not_ok "$name" "$status: $said for $plain"
    fi
}
try "a large argument" large
try "vector registers" double
try "r11, which nobody else keeps" r11
try "relocated code" library "$TMPDIR/text.so"
try "a tick before the loader's index knows a library" library "$TMPDIR/library.so"
for error in 0 14 22; do # of EFAULT nobody can tell
    try "reading refused with $error" library "$TMPDIR/library.so" "$error"
done
finish
