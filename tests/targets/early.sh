#!/bin/bash
# What constructors of libraries allocate before ours runs is recorded, and what is freed and
# allocated after the exit handlers; a program that defines malloc itself is left alone and named.
. "$(dirname "$0")/lib.sh"
cat >"$TMPDIR/early.c" <<'C'
#include <stdlib.h>
static void *kept;
__attribute__((constructor)) static void in_constructor(void) { kept = malloc(80000); }
__attribute__((destructor)) static void in_destructor(void) {
    free(kept);
    kept = malloc(81000);
    free(kept);
}
void *early_block(void) { return kept; }
C
cat >"$TMPDIR/main.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
void *early_block(void);
static void at_exit(void) { free(malloc(82000)); }
int main(void) {
    atexit(at_exit);
    puts(early_block() ? "done" : "");
}
C
gcc -O1 -g -fno-builtin -fPIC -shared "$TMPDIR/early.c" -o "$TMPDIR/libearly.so" &&
    gcc -O1 -g -fno-builtin "$TMPDIR/main.c" -o "$TMPDIR/main" -L"$TMPDIR" -learly \
        -Wl,-rpath,"$TMPDIR" || { not_ok early "does not build"; finish; }
for mode in default exact; do
    fresh
    [ "$(under mode:$mode "$TMPDIR/main")" = done ] || not_ok early "the program failed"
    report "$TMPDIR/json" || not_ok early "no report"
    check "constructors and destructors, $mode" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
large = {s["size"]["max"]: (s["allocs"], s["frees"]) for s in p["sites"] if s["size"]["max"] >= 80000}
same("large blocks", large, {80000: (1, 1), 81000: (1, 1), 82000: (1, 1)})
same("its constructor", total(sites(p, "in_constructor"), "allocs"), 1)
same("state", p["state"], "ended")
P
done

# A constructor that puts an environment of its own in place before it allocates first.
cat >"$TMPDIR/environ.c" <<'C'
#include <stdlib.h>
extern char **environ;
static char *mine[] = {"A=1", 0};
__attribute__((constructor)) static void replace(void) {
    environ = mine;
    free(malloc(80000));
}
C
gcc -O1 -fno-builtin -fPIC -shared "$TMPDIR/environ.c" -o "$TMPDIR/libenviron.so" &&
    gcc -O1 -g -fno-builtin "$TMPDIR/main.c" -o "$TMPDIR/replaced" -L"$TMPDIR" -Wl,--no-as-needed \
        -lenviron -learly -Wl,-rpath,"$TMPDIR" || { not_ok environ "does not build"; finish; }
fresh
[ "$(under mode:exact "$TMPDIR/replaced")" = done ] && ok "an environment replaced early" ||
    not_ok "an environment replaced early" "the program failed"

# A malloc of the program's own wins over every preload: nothing comes to the hooks.
cat >"$TMPDIR/own.c" <<'C'
#include <stdio.h>
#include <string.h>
static char arena[1 << 20];
static size_t used;
void *malloc(size_t n) {
    void *p = arena + used;
    used += (n + 15) & ~15ul;
    return used < sizeof arena ? p : 0;
}
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t m) { return memset(malloc(n * m), 0, n * m); }
void *realloc(void *p, size_t n) {
    void *q = malloc(n);
    return q && p ? memcpy(q, p, n) : q;
}
int main(void) {
    free(malloc(100000));
    puts("done");
}
C
gcc -O1 -fno-builtin "$TMPDIR/own.c" -o "$TMPDIR/own" || not_ok early "does not build"
fresh
[ "$(under mode:exact "$TMPDIR/own")" = done ] || not_ok "own malloc" "the program failed"
report "$TMPDIR/json" || not_ok "own malloc" "no report"
check "a program with a malloc of its own" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
same("nothing recorded", p["totals"]["allocs"], 0)
same("said", [v for v in p["visibility"] if "malloc" in v["statement"] and "not" in v["statement"]]
     != [], True)
P
finish
