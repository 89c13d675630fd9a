/* danger: the resolver of an indirect function of the program's allocates, before anything is initialised
 * allocators: glibc tcmalloc (jemalloc and mimalloc crash by themselves)
 * The loader calls it as it relocates the program, when thread-local data is all zeros still. */
#include "danger.h"

static char *kept;

static int add_one(int x) {
    return x + 1;
}

static int (*resolve(void))(int) {
    for (unsigned i = 0; i < 50; i++) {
        char *p = malloc(danger_size(i)), *q = calloc(3, danger_size(i + 1));
        p[0] = q[0] = (char)i;
        p = realloc(p, danger_size(i + 2) + 1);
        free(q);
        free(kept);
        kept = p;
    }
    return add_one;
}

int add(int x) __attribute__((ifunc("resolve")));

int main(void) {
    int (*volatile f)(int) = add;
    CHECK(kept && f(1) == 2);
    free(kept);
    danger_churn(100, 1);
    printf("done\n");
}
