/* A library that allocates, see linked_high.c. */
#include <stdlib.h>
#include <string.h>

int NAME(size_t n);
int NAME(size_t n) {
    char *p = malloc(n);
    if (!p)
        return 1;
    memset(p, 7, n);
    int differs = p[n - 1] != 7;
    free(p);
    return differs;
}
