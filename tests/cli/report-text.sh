#!/bin/bash
# The report for people: what a known program did, without colour where there is no terminal.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
clean() {
    sed "s|$TMPDIR/||g"
}
COLUMNS=100 squall report "$TMPDIR/region" >text || exit 1
grep -q $'\033' text && echo "BAD: colour"
LC_ALL=C.UTF-8 grep -E '^.{101,}' text && echo "BAD: wider than the terminal"
clean <text
echo "# --top 1 --sort allocs"
squall report --top 1 --sort allocs "$TMPDIR/region" | clean | grep -c make_blocks
echo "# --min 80k"
squall report --json --min 80k "$TMPDIR/region" | grep -o '"max":100000' | sort -u
echo "# --color always"
squall report --color always "$TMPDIR/region" | grep -c $'\033' | sed 's/[1-9][0-9]*/coloured/'
