#!/bin/bash
# A library that was linked to an address of its own (prelink does that) is not moved by the loader, which
# then says 0 for where it is. It finds itself, and the C library behind itself, all the same.
. "$(dirname "$0")/lib.sh"
root=$here/../..
mapfile -t objects < <(find "$(dirname "$(realpath "$SQUALL_LIB")")/shim/src" -name '*.o' 2>/dev/null)
[ ${#objects[@]} -gt 40 ] || { echo "needs the library's objects beside it"; exit 77; }
[ -z "${COUNTED:-}" ] || { echo "the library that is counted is linked otherwise"; exit 77; }
build grower
gcc -shared -nostdlib -Wl,-soname,libsquall.so -Wl,-z,now -Wl,-z,relro -Wl,-z,separate-code \
    -Wl,--version-script="$root/src/shim/exports.map" -Wl,--build-id=sha1 -Wl,--hash-style=both \
    -Wl,-Ttext-segment=0x3000000000 -o "$TMPDIR/libsquall.so" "${objects[@]}" "$(gcc -print-libgcc-file-name)" ||
    { not_ok prelinked "does not link"; finish; }
for mode in default exact; do
    fresh
    out=$(env SQUALL_DIR="$dumps" SQUALL_CONF=mode:$mode LD_PRELOAD="$TMPDIR/libsquall.so" "$TMPDIR/grower" 2>&1)
    status=$?
    if [ "$status" = 0 ] && [ "$out" = 20000 ]; then
        ok "runs, $mode"
    else
        not_ok "runs, $mode" "exit $status: $out"
    fi
    report "$TMPDIR/json"
    check "is recorded, $mode" "$TMPDIR/json" <<<'from squall import *
same("allocations", [p["totals"]["allocs"] >= 20000 for p in load(argument(1))], [True])'
done
# Operators that nothing defines are withdrawn, as from a library that is moved.
cat >"$TMPDIR/operators.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    puts(dlsym(RTLD_DEFAULT, "_Znwm") ? "there" : "none");
    return 0;
}
C
gcc -O1 "$TMPDIR/operators.c" -o "$TMPDIR/operators" -ldl || not_ok operators "does not build"
fresh
out=$(env SQUALL_DIR="$dumps" LD_PRELOAD="$TMPDIR/libsquall.so" "$TMPDIR/operators" 2>&1)
[ "$out" = none ] && ok "operators" || not_ok operators "$out"
finish
