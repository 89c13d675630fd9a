/* What sums grew by between two reads. A sum that a reader caught between two stores may seem to
 * shrink by an operation: that is no growth, and made good by the next read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

static uint64_t growth(uint64_t from, uint64_t to) {
    return to > from ? to - from : 0;
}

#define GROW(field) (to->field = growth(from->field, to->field))

static void grow_sums(struct profile_counters *to, const struct profile_counters *from) {
    GROW(allocs);
    GROW(frees);
    GROW(bytes);
    GROW(freed_bytes);
    GROW(allocator_ticks);
    GROW(large_allocs);
    GROW(large_bytes);
    GROW(codec_bytes);
    GROW(inherited_frees);
    GROW(untracked_frees);
    for (unsigned i = 0; i < ARRAY_SIZE(to->lost); i++)
        GROW(lost[i]);
}

static void grow_site(struct profile_count_site *to, const struct profile_count_site *from) {
    GROW(allocs);
    GROW(frees);
    GROW(bytes);
    GROW(freed_bytes);
    GROW(samples);
    GROW(allocator_ticks);
}

static void grow_thread(struct profile_count_thread *to, const struct profile_count_thread *from) {
    GROW(allocs);
    GROW(frees);
    GROW(bytes);
}

static void grow_function(struct profile_count_function *to,
                          const struct profile_count_function *from) {
    GROW(calls);
    GROW(nested);
    GROW(failures);
    GROW(source_bytes);
    GROW(produced_bytes);
    GROW(ticks);
}

int watch_change_between(struct watch_change *change, const struct profile_counters *from,
                         const struct profile_counters *to) {
    struct profile_counters *grew = &change->grew;
    int status = profile_counters_copy(grew, to);
    if (status)
        return status;
    change->seconds = (double)growth(from->raw_ns, to->raw_ns) / 1e9;
    change->live_bytes = (int64_t)(to->live_bytes - from->live_bytes);
    grow_sums(grew, from);
    for (uint32_t i = 0; i < grew->site_count && i < from->site_count; i++)
        grow_site(&grew->sites[i], &from->sites[i]);
    for (uint32_t i = 0; i < grew->thread_count && i < from->thread_count; i++)
        grow_thread(&grew->threads[i], &from->threads[i]);
    for (uint32_t i = 0; i < grew->function_count && i < from->function_count; i++)
        grow_function(&grew->functions[i], &from->functions[i]);
    return 0;
}

void watch_change_free(struct watch_change *change) {
    profile_counters_free(&change->grew);
    memset(change, 0, sizeof *change);
}
