#!/bin/bash
# redis's own tests, in part, by the driver of its source package against Debian's server: types,
# dumps, scripts, snapshots and logs (children that fork), replication buffers, defragmentation.
. "$(dirname "$0")/lib.sh"
TESTS=${TESTS:-unit/printver unit/type/string unit/type/hash unit/type/set unit/type/incr
    unit/type/stream unit/dump unit/scan unit/keyspace unit/expire unit/multi unit/quit unit/protocol
    unit/sort unit/bitops unit/hyperloglog unit/functions unit/scripting unit/other unit/aofrw
    integration/rdb integration/aof integration/convert-ziplist-hash-on-load}
source_of redis
version=$(dpkg-query -W -f '${Version}' redis-server)

# The driver starts what it finds beside it; fork and all are the same in Debian's programs.
make_redis() {
    local name
    for name in server cli benchmark check-aof check-rdb; do
        ln -sf "/usr/bin/redis-$name" "src/redis-$name"
    done
}
built make_redis

suite() {
    local unit
    local -a words=()
    cd "$src" || return
    for unit in $TESTS; do
        words+=(--single "$unit")
    done
    rm -rf tests/tmp/*
    under ./runtest --clients 2 --timeout "$LIMIT" --tags "-slow -large-memory" "${words[@]}" \
        >"$out/said" 2>&1 </dev/null
    case $? in
    0) result pass runtest ;;
    124 | 137) result "no end" runtest ;;
    *) result "tests failed" runtest ;;
    esac
    sed 's/\x1b\[[0-9;]*m//g' "$out/said" | sed -nE \
        -e 's/^\[ok\]: (.*) \([0-9]+ ms\)$/pass\t\1/p' \
        -e 's/^\[(err|exception|TIMEOUT)\]: (.*) in tests\/.*$/failed\t\2/p' \
        -e 's/^\[(skip|ignore)\]: (.*)$/skip\t\2/p' |
        sed -E 's/(PID|pid|seed) [0-9]+/\1 N/g' | sort -t $'\t' -k2 >>"$results"
}
judge "$version"
