#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/unwind.h"
#include "unwind_check.h"
#include "unwind_check_result.h"

static __thread struct unwind_thread *thread;
static __thread unsigned turn;
static struct check_counts group;
struct check_counts check_total;
static const char *group_name;
static int group_end;

static void add(struct check_counts *to, const struct check_counts *from) {
    to->samples += from->samples;
    to->agreed += from->agreed;
    to->frames += from->frames;
    for (int i = 0; i < REGION_END_COUNT; i++)
        to->ends[i] += from->ends[i];
}

void check_group(const char *name, int end) {
    if (group_name) {
        printf("%-34s %8llu samples, %8llu agree, %4.1f frames; ends:", group_name, group.samples,
               group.agreed, group.samples ? (double)group.frames / (double)group.samples : 0);
        for (int i = 0; i < REGION_END_COUNT; i++)
            if (group.ends[i])
                printf(" %d:%llu", i, group.ends[i]);
        puts(group.samples && group.samples == group.agreed ? "" : "  <-- FAILED");
        check_total.groups++;
        check_total.groups_failed += !group.samples || group.samples != group.agreed;
        add(&check_total, &group);
    }
    memset(&group, 0, sizeof group);
    group_name = name;
    group_end = end;
}

static void complain(const struct unwind_result *r, const uint64_t *theirs, unsigned count) {
    static unsigned said;
    if (__atomic_fetch_add(&said, 1, __ATOMIC_RELAXED) > 5)
        return;
    printf("  %s: ours %u frames, end %u; theirs %u\n", group_name, r->count, r->end, count);
    for (unsigned i = 0; i < r->count || i < count; i++)
        printf("    %2u %16llx %16llx%s\n", i, i < r->count ? (unsigned long long)r->frames[i] : 0,
               i < count ? (unsigned long long)theirs[i] : 0,
               i < r->count && i < count && (r->frames[i] & ~REGION_FRAME_EXACT) == theirs[i]
                   ? ""
                   : "  *");
}

#define THEIRS_MAX 600

/* All of ours have to be theirs, and a stack that we call complete has to have all of theirs. */
static int agrees(const struct unwind_result *r, const uint64_t *theirs, unsigned count) {
    if (r->count > count || (r->end == REGION_END_OUTERMOST && r->count != count) ||
        (r->end == REGION_END_BOUND && r->count != REGION_FRAMES_MAX))
        return 0;
    for (unsigned i = 0; i < r->count; i++)
        if ((r->frames[i] & ~REGION_FRAME_EXACT) != theirs[i])
            return 0;
    return 1;
}

/* The same stack again, by a thread that remembers nothing: hash and frames must be the same. */
static int repeats(const struct unwind_start *start, const struct unwind_result *r) {
    static __thread struct unwind_thread *other;
    struct unwind_result again;
    if (!other)
        other = calloc(1, unwind_thread_size());
    memset(other, 0, unwind_thread_size());
    unwind_walk(other, start, &again);
    return again.count == r->count && again.end == r->end && again.hash == r->hash &&
           !memcmp(again.frames, r->frames, r->count * sizeof *r->frames);
}

CHECK_NOINLINE void check_sample(void) {
    struct unwind_start start;
    struct unwind_result r;
    UNWIND_START(&start);
    if (!thread)
        thread = calloc(1, unwind_thread_size());
    unwind_walk(thread, &start, &r);

    static __thread uint64_t theirs[THEIRS_MAX];
    unsigned count = 0;
    unw_context_t context;
    unw_cursor_t cursor;
    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    int begun = 0;
    while (count < THEIRS_MAX && unw_step(&cursor) > 0) {
        unw_word_t ip, sp;
        unw_get_reg(&cursor, UNW_REG_IP, &ip);
        unw_get_reg(&cursor, UNW_REG_SP, &sp);
        begun = begun || (ip == start.pc && sp == start.sp);
        if (begun && ip)
            theirs[count++] = ip;
    }
    int ok = agrees(&r, theirs, count) && (group_end < 0 || (int)r.end == group_end) &&
             repeats(&start, &r);
    if (!ok || (getenv("UNWIND_SHORT") && r.count < count && r.end != REGION_END_BOUND))
        complain(&r, theirs, count);
    __atomic_fetch_add(&group.samples, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&group.agreed, ok, __ATOMIC_RELAXED);
    __atomic_fetch_add(&group.frames, r.count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&group.ends[r.end], 1, __ATOMIC_RELAXED);
}

CHECK_NOINLINE void check_sometimes(unsigned every) {
    if (++turn % every == 0)
        check_sample();
    CHECK_KEEP();
}
