/* The last seconds of a process. */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define KEEP_NS 1000000000ull
#define SAMPLE_NS 100000000ull

static uint64_t age_ns(const struct watch *w) {
    return analyse_whole(watch_seconds(w) * 1e9);
}

void watch_history_free(struct watch_history *h) {
    for (uint32_t i = 0; i < WATCH_HISTORY; i++)
        profile_counters_free(&h->kept[i]);
    watch_change_free(&h->change);
    memset(h, 0, sizeof *h);
}

static void add_sample(struct watch_history *h, uint64_t ns, uint64_t large_bytes) {
    if (h->sample_count && ns < h->samples[h->sample_count - 1].ns + SAMPLE_NS)
        return;
    if (h->sample_count == WATCH_SAMPLES) {
        memmove(h->samples, h->samples + 1, (WATCH_SAMPLES - 1) * sizeof *h->samples);
        h->sample_count--;
    }
    h->samples[h->sample_count++] = (struct watch_sample){ns, large_bytes};
}

/* What was before we came: the region's own timeline, which counts the same bytes. */
static void add_timeline(struct watch_history *h, const struct watch *w) {
    const struct analysis *a = watch_analysis(w);
    if (!a || h->sample_count)
        return;
    const struct profile_process *p = a->process;
    uint32_t from = p->tick_count > WATCH_SAMPLES / 2 ? p->tick_count - WATCH_SAMPLES / 2 : 0;
    for (uint32_t i = from; i < p->tick_count; i++)
        add_sample(h, p->ticks[i].ns, p->ticks[i].allocated_bytes);
}

static struct profile_counters *at(struct watch_history *h, uint32_t i) {
    return &h->kept[(h->first + i) % WATCH_HISTORY];
}

int watch_history_add(struct watch_history *h, const struct watch *w) {
    const struct profile_counters *c = watch_counters(w);
    uint64_t key = profile_region_number(watch_found(w));
    if (h->key != key) {
        watch_history_free(h);
        h->key = key;
    }
    add_timeline(h, w);
    add_sample(h, age_ns(w), c->large_bytes);
    int status = 0;
    if (h->count)
        status = watch_change_between(&h->change, at(h, 0), c);
    if (status || (h->count && c->raw_ns < at(h, h->count - 1)->raw_ns + KEEP_NS))
        return status;
    if (h->count == WATCH_HISTORY) {
        h->first = (h->first + 1) % WATCH_HISTORY;
        h->count--;
    }
    status = profile_counters_copy(at(h, h->count), c);
    if (status == 0)
        h->count++;
    return status;
}

/* Large bytes at an age, between two samples in proportion. */
static double bytes_at(const struct watch_history *h, double ns) {
    const struct watch_sample *s = h->samples;
    uint32_t low = 0, high = h->sample_count;
    if (high == 0 || ns <= (double)s[0].ns)
        return high ? (double)s[0].large_bytes : 0;
    if (ns >= (double)s[high - 1].ns)
        return (double)s[high - 1].large_bytes;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if ((double)s[middle].ns <= ns)
            low = middle;
        else
            high = middle;
    }
    double part = (ns - (double)s[low].ns) / (double)(s[high].ns - s[low].ns);
    return (double)s[low].large_bytes +
           part * ((double)s[high].large_bytes - (double)s[low].large_bytes);
}

uint64_t watch_history_bins(const struct watch_history *h, double seconds, uint64_t *bins,
                            uint32_t count) {
    double end = h->sample_count ? (double)h->samples[h->sample_count - 1].ns : 0;
    double width = seconds * 1e9 / (count ? count : 1), from = end - seconds * 1e9;
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        double start = from + width * i;
        double grew = bytes_at(h, start + width) - bytes_at(h, start);
        bins[i] = analyse_whole(grew);
        most = bins[i] > most ? bins[i] : most;
    }
    return most;
}
