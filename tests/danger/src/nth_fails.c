/* An allocator behind squall's hooks: passes on to the next, but the Nth allocation of the process, or all
 * from the Nth on, fail. NTH=N or NTH=N+ in the environment; counts go on in a forked child. */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

_Atomic long nth_made;
static long nth = -1;
static int onwards;
/* dlsym may allocate. */
static char early[65536];
static size_t early_used;
static __thread int looking __attribute__((tls_model("initial-exec")));

#define NEXT(type, name, ...)                                            \
    static type (*next_##name)(__VA_ARGS__);                             \
    __attribute__((unused)) static int find_##name(void) {               \
        if (!next_##name && !looking) {                                  \
            looking = 1;                                                 \
            next_##name = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
            looking = 0;                                                 \
        }                                                                \
        return next_##name != NULL;                                      \
    }

NEXT(void *, malloc, size_t)
NEXT(void *, calloc, size_t, size_t)
NEXT(void *, realloc, void *, size_t)
NEXT(int, posix_memalign, void **, size_t, size_t)
NEXT(void *, aligned_alloc, size_t, size_t)
NEXT(void *, memalign, size_t, size_t)
NEXT(void, free, void *)

static int fails(void) {
    if (nth < 0) {
        char *end = NULL, *text = getenv("NTH");
        nth = text ? strtol(text, &end, 10) : 0;
        onwards = end && *end == '+';
    }
    long i = ++nth_made;
    if (!nth || (i != nth && !(onwards && i > nth)))
        return 0;
    errno = ENOMEM;
    return 1;
}

static void *take_early(size_t n) {
    void *p = early + early_used;
    early_used += (n + 31) & ~15ul;
    return early_used <= sizeof early ? p : NULL;
}

void *malloc(size_t n) {
    if (!find_malloc())
        return take_early(n);
    return fails() ? NULL : next_malloc(n);
}

void *calloc(size_t n, size_t m) {
    if (!find_calloc())
        return take_early(n * m);
    return fails() ? NULL : next_calloc(n, m);
}

void *realloc(void *p, size_t n) {
    if (!find_realloc())
        return NULL;
    return fails() ? NULL : next_realloc(p, n);
}

int posix_memalign(void **out, size_t a, size_t n) {
    find_posix_memalign();
    int saved = errno;
    if (!fails())
        return next_posix_memalign(out, a, n);
    errno = saved;
    return ENOMEM;
}

void *aligned_alloc(size_t a, size_t n) {
    find_aligned_alloc();
    return fails() ? NULL : next_aligned_alloc(a, n);
}

void *memalign(size_t a, size_t n) {
    find_memalign();
    return fails() ? NULL : next_memalign(a, n);
}

void free(void *p) {
    if (((char *)p >= early && (char *)p < early + sizeof early) || !find_free())
        return;
    next_free(p);
}
