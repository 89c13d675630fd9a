#!/bin/bash
# lz4's own programs: its fuzzers with a fixed seed, and what its makefile does with the command
# line program, whose pipes end in comparisons.
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-200} # of each fuzzer
source_of lz4

make_lz4() {
    local debug="CFLAGS=-O2 -g -w"
    make -j2 -C lib "$debug" liblz4.a
    make -j2 -C programs "$debug" lz4 unlz4 lz4cat
    make -j2 -C tests "$debug" fuzzer frametest datagen decompress-partial \
        decompress-partial-usingDict roundTripTest checkFrame
}
built make_lz4

suite() {
    local target
    cd "$src/tests" || return
    ends "fuzzer -s1" ./fuzzer -s1 -i"$ROUNDS"
    ends "frametest -s1" ./frametest -s1 -i"$ROUNDS"
    ends roundTripTest ./roundTripTest "$src/programs/lz4"
    for target in test-decompress-partial test-lz4-basic test-lz4-multiple \
        test-lz4-multiple-legacy test-lz4-frame-concatenation test-lz4-testmode \
        test-lz4-contentSize test-lz4-dict test-lz4-skippable test-lz4-sparse; do
        ends "$target" make -o lz4 -o datagen -o unlz4 -o lz4cat "$target"
    done
}
judge "$version"
