#!/bin/bash
# No symbol version of libc above GLIBC_2.17, or production images of that age cannot load it.
. "$(dirname "$0")/lib.sh"
need_library
highest=$(readelf -VW "$LIB" | grep -oE 'GLIBC_[0-9][0-9.]*' | sort -Vu | tail -n 1)
last=$(printf '%s\nGLIBC_2.17\n' "$highest" | sort -V | tail -n 1)
[ "$last" = GLIBC_2.17 ] || finish "asks for $highest"
readelf -dW "$LIB" | grep -qE '\(RELR(SZ|ENT)?\)' &&
    finish "has DT_RELR, which glibc before 2.36 does not read"
finish
