/* clock: ticks of the region's clock: the time-stamp counter where it is invariant, else
 * CLOCK_MONOTONIC_RAW in nanoseconds. */
#ifndef SQUALL_SHIM_CLOCK_H
#define SQUALL_SHIM_CLOCK_H

#include "base/base.h"

struct clock_state {
    bool tsc;
    uint64_t ticks_per_second; /* an estimate that gets better with every tick of the timeline */
    int (*vdso_gettime)(int clock, void *timespec); /* NULL = by system call */
};
extern struct clock_state clock_state HIDDEN;

/* `vdso` is the address of its ELF header from the auxiliary vector, 0 = none. */
void clock_init(uint64_t vdso);
uint64_t clock_raw_ns(void); /* CLOCK_MONOTONIC_RAW */
uint64_t clock_realtime_ns(void);

INLINE uint64_t clock_now(void) {
    if (LIKELY(clock_state.tsc)) {
        uint32_t low, high;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        return (uint64_t)high << 32 | low;
    }
    return clock_raw_ns();
}

/* Nanoseconds in ticks, by the estimate. */
uint64_t clock_ticks(uint64_t ns);
/* A better estimate from two pairs. */
void clock_calibrate(uint64_t ticks, uint64_t ns);

#endif
