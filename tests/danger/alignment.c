/* danger: odd alignments: results and errno as the allocator gives them
 *
 * Where an allocator forgives, squall does. What crashes some without squall is done over glibc's. */
#include <malloc.h>

#include "danger.h"

static const size_t alignments[] = {0,  1,  2,  3,   4,    7,     8,        12,
                                    16, 24, 64, 100, 4096, 65536, 1 << 21,  SIZE_MAX,
                                    SIZE_MAX / 2 + 1};
static const size_t sizes[] = {0, 1, 100, 70001, PTRDIFF_MAX};

static void say(const char *what, size_t a, size_t n, const void *p, int error) {
    bool is_aligned = a && !(a & (a - 1)) && !((uintptr_t)p & (a - 1));
    printf("%s %zx %zx: %s, %d, errno %d\n", what, a, n,
           !p ? "null" : is_aligned ? "aligned" : "a block", error, errno);
    errno = 0;
}

int main(void) {
    errno = 0;
    for (unsigned i = 0; i < sizeof alignments / sizeof *alignments; i++)
        for (unsigned j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            size_t a = alignments[i], n = sizes[j];
            void *p = NULL;
            int error = posix_memalign(&p, a, n);
            say("posix_memalign", a, n, error ? NULL : p, error);
            free(error ? NULL : p);
            if (danger_has_other_allocator() && (!a || (a & (a - 1))))
                continue;
            p = aligned_alloc(a, n);
            say("aligned_alloc", a, n, p, 0);
            free(p);
            p = memalign(a, n);
            say("memalign", a, n, p, 0);
            free(p);
        }
    for (unsigned j = 0; j < sizeof sizes / sizeof *sizes; j++) {
        void *p = valloc(sizes[j]);
        say("valloc", 4096, sizes[j], p, 0);
        free(p);
        if (danger_has_other_allocator()) /* jemalloc has none, and tcmalloc's runs over */
            continue;
        p = pvalloc(sizes[j]);
        say("pvalloc", 4096, sizes[j], p, 0);
        free(p);
    }
    void *p = danger_has_other_allocator() ? NULL : pvalloc(SIZE_MAX);
    say("pvalloc", 4096, SIZE_MAX, p, 0);
    /* The pointer is left alone where it fails. */
    void *mine = &p;
    CHECK(posix_memalign(&mine, 3, 100) == EINVAL && mine == &p);
    for (unsigned i = 0; i < 500; i++) {
        char *blocks[4];
        for (unsigned j = 0; j < 4; j++) {
            CHECK(posix_memalign((void **)&blocks[j], 64 << (i + j) % 8, danger_size(i + j)) == 0);
            blocks[j][0] = blocks[j][danger_size(i + j) - 1] = (char)j;
        }
        CHECK((blocks[0] = realloc(blocks[0], 100000)));
        for (unsigned j = 0; j < 4; j++) {
            CHECK(blocks[j][0] == (char)j);
            free(blocks[j]);
        }
    }
}
