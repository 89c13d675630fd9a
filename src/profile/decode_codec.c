/* What codec calls left behind: calls with their messages by size and by calls at once, contexts;
 * and the mappings that malloc does not account for. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* The rows of one (function, stack), each of another thread, are added up in the first of them;
 * nested calls have rows of their own. The
 * blocks of sums are taken from pools as large as the tables: in a sound file no two calls share a
 * block, so there is room for all; where they do, the later ones get nothing, and what we take
 * stays bounded by what is in the file. */
struct sums {
    struct region_codec_call call;
    struct region_codec_size *sizes;   /* REGION_SIZE_CLASSES, NULL = none */
    struct region_concurrency *levels; /* REGION_LEVELS, likewise */
};

struct decoder {
    struct profile_process *p;
    const struct region_view *view;
    struct arena *arena;
    struct sums *sums; /* by row */
    struct region_codec_size *sizes;
    struct region_concurrency *levels;
    uint64_t sizes_left, levels_left; /* blocks */
};

/* System calls' figures are of calls that took timed_ticks; all of them took `ticks`. A live region
 * may be read between the two adds: never less than what was measured. */
static uint64_t scale(uint64_t value, uint64_t ticks, uint64_t timed_ticks) {
    if (timed_ticks == 0)
        return 0;
    if (ticks <= timed_ticks)
        return value;
    double scaled = (double)value * ((double)ticks / (double)timed_ticks) + 0.5;
    return scaled < 18446744073709549568.0 ? (uint64_t)scaled : UINT64_MAX;
}

/* No call computes for longer than it takes. Measured it may seem so: what measuring takes is in
 * it, which of a call of a microsecond is most. */
static uint64_t scale_cpu(uint64_t cpu_ns, uint64_t ticks, uint64_t timed_ticks, uint64_t ns) {
    uint64_t scaled = scale(cpu_ns, ticks, timed_ticks);
    return scaled < ns ? scaled : ns;
}

static bool holds_block(const struct region_view *view, enum region_table table, uint64_t first,
                        uint64_t count) {
    return view->used[table] >= count && first <= view->used[table] - count;
}

static void decode_size(const struct profile_process *p, const struct region_codec_size *row,
                        uint32_t class, struct profile_codec_size *size) {
    uint64_t ns = clock_ns(p->ticks_per_ns, row->ticks);
    *size = (struct profile_codec_size){
        .from = class ? 1ull << (class - 1) : 0,
        .to = 1ull << class,
        .messages = row->messages,
        .source_bytes = row->source_bytes,
        .produced_bytes = row->produced_bytes,
        .ns = ns,
        .cpu_ns = scale_cpu(row->cpu_ns, row->ticks, row->timed_ticks, ns),
        .page_faults = scale(row->page_faults, row->ticks, row->timed_ticks),
        .context_switches = scale(row->context_switches, row->ticks, row->timed_ticks),
    };
}
_Static_assert(REGION_SIZE_CLASSES < 64, "a class begins and ends within 64 bits");

/* Level n up to 32 stands in row n - 1, above that eight levels share a row. */
static uint32_t level_of(uint32_t row) {
    return row < 32 ? row + 1 : 33 + (row - 32) * 8;
}

static int keep_sizes(const struct decoder *d, const struct region_codec_size *rows,
                      struct profile_codec_call *call) {
    struct profile_codec_size *kept = arena_take_array(d->arena, REGION_SIZE_CLASSES, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    call->sizes = kept;
    for (uint32_t class = 0; class < REGION_SIZE_CLASSES; class ++)
        if (rows[class].messages)
            decode_size(d->p, &rows[class], class, &kept[call->size_count++]);
    return 0;
}

static int keep_levels(const struct decoder *d, const struct region_concurrency *rows,
                       const struct profile_concurrency **levels, uint32_t *count) {
    struct profile_concurrency *kept = arena_take_array(d->arena, REGION_LEVELS, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *levels = kept;
    for (uint32_t i = 0; i < REGION_LEVELS; i++) {
        uint64_t ns = clock_ns(d->p->ticks_per_ns, rows[i].ticks);
        if (rows[i].calls || rows[i].wall_ticks)
            kept[(*count)++] = (struct profile_concurrency){
                .level = level_of(i),
                .calls = rows[i].calls,
                .source_bytes = rows[i].source_bytes,
                .ns = ns,
                .cpu_ns = scale_cpu(rows[i].cpu_ns, rows[i].ticks, rows[i].timed_ticks, ns),
                .wall_ns = clock_ns(d->p->ticks_per_ns, rows[i].wall_ticks),
                .flow_bytes = rows[i].flow_bytes,
            };
    }
    return 0;
}

/* ---- adding up ---- */

/* Adds `count` rows of a table to `to`, word by word: they are nothing but sums. */
static bool add_block(const struct region_view *view, enum region_table table, uint64_t first,
                      uint64_t count, uint64_t row_size, void *to) {
    if (!holds_block(view, table, first, count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t *from = region_view_row(view, table, first + i);
        uint64_t *words = (uint64_t *)to + i * row_size / sizeof(uint64_t);
        for (uint64_t w = 0; w < row_size / sizeof(uint64_t); w++)
            words[w] += from[w];
    }
    return true;
}

static void add_sizes(struct decoder *d, struct sums *to, uint32_t first) {
    if (!first || (!to->sizes && !d->sizes_left))
        return;
    if (!to->sizes) {
        to->sizes = d->sizes;
        d->sizes += REGION_SIZE_CLASSES;
        d->sizes_left--;
    }
    add_block(d->view, REGION_CODEC_SIZES, first, REGION_SIZE_CLASSES,
              sizeof(struct region_codec_size), to->sizes);
}

/* The first block is the process's own; a call that names a row of it names nothing. */
static void add_levels(struct decoder *d, struct sums *to, struct region_concurrency *all,
                       uint32_t first) {
    if (first < REGION_LEVELS || (!to->levels && !d->levels_left))
        return;
    if (!to->levels) {
        to->levels = d->levels;
        d->levels += REGION_LEVELS;
        d->levels_left--;
    }
    if (add_block(d->view, REGION_CONCURRENCY, first, REGION_LEVELS,
                  sizeof(struct region_concurrency), to->levels))
        add_block(d->view, REGION_CONCURRENCY, first, REGION_LEVELS,
                  sizeof(struct region_concurrency), all);
}

static void add_call(struct region_codec_call *to, const struct region_codec_call *row) {
    to->calls += row->calls;
    to->nested += row->nested;
    to->failures += row->failures;
    to->source_bytes += row->source_bytes;
    to->produced_bytes += row->produced_bytes;
    to->output_capacity += row->output_capacity;
    to->ticks += row->ticks;
    to->cpu_ns += row->cpu_ns;
    to->page_faults += row->page_faults;
    to->context_switches += row->context_switches;
    to->timed += row->timed;
    to->timed_ticks += row->timed_ticks;
    to->thread += row->calls > 0; /* how many, from here on */
    to->left += row->left;
    to->messages += row->messages;
}

static const struct region_codec_call *call_row(const struct region_view *view, uint32_t i) {
    return region_view_row(view, REGION_CODEC_CALLS, i);
}

static int by_place(const void *a, const void *b, void *data) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const struct region_codec_call *x = call_row(data, i), *y = call_row(data, k);
    if (x->function != y->function)
        return x->function < y->function ? -1 : 1;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    if (!x->nested != !y->nested)
        return x->nested ? 1 : -1;
    return i < k ? -1 : i > k;
}

static uint32_t function_of(const struct profile_process *p, uint32_t row) {
    return row < p->codec_function_count ? row : 0;
}

static uint32_t stack_of(const struct profile_process *p, uint64_t row) {
    return row < p->stack_count ? (uint32_t)row : 0;
}

static int decode_call(struct decoder *d, uint32_t i) {
    struct profile_codec_call *call = &d->p->codec_calls[i];
    const struct sums *sums = &d->sums[i];
    const struct region_codec_call *row = &sums->call;
    /* Of all calls the figures are exact: no way round through doubles. */
    bool whole = row->timed >= row->calls;
    uint64_t ticks = row->ticks, timed = row->timed_ticks;
    call->function = function_of(d->p, row->function);
    call->stack = stack_of(d->p, row->stack);
    call->calls = row->calls;
    call->nested = row->nested;
    call->failures = row->failures;
    call->left = row->left;
    call->messages = row->messages;
    call->source_bytes = row->source_bytes;
    call->produced_bytes = row->produced_bytes;
    call->output_capacity = row->output_capacity;
    call->ns = clock_ns(d->p->ticks_per_ns, ticks);
    call->cpu_ns = scale_cpu(row->cpu_ns, ticks, whole ? ticks : timed, call->ns);
    call->page_faults = whole ? row->page_faults : scale(row->page_faults, ticks, timed);
    call->context_switches =
        whole ? row->context_switches : scale(row->context_switches, ticks, timed);
    call->timed = row->timed;
    call->threads = row->thread;
    if (sums->sizes && keep_sizes(d, sums->sizes, call))
        return -ENOMEM;
    return sums->levels ? keep_levels(d, sums->levels, &call->levels, &call->level_count) : 0;
}

/* Row 0 is the overflow row and no call. */
static int add_up(struct decoder *d, uint32_t *order, uint32_t rows,
                  struct region_concurrency *all) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < rows; i++)
        order[i] = i;
    qsort_r(order, rows, sizeof *order, by_place, (void *)(uintptr_t)d->view);
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_codec_call *row = call_row(d->view, order[i]);
        const struct region_codec_call *to = i ? call_row(d->view, first) : row;
        bool is_other =
            row->function != to->function || row->stack != to->stack || !row->nested != !to->nested;
        if (is_other || i == 0) {
            first = order[i];
            d->sums[first].call.function = row->function;
            d->sums[first].call.stack = row->stack;
        }
        d->p->codec_calls[order[i]].same_as = first;
        add_call(&d->sums[first].call, row);
        add_sizes(d, &d->sums[first], row->sizes);
        add_levels(d, &d->sums[first], all, row->concurrency);
    }
    for (uint32_t i = 0; i < rows; i++)
        if (d->p->codec_calls[i].same_as == i && decode_call(d, i))
            return -ENOMEM;
    return keep_levels(d, all, &d->p->levels, &d->p->level_count);
}

static int decode_calls(struct profile_process *p, const struct region_view *view,
                        struct arena *arena) {
    uint32_t rows = (uint32_t)view->used[REGION_CODEC_CALLS];
    struct decoder d = {p, view, arena,
                        .sizes_left = view->used[REGION_CODEC_SIZES] / REGION_SIZE_CLASSES,
                        .levels_left = view->used[REGION_CONCURRENCY] / REGION_LEVELS};
    struct region_codec_size *sizes = calloc(view->used[REGION_CODEC_SIZES] + 1, sizeof *sizes);
    struct region_concurrency *levels = calloc(view->used[REGION_CONCURRENCY] + 1, sizeof *levels);
    struct region_concurrency *all = calloc(REGION_LEVELS, sizeof *all);
    uint32_t *order = calloc((size_t)rows + 1, sizeof *order);
    int error = -ENOMEM;
    d.sizes = sizes;
    d.levels = levels;
    d.sums = calloc((size_t)rows + 1, sizeof *d.sums);
    p->codec_call_count = rows ? rows : 1;
    p->codec_calls = arena_take_array(arena, p->codec_call_count, sizeof *p->codec_calls);
    if (!sizes || !levels || !all || !order || !d.sums || !p->codec_calls)
        goto cleanup;
    add_block(view, REGION_CONCURRENCY, 0, REGION_LEVELS, sizeof *all, all);
    error = add_up(&d, order, rows, all);
cleanup:
    free(sizes);
    free(levels);
    free(all);
    free(order);
    free(d.sums);
    return error;
}

uint32_t decode_call_of(const struct profile_process *p, uint32_t row) {
    return row < p->codec_call_count ? p->codec_calls[row].same_as : 0;
}

static int decode_contexts(struct profile_process *p, const struct region_view *view,
                           struct arena *arena) {
    uint32_t rows = (uint32_t)view->used[REGION_CONTEXTS];
    p->context_count = rows ? rows : 1;
    p->contexts = arena_take_array(arena, p->context_count, sizeof *p->contexts);
    if (!p->contexts)
        return -ENOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_context *row = region_view_row(view, REGION_CONTEXTS, i);
        p->contexts[i] = (struct profile_context){
            .function = function_of(p, row->function),
            .stack = stack_of(p, row->stack),
            .created = row->created,
            .ended = row->ended,
            .single = row->single,
            .messages = row->messages,
            .calls = row->calls,
            .source_bytes = row->source_bytes,
        };
    }
    return 0;
}

static int decode_anons(struct profile_process *p, const struct region_view *view,
                        struct arena *arena) {
    uint32_t rows = (uint32_t)view->used[REGION_ANON];
    p->anon_count = rows ? rows : 1;
    p->anons = arena_take_array(arena, p->anon_count, sizeof *p->anons);
    if (!p->anons)
        return -ENOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        const struct region_anon *row = region_view_row(view, REGION_ANON, i);
        p->anons[i] = (struct profile_anon){
            .stack = stack_of(p, row->stack),
            .maps = row->maps,
            .unmaps = row->unmaps,
            .bytes = row->bytes,
            .unmapped_bytes = row->unmapped_bytes,
        };
    }
    return 0;
}

int decode_codec(struct profile_process *p, struct memory *memory) {
    const struct region_view *view = &memory->image.view;
    struct arena *arena = &memory->arena;
    if (decode_calls(p, view, arena) || decode_contexts(p, view, arena) ||
        decode_anons(p, view, arena))
        return -ENOMEM;
    return 0;
}
