/* Sites and cells: the sums by (stack, thread). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* What is taken away from what was given, never below nothing: a reader may see the one later
 * than the other. */
static uint64_t left(uint64_t given, uint64_t taken) {
    return given > taken ? given - taken : 0;
}

/* A peak is stored after the sums that made it: a kill may come between, or a reader. */
static uint64_t at_least(uint64_t peak, uint64_t live) {
    return (int64_t)live > 0 && live > peak ? live : peak;
}

static uint64_t add(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* A range is stored after the sums of what it is about: of a first one that a kill cut in two only
 * the sums tell. */
static void complete_range(uint64_t *min, uint64_t *max, uint64_t sum, uint64_t count) {
    if (*max && *min != UINT64_MAX)
        return;
    *min = *max = count ? sum / count : sum;
}

static uint64_t whole_blocks(uint64_t units) {
    return units / REGION_SAMPLED_UNIT + (units % REGION_SAMPLED_UNIT >= REGION_SAMPLED_UNIT / 2);
}

static double ratio(uint64_t fixed) {
    return (double)fixed / 65536.0;
}

/* `inverted`: the complement of a smallest value, 0 = there was none. */
static uint64_t upright(uint64_t inverted) {
    return inverted ? ~inverted : 0;
}

static void decode_large(const struct profile_process *p, const struct region_large *row,
                         struct profile_large *large) {
    *large = (struct profile_large){
        .allocs = row->allocs,
        .frees = row->frees,
        .bytes = row->bytes,
        .freed_bytes = row->freed_bytes,
        .size_min = upright(row->size_min_inverted),
        .size_max = row->size_max,
        .transient = row->transient,
        .transient_bytes = row->transient_bytes,
        .mmapped = row->mmapped,
        .reused = row->reused,
        .served = row->served,
        .workspace_allocs = row->workspace_allocs,
        .workspace_bytes = row->workspace_bytes,
        .output_allocs = row->output_allocs,
        .output_bytes = row->output_bytes,
        .input_allocs = row->input_allocs,
        .input_bytes = row->input_bytes,
        .source_ratio_count = row->source_ratio_count,
        .produced_ratio_count = row->produced_ratio_count,
        .grown = row->grown,
        .handed_over = row->handed_over,
        .served_source_bytes = row->served_source_bytes,
        .served_produced_bytes = row->served_produced_bytes,
        .served_call = decode_call_of(p, row->served_call),
    };
    complete_range(&large->size_min, &large->size_max, large->bytes, large->allocs);
    if (row->source_ratio_count) {
        large->source_ratio_min = ratio(upright(row->source_ratio_min_inverted));
        large->source_ratio_max = ratio(row->source_ratio_max);
        large->source_ratio_mean = ratio(row->source_ratio_sum) / (double)row->source_ratio_count;
    }
    if (row->produced_ratio_count) {
        large->produced_ratio_min = ratio(upright(row->produced_ratio_min_inverted));
        large->produced_ratio_max = ratio(row->produced_ratio_max);
        large->produced_ratio_mean =
            ratio(row->produced_ratio_sum) / (double)row->produced_ratio_count;
    }
}

/* Lives of blocks freed by their own thread and by others, taken together. */
static void decode_life(double ticks_per_ns, const struct region_cell *row,
                        const struct region_remote *remote, struct profile_life *life) {
    uint64_t min = row->freed_samples ? row->life_min : UINT64_MAX, max = row->life_max;
    if (remote->freed_samples) {
        uint64_t remote_min = upright(remote->life_min_inverted);
        min = remote_min < min ? remote_min : min;
        max = remote->life_max > max ? remote->life_max : max;
    }
    life->count = add(row->freed_samples, remote->freed_samples);
    if (life->count == 0)
        return;
    uint64_t sum = add(row->life_sum, remote->life_sum);
    complete_range(&min, &max, sum, life->count);
    life->min = clock_ns(ticks_per_ns, min);
    life->max = clock_ns(ticks_per_ns, max);
    life->sum = clock_ns(ticks_per_ns, sum);
}

static void decode_cell(const struct profile_process *p, const struct region_view *view,
                        uint32_t number, const struct region_cell *row, struct profile_cell *cell) {
    static const struct region_remote nothing;
    const struct region_remote *remote = region_view_row(view, REGION_REMOTE, number);
    const struct region_large *large =
        row->large ? region_view_row(view, REGION_LARGE, row->large) : NULL;
    if (!remote)
        remote = &nothing;
    *cell = (struct profile_cell){
        .thread = row->thread < p->thread_count ? row->thread : 0,
        .sampled = row->kind == REGION_CELL_SAMPLED,
        .shared = row->thread == 0,
        .torn = row->sequence & 1,
        .allocs = row->allocs,
        .frees = add(row->frees, remote->frees),
        .remote_frees = remote->frees,
        .bytes = row->bytes,
        .freed_bytes = add(row->freed_bytes, remote->freed_bytes),
        .peak_bytes = row->peak_bytes,
        .peak_is_bound = row->thread == 0 || (row->flags & REGION_CELL_PEAK_IS_BOUND),
        .size_min = row->size_min,
        .size_max = row->size_max,
        .samples = row->samples,
        .allocator_ns = clock_ns(p->ticks_per_ns, row->allocator_ticks),
    };
    complete_range(&cell->size_min, &cell->size_max, cell->bytes, cell->allocs);
    if (cell->sampled) {
        cell->allocs = whole_blocks(cell->allocs);
        cell->frees = whole_blocks(cell->frees);
        cell->remote_frees = whole_blocks(cell->remote_frees);
    }
    cell->live_bytes = left(cell->bytes, cell->freed_bytes);
    cell->peak_bytes = at_least(cell->peak_bytes, cell->live_bytes);
    cell->live_blocks = left(cell->allocs, cell->frees);
    decode_life(p->ticks_per_ns, row, remote, &cell->life);
    if (large)
        decode_large(p, large, &cell->large);
}

/* A row that was taken but not yet written, or never used. */
static bool is_blank(const struct region_cell *row) {
    return row->allocs == 0 && row->frees == 0 && row->bytes == 0 && row->freed_bytes == 0 &&
           row->samples == 0;
}

static uint32_t site_of(const struct profile_process *p, const struct region_cell *row) {
    return row->site < p->site_count ? row->site : 0;
}

static int by_bytes(const void *a, const void *b) {
    const struct profile_cell *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return (x->thread > y->thread) - (x->thread < y->thread);
}

/* Cells stand in the order of their making; here each site's lie together. */
static int decode_site_cells(struct profile_process *p, struct memory *memory) {
    const struct region_view *view = &memory->image.view;
    uint64_t rows = view->used[REGION_CELLS];
    uint32_t next = 0;
    for (uint64_t i = 0; i < rows; i++) {
        const struct region_cell *row = region_view_row(view, REGION_CELLS, i);
        if (is_blank(row))
            continue;
        p->sites[site_of(p, row)].cell_count++;
        p->cell_count++;
    }
    p->cells = arena_take_array(&memory->arena, p->cell_count, sizeof *p->cells);
    if (!p->cells)
        return -ENOMEM;
    for (uint32_t s = 0; s < p->site_count; s++) {
        p->sites[s].first_cell = next;
        next += p->sites[s].cell_count;
        p->sites[s].cell_count = 0;
    }
    for (uint64_t i = 0; i < rows; i++) {
        const struct region_cell *row = region_view_row(view, REGION_CELLS, i);
        if (is_blank(row))
            continue;
        struct profile_site *site = &p->sites[site_of(p, row)];
        struct profile_cell *cell = &p->cells[site->first_cell + site->cell_count++];
        decode_cell(p, view, (uint32_t)i, row, cell);
        p->torn += cell->torn;
    }
    for (uint32_t s = 0; s < p->site_count; s++)
        qsort(p->cells + p->sites[s].first_cell, p->sites[s].cell_count, sizeof *p->cells,
              by_bytes);
    return 0;
}

int decode_cells(struct profile_process *p, struct memory *memory) {
    const struct region_view *view = &memory->image.view;
    uint32_t rows = (uint32_t)view->used[REGION_SITES];
    p->site_count = rows ? rows : 1;
    p->sites = arena_take_array(&memory->arena, p->site_count, sizeof *p->sites);
    if (!p->sites)
        return -ENOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_site *row = region_view_row(view, REGION_SITES, i);
        const struct region_histogram *histogram =
            row->histogram ? region_view_row(view, REGION_HISTOGRAMS, row->histogram) : NULL;
        struct profile_site *site = &p->sites[i];
        site->id = i;
        site->stack = row->stack < p->stack_count ? row->stack : 0;
        site->runtime =
            row->runtime <= REGION_RUNTIME_GO ? row->runtime : (uint32_t)REGION_RUNTIME_C;
        site->codec_function =
            row->codec_function < p->codec_function_count ? row->codec_function : 0;
        site->codec_call = decode_call_of(p, row->codec_call);
        site->direction =
            row->direction <= REGION_DECOMPRESS ? row->direction : (uint32_t)REGION_DIRECTION_NONE;
        site->large_peak = at_least(row->large_peak, row->large_live);
        if (histogram) {
            site->size_classes = histogram->size;
            site->life_classes = histogram->life;
            site->allocator_classes = histogram->allocator;
        }
    }
    return decode_site_cells(p, memory);
}
