#!/bin/bash
# The large blocks in the report agree with those that the oracle (oracle.c) saw in the same run:
# counts, bytes and sizes by stack. Prints a line each, and `N passed, N failed`.
#
#   [MODES="default exact"] tests/real/check-oracle.sh [NAME…]
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=${SQUALL_LIB:-$root/build/libsquall.so}
bin=${SQUALL_BIN:-$root/build/squall}
build=${SQUALL_BUILD:-$root/build}/tests/real
MODES=${MODES:-default exact}
export LC_ALL=C
unset SQUALL_CONF SQUALL_DIR
[ $# -gt 0 ] || set -- rdkx_zstd py_zstd java_jni git_gc

all=$(mktemp -d) || exit 1
chmod 755 "$all"
trap 'rm -rf "$all"' EXIT

mkdir -p "$build"
if [ ! "$build/oracle.so" -nt "$here/oracle.c" ]; then
    ${CC:-cc} -O2 -g -Wall -Wextra -fPIC -shared -fno-builtin -fvisibility=hidden \
        "$here/oracle.c" -o "$build/oracle.so" -lgcc_s || exit 1
fi

passed=0 failed=0
for program; do
    for mode in $MODES; do
        title="oracle $program $mode"
        dir=$all/$program.$mode
        mkdir -p "$dir/squall" "$dir/oracle"
        chmod 1777 "$dir/squall" "$dir/oracle"
        WRAP="env LD_PRELOAD=$lib:$build/oracle.so SQUALL_DIR=$dir/squall SQUALL_CONF=mode:$mode ORACLE_DIR=$dir/oracle" \
            "$here/run.sh" "$program" >"$dir/log" 2>&1
        status=$?
        if [ "$status" != 0 ]; then
            why="exit status $status: $(tail -n 1 "$dir/log")"
        elif ! "$bin" report --json "$dir/squall" >"$dir/report.json" 2>"$dir/error"; then
            why="no report: $(head -n 1 "$dir/error")"
        elif ! said=$(/usr/bin/python3 "$here/check_oracle.py" "$dir/report.json" "$dir/oracle"); then
            why=$said
        else
            why=""
        fi
        if [ -z "$why" ]; then
            echo "ok $title ($said)"
            passed=$((passed + 1))
        else
            echo "not ok $title: $why"
            failed=$((failed + 1))
        fi
        if [ -n "${KEEP:-}" ]; then
            mkdir -p "$KEEP" && cp -r "$dir" "$KEEP/"
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
