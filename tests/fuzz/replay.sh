#!/bin/bash
# What fuzzing found once, what it came to that is worth keeping, and some seconds of new inputs by each
# harness, the same ones every time, under sanitizers: make fuzz does it at length.
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${FUZZ_SECONDS:-2}
status=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=1
for harness in "$SQUALL_BUILD"/sanitized/tests/fuzz/*; do
    name=${harness##*/}
    [[ -x $harness && $name != *-libfuzzer ]] || continue
    mapfile -t found < <(compgen -G "$here/regressions/$name-*.txt"; compgen -G "$here/corpus/$name.corpus")
    if ! said=$("$harness" ${found[0]+"${found[@]}"} 2>&1 && "$harness" --for "$seconds" "${FUZZ_SEED:-1}" 2>&1); then
        echo "not ok $name: $(tail -n 3 <<<"$said" | tr '\n' ' ')"
        [ -e "crash-$name" ] && xxd "crash-$name" | head -n 40
        status=1
    else
        echo "ok $name"
    fi
done
exit "$status"
