/* Watches its own probes as a tracer would: raises the semaphores, puts breakpoints on the places,
 * and takes the arguments from the registers. Four threads allocate; blocks are freed by their
 * own thread, by another one and by realloc.
 *
 *   probes                              allocates only: somebody else watches
 *   probes ALLOC SEMAPHORE FREE SEMAPHORE   addresses in the library's file, hexadecimal
 *
 * Prints "NAME VALUE" lines; what they must be is the script's to say. */
#define _GNU_SOURCE
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define THREADS 4
#define BLOCKS 4000
#define MEAN 32768.0
#define SLOTS (1u << 17)

static pthread_barrier_t barrier;
static char *handed[THREADS][BLOCKS];
static uint64_t base, place_of_alloc, place_of_free;

/* Blocks that were reported and not yet freed; 1 = a slot that was used. */
static uint64_t reported[SLOTS];
static uint64_t allocs, frees, unknown_frees, sizes, weights, doubles;

static uint64_t slot_of(uint64_t p) {
    return p * 0x9e3779b97f4a7c15u >> 47;
}

static int replace(uint64_t p, uint64_t from, uint64_t to) {
    for (uint64_t i = slot_of(p), n = 0; n < SLOTS; i++, n++) {
        uint64_t *s = &reported[i % SLOTS], old = from;
        if (__atomic_compare_exchange_n(s, &old, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return 1;
        if (from == p && old == 0)
            return 0;
    }
    return 0;
}

static void add(uint64_t *to, uint64_t value) {
    __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

static void trapped(int number, siginfo_t *info, void *context) {
    const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t at = (uint64_t)r[REG_RIP] - 1, p = (uint64_t)r[REG_RDI];
    (void)number, (void)info;
    if (at == place_of_alloc) {
        add(&allocs, 1);
        add(&sizes, (uint64_t)r[REG_RSI]);
        add(&weights, (uint64_t)r[REG_RDX]);
        if (replace(p, p, 1))
            add(&doubles, 1);
        replace(p, 0, p);
    } else if (at == place_of_free) {
        add(&frees, 1);
        if (!replace(p, p, 1))
            add(&unknown_frees, 1);
    } else {
        abort();
    }
}

static int find_library(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    if (!strstr(info->dlpi_name, "libsquall.so"))
        return 0;
    base = info->dlpi_addr;
    return 1;
}

static uint64_t break_at(const char *address) {
    uint64_t at = base + strtoull(address, NULL, 16);
    if (mprotect((void *)(at & ~4095ull), 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
        abort();
    if (*(uint8_t *)at != 0x90)
        abort(); /* a nop that may be replaced */
    *(uint8_t *)at = 0xcc;
    return at;
}

static void watch(char **argument, int by) {
    *(volatile uint16_t *)(base + strtoull(argument[2], NULL, 16)) += (uint16_t)by;
    *(volatile uint16_t *)(base + strtoull(argument[4], NULL, 16)) += (uint16_t)by;
}

static size_t size_of(int i) {
    static const size_t sizes_of[] = {24, 700, 5000, 20000, 60000, 100000};
    return sizes_of[i % 6] + (size_t)(i / 6 % 16);
}

static uint64_t bytes, blocks;
static double variance; /* of the weights' sum: (1 - p) / p for each sampled block */

static void count(size_t size) {
    bytes += size;
    blocks++;
    if (size < 65536)
        variance += (double)size * (double)size / expm1((double)size / MEAN);
}

static void *work(void *argument) {
    long me = (long)argument;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < BLOCKS; i++) {
        char *p = malloc(size_of(i));
        p[0] = 1;
        if (i % 3 == 0)
            p = realloc(p, size_of(i + 1));
        handed[me][i] = p;
        if (i % 2)
            free(p);
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < BLOCKS; i += 2)
        free(handed[(me + 1) % THREADS][i]);
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(int count_of_arguments, char **argument) {
    pthread_t threads[THREADS];
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_RESTART};
    uint64_t left = 0, idle;
    for (int i = 0; i < BLOCKS * THREADS; i++) {
        count(size_of(i % BLOCKS));
        if (i % BLOCKS % 3 == 0)
            count(size_of(i % BLOCKS + 1));
    }
    /* Threads and streams have allocated what they need before anybody watches. */
    printf("bytes %lu\nblocks %lu\n", bytes, blocks);
    fflush(stdout);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    if (count_of_arguments == 5) {
        dl_iterate_phdr(find_library, NULL);
        place_of_alloc = break_at(argument[1]);
        place_of_free = break_at(argument[3]);
        sigaction(SIGTRAP, &action, NULL);
        free(malloc(200000));
        idle = allocs + frees;
        watch(argument, 1);
    }
    for (int i = 0; i < 3; i++)
        pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (count_of_arguments != 5)
        return 0;
    watch(argument, -1);
    idle += allocs + frees;
    free(malloc(200000));
    idle -= allocs + frees;
    for (unsigned i = 0; i < SLOTS; i++)
        left += reported[i] > 1;
    printf("allocs %lu\nfrees %lu\nunknown_frees %lu\nleft %lu\ndoubles %lu\nsizes %lu\n"
           "weights %lu\ndeviation %.0f\nidle %ld\n",
           allocs, frees, unknown_frees, left, doubles, sizes, weights, sqrt(variance), (long)idle);
    return 0;
}
