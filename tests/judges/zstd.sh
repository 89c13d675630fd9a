#!/bin/bash
# zstd's own programs: its fuzzers with a fixed seed (contexts, dictionaries, threads), the tests of
# its thread pool, and, one by one, those of the command line program, here Debian's.
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-30} # of each fuzzer
source_of libzstd

make_zstd() {
    local part programs="../programs/datagen.c ../programs/util.c ../programs/timefn.c"
    local -a flags=(-O1 -g -w -pthread -DZSTD_MULTITHREAD -DXXH_NAMESPACE=ZSTD_ -DZSTD_LEGACY_SUPPORT=5)
    for part in . common compress decompress dictBuilder legacy; do
        flags+=("-I../lib/$part")
    done
    cd tests || return
    mkdir -p objects
    printf '%s\n' ../lib/{common,compress,decompress,dictBuilder}/*.[cS] ../lib/legacy/zstd_v0[5-7].c |
        xargs -P2 -I{} sh -c 'one=$1; shift; gcc "$@" -c -o "objects/$(basename "$one").o" "$one"' \
            - {} "${flags[@]}"
    rm -f libzstd-mt.a
    ar rc libzstd-mt.a objects/*.o
    flags+=(-I../programs -L. -o)
    # shellcheck disable=SC2086 # words
    {
        gcc "${flags[@]}" datagen datagencli.c $programs
        gcc "${flags[@]}" poolTests poolTests.c ../programs/util.c ../programs/timefn.c -lzstd-mt
        gcc "${flags[@]}" invalidDictionaries invalidDictionaries.c -lzstd-mt
        gcc "${flags[@]}" zstreamtest zstreamtest.c seqgen.c external_matchfinder.c $programs -lzstd-mt
        gcc "${flags[@]}" fuzzer fuzzer.c $programs -lzstd-mt
    }
}
built make_zstd

suite() {
    cd "$src/tests" || return
    ends poolTests ./poolTests
    ends invalidDictionaries ./invalidDictionaries
    ends "fuzzer -s1" ./fuzzer -s1 -i"$ROUNDS"
    ends "zstreamtest -s1" ./zstreamtest -s1 -i"$ROUNDS"
    ends "zstreamtest --newapi -s1" ./zstreamtest --newapi -t1 -s1 -i"$ROUNDS"
    ends cli-tests ./cli-tests/run.py --zstd=/usr/bin/zstd --datagen="$src/tests/datagen"
    sed -nE -e 's/^PASS: (.*)$/pass\tcli-tests: \1/p' -e 's/^FAIL: (.*)$/failed\tcli-tests: \1/p' \
        "$out/said-cli-tests" | sort -u >>"$results"
}
judge "$version"
