#!/bin/bash
# librdkafka's own tests that need no broker: unit tests, timers, interceptors, destruction, and
# transactions and consumers against its mock broker; each in a process of its own.
. "$(dirname "$0")/lib.sh"
TESTS=${TESTS:-0000 0004 0006 0009 0022 0025 0033 0034 0037 0039 0043 0046 0053 0058 0062 0072 0074 0078
    0080 0084 0086 0095 0100 0103 0104 0105 0116 0117 0120 0121 0128 0136 0138}
source_of librdkafka

make_librdkafka() {
    ./configure --disable-sasl --disable-gssapi --disable-ssl --disable-curl
    make -s -j2 libs
    make -s -j2 -C tests build
}
built make_librdkafka

suite() {
    local number
    cd "$src/tests" || return
    # Its own deadlines are for a machine that does nothing else.
    echo test.timeout.multiplier=20 >"$home/test.conf"
    for number in $TESTS; do
        under env LD_LIBRARY_PATH="$src/src:$src/src-cpp" TESTS="$number" CI=true \
            RDKAFKA_TEST_CONF="$home/test.conf" ./test-runner -l -Q -p1 >"$out/$number" 2>&1 </dev/null
        case $? in
        0) result pass "$number" ;;
        *) result failed "$number" ;;
        esac
        sed 's/\x1b\[[0-9;]*m//g' "$out/$number" | sed -nE \
            -e 's/.*\[ ([^]]*): PASS \([0-9.]*s\) \].*/pass\t\1/p' \
            -e 's/.*RDUT: PASS: [^:]*:[0-9]*: (.*)/pass\tunit \1/p' \
            -e 's/.*RDUT: FAIL: [^:]*:[0-9]*: ([^:]*):.*/failed\tunit \1/p' |
            sed -E "s/\t/\t$number: /; s/:[0-9]+: / /" >>"$results"
    done
}
judge "$version"
