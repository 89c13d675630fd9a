#!/bin/bash
# The part of tests/real that `make check` runs: a few programs, two allocators, both oracles.
set -u
here=$(cd "$(dirname "$0")" && pwd)
PROGRAMS="rdkx_zstd py_zstd git_gc redis_lzf" ALLOCATORS="none jemalloc" \
    "$here/check-unharmed.sh"
unharmed=$?
"$here/check-oracle.sh" rdkx_zstd py_zstd
oracle=$?
"$here/check-roles.sh" py_zstd git_gc
roles=$?
[ "$unharmed" = 0 ] && [ "$oracle" = 0 ] && [ "$roles" = 0 ]
