#!/bin/bash
# Bounds for a pipeline: which are kept decides the exit status; what cannot be told is no success.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
numbers() {
    show squall check "$@" | sed -E 's/process [0-9]+ had at least [0-9.]+ [KMG]?i?B/process N had at least N/'
}
numbers region --max-peak 1g
numbers region --max-peak 1k
numbers region --no-finding any
echo "# of messages nothing is known"
numbers region --max-bytes-per-message 64k
numbers region --max-allocs-per-message 3 --max-peak 1k
echo "# mistakes"
numbers region
numbers region --no-finding output-as-large-as-sauce
numbers nowhere --max-peak 1g
mkdir -m 700 empty
numbers empty --max-peak 1g
echo "# as a pipeline has it"
if squall check region --max-peak 1k >/dev/null; then echo kept; else echo "not kept"; fi
