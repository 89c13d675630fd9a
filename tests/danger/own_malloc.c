/* danger: a program that brings malloc itself, over the C library's
 * allow: sums frees */
#include <dlfcn.h>

#include "danger.h"

void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_realloc(void *, size_t);
void *__libc_calloc(size_t, size_t);

static _Atomic unsigned long made, given;

void *malloc(size_t n) {
    made++;
    return __libc_malloc(n);
}
void free(void *p) {
    given += p != NULL;
    __libc_free(p);
}
void *realloc(void *p, size_t n) {
    made += !p;
    return __libc_realloc(p, n);
}
void *calloc(size_t n, size_t m) {
    made++;
    return __libc_calloc(n, m);
}

int main(void) {
    pthread_t threads[3];
    unsigned long before = made - given;
    for (unsigned i = 0; i < 100; i++)
        danger_churn(20, i);
    char *s = strdup("through the C library");
    free(s);
    CHECK(made - given == before);
    danger_start(threads, 3, danger_churner);
    pid_t pid = fork();
    if (!pid) {
        danger_churn(20, 1);
        _exit(dlsym(RTLD_DEFAULT, "malloc") ? 8 : 9);
    }
    CHECK(danger_wait(pid) == 8);
    danger_ending = 1;
    danger_join(threads, 3);
    printf("done\n");
}
