/* Forks inside a call of malloc or of realloc, see forker.c. Prints how the child ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int forker_armed, forker_is_child, forker_status;
extern void *forker_victim;

static void by_malloc(size_t n) {
    forker_armed = 1;
    free(malloc(n));
}

static void by_realloc(size_t n) {
    void *p = malloc(n);
    forker_armed = 1;
    free(realloc(p, 2 * n));
}

int main(int argc, char **argv) {
    size_t n = (size_t)atol(argv[2]);
    free(malloc(n));
    if (argc > 3)
        forker_victim = malloc(n);
    (strcmp(argv[1], "malloc") ? by_realloc : by_malloc)(n);
    if (forker_is_child)
        _exit(0);
    printf("%d\n", forker_status);
    return 0;
}
