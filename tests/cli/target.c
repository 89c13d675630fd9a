/* target: what the cli tests record. Two threads that each make 20 blocks of 100,000 bytes in
 * make_blocks and free them, and one block of 70,000 bytes that main keeps. Prints "done"; with an
 * argument it ends with that exit status, or by that signal if it is negative. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static void *volatile kept;

__attribute__((noinline)) void make_blocks(void) {
    for (int i = 0; i < 20; i++) {
        void *volatile block = malloc(100000);
        free(block);
    }
}

static void *work(void *name) {
    prctl(PR_SET_NAME, name);
    make_blocks();
    return NULL;
}

int main(int count, char **arguments) {
    pthread_t threads[2];
    static char names[2][16] = {"first", "second"};
    int end = count > 1 ? atoi(arguments[1]) : 0;

    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, work, names[i]))
            return 99;
        pthread_join(threads[i], NULL);
    }
    kept = malloc(70000);
    puts("done");
    fflush(stdout);
    if (end < 0)
        raise(-end);
    return end;
}
