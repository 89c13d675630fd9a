/* An allocator that takes every block with mmap, through the exported name: for a preload behind
 * the library, which forwards to it. */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static void *take(size_t size, size_t align) {
    static char *at, *end;
    if (size + align > (size_t)(end - at)) {
        size_t more = size + align > 1 << 20 ? size + align : 1 << 20;
        at = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            end = at = NULL;
            return NULL;
        }
        end = at + more;
    }
    size_t pad = -((size_t)at + sizeof(size_t)) & (align - 1);
    char *p = at + pad + sizeof(size_t);
    ((size_t *)p)[-1] = size;
    at = p + (size + 15) / 16 * 16;
    return p;
}

void *malloc(size_t n) {
    return take(n, 16);
}

void free(void *p) {
    (void)p;
}

void *calloc(size_t n, size_t m) {
    return take(n * m, 16);
}

void *memalign(size_t align, size_t n) {
    return take(n, align < 16 ? 16 : align);
}

void *realloc(void *old, size_t n) {
    void *p = take(n, 16);
    if (p && old)
        memcpy(p, old, ((size_t *)old)[-1] < n ? ((size_t *)old)[-1] : n);
    return p;
}
