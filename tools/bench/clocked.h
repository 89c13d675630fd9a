/* clocked: the frame of one measurement.
 *
 * A workload is a function that runs in threads of its own, does malloc+free pairs in batches and
 * asks after each batch whether to go on. The frame warms up, measures for a given time and prints
 * what a pair cost: so a slow profiler and a fast one take equally long. */
#ifndef BENCH_CLOCKED_H
#define BENCH_CLOCKED_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Written by its own thread only; `random` is the workload's. */
struct worker {
    uint64_t pairs;
    uint64_t random;
    uint64_t began, ended; /* of the measurement; 0 = not yet */
    uint64_t limit;        /* of the warm-up, then of the measurement */
    unsigned number;
};

/* True: do another batch. `done` pairs were done since the last question. */
bool clocked_more(struct worker *w, uint64_t done);

/* Runs `work` in so many threads, measures for `milliseconds` after `warm` pairs a thread, prints
 * `CPU WALL`: nanoseconds of the process's CPU time a pair, and of the clock a pair and thread,
 * as if each thread had a core. Returns main's result. */
int clocked_run(unsigned threads, unsigned milliseconds, uint64_t warm,
                void (*work)(struct worker *w));

static inline uint64_t clocked_random(struct worker *w) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

#ifdef __cplusplus
}
#endif

/* A function that keeps its frame, whatever the compiler knows of it. */
#if defined(__has_attribute) && __has_attribute(noipa)
#define FRAME __attribute__((noipa))
#else
#define FRAME __attribute__((noinline))
#endif

/* After a call, so that it is no tail call; with a variable, so that it is in the frame. */
#define HOLD(variable) __asm__ volatile("" : : "r"(&(variable)) : "memory")

#endif
