#!/bin/bash
# danger: another preload (libeatmydata, libfaketime, an allocator) before squall and behind it
# program: worker worker.c
# needs: /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 libeatmydata.so
# allocators: glibc
# lines: 30
# deadline: 60
#
# With an allocator in front, its functions are the program's: squall sees little and harms nothing.
set -u
eat=libeatmydata.so fake=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
squall=$(sed -n 's/.*LD_PRELOAD=\([^ :]*\).*/\1/p' <<<"$WRAP")

# run NAME LIST VARIABLE…: worker with these preloads, `SQUALL` standing for it where it is
run() {
    local name=$1 list=$2
    shift 2
    list=${list//SQUALL/$squall}
    # shellcheck disable=SC2086 # words
    $WRAP LD_PRELOAD="$list" "$@" "$DANGER_BIN/worker" | tr '\n' ' '
    echo "$name: ${PIPESTATUS[0]}"
}
for order in "SQUALL:OTHER" "OTHER:SQUALL"; do
    run "eatmydata $order" "${order/OTHER/$eat}"
    run "faketime $order" "${order/OTHER/$fake}" SHOW=year FAKETIME="2001-02-03 04:05:06"
    run "faketime, twice as fast $order" "${order/OTHER/$fake}" FAKETIME="+100d x2"
    run "both $order" "${order/OTHER/$eat:$fake}" SHOW=year FAKETIME="@2001-02-03 04:05:06"
    for allocator in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
        run "$allocator $order" "${order/OTHER/$allocator}"
    done
done
run "one on each side" "$eat:SQUALL:$fake" FAKETIME="-3d"
run "squall twice" "SQUALL:SQUALL"
