/* What all dangers use: saying that something is not as it must be, memory that is used so that
 * damage shows, threads that do so. */
#ifndef DANGER_H
#define DANGER_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#ifdef __cplusplus
#include <atomic>
#define _Atomic(T) std::atomic<T>
#else
#include <stdatomic.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            dprintf(2, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #x, errno);           \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* jemalloc, tcmalloc or mimalloc was preloaded. */
static inline bool danger_has_other_allocator(void) {
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "malloc");
}

/* Sizes from small to large ones that are recorded in both modes, not in order. */
static inline size_t danger_size(unsigned i) {
    static const size_t sizes[] = {16, 300, 40, 5000, 70000, 1, 1024, 24, 200000, 100};
    return sizes[i % (sizeof sizes / sizeof *sizes)] + i % 7;
}

/* Keeps some blocks, marked by their number at both ends, and checks the marks as it frees them. */
static inline void danger_churn(unsigned rounds, unsigned seed) {
    enum { KEPT = 8 };
    unsigned char *kept[KEPT] = {NULL};
    size_t size[KEPT] = {0};
    for (unsigned i = 0; i < rounds + KEPT; i++) {
        unsigned at = i % KEPT;
        unsigned char mark = (unsigned char)(i - KEPT + seed);
        if (kept[at]) {
            CHECK(kept[at][0] == mark && kept[at][size[at] - 1] == mark);
            free(kept[at]);
            kept[at] = NULL;
        }
        if (i >= rounds)
            continue;
        size[at] = danger_size(i + seed);
        kept[at] = (unsigned char *)malloc(size[at]);
        CHECK(kept[at]);
        kept[at][0] = kept[at][size[at] - 1] = (unsigned char)(i + seed);
        if (i % 5 == 0) {
            size[at] += 40000;
            kept[at] = (unsigned char *)realloc(kept[at], size[at]);
            CHECK(kept[at]);
            kept[at][size[at] - 1] = kept[at][0];
        }
    }
}

/* Threads that churn until they are told to end. */
static _Atomic(int) danger_ending;
static inline void *danger_churner(void *seed) {
    for (unsigned i = 0; !danger_ending; i++)
        danger_churn(50, (unsigned)(uintptr_t)seed + i);
    return NULL;
}

static inline void danger_start(pthread_t *threads, unsigned n, void *(*run)(void *)) {
    for (unsigned i = 0; i < n; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) == 0);
}

static inline int danger_join_one(pthread_t thread) {
    return pthread_join(thread, NULL);
}

static inline void danger_join(pthread_t *threads, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* How a child ended: its exit status, or 1000 and the signal. */
static inline int danger_wait(pid_t pid) {
    int status;
    pid_t got;
    while ((got = waitpid(pid, &status, __WALL)) < 0 && errno == EINTR)
        ;
    CHECK(got == pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
