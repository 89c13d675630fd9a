/* ledger: threads that allocate and free as fast as they can, until standard input ends, and count
 * by themselves what they did, by thread and site: ledger THREADS FILE. Blocks are of all sizes and
 * of all functions that make blocks; many are freed by another thread than made them. Some are
 * kept. No thread holds more than HELD blocks that it would free. Prints "ready"; the counts are
 * written to FILE, a line each: tid site allocs bytes frees freed_bytes freed_by_others. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 64, HELD = 16, SITES = 8, LARGE = 100000 };

struct block {
    uint16_t thread, site;
    uint32_t size;
};

static struct count {
    uint64_t allocs, bytes, frees, freed_bytes, by_others;
} counts[THREADS_MAX][SITES] __attribute__((aligned(64)));
static struct box {
    struct block *block;
    char own_line[56];
} boxes[THREADS_MAX][HELD];
static struct block *kept[THREADS_MAX][SITES];
static int tids[THREADS_MAX], count, running;
static volatile int over;

/* ---- the sites ---- */

static __attribute__((noinline)) void *make_0(uint32_t size) { return malloc(size); }
static __attribute__((noinline)) void *make_1(uint32_t size) { return malloc(size); }
static __attribute__((noinline)) void *make_2(uint32_t size) { return calloc(1, size); }
static __attribute__((noinline)) void *make_3(uint32_t size) { return aligned_alloc(64, size); }
static __attribute__((noinline)) void *make_4(uint32_t size) { return malloc(size); }
static __attribute__((noinline)) void *make_5(uint32_t size) { return malloc(size); }
static __attribute__((noinline)) void *make_6(uint32_t size) { return calloc(1, size); }
static __attribute__((noinline)) void *make_7(void *old, uint32_t size) { return realloc(old, size); }

static uint32_t size_of(int site, uint32_t random) {
    static const uint32_t from[SITES] = {16, 200, 40, 64, 5000, LARGE, LARGE, 30};
    static const uint32_t spread[SITES] = {64, 3000, 500, 1, 50000, 4096, 50000, 1000};
    return site == 7 && random % 16 == 0 ? LARGE + random % 1000 : from[site] + random % spread[site];
}

/* ---- counting ---- */

static struct block *counted(int thread, int site, uint32_t size, struct block *b) {
    struct count *c = &counts[thread][site];
    if (!b)
        abort();
    *b = (struct block){(uint16_t)thread, (uint16_t)site, size};
    c->allocs++;
    c->bytes += size;
    return b;
}

/* Of a block that is about to be freed, here or by realloc. */
static void count_free(int thread, const struct block *b) {
    struct count *c = &counts[b->thread][b->site];
    __atomic_fetch_add(&c->frees, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->freed_bytes, b->size, __ATOMIC_RELAXED);
    if (b->thread != thread)
        __atomic_fetch_add(&c->by_others, 1, __ATOMIC_RELAXED);
}

static struct block *make(int thread, int site, uint32_t random) {
    static void *(*const makers[])(uint32_t) = {make_0, make_1, make_2, make_3, make_4, make_5, make_6};
    uint32_t size = size_of(site, random);
    return counted(thread, site, size, makers[site](size));
}

static struct block *grow(int thread, struct block *old, uint32_t random) {
    uint32_t size = size_of(7, random);
    count_free(thread, old);
    return counted(thread, 7, size, make_7(old, size));
}

static void give_back(int thread, struct block *b) {
    if (!b)
        return;
    count_free(thread, b);
    free(b);
}

/* ---- the threads ---- */

static void *work(void *argument) {
    int thread = (int)(size_t)argument;
    uint32_t random = 12345u * (uint32_t)(thread + 1);
    tids[thread] = gettid();
    for (int site = 0; site < SITES - 1; site++)
        kept[thread][site] = make(thread, site, (uint32_t)site);
    __atomic_fetch_add(&running, 1, __ATOMIC_ACQ_REL);
    while (!over) {
        random = random * 1664525u + 1013904223u;
        uint32_t r = random >> 8;
        /* Large ones are dear: one in sixteen. */
        struct block *b = make(thread, r % 16 == 0 ? 5 + (int)(r >> 4) % 2 : (int)(r >> 4) % 5, r >> 9);
        if (r % 8 == 1)
            b = grow(thread, b, r >> 9);
        struct block *none = NULL;
        struct box *to = &boxes[(thread + 1) % count][r % HELD];
        if (r & 1 << 20 && __atomic_compare_exchange_n(&to->block, &none, b, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            b = NULL;
        else if (r % 16 == 5)
            sched_yield(); /* so that the neighbour takes what is there */
        give_back(thread, __atomic_exchange_n(&boxes[thread][(r >> 8) % HELD].block, NULL, __ATOMIC_ACQ_REL));
        give_back(thread, b);
    }
    return NULL;
}

static int write_counts(const char *path) {
    FILE *f = fopen(path, "w");
    for (int t = 0; f && t < count; t++)
        for (int s = 0; s < SITES; s++) {
            const struct count *c = &counts[t][s];
            fprintf(f, "%d make_%d %lu %lu %lu %lu %lu\n", tids[t], s, c->allocs, c->bytes, c->frees,
                    c->freed_bytes, c->by_others);
        }
    return !f || fclose(f);
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS_MAX];
    char byte;
    count = argc > 2 ? atoi(argv[1]) : 0;
    if (count < 1 || count > THREADS_MAX)
        return 2;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)(size_t)i))
            return 1;
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) < count)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) < 0)
        ;
    over = 1;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return write_counts(argv[2]);
}
