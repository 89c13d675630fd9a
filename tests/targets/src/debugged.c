/* What glibc's allocator for debugging does otherwise than the C library's own: a block is as large
 * as was asked for, and a block that is freed twice is told on stderr, and the end. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    char *a = malloc(7), *b = calloc(1, 9), *c = realloc(malloc(100), 300000), *d = memalign(64, 33);
    printf("%zu %zu %zu %zu\n", malloc_usable_size(a), malloc_usable_size(b), malloc_usable_size(c),
           malloc_usable_size(d));
    fflush(stdout);
    free(b);
    free(c);
    free(d);
    if (argc > 1 && !strcmp(argv[1], "twice"))
        free(b);
    free(a);
    return 0;
}
