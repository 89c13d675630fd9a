#!/bin/bash
# make demo shows what it promises: librdkafka's zstd workspace, one a batch, with its stack, its
# threads, its count and its life.
[ -e /usr/include/librdkafka/rdkafka.h ] || {
    echo "no librdkafka-dev"
    exit 77
}
BUILD=$SQUALL_BUILD "$SQUALL_ROOT/tools/demo/demo.sh"
