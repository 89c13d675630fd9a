/* danger: a program that brings an allocator of its own, that gives nothing back
 * allow: sums frees */
#include "danger.h"

static char room[64 << 20] __attribute__((aligned(16)));
static _Atomic size_t used;

void *malloc(size_t n) {
    size_t at = atomic_fetch_add(&used, (n + 31) & ~15ul);
    if (n > sizeof room || at + n + 32 > sizeof room) {
        errno = ENOMEM;
        return NULL;
    }
    *(size_t *)(room + at) = n;
    return room + at + 16;
}
void free(void *p) {
    CHECK(!p || ((char *)p > room && (char *)p < room + sizeof room));
}
void *calloc(size_t n, size_t m) {
    return malloc(n * m);
}
void *realloc(void *p, size_t n) {
    void *q = malloc(n);
    if (p && q) {
        size_t had = ((size_t *)p)[-2];
        memcpy(q, p, had < n ? had : n);
    }
    return q;
}
void *memalign(size_t a, size_t n) {
    return (void *)(((uintptr_t)malloc(n + a) + a - 1) & -a);
}
void *aligned_alloc(size_t a, size_t n) {
    return memalign(a, n);
}
int posix_memalign(void **out, size_t a, size_t n) {
    *out = memalign(a, n);
    return 0;
}

int main(void) {
    for (unsigned i = 0; i < 10; i++)
        danger_churn(30, i);
    pid_t pid = fork();
    if (!pid) {
        danger_churn(20, 1);
        _exit(8);
    }
    CHECK(danger_wait(pid) == 8);
    FILE *f = popen("echo done", "r");
    char line[10];
    CHECK(f && fgets(line, sizeof line, f) && pclose(f) == 0);
    printf("%s", line);
}
