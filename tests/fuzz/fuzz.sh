#!/bin/bash
# Lets libFuzzer run each harness for FUZZ_SECONDS, one after the other, or those that are named:
#
#   tests/fuzz/fuzz.sh FOLDER [HARNESS]…   FOLDER holds HARNESS-libfuzzer, and HARNESS for the seeds
#
# It begins with the seeds and with what earlier ones left in corpus/ here. The corpus stays in
# FOLDER/corpus/HARNESS, from where keep.py takes what is worth it, what was found in FOLDER/found. Fails
# if that is anything.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "$1")
shift
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(cd "$folder" && compgen -G '*-libfuzzer' | sed 's/-libfuzzer$//')
mkdir -p "$folder/found"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=1
status=0
for name in "${names[@]}"; do
    mkdir -p "$folder/corpus/$name"
    cd "$folder/corpus/$name" || exit 1
    kept=$here/corpus/$name.corpus
    "$folder/$name" --seeds . $([ -e "$kept" ] && echo "$kept") || exit 1
    if nice -n 19 "$folder/$name-libfuzzer" -max_total_time="${FUZZ_SECONDS:-600}" -max_len=65536 -timeout=60 \
        -rss_limit_mb=2048 -artifact_prefix="$folder/found/$name-" -print_final_stats=1 \
        . >"$folder/$name.log" 2>&1; then
        echo "ok $name: $(sed -n 's/stat::number_of_executed_units: *//p' "$folder/$name.log") inputs"
    else
        echo "not ok $name: see $folder/$name.log: $(grep -m 1 -E 'ERROR|runtime error|not so' "$folder/$name.log")"
        status=1
    fi
done
exit "$status"
