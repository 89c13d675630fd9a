#!/bin/bash
# libstdc++ in an RTLD_LOCAL scope: Debian's python3 loads a C++ extension that throws bad_alloc.
# The exported operators must find the next ones although dlsym(RTLD_NEXT) would not.
. "$(dirname "$0")/lib.sh"
g++ -O1 -g -fPIC -shared "$here/src/throwing.cc" -o "$TMPDIR/throwing.so" ||
    { not_ok local_scope "does not build"; finish; }
for conf in mode:default mode:exact; do
    fresh
    out=$(under $conf /usr/bin/python3 -c "
import ctypes
print(ctypes.CDLL('$TMPDIR/throwing.so', mode=0).squall_test_throws())" 2>&1)
    [ "$out" = 100 ] && ok "bad_alloc in a local scope, $conf" ||
        not_ok "bad_alloc in a local scope, $conf" "$out"
done
finish
