#!/bin/bash
# What is told people of two recordings: what was in each, what changed and at which site, what came
# and went, and that nothing did where nothing did.
. "$SQUALL_ROOT/tests/cli/lib.sh"
cat >prog.c <<'C'
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
static char text[100000], room[120000];
static void *volatile kept;
__attribute__((noinline)) void make_output(int size) { free(kept = malloc(size)); }
__attribute__((noinline)) void make_more(void) { free(kept = malloc(90000)); }
int main(int count, char **v) {
    ZSTD_CCtx *c = ZSTD_createCCtx();
    int reuse = !strcmp(v[1], "reuse"), n = atoi(v[2]);
    for (int i = 0; i < n; i++) {
        if (!reuse)
            ZSTD_compress(room, sizeof room, text, sizeof text, 1);
        else
            ZSTD_compressCCtx(c, room, sizeof room, text, sizeof text, 1);
        make_output(atoi(v[3]));
        if (reuse)
            make_more();
    }
    return count < 4;
}
C
cc -O1 -g prog.c -o prog -lzstd || exit 99
# record FOLDER REUSE SIZE: runs of different lengths
record() {
    mkdir "$1"
    for n in 30 35 40 45 50; do
        squall run --quiet --mode exact -o "$1/$n.squall" -- ./prog "$2" "$n" "$3" || exit 99
    done
}
record old new 100000
record same new 100000
record later reuse 200000
clean() {
    sed -E "s|$TMPDIR/||g; s/[0-9]+(\.[0-9]+)? (ns|us|µs|ms|s)\b/TIME/g"
}
echo "# nothing changed"
squall diff old same | clean
echo "# contexts are kept, outputs are larger, and there is another block"
squall diff old later | clean
echo "# by run, one site"
squall diff --per run --top 1 old later | clean | head -n 12
echo "# commands whose difference is far behind"
cp -r old far && rm far/* && squall run --quiet -o far/a.squall -- ./prog new 30 100000 \
    --an-argument-that-is-so-long-that-what-follows-it-is-beyond-the-line --level=1
cp -r far farther && rm farther/* && squall run --quiet -o farther/a.squall -- ./prog new 30 100000 \
    --an-argument-that-is-so-long-that-what-follows-it-is-beyond-the-line --level=2
squall diff far farther | grep -E '^(before|after)'
squall diff far far | grep '^after'
echo "# coloured: $(squall diff --color always old later | grep -c $'\033' | sed 's/[1-9][0-9]*/yes/')"
