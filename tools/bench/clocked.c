#include "clocked.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 64
#define WARM_LIMIT 200000000u /* ns, for those that need 16 µs a pair */

static pthread_barrier_t together;
static void (*workload)(struct worker *w);
static uint64_t measured_ns, warm_pairs;
static uint64_t cpu_began, cpu_ended; /* written by worker 0 */

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool clocked_more(struct worker *w, uint64_t done) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    w->pairs += done;
    if (now < w->limit && (w->began || w->pairs < warm_pairs))
        return true;
    if (w->began) {
        w->ended = now;
        return false;
    }
    pthread_barrier_wait(&together);
    if (w->number == 0)
        cpu_began = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    w->pairs = 0;
    w->began = nanoseconds(CLOCK_MONOTONIC);
    w->limit = w->began + measured_ns;
    return true;
}

static void *run_worker(void *argument) {
    struct worker *w = argument;
    w->limit = nanoseconds(CLOCK_MONOTONIC) + WARM_LIMIT;
    workload(w);
    pthread_barrier_wait(&together);
    if (w->number == 0)
        cpu_ended = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    return NULL;
}

static void print_result(const struct worker *workers, unsigned threads) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double pairs = 0, rate = 0;
    for (unsigned i = 0; i < threads; i++) {
        const struct worker *w = &workers[i];
        pairs += (double)w->pairs;
        rate += (double)w->pairs / (double)(w->ended - w->began);
    }
    double parallel = threads < (unsigned long)cores ? threads : (double)cores;
    printf("%.3f %.3f\n", (double)(cpu_ended - cpu_began) / pairs, parallel / rate);
}

int clocked_run(unsigned threads, unsigned milliseconds, uint64_t warm,
                void (*work)(struct worker *w)) {
    static struct worker workers[THREADS];
    pthread_t ids[THREADS];
    if (threads < 1 || threads > THREADS)
        return 2;
    workload = work;
    measured_ns = milliseconds * 1000000ull;
    warm_pairs = warm;
    pthread_barrier_init(&together, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.number = i, .random = 0x9e3779b97f4a7c15u * (i + 1)};
        if (pthread_create(&ids[i], NULL, run_worker, &workers[i])) {
            perror("pthread_create");
            return 1;
        }
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    print_result(workers, threads);
    return 0;
}
