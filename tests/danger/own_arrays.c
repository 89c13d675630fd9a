/* danger: a program that brings malloc, calloc, realloc and free, and calls what the C library makes of them
 * allocators: glibc jemalloc tcmalloc (mimalloc's reallocarray takes blocks of its own only)
 *
 * Its blocks are cut from an array, and whoever else frees or moves one ends it. reallocarray is the C
 * library's, which calls the program's realloc; free_sized is there or not. */
#include "danger.h"

static char memory[64 << 20] __attribute__((aligned(16)));
static _Atomic size_t used;

static bool is_own(const void *p) {
    return (uintptr_t)p - (uintptr_t)memory < sizeof memory;
}

void *malloc(size_t n) {
    if (n > sizeof memory - 32)
        return NULL;
    size_t at = atomic_fetch_add(&used, (n + 31) / 16 * 16) + 16;
    if (at + n > sizeof memory)
        return NULL;
    memcpy(memory + at - 16, &n, sizeof n);
    return memory + at;
}
void free(void *p) {
    if (p && !is_own(p))
        abort();
}
void *calloc(size_t n, size_t m) {
    size_t size;
    return __builtin_mul_overflow(n, m, &size) ? NULL : malloc(size);
}
void *realloc(void *p, size_t n) {
    size_t had = 0;
    if (p && !is_own(p))
        abort();
    if (p)
        memcpy(&had, (char *)p - 16, sizeof had);
    void *to = malloc(n);
    if (to && p)
        memcpy(to, p, had < n ? had : n);
    return to;
}

extern void free_sized(void *p, size_t n) __attribute__((weak));

int main(void) {
    char *p = malloc(100);
    CHECK(is_own(p));
    strcpy(p, "kept");
    for (size_t n = 100; n < 300000; n *= 3) {
        p = reallocarray(p, n, 2);
        CHECK(p && is_own(p) && !strcmp(p, "kept"));
    }
    char *q = reallocarray(NULL, 30000, 3);
    CHECK(q && is_own(q));
    errno = 0;
    CHECK(!reallocarray(q, SIZE_MAX / 2, 3) && errno == ENOMEM);
    free(q);
    if (free_sized)
        free_sized(p, 100);
    else
        free(p);
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file && getline(&line, &room, file) > 0 && is_own(line));
    free(line);
    fclose(file);
    danger_churn(100, 1);
    printf("done\n");
}
