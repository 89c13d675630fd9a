/* Every entry point from several threads and stacks; prints what it did, a line a (function,
 * thread): name tid allocs frees bytes freed live peak. It counts for itself. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 500
#define NAMES 11

static const char *const names[NAMES] = {
    "by_malloc",  "by_calloc", "by_realloc", "by_reallocarray", "by_memalign", "by_posix",
    "by_aligned", "by_valloc", "by_pvalloc", "by_handover",     "by_mixed"};
struct sum {
    long allocs, frees, bytes, freed, live, peak;
};
static struct sum sums[THREADS][NAMES];
static long tids[THREADS];
static void *handed[THREADS][ROUNDS];
static pthread_barrier_t barrier;

struct block {
    void *p;
    size_t n;
    int name, thread;
};

static void born(struct block *b, int thread, int name, void *p, size_t n) {
    struct sum *s = &sums[thread][name];
    *b = (struct block){p, n, name, thread};
    if (!p)
        abort();
    memset(p, 1, n < 64 ? n : 64);
    s->allocs++;
    s->bytes += (long)n;
    s->live += (long)n;
    if (s->live > s->peak)
        s->peak = s->live;
}

static void gone(struct block *b) {
    struct sum *s = &sums[b->thread][b->name];
    s->frees++;
    s->freed += (long)b->n;
    s->live -= (long)b->n;
}

static void drop(struct block *b) {
    gone(b);
    free(b->p);
}

/* Each of these is a site of its own. */
static void by_malloc(struct block *b, int t, size_t n) {
    born(b, t, 0, malloc(n), n);
}
static void by_calloc(struct block *b, int t, size_t n) {
    born(b, t, 1, calloc(3, n), 3 * n);
}
static void by_realloc(struct block *b, int t, size_t n) {
    void *p = realloc(b->p, n);
    if (!p)
        abort();
    if (b->p)
        gone(b);
    born(b, t, 2, p, n);
}
static void by_reallocarray(struct block *b, int t, size_t n) {
    void *p = reallocarray(b->p, 5, n);
    if (b->p)
        gone(b);
    born(b, t, 3, p, 5 * n);
}
static void by_memalign(struct block *b, int t, size_t n) {
    void *p = memalign(64, n);
    if ((uintptr_t)p % 64)
        abort();
    born(b, t, 4, p, n);
}
static void by_posix(struct block *b, int t, size_t n) {
    void *p = NULL;
    if (posix_memalign(&p, 4096, n) || (uintptr_t)p % 4096)
        abort();
    born(b, t, 5, p, n);
}
static void by_aligned(struct block *b, int t, size_t n) {
    born(b, t, 6, aligned_alloc(128, n), n);
}
static void by_valloc(struct block *b, int t, size_t n) {
    born(b, t, 7, valloc(n), n);
}
/* jemalloc has no pvalloc: then the C library's block would go to jemalloc's free. */
static int has_pvalloc = 1;
static void by_pvalloc(struct block *b, int t, size_t n) {
    born(b, t, 8, has_pvalloc ? pvalloc(n) : valloc(n), n);
}
static void by_handover(struct block *b, int t, size_t n) {
    born(b, t, 9, malloc(n), n);
}
/* Small and large from one place: one cell, whose peak is of both together. */
static void by_mixed(struct block *b, int t, size_t n) {
    born(b, t, 10, malloc(n), n);
}

static void *run(void *arg) {
    int t = (int)(long)arg;
    tids[t] = syscall(SYS_gettid);
    for (int i = 0; i < ROUNDS; i++) {
        struct block b = {0}, c = {0};
        size_t n = 24 + (size_t)(i % 100) * 16 + (size_t)t;
        by_malloc(&b, t, n);
        by_realloc(&b, t, n * 40);      /* up */
        by_realloc(&b, t, n);           /* and down */
        if (realloc(b.p, SIZE_MAX / 2)) /* fails: nothing changes */
            abort();
        by_reallocarray(&b, t, n);
        by_calloc(&c, t, n);
        drop(&b);
        drop(&c);
        by_realloc(&(struct block){0}, t, 7); /* like malloc; lost on purpose */
        by_memalign(&b, t, n);
        drop(&b);
        by_posix(&b, t, n * 50); /* partly large */
        drop(&b);
        by_aligned(&b, t, n / 128 * 128 + 128);
        drop(&b);
        by_valloc(&b, t, n);
        drop(&b);
        by_pvalloc(&b, t, n);
        drop(&b);
        by_mixed(&b, t, 100);
        by_mixed(&c, t, 100000 + n);
        drop(&c);
        drop(&b);
        by_malloc(&b, t, 0);
        drop(&b);
        by_handover(&b, t, 90000 + n);
        handed[t][i] = b.p;
    }
    pthread_barrier_wait(&barrier);
    /* Another thread frees what this one handed over. */
    int from = (t + 1) % THREADS;
    for (int i = 0; i < ROUNDS; i++)
        free(handed[from][i]);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argv;
    has_pvalloc = argc < 2;
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int t = 0; t < THREADS; t++)
        for (int k = 0; k < NAMES; k++) {
            struct sum *s = &sums[t][k];
            if (k == 9) { /* freed by the neighbour, after all were made */
                s->frees = s->allocs;
                s->freed = s->bytes;
                s->live = 0;
            }
            printf("%s %ld %ld %ld %ld %ld %ld %ld\n", names[k], tids[t], s->allocs, s->frees,
                   s->bytes, s->freed, s->live, s->peak);
        }
    return 0;
}
