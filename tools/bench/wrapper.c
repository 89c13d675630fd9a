/* wrapper: the least that a preloaded library costs. Each function is a jump through a pointer;
 * what is above this is the profiler's own doing. */
#include <dlfcn.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* glibc's own until the constructor has asked, so that dlsym may allocate. */
#define FORWARD(type, name, parameters, arguments)        \
    extern type __libc_##name parameters;                 \
    static type(*next_##name) parameters = __libc_##name; \
    EXPORT type name parameters {                         \
        return next_##name arguments;                     \
    }
FORWARD(void *, malloc, (size_t n), (n))
FORWARD(void *, calloc, (size_t n, size_t m), (n, m))
FORWARD(void *, realloc, (void *p, size_t n), (p, n))
FORWARD(void, free, (void *p), (p))

#define FIND(name)                            \
    do {                                      \
        void *next = dlsym(RTLD_NEXT, #name); \
        if (next)                             \
            *(void **)&next_##name = next;    \
    } while (0)

__attribute__((constructor)) static void find_next(void) {
    FIND(malloc);
    FIND(calloc);
    FIND(realloc);
    FIND(free);
}
