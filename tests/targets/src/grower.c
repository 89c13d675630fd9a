/* Makes ever new stacks, so that the region grows: grower [close|setuid|setuid-fork]. Prints how
 * many blocks it made. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;
static int bits, depth_now;

/* Each path through left and right is a stack of its own. */
static void left(int n);
static void right(int n);
static void step(int n) {
    if (!n) {
        free(sink = malloc(3000));
        return;
    }
    if (bits >> (depth_now - n) & 1)
        left(n - 1);
    else
        right(n - 1);
    __asm__ volatile("");
}
static void left(int n) {
    step(n);
    __asm__ volatile("");
}
static void right(int n) {
    step(n);
    __asm__ volatile("");
}

static void grow(int count) {
    depth_now = 16;
    for (bits = 0; bits < count; bits++)
        step(depth_now);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    FILE *out = stdout;
    int count = 20000;
    if (!strcmp(what, "close")) {
        int keep = dup2(1, 1000);
        close_range(0, 999, 0);
        out = fdopen(keep, "w");
    }
    if (!strncmp(what, "setuid", 6) && setuid(65534))
        return 1;
    if (!strcmp(what, "setuid-fork")) {
        pid_t pid = fork();
        int status = 1;
        if (!pid) {
            grow(count);
            exit(0);
        }
        waitpid(pid, &status, 0);
        if (status)
            return 1;
    }
    grow(count);
    fprintf(out, "%d\n", count);
    fflush(out);
    return 0;
}
