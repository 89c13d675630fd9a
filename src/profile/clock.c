/* What a tick is worth. The region pairs its clock with CLOCK_MONOTONIC_RAW at the start and, as
 * long as there are slow paths, once a tick; the longest such span gives the rate. */
#include <string.h>
#include <time.h>

#include "internal.h"

#define SPAN_GOOD                                                                  \
    1000000000ull /* with a span of a second, reading the two clocks adds no error \
                   */
#define SPAN_MIN 1000000ull
/* Nobody has a time-stamp counter outside 10 MHz to 20 GHz. */
#define RATE_MIN 0.01
#define RATE_MAX 20.0

struct pair {
    uint64_t clock, raw_ns;
};

/* The rate between two pairs, 0 if they give none. */
static double rate(struct pair from, struct pair to, uint64_t span_min) {
    if (to.raw_ns <= from.raw_ns || to.raw_ns - from.raw_ns < span_min || to.clock <= from.clock)
        return 0;
    double r = (double)(to.clock - from.clock) / (double)(to.raw_ns - from.raw_ns);
    return r >= RATE_MIN && r <= RATE_MAX ? r : 0;
}

static uint64_t raw_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static struct pair pair_now(void) {
    struct pair best = {0, 0};
    uint64_t best_span = UINT64_MAX;
    /* The tightest of a few readings: we may be interrupted between the two clocks. */
    for (int i = 0; i < 8; i++) {
        uint64_t before = __builtin_ia32_rdtsc();
        uint64_t raw = raw_now();
        uint64_t after = __builtin_ia32_rdtsc();
        if (after - before < best_span) {
            best_span = after - before;
            best = (struct pair){before + best_span / 2, raw};
        }
    }
    return best;
}

/* The latest pair that the process wrote. */
static struct pair last_pair(const struct image *image) {
    const struct region_header *h = image->view.header;
    struct pair last = {h->end_clock, h->end_raw_ns};
    for (uint64_t i = 0; i < image->view.used[REGION_TIMELINE]; i++) {
        const struct region_tick *tick = region_view_row(&image->view, REGION_TIMELINE, i);
        if (tick->number && tick->raw_ns > last.raw_ns)
            last = (struct pair){tick->clock, tick->raw_ns};
    }
    return last;
}

void clock_calibrate(const struct image *image, struct calibration *out) {
    const struct region_header *h = image->view.header;
    struct pair first = {h->start_clock, h->start_raw_ns}, last;
    memset(out, 0, sizeof *out);
    out->this_boot = state_is_this_boot(h);
    out->now_raw_ns = raw_now();
    out->ticks_per_ns = 1;
    if (h->clock == REGION_CLOCK_MONOTONIC_RAW)
        return;
    last = last_pair(image);
    double r = rate(first, last, SPAN_GOOD);
    if (r == 0 && out->this_boot)
        r = rate(first, pair_now(), SPAN_MIN);
    if (r == 0)
        r = rate(first, last, SPAN_MIN);
    if (r == 0)
        r = rate(first, last, 1);
    if (r != 0)
        out->ticks_per_ns = r;
    else
        out->guessed = true;
}

uint64_t clock_ns(double ticks_per_ns, uint64_t ticks) {
    double ns = (double)ticks / ticks_per_ns;
    return ns < 18446744073709549568.0 ? (uint64_t)ns : UINT64_MAX;
}
