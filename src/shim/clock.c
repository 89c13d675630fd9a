/* Clocks without libc. */
#include "clock.h"

#include <cpuid.h>
#include <time.h>

#include "base/syscall.h"
#include "elf.h"

struct clock_state clock_state = {.ticks_per_second = 1000000000ull};

static uint64_t get(int clock) {
    struct {
        int64_t seconds, nanoseconds;
    } t = {0, 0};
    if (!clock_state.vdso_gettime || clock_state.vdso_gettime(clock, &t))
        base_syscall(SYS_clock_gettime, clock, &t);
    return (uint64_t)t.seconds * 1000000000u + (uint64_t)t.nanoseconds;
}

uint64_t clock_raw_ns(void) {
    return get(CLOCK_MONOTONIC_RAW);
}

uint64_t clock_realtime_ns(void) {
    return get(CLOCK_REALTIME);
}

static bool tsc_is_invariant(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8;
}

void clock_init(uint64_t vdso) {
    struct elf_dynamic dynamic;
    if (vdso && elf_dynamic_of_image(vdso, &dynamic) == 0)
        clock_state.vdso_gettime =
            (int (*)(int, void *))elf_lookup(&dynamic, "__vdso_clock_gettime");
    clock_state.tsc = tsc_is_invariant();
    /* Until the first tick of the timeline a guess; only `transient` and the length of a tick
     * depend on it, no figure in a report. */
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (clock_state.tsc) {
        clock_state.ticks_per_second = 2500000000ull;
        if (__get_cpuid_count(0x15, 0, &a, &b, &c, &d) && a && b && c)
            clock_state.ticks_per_second = (uint64_t)c * b / a;
        else if (__get_cpuid_count(0x16, 0, &a, &b, &c, &d) && (a & 0xffff))
            clock_state.ticks_per_second = (uint64_t)(a & 0xffff) * 1000000u;
    }
}

uint64_t clock_ticks(uint64_t ns) {
    return (uint64_t)((unsigned __int128)ns * RELAXED_LOAD(&clock_state.ticks_per_second) /
                      1000000000u);
}

void clock_calibrate(uint64_t ticks, uint64_t ns) {
    if (clock_state.tsc && ns > 1000000)
        RELAXED_STORE(&clock_state.ticks_per_second,
                      (uint64_t)((unsigned __int128)ticks * 1000000000u / ns));
}
