/* All of malloc's kin, from constructors, threads, children and exit handlers; by any C library. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void bad(int line) {
    printf("line %d\n", line);
    _exit(1);
}
#define CHECK(x) ((x) ? (void)0 : bad(__LINE__))

static void use(void *p, size_t n) {
    CHECK(p && malloc_usable_size(p) >= n);
    memset(p, 7, n);
}

static void churn(void) {
    for (size_t i = 1; i < 3000; i++) {
        size_t n = i * i % 200000;
        void *p = NULL;
        use(p = malloc(n), n);
        use(p = realloc(p, 2 * n + 1), 2 * n + 1);
        free(p);
        CHECK((p = calloc(i, 10)) && ((char *)p)[i * 10 - 1] == 0);
        free(p);
        CHECK(posix_memalign(&p, 4096, n) == 0 && (uintptr_t)p % 4096 == 0);
        use(p, n);
        free(p);
        use(p = aligned_alloc(64, n / 64 * 64 + 64), n);
        free(p);
        use(p = memalign(256, n), n);
        free(p);
        CHECK((p = strdup("a string")));
        free(p);
    }
    CHECK(malloc(SIZE_MAX / 2) == NULL);
    free(NULL);
}

__attribute__((constructor)) static void before(void) {
    churn();
}

static void *thread(void *arg) {
    churn();
    return arg;
}

int main(void) {
    pthread_t threads[4];
    int status;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, thread, NULL) == 0);
    pid_t pid = fork();
    if (!pid) {
        churn();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    atexit(churn);
    puts("done");
    return 0;
}
