/* Eight threads that allocate, hand blocks over, free, reallocate and compress until the program
 * is ended in the middle of it, and count for themselves in a file that outlives them: what they
 * began and what they finished. Every count of a thread that somebody else keeps lies between.
 *
 *   killed COUNTS HOW    HOW: wait (to be killed), abort, segfault, _exit, oom, memory (malloc
 *                        fails, then abort) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <lz4.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 8
#define HELD 64

/* What tests/targets/killed.py reads: 10 words a thread. */
struct counts {
    volatile uint64_t tid;
    volatile uint64_t allocs_begun, allocs_done, frees_begun, frees_done, bytes_begun, bytes_done,
        calls_begun, calls_done;
    uint64_t reserved;
};

static struct counts *counts; /* of THREADS, then one word: all have begun */
static pthread_barrier_t barrier;
static void *volatile handed[HELD];

static uint64_t draw(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = (*state ^ *state >> 30) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 27;
}

static size_t draw_size(uint64_t *random) {
    uint64_t r = draw(random);
    return r % 16 == 0 ? 65536 + r / 16 % 100000 : 1 + r / 16 % (r / 8 % 2 ? 100 : 20000);
}

static void *take(struct counts *c, size_t size) {
    c->bytes_begun += size;
    c->allocs_begun++;
    char *p = malloc(size);
    c->allocs_done++;
    c->bytes_done += size;
    if (p)
        p[0] = 1;
    return p;
}

static void give(struct counts *c, void *p) {
    if (!p)
        return;
    c->frees_begun++;
    free(p);
    c->frees_done++;
}

static void *change(struct counts *c, void *p, size_t size) {
    if (!p)
        return take(c, size);
    c->bytes_begun += size;
    c->allocs_begun++;
    c->frees_begun++;
    p = realloc(p, size);
    c->frees_done++;
    c->allocs_done++;
    c->bytes_done += size;
    return p;
}

static void compress(struct counts *c) {
    char from[600], to[LZ4_COMPRESSBOUND(sizeof from)];
    memset(from, 'x', sizeof from);
    c->calls_begun++;
    LZ4_compress_default(from, to, sizeof from, sizeof to);
    c->calls_done++;
}

static void *work(void *argument) {
    long me = (long)argument;
    struct counts *c = &counts[me];
    uint64_t random = (uint64_t)getpid() << 8 | (uint64_t)me;
    void *held[HELD] = {0};
    c->tid = (uint64_t)gettid();
    pthread_barrier_wait(&barrier);
    for (;;) {
        uint64_t r = draw(&random), slot = r / 256 % HELD;
        if (r % 32 == 0)
            compress(c);
        else if (r % 8 == 1) /* somebody else frees it */
            give(c,
                 __atomic_exchange_n(&handed[slot], take(c, draw_size(&random)), __ATOMIC_ACQ_REL));
        else if (r % 8 == 2)
            held[slot] = change(c, held[slot], draw_size(&random));
        else {
            give(c, held[slot]);
            held[slot] = take(c, draw_size(&random));
        }
    }
    return NULL;
}

static void wait_for(uint64_t allocs) {
    for (uint64_t sum = 0; sum < allocs;) {
        usleep(1000);
        sum = 0;
        for (int i = 0; i < THREADS; i++)
            sum += counts[i].allocs_done;
    }
}

static void end(const char *how) {
    if (strcmp(how, "wait") == 0)
        for (;;)
            pause();
    wait_for(200000);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "segfault") == 0)
        *(volatile int *)8 = 1;
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "oom") == 0)
        for (;;) {
            char *p =
                mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(p, 1, 1 << 20);
        }
    while (malloc(1 << 20))
        ;
    abort();
}

int main(int count, char **argument) {
    int fd = open(argument[1], O_RDWR | O_CREAT, 0600);
    (void)count;
    if (fd < 0 || ftruncate(fd, 4096))
        return 1;
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++) {
        pthread_t t;
        pthread_create(&t, NULL, work, (void *)i);
    }
    pthread_barrier_wait(&barrier);
    *(volatile uint64_t *)&counts[THREADS] = 1;
    end(argument[2]);
}
