/* A producer that makes a buffer as large as the message for each call, and what its owner could do
 * about that: keep the buffer (keep), let fewer call at once (a number behind the mode), ask for
 * smaller contexts (lowmem). Two more have other troubles: ramp compresses the same messages on 1,
 * 2, 4, 8 and 16 threads where two processors are; limited lets four of up to eight work at once;
 * small also compresses messages too small and too random to shrink, and sizes sends those as they
 * are. Nothing but time and order varies from run to run. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <squall/squall.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define THREADS 8
#define MESSAGES 150 /* a thread */
#define LEAST (4u << 10)
#define MOST (900u << 10)
#define RAMP_MESSAGES 480 /* a step, of all its threads */

static const char *mode = "";
static int is_kept, is_low;
static sem_t allowed;
static char text[MOST], noise[MOST];
static uint64_t produced;
static int threads_now = THREADS, messages_now = MESSAGES;

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static size_t pack(ZSTD_CCtx *context, char *destination, size_t room, const char *source,
                   size_t n) {
    size_t r = is_low ? ZSTD_compress2(context, destination, room, source, n)
                      : ZSTD_compressCCtx(context, destination, room, source, n, 1);
    if (ZSTD_isError(r))
        abort();
    return r;
}

static size_t with_fresh_output(ZSTD_CCtx *context, size_t n) {
    char *destination = malloc(n);
    size_t r = pack(context, destination, n, text, n);
    free(destination);
    return r;
}

static void *produce(void *number) {
    uint32_t random = 2463534242u + (uint32_t)(uintptr_t)number * 7919;
    char *kept = is_kept ? malloc(ZSTD_compressBound(MOST)) : NULL;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    uint64_t made = 0;
    if (is_low) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 15);
    }
    for (int i = 0; i < messages_now; i++) {
        size_t n = LEAST + next_random(&random) % (MOST - LEAST);
        sem_wait(&allowed);
        made += kept ? pack(context, kept, ZSTD_compressBound(MOST), text, n)
                     : with_fresh_output(context, n);
        sem_post(&allowed);
    }
    ZSTD_freeCCtx(context);
    free(kept);
    __atomic_add_fetch(&produced, made, __ATOMIC_RELAXED);
    return NULL;
}

/* All threads begin together. */
static void run_threads(void) {
    pthread_t threads[16];
    for (int i = 0; i < threads_now; i++)
        pthread_create(&threads[i], NULL, produce, (void *)(uintptr_t)i);
    for (int i = 0; i < threads_now; i++)
        pthread_join(threads[i], NULL);
}

static void ramp(void) {
    for (threads_now = 1; threads_now <= 16; threads_now *= 2) {
        messages_now = RAMP_MESSAGES / threads_now;
        run_threads();
    }
}

/* A codec of which no more than four can work at once, whatever the machine: each message takes five
 * milliseconds of one of them. Eight steps, of one thread to eight, and them again: what the machine
 * does beside it slows all steps alike. */
#define SLOTS 4
#define LIMITED_SIZE 500000
#define LIMITED_ROUNDS 4
#define LIMITED_MESSAGES 48 /* a step, of all its threads */
static sem_t slots;
static void *limited_thread(void *unused) {
    (void)unused;
    for (int i = 0; i < messages_now; i++) {
        struct squall_call call;
        sem_wait(&allowed);
        void *destination = malloc(LIMITED_SIZE);
        squall_begin(&call, "limited", SQUALL_COMPRESS, text, LIMITED_SIZE, destination,
                     LIMITED_SIZE);
        sem_wait(&slots);
        usleep(5000);
        sem_post(&slots);
        squall_end(&call, LIMITED_SIZE / 2);
        free(destination);
        sem_post(&allowed);
    }
    return NULL;
}
static void limited(void) {
    pthread_t threads[8];
    sem_init(&slots, 0, SLOTS);
    for (int step = 0; step < 8 * LIMITED_ROUNDS; step++) {
        int n = 1 + step % 8;
        messages_now = LIMITED_MESSAGES / n;
        for (int i = 0; i < n; i++)
            if (pthread_create(&threads[i], NULL, limited_thread, NULL))
                abort();
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
    }
}

/* 18,000 messages of 64 to 500 random bytes, 2,000 of 16 to 64 KiB that shrink well. */
static void small_and_large(void) {
    static char destination[MOST];
    uint32_t random = 88172645u;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    int only_large = strcmp(mode, "sizes") == 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t r = next_random(&random);
        int is_large = i % 10 == 0;
        size_t n = is_large ? (16u << 10) + r % (48u << 10) : 64 + r % 437;
        if (is_large || !only_large)
            produced += pack(context, destination, sizeof destination,
                             is_large ? text : noise + r % (MOST / 2), n);
        else
            produced += n;
    }
    ZSTD_freeCCtx(context);
}

/* Two processors, however many there are: so it is known where more threads cannot help. */
static void use_two_processors(void) {
    cpu_set_t all, two;
    CPU_ZERO(&two);
    sched_getaffinity(0, sizeof all, &all);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&two) < 2; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &two);
    sched_setaffinity(0, sizeof two, &two);
}

int main(int argc, char **argv) {
    mode = argc > 1 ? argv[1] : "naive";
    uint32_t random = 123456789;
    for (size_t i = 0; i < MOST; i++) {
        text[i] = "level=info msg=x path=/a/b"[(i * 7 + i / 97) % 26];
        if (i % 16 == 0)
            text[i] = (char)('a' + next_random(&random) % 16);
        noise[i] = (char)next_random(&random);
    }
    is_kept = strcmp(mode, "keep") == 0;
    is_low = strcmp(mode, "lowmem") == 0;
    sem_init(&allowed, 0, argc > 2 ? (unsigned)atoi(argv[2]) : 1000);
    use_two_processors();
    if (strcmp(mode, "ramp") == 0)
        ramp();
    else if (strcmp(mode, "limited") == 0)
        limited();
    else if (strcmp(mode, "small") == 0 || strcmp(mode, "sizes") == 0)
        small_and_large();
    else
        run_threads();
    printf("%llu bytes produced\n", (unsigned long long)produced);
    return 0;
}
