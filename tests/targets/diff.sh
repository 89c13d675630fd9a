#!/bin/bash
# squall diff: runs of the same program that differ in length and by chance show no change, 95 of 100
# times; a remedy that is applied shows. squall check: its exit status follows the figures.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 "$here/diff.py" "$SQUALL_BIN" "$TMPDIR"
