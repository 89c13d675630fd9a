/* busy: threads that allocate and free as fast as they can until they are told to end (a byte or
 * the end of standard input): small and large blocks of their own, and blocks that their neighbour
 * frees. No thread ever holds more than HELD blocks.
 *
 *   busy THREADS [PAUSE_US]        prints "ready" once all of them run */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { THREADS_MAX = 64, HELD = 16, LARGE = 100000, SMALL = 300 };

static struct slot {
    void *block;
    char own_line[56];
} slots[THREADS_MAX][HELD];
static int count, pause_us;
static volatile int over;
static int running;

__attribute__((noinline)) static void *make_small(unsigned n) {
    return malloc(SMALL + n % 64);
}

__attribute__((noinline)) static void *make_large(unsigned n) {
    return malloc(LARGE + n % 4096);
}

__attribute__((noinline)) static void *grow_block(void *block) {
    return realloc(block, 2 * LARGE);
}

/* Puts a block where the neighbour finds it, and frees what lay there. */
__attribute__((noinline)) static void hand_over(int thread, unsigned n) {
    struct slot *slot = &slots[(thread + 1) % count][n % HELD];
    free(
        __atomic_exchange_n(&slot->block, n % 8 ? make_small(n) : make_large(n), __ATOMIC_ACQ_REL));
}

static void *work(void *argument) {
    int thread = (int)(size_t)argument;
    char name[16];
    snprintf(name, sizeof name, "busy-%d", thread);
    prctl(PR_SET_NAME, name);
    __atomic_fetch_add(&running, 1, __ATOMIC_ACQ_REL);
    for (unsigned n = 0; !over; n++) {
        void *volatile block = make_small(n);
        free(block);
        if (n % 4 == 0) {
            block = make_large(n);
            if (n % 64 == 0)
                block = grow_block(block);
            free(block);
        }
        hand_over(thread, n);
        if (pause_us && n % 256 == 0)
            usleep((unsigned)pause_us);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS_MAX];
    char byte;
    count = argc > 1 ? atoi(argv[1]) : 8;
    pause_us = argc > 2 ? atoi(argv[2]) : 0;
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
    return 0;
}
