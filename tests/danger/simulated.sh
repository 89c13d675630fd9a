#!/bin/bash
# danger: a program under valgrind, which looks at each system call, and ends otherwise if it finds a fault
# needs: valgrind
# deadline: 120
# allocators: glibc (valgrind has its own)
set -u
cat >"$TMPDIR/p.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *work(void *unused) {
    for (size_t i = 1; i < 300; i++) {
        char *p = malloc(i * 1000);
        memset(p, 1, i * 1000);
        free(p);
    }
    return unused;
}
int main(void) {
    pthread_t thread;
    work(NULL);
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    puts("done");
    return 0;
}
C
gcc -O1 -fno-builtin -pthread "$TMPDIR/p.c" -o "$DANGER_BIN/p" || exit 1
for tool in memcheck callgrind; do
    $WRAP valgrind -q --tool=$tool --error-exitcode=9 "$DANGER_BIN/p" 2>&1 | sed 's/[0-9]\{4,\}/PID/g'
    echo "status ${PIPESTATUS[0]}"
    rm -f callgrind.out.*
done
