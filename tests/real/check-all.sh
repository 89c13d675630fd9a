#!/bin/bash
# The full matrix, for `make check-real`: every danger and every real program, mode and allocator
# unharmed, the large blocks and what they are for beside the oracles, a minute of Prometheus,
# exports in the programs that they are made for, the library in the oldest Debian that can be had,
# and the package and the archive in a fresh one. Some twenty minutes. Ends with `N passed, N failed`
# over all of them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export SQUALL_WORK=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}
export ALL=1 # what one part skips where a program is missing has failed here
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for part in "$root/tests/danger/run.sh" "$here/check-unharmed.sh" "$here/check-oracle.sh" "$here/check-roles.sh" \
    "$here/check-prometheus.sh" "$root/tests/targets/export.sh" "$root/tests/targets/page.sh" \
    "$here/check-page.sh" "$root/tests/rules/debootstrap.sh" "$here/check-package.sh"; do
    echo "# ${part#"$root"/}"
    "$part" </dev/null 2>&1 | tee -a "$log" | grep -avE '^[0-9]+ (passed|skipped)'
    case ${PIPESTATUS[0]} in
    0 | 1 | 77) ;;
    *) echo "not ok ${part#"$root"/}: did not come to its end" | tee -a "$log" ;;
    esac
done
failed=$(grep -ac '^not ok' "$log")
skipped=$(grep -acE '^ok .* # skip' "$log")
passed=$(($(grep -ac '^ok' "$log") - skipped))
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
