#!/bin/bash
# make demo: a real librdkafka producer under squall, and the report of what it did. No Kafka is
# needed: librdkafka brings a mock cluster. Needs build/libsquall.so and build/squall.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
out=$build/demo

die() {
    echo "demo: $*" >&2
    exit 1
}

mkdir -p "$out" || exit 1
rm -f "$out/producer.squall"

# shellcheck disable=SC2046 # options, to be split
${CC:-cc} -O2 -g -Wall -Wextra tools/demo/producer.c -o "$out/producer" -pthread \
    $(pkg-config --cflags --libs rdkafka) || die "cannot build the producer"

say() {
    echo
    echo "\$ $*"
    "$@"
}
unset SQUALL_DIR SQUALL_CONF
say "$build/squall" run --mode default --quiet -o "$out/producer.squall" -- "$out/producer" ||
    die "the producer failed"
say "$build/squall" report --top 3 "$out/producer.squall"
