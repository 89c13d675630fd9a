#!/bin/bash
# danger: C++ operators in a local scope are called while another thread closes a group of sixty libraries
# program: closing closing.c
# needs: g++ ld
# allocators: glibc (the others bring operators that are there from the start)
#
# The loader unmaps the group before it takes it out of its list. The plugin needs a library that is
# behind the group there: libstdc++ is never unloaded, and so before it after the first time.
set -u
source=$(dirname "$0")/src/operators_use.cc
group=$DANGER_BIN/group
if [ ! -e "$group/all.so" ]; then
    mkdir -p "$group"
    echo 'int member[5000] = {1};' | gcc -fPIC -x c -c - -o "$group/member.o" || exit 1
    for i in behind {1..60}; do
        ld -shared "$group/member.o" -soname "member$i.so" -o "$group/member$i.so" || exit 1
    done
    # shellcheck disable=SC2016 # the loader's own
    link=(-O1 -shared -fPIC -Wl,--no-as-needed '-Wl,-rpath,$ORIGIN')
    g++ "${link[@]}" -std=c++17 "$group/memberbehind.so" "$source" -o "$group/user.so" &&
        gcc "${link[@]}" "$group"/member[0-9]*.so -o "$group/all.so" || exit 1
fi
$WRAP "$DANGER_BIN/closing" "$group/user.so" "$group/all.so" "${ROUNDS:-150}"
