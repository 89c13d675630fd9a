#!/bin/bash
# A program that cannot be preloaded is named as such, and still run.
. "$SQUALL_ROOT/tests/cli/lib.sh"
build_target -static
show squall run -- "$TMPDIR/target"
# Nor does squall hook one against what is configured, whatever process it is.
show squall attach --conf go:off 1
