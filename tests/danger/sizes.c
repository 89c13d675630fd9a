/* danger: sizes 0, PTRDIFF_MAX and SIZE_MAX, products that overflow, and errno as the allocator gives it */
#include <malloc.h>

#include "danger.h"

static const size_t sizes[] = {0,
                               1,
                               PTRDIFF_MAX,
                               (size_t)PTRDIFF_MAX + 1,
                               SIZE_MAX,
                               SIZE_MAX - 4095,
                               SIZE_MAX / 2,
                               (size_t)1 << 47,
                               (size_t)1 << 60};
static const size_t pairs[][2] = {{0, 0},
                                  {0, SIZE_MAX},
                                  {SIZE_MAX, 0},
                                  {SIZE_MAX, 2},
                                  {SIZE_MAX / 2 + 1, 2},
                                  {(size_t)1 << 32, (size_t)1 << 32},
                                  {(size_t)1 << 33, ((size_t)1 << 31) + 1},
                                  {3, SIZE_MAX / 3},
                                  {7, 1}};

static void say(const char *what, size_t a, size_t b, void *p) {
    printf("%s %zx %zx: %s, errno %d\n", what, a, b, p ? "a block" : "null", errno);
    errno = 0;
}

int main(void) {
    errno = 0;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *volatile p = malloc(sizes[i]), *volatile q;
        say("malloc", sizes[i], 0, p);
        free(p);
        p = malloc(50);
        memset(p, 'k', 50);
        q = realloc(p, sizes[i]);
        say("realloc", sizes[i], 0, q);
        if (!q && sizes[i]) { /* the old one is still there */
            CHECK(((char *)p)[49] == 'k');
            free(p);
        }
        free(q);
        p = malloc(200000);
        memset(p, 'l', 200000);
        q = realloc(p, sizes[i]);
        say("realloc of a large one", sizes[i], 0, q);
        if (!q && sizes[i]) {
            CHECK(((char *)p)[199999] == 'l');
            q = realloc(p, 300000);
            CHECK(q && ((char *)q)[199999] == 'l');
        }
        free(q);
        errno = 0;
    }
    /* A reallocarray that fails without overflow is mimalloc's realloc under squall, which leaves errno
     * alone: docs/reliability.md. SIZES_ALL=1 shows it. */
    const char *preload = getenv("LD_PRELOAD");
    bool leaves_errno = preload && strstr(preload, "mimalloc") && !getenv("SIZES_ALL");
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (leaves_errno && pairs[i][0] == 3)
            continue;
        void *volatile p = calloc(pairs[i][0], pairs[i][1]), *volatile q;
        say("calloc", pairs[i][0], pairs[i][1], p);
        free(p);
        p = malloc(70000);
        q = reallocarray(p, pairs[i][0], pairs[i][1]);
        say("reallocarray", pairs[i][0], pairs[i][1], q);
        if (!q && pairs[i][0] && pairs[i][1])
            free(p);
        free(q);
    }
    /* A failed one says so, one that succeeded does not touch it, and free never does. */
    static const size_t fine[] = {1, 100, 5000, 70000, 200000, 4 << 20};
    for (unsigned i = 0; i < sizeof fine / sizeof *fine; i++) {
        errno = 1234;
        char *volatile p = malloc(fine[i]);
        int after = errno;
        p = realloc(p, fine[i] * 2);
        after = after == 1234 && errno == 1234;
        free(p);
        printf("errno is kept by malloc and realloc: %d, by free: %d\n", after, errno == 1234);
        errno = 1234;
        free(calloc(fine[i], 1));
        printf("by calloc and free: %d\n", errno == 1234);
    }
}
