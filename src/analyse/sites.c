/* Sums of one site over the threads that allocated there. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static bool is_wanted(const struct profile_process *p, const struct profile_cell *cell,
                      const struct analyse_options *options) {
    return !options->one_thread || (!cell->shared && p->threads[cell->thread].tid == options->tid);
}

static uint64_t add_up_to(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add_cell(struct analyse_sums *sums, const struct profile_cell *cell) {
    sums->allocs += cell->allocs;
    sums->frees += cell->frees;
    sums->bytes += cell->bytes;
    sums->freed_bytes += cell->freed_bytes;
    sums->live_bytes += cell->live_bytes;
    sums->live_blocks += cell->live_blocks;
    sums->remote_frees += cell->remote_frees;
    sums->allocator_ns += cell->allocator_ns;
    sums->samples += cell->samples;
    sums->estimated |= cell->sampled;
    sums->torn |= cell->torn;
}

static void add_ratio(struct analyse_ratio *ratio, uint64_t count, double min, double max,
                      double mean) {
    if (count == 0)
        return;
    if (ratio->count == 0 || min < ratio->min)
        ratio->min = min;
    if (ratio->count == 0 || max > ratio->max)
        ratio->max = max;
    ratio->mean = (ratio->mean * (double)ratio->count + mean * (double)count) /
                  ((double)ratio->count + (double)count);
    ratio->count += count;
}

static void add_large(struct analyse_site *site, const struct profile_large *from) {
    struct profile_large *to = &site->large;
    if (from->allocs == 0)
        return;
    if (to->allocs == 0 || from->size_min < to->size_min)
        to->size_min = from->size_min;
    if (from->size_max > to->size_max)
        to->size_max = from->size_max;
    to->allocs += from->allocs;
    to->frees += from->frees;
    to->bytes += from->bytes;
    to->freed_bytes += from->freed_bytes;
    to->transient += from->transient;
    to->transient_bytes += from->transient_bytes;
    to->mmapped += from->mmapped;
    to->reused += from->reused;
    to->served += from->served;
    to->workspace_allocs += from->workspace_allocs;
    to->workspace_bytes += from->workspace_bytes;
    to->output_allocs += from->output_allocs;
    to->output_bytes += from->output_bytes;
    to->input_allocs += from->input_allocs;
    to->input_bytes += from->input_bytes;
    to->grown += from->grown;
    to->handed_over += from->handed_over;
    to->served_source_bytes += from->served_source_bytes;
    to->served_produced_bytes += from->served_produced_bytes;
    add_ratio(&site->source_ratio, from->source_ratio_count, from->source_ratio_min,
              from->source_ratio_max, from->source_ratio_mean);
    add_ratio(&site->produced_ratio, from->produced_ratio_count, from->produced_ratio_min,
              from->produced_ratio_max, from->produced_ratio_mean);
}

/* Parts of a site may have served different calls: the one that used most bytes stands for all. */
static void set_served_call(struct analyse_site *site, const struct profile_process *p,
                            const struct analyse_options *options) {
    const struct profile_site *from = site->site;
    uint64_t most = 0;
    for (uint32_t i = 0; i < from->cell_count; i++) {
        const struct profile_cell *cell = &p->cells[from->first_cell + i];
        const struct profile_large *large = &cell->large;
        uint64_t used = add_up_to(large->output_bytes, large->input_bytes);
        if (!is_wanted(p, cell, options) || !large->served_call ||
            (site->large.served_call && used <= most))
            continue;
        most = used;
        site->large.served_call = large->served_call;
    }
}

static void add_spread(struct analyse_spread *spread, uint64_t min, uint64_t max) {
    if (!spread->known || min < spread->min)
        spread->min = min;
    if (!spread->known || max > spread->max)
        spread->max = max;
    spread->known = true;
}

/* Peaks of several cells were reached at different times: their sum is only a bound. */
struct peaks {
    uint64_t exact, sampled; /* sums of peaks by kind of cell */
    uint64_t exact_bytes, large_bytes;
    uint32_t exact_cells, sampled_cells;
    bool shared;
};

static void add_peak(struct peaks *peaks, const struct profile_cell *cell) {
    if (cell->sampled) {
        peaks->sampled = add_up_to(peaks->sampled, cell->peak_bytes);
        peaks->sampled_cells++;
    } else {
        peaks->exact = add_up_to(peaks->exact, cell->peak_bytes);
        peaks->exact_bytes += cell->bytes;
        peaks->large_bytes += cell->large.bytes;
        peaks->exact_cells++;
    }
    peaks->shared |= cell->shared;
}

/* `large_peak` is the site's own peak of blocks from `large` up over all threads, which is exact;
 * 0 when it is not about the same blocks. */
static void set_peak(struct analyse_sums *sums, const struct peaks *peaks, uint64_t large_peak) {
    uint64_t exact = peaks->exact;
    bool bound = peaks->exact_cells > 1 || peaks->shared;
    if (bound && large_peak && peaks->exact_bytes == peaks->large_bytes) {
        exact = large_peak;
        bound = peaks->shared && peaks->sampled_cells;
    }
    bound |= peaks->sampled_cells > 1 || (peaks->exact_cells && peaks->sampled_cells);
    sums->peak_bytes = add_up_to(exact, peaks->sampled);
    if (bound && sums->peak_bytes > sums->bytes)
        sums->peak_bytes = sums->bytes;
    sums->peak_is_upper_bound = bound;
}

static int by_thread(const void *a, const void *b) {
    const struct analyse_row *x = a, *y = b;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    return (int)x->shared - (int)y->shared;
}

static int by_bytes(const void *a, const void *b) {
    const struct analyse_row *x = a, *y = b;
    if (x->sums.bytes != y->sums.bytes)
        return x->sums.bytes > y->sums.bytes ? -1 : 1;
    return by_thread(a, b);
}

/* A thread has an exact and a sampled cell where small and large blocks come from one place. */
static void merge_row(struct analyse_row *to, const struct analyse_row *from) {
    struct analyse_sums *a = &to->sums;
    const struct analyse_sums *b = &from->sums;
    a->allocs += b->allocs;
    a->frees += b->frees;
    a->bytes += b->bytes;
    a->freed_bytes += b->freed_bytes;
    a->live_bytes += b->live_bytes;
    a->live_blocks += b->live_blocks;
    a->remote_frees += b->remote_frees;
    a->allocator_ns += b->allocator_ns;
    a->samples += b->samples;
    a->estimated |= b->estimated;
    a->torn |= b->torn;
    a->peak_bytes = add_up_to(a->peak_bytes, b->peak_bytes);
    a->peak_is_upper_bound = true;
}

static int make_rows(struct analyse_site *site, const struct profile_process *p,
                     const struct analyse_options *options) {
    const struct profile_site *from = site->site;
    uint32_t count = 0, kept = 0;
    struct analyse_row *rows = calloc(from->cell_count, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    for (uint32_t i = 0; i < from->cell_count; i++) {
        const struct profile_cell *cell = &p->cells[from->first_cell + i];
        if (!is_wanted(p, cell, options))
            continue;
        struct analyse_row *row = &rows[count++];
        row->thread = cell->thread;
        row->shared = cell->shared;
        add_cell(&row->sums, cell);
        row->sums.peak_bytes = cell->peak_bytes;
        row->sums.peak_is_upper_bound = cell->shared;
    }
    qsort(rows, count, sizeof(*rows), by_thread);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && by_thread(&rows[kept - 1], &rows[i]) == 0)
            merge_row(&rows[kept - 1], &rows[i]);
        else
            rows[kept++] = rows[i];
    }
    qsort(rows, kept, sizeof(*rows), by_bytes);
    site->rows = rows;
    site->row_count = kept;
    return 0;
}

/* No mean is beyond what it is the mean of, but sums may be rounded, or read, or left by a kill,
 * one before the other. */
static double within(const struct analyse_spread *s, double mean) {
    double min = (double)s->min, max = (double)s->max;
    return !s->known ? mean : mean < min ? min : mean > max ? max : mean;
}

static void set_spreads(struct analyse_site *site, const struct profile_process *p,
                        uint64_t life_count, double life_sum) {
    const struct profile_site *from = site->site;
    if (site->sums.allocs)
        site->size.mean = within(&site->size, (double)site->sums.bytes / (double)site->sums.allocs);
    if (life_count)
        site->life.mean = life_sum / (double)life_count;
    if (site->sums.torn)
        site->life.mean = within(&site->life, site->life.mean);
    analyse_spread_quantiles(&site->size, from->size_classes, 1);
    analyse_spread_quantiles(&site->life, from->life_classes, p->ticks_per_ns);
}

bool analyse_sites_sum(struct analyse_site *site, const struct analysis *a,
                       const struct profile_site *from, const struct analyse_options *options,
                       int *error) {
    const struct profile_process *p = a->process;
    struct peaks peaks = {0};
    uint64_t life_count = 0;
    double life_sum = 0;
    *site = (struct analyse_site){.site = from};
    for (uint32_t i = 0; i < from->cell_count; i++) {
        const struct profile_cell *cell = &p->cells[from->first_cell + i];
        if (!is_wanted(p, cell, options))
            continue;
        add_cell(&site->sums, cell);
        add_large(site, &cell->large);
        add_peak(&peaks, cell);
        if (cell->samples || cell->allocs)
            add_spread(&site->size, cell->size_min, cell->size_max);
        if (cell->life.count) {
            add_spread(&site->life, cell->life.min, cell->life.max);
            life_count += cell->life.count;
            life_sum += (double)cell->life.sum;
        }
    }
    if ((site->sums.allocs == 0 && site->sums.samples == 0) || site->size.max < options->min_size)
        return false;
    set_peak(&site->sums, &peaks, options->one_thread ? 0 : from->large_peak);
    set_spreads(site, p, life_count, life_sum);
    set_served_call(site, p, options);
    analyse_codec_set(site, p);
    if (a->seconds > 0) {
        site->bytes_per_second = (double)site->sums.bytes / a->seconds;
        site->allocs_per_second = (double)site->sums.allocs / a->seconds;
    }
    *error = make_rows(site, p, options);
    return *error == 0;
}

/* ---- order: the key, then bytes, then the row, so that it is the same every time ---- */

static int descending(double a, double b) {
    return a > b ? -1 : a < b;
}

static int tie(const struct analyse_site *x, const struct analyse_site *y) {
    if (x->sums.bytes != y->sums.bytes)
        return x->sums.bytes > y->sums.bytes ? -1 : 1;
    return x->site->id < y->site->id ? -1 : x->site->id > y->site->id;
}

#define ORDER(name, key)                                            \
    static int name(const void *a, const void *b) {                 \
        const struct analyse_site *x = a, *y = b;                   \
        int order = descending((double)(x->key), (double)(y->key)); \
        return order ? order : tie(x, y);                           \
    }
ORDER(sites_by_allocs, sums.allocs)
ORDER(sites_by_peak, sums.peak_bytes)
ORDER(sites_by_lifetime, life.mean)
ORDER(sites_by_time, sums.allocator_ns)

static int sites_by_bytes(const void *a, const void *b) {
    return tie(a, b);
}

void analyse_sites_sort(struct analyse_site *sites, uint32_t count, enum analyse_sort sort) {
    static int (*const orders[])(const void *, const void *) = {
        [ANALYSE_BY_BYTES] = sites_by_bytes, [ANALYSE_BY_ALLOCS] = sites_by_allocs,
        [ANALYSE_BY_PEAK] = sites_by_peak,   [ANALYSE_BY_LIFETIME] = sites_by_lifetime,
        [ANALYSE_BY_TIME] = sites_by_time,
    };
    if (count)
        qsort(sites, count, sizeof(*sites), orders[sort]);
}
