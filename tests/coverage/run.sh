#!/bin/bash
# Runs suites with the coverage build, and prints which lines they ran: the table ends with the sums.
#
#   run.sh FOLDER [GROUP|FILE]…     FOLDER: of the build, see coverage.mk; what tests/run.sh takes
#
# KEEP=1 adds to what was counted before.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(realpath "$1") || exit 1
shift

# The file of the library's counters is as long as they are, and all there: a store to it must not
# fail. Some tests run programs as another user: whoever is first makes the files, so we are.
begin() {
    local bytes
    find "$build" -name '*.gcda' -delete
    bytes=$((16#$(readelf -SW "$build/libsquall.so" | sed -n 's/^.* \.squall_counters *NOBITS *//p' | awk '{ print $3 }')))
    [ "$bytes" -gt 0 ] || { echo "coverage: $build/libsquall.so has no counters" >&2; exit 1; }
    rm -f "$build/shim.counters"
    head -c "$bytes" /dev/zero >"$build/shim.counters" || exit 1
    "$build/squall" --version >/dev/null || exit 1
    chmod -R a+rwX "$build"
}

[ -n "${KEEP:-}" ] || begin
COUNTED=1 BUILD=$build LIMIT=${LIMIT:-400} "$root/tests/run.sh" "$@"
status=$?

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
SQUALL_DIR=$scratch SQUALL_CONF=args:off,go:off "$build/counters_dump" "$build/libsquall.so" || exit 1
/usr/bin/python3 -B "$here/report.py" "$root" "$build" || exit 1
exit "$status"
