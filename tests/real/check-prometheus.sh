#!/bin/bash
# A minute of Prometheus scraping three producers: tests/targets/fleet.sh, longer.
set -u
TMPDIR=$(mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

SECONDS_WATCHED=${SECONDS_WATCHED:-60} \
    "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../targets/fleet.sh"
