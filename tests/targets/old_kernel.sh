#!/bin/bash
# Kernels before 4.14 and 5.14, and containers that forbid process_vm_readv: the program runs as
# without squall, nothing is lost, a forked child never counts as its parent, and the report says
# what was missing.
. "$(dirname "$0")/lib.sh"
: "${SQUALL_ROOT:=$here/../..}"
build old_kernel
build tables -I"$SQUALL_ROOT/include" -lzstd
cat >"$TMPDIR/forks.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile blocks[100];
__attribute__((noinline)) static void make(int from, int to) {
    for (int i = from; i < to; i++)
        blocks[i] = malloc(100000);
}
__attribute__((noinline)) static void give(int from, int to) {
    for (int i = from; i < to; i++)
        free(blocks[i]);
}
int main(void) {
    int status = 1;
    make(0, 100);
    pid_t pid = fork();
    if (!pid) {
        give(0, 50);
        make(0, 20);
        give(0, 10);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        return 1;
    give(0, 100);
    puts("done");
}
C
gcc -O1 -g -fno-builtin "$TMPDIR/forks.c" -o "$TMPDIR/forks" || not_ok forks "does not build"
"$TMPDIR/old_kernel" all /bin/true
[ $? != 77 ] || { echo "no seccomp here"; exit 77; }

for what in wipeonfork populate readv all; do
    for mode in exact default; do
        fresh
        said=$("$TMPDIR/old_kernel" $what env SQUALL_DIR="$dumps" SQUALL_CONF=mode:$mode LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/forks" 2>"$TMPDIR/err")
        [ "$said" = done ] && [ ! -s "$TMPDIR/err" ] || not_ok "$what, $mode" "the program: $said $(tail -n 1 "$TMPDIR/err")"
        report "$TMPDIR/json"
        check "fork without $what, $mode" "$TMPDIR/json" $what <<'P'
from squall import *
parent, child = load(argument(1))
made = sites(parent, "make")
same("the parent's", [total(made, k) for k in ("allocs", "frees", "live_bytes")], [100, 100, 0])
made = sites(child, "make")
same("the child's", [total(made, k) for k in ("allocs", "frees", "live_bytes")], [20, 10, 1000000])
same("inherited", [p["totals"]["inherited_frees"] for p in (parent, child)], [0, 50])
for p in parent, child:
    same("lost", {k: n for k, n in p["totals"]["lost"].items() if n}, {})
    words = " ".join(v["statement"] for v in p["visibility"])
    if argument(2) in ("wipeonfork", "all"):
        same(f"said of forks: {words}", "clone" in words, True)
    if argument(2) in ("populate", "all"):
        same(f"said of the kernel: {words}", "5.14" in words or "taken at the start" in words, True)
P
        fresh
        said=$("$TMPDIR/old_kernel" $what env SQUALL_DIR="$dumps" SQUALL_CONF=mode:$mode LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/tables" call 20 2>"$TMPDIR/err")
        [ "$said" = 20 ] && [ ! -s "$TMPDIR/err" ] || not_ok "calls, $what, $mode" "the program: $said $(tail -n 1 "$TMPDIR/err")"
        report "$TMPDIR/json"
        check "calls without $what, $mode" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("calls", sum(r["calls"] for r in p["codec_calls"] if bare(r["function"]) == "ZSTD_compress"), 60)
P
    done
done
finish
