/* Hooks of functions that are free by another name. A program may bring malloc and free itself, or an
 * allocator before us, and none of these: then it calls ours, with blocks of which our next allocator
 * knows nothing. So they call free as the program does, by its name: this file does not see that it
 * may be ours. */
#include <stddef.h>

#include "base/base.h"

extern void free(void *p);

/* Of old C libraries; not in headers any more. */
EXPORT void cfree(void *p);
EXPORT void cfree(void *p) {
    free(p);
}

EXPORT void free_sized(void *p, size_t n);
EXPORT void free_sized(void *p, size_t n) {
    (void)n;
    free(p);
}

EXPORT void free_aligned_sized(void *p, size_t a, size_t n);
EXPORT void free_aligned_sized(void *p, size_t a, size_t n) {
    (void)a;
    (void)n;
    free(p);
}
