#!/bin/bash
# danger: a program of another C library (musl), whose loader takes the same LD_PRELOAD
# lines: 2
# needs: musl-gcc
# allocators: glibc (the others are libraries of glibc's)
set -u
src=$(cd "$(dirname "$0")/src" && pwd)
musl-gcc -O1 -fno-builtin "$src/other_libc.c" -o "$DANGER_BIN/by_musl" || exit 1
$WRAP "$DANGER_BIN/by_musl"
echo "status $?"
musl-gcc -O1 -fno-builtin -no-pie "$src/other_libc.c" -o "$DANGER_BIN/by_musl" || exit 1
$WRAP sh -c "'$DANGER_BIN/by_musl'; echo status \$?"
