#!/bin/bash
# Real programs end under squall as they end without it: the same exit status, the same output, and
# a report that counts them. For each program, allocator and mode, against a run without squall and
# with the same allocator. Prints a line each, and `N passed, N failed`.
#
#   tests/real/check-unharmed.sh [NAME…]
#   PROGRAMS="…" ALLOCATORS="none jemalloc tcmalloc mimalloc" MODES="default exact" JOBS=2
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=${SQUALL_LIB:-$root/build/libsquall.so}
bin=${SQUALL_BIN:-$root/build/squall}
ALLOCATORS=${ALLOCATORS:-none jemalloc tcmalloc mimalloc}
MODES=${MODES:-default exact}
JOBS=${JOBS:-2}
export LC_ALL=C LIMIT=${LIMIT:-120}
unset SQUALL_CONF SQUALL_DIR
if [ $# = 0 ]; then
    # shellcheck disable=SC2086 # words
    set -- ${PROGRAMS:-rdkx_zstd kcat_zstd py_zstd java_jni node_zlib db_bench_zstd git_gc nginx_mp \
        apache_deflate redis_lzf}
fi

declare -A LIBRARY=(
    [none]=""
    [jemalloc]=libjemalloc.so.2
    [tcmalloc]=libtcmalloc_minimal.so.4
    [mimalloc]=libmimalloc.so.2
)
# Processes that have to be in the report, at least: servers fork their workers.
declare -A PROCESSES=([nginx_mp]=3 [apache_deflate]=3)

all=$(mktemp -d) || exit 1
chmod 755 "$all"
trap 'rm -rf "$all"' EXIT

# Runs program $1 with what to preload in $2; leaves what it said and made in $3.
run() {
    local preload=${2#:}
    WRAP="env ${preload:+LD_PRELOAD=${preload%:}} ${4:-}" OUT=$3 "$here/run.sh" "$1" >"$3.result" 2>&1
    echo $? >"$3.status"
}

# Says why run $2 is not as run $1 was; nothing when it is.
difference() {
    local was now what
    was=$(<"$1.status") now=$(<"$2.status")
    if [ "$now" = 124 ] || [ "$now" = 137 ]; then
        echo "no end (status $now)"
    elif [ "$was" != "$now" ]; then
        echo "exit status $now, was $was: $(grep -ah '^stderr: ' "$2/said" 2>/dev/null | tail -n 2 | tr '\n' ' ')"
    else
        for what in said made; do
            cmp -s "$1/$what" "$2/$what" ||
                echo "other than without squall in what it $what: $(diff "$1/$what" "$2/$what" |
                    grep -a '^[<>]' | head -n 3 | tr '\n' ' ' | cut -c1-300)"
        done
    fi
}

# One mode of one program with one allocator; prints the line.
check_mode() {
    local program=$1 allocator=$2 mode=$3 dir why report title="$1 $2 $3"
    dir=$all/$program.$allocator.$mode
    mkdir -p "$dir.squall"
    chmod 1777 "$dir.squall"
    run "$program" "$lib:${LIBRARY[$allocator]}" "$dir" \
        "SQUALL_DIR=$dir.squall SQUALL_CONF=mode:$mode"
    why=$(difference "$all/$program.$allocator.plain" "$dir")
    if report=$("$bin" report --json "$dir.squall" 2>"$dir.error" |
        /usr/bin/python3 "$here/check_report.py" "$mode" "${PROCESSES[$program]:-1}"); then
        [ -n "$why" ] || echo "ok $title ($(sed -n 's/.*seconds=/ /p' "$dir.result" | tr -d ' ') s, $report)"
    else
        why+="${why:+; }report: $report $(head -n 1 "$dir.error")"
    fi
    [ -z "$why" ] || echo "not ok $title: $why"
    if [ -z "${KEEP:-}" ]; then rm -rf "$dir.squall"; fi
}

# One program with one allocator.
check() {
    local program=$1 allocator=$2 plain=$all/$1.$2.plain mode
    run "$program" "${LIBRARY[$allocator]}" "$plain"
    case $(<"$plain.status") in
    0) ;;
    125)
        echo "not ok $program $allocator: could not be set up: $(tail -n 1 "$plain.result")"
        return
        ;;
    *)
        echo "ok $program $allocator # skip it does not run so without squall: $(tail -n 1 "$plain.result")"
        return
        ;;
    esac
    for mode in $MODES; do
        check_mode "$program" "$allocator" "$mode"
    done
}

for program; do
    for allocator in $ALLOCATORS; do
        [ "$(jobs -rp | wc -l)" -lt "$JOBS" ] || wait -n
        check "$program" "$allocator" | tee -a "$all/lines" &
    done
done
wait
failed=$(grep -ac '^not ok' "$all/lines")
skipped=$(grep -acE '^ok .* # skip' "$all/lines")
passed=$(($(grep -ac '^ok' "$all/lines") - skipped))
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
