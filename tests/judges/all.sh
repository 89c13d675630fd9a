#!/bin/bash
# Runs the judges, or those that are named, one after the other, and ends with the table of what they
# said and `N passed, N failed`.
#
#   tests/judges/all.sh [NAME…]
#   SQUALL_WORK=DIR  where sources are fetched to and built, once (TMPDIR/squall-work)
#   MODES="default exact"  LIMIT=SECONDS of one command  KEEP=DIR for what the suites printed
set -u
here=$(cd "$(dirname "$0")" && pwd)
ROWS=$(mktemp -d) || exit 1
export ROWS
trap 'rm -rf "$ROWS"' EXIT
if [ $# = 0 ]; then
    for judge in "$here"/*.sh; do
        case $(basename "$judge" .sh) in all | lib) ;; *) set -- "$@" "$(basename "$judge" .sh)" ;; esac
    done
fi
for name; do
    "$here/$name.sh" 2>&1 | tee -a "$ROWS/lines"
done
echo
echo '| judge | version | tests | alone | default mode | exact mode |'
echo '|---|---|---|---|---|---|'
cat "$ROWS"/*.row
echo
failed=$(grep -ac '^not ok' "$ROWS/lines")
echo "$(grep -ac '^ok' "$ROWS/lines") passed, $failed failed"
[ "$failed" = 0 ]
