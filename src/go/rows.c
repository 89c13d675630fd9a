/* Rows of the region for Go: sites whose cells belong to no thread (goroutines migrate), so every
 * sum is atomic. The tables are the shim's, the indexes are the hook's own. */
#include <errno.h>

#include "hook.h"
#include "internal.h"

#define ROW(state, table, type, i) REGION_ROW(&(state)->region, table, type, i)
#define SITE(i) ROW(state, REGION_SITES, struct region_site, i)
#define CELL(i) ROW(state, REGION_CELLS, struct region_cell, i)
#define PROBES 64u
#define OVERFLOW_CELL 1u /* the exact one of site 0 */

/* ---- stacks ---- */

struct stack {
    uint64_t frames[REGION_FRAMES_MAX];
    uint32_t count, end;
    uint64_t hash;
};

/* Along the frame pointers, which Go's code keeps, within the goroutine's own stack. */
static void walk_stack(const struct go_walk *walk, struct stack *s) {
    uint64_t bp = walk->bp, last = walk->sp, hash = 0x676f;
    s->count = 0;
    s->end = REGION_END_OTHER_STACK;
    if (walk->sp < walk->low || walk->sp + 8 > walk->high)
        return;
    s->frames[s->count++] = *(const uint64_t *)walk->sp;
    while (s->end == REGION_END_OTHER_STACK && bp >= last && bp + 16 <= walk->high && bp % 8 == 0) {
        uint64_t pc = ((const uint64_t *)bp)[1];
        if (!pc || s->count == REGION_FRAMES_MAX) {
            s->end = pc ? REGION_END_BOUND : REGION_END_OUTERMOST;
            break;
        }
        s->frames[s->count++] = pc;
        last = bp + 16;
        bp = *(const uint64_t *)bp;
    }
    if (!bp)
        s->end = REGION_END_OUTERMOST;
    for (uint32_t i = 0; i < s->count; i++)
        hash = base_mix(hash ^ s->frames[i]) + i;
    s->hash = hash ? hash : 1;
}

static uint32_t make_stack(struct go_state *state, const struct stack *s) {
    struct region *r = &state->region;
    uint32_t row = region_take(r, REGION_STACKS, 1);
    uint32_t first = row && s->count ? region_take(r, REGION_FRAMES, s->count) : 0;
    if (!row || (s->count && !first)) {
        region_lose(r, REGION_LOST_STACKS, 1);
        return 0;
    }
    for (uint32_t i = 0; i < s->count; i++)
        *ROW(state, REGION_FRAMES, uint64_t, first + i) = s->frames[i];
    struct region_stack *to = ROW(state, REGION_STACKS, struct region_stack, row);
    to->first = first;
    to->count = (uint16_t)s->count;
    to->end = (uint8_t)s->end;
    to->module_event = RELAXED_LOAD(&r->header->module_event);
    __atomic_store_n(&to->hash, s->hash, __ATOMIC_RELEASE);
    return row;
}

/* ---- in which codec function ---- */

static const struct go_range *range_of(const struct go_state *state, uint64_t pc) {
    uint32_t low = 0, high = state->range_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->ranges[middle].start <= pc - 1)
            low = middle + 1;
        else
            high = middle;
    }
    return low && pc - 1 < state->ranges[low - 1].end ? &state->ranges[low - 1] : NULL;
}

/* The outermost call is the one that the program made. A block that the runtime made for a function
 * that compresses a whole message (make, append) is its result. */
static void classify(const struct go_state *state, const struct stack *stack,
                     struct region_site *s) {
    const struct go_range *range = NULL;
    for (uint32_t i = stack->count; i-- > 0 && !range;)
        range = range_of(state, stack->frames[i]);
    if (!range)
        return;
    s->codec_function = range->row;
    s->direction = range->direction;
    const struct go_range *owner = stack->count > 1 ? range_of(state, stack->frames[1]) : NULL;
    if (owner && owner->kind == CODEC_ONE_SHOT && owner->direction == CODEC_COMPRESS &&
        !range_of(state, stack->frames[0])) {
        s->go_flags |= REGION_GO_OUTPUT;
        if (stack->frames[0] - 1 - state->grow_start < state->grow_end - state->grow_start)
            s->go_flags |= REGION_GO_GROWN;
    }
}

/* ---- sites ---- */

/* All but what makes readers see it: another one may be the site of this stack in the end. */
static uint32_t make_site(struct go_state *state, const struct stack *stack) {
    struct region *r = &state->region;
    uint32_t stack_row = make_stack(state, stack);
    uint32_t row = stack_row ? region_take(r, REGION_SITES, 1) : 0;
    uint32_t cell = row ? region_take(r, REGION_CELLS, 1) : 0;
    if (!cell) {
        if (stack_row)
            region_lose(r, REGION_LOST_SITES, 1);
        return 0;
    }
    struct region_site *s = SITE(row);
    s->stack = stack_row;
    s->runtime = REGION_RUNTIME_GO;
    classify(state, stack, s);
    CELL(cell)->size_min = CELL(cell)->life_min = UINT64_MAX;
    CELL(cell)->flags = REGION_CELL_PEAK_IS_BOUND;
    s->shared_cell = cell;
    CELL(cell)->large = region_take(r, REGION_LARGE, 1);
    s->go = region_take(r, REGION_GO, 1);
    if (!CELL(cell)->large || !s->go)
        region_lose(r, REGION_LOST_LARGE, 1);
    return row;
}

static void publish_site(struct go_state *state, uint32_t row, uint64_t hash) {
    struct region_site *s = SITE(row);
    struct region_cell *c = CELL(s->shared_cell);
    if (c->large)
        ROW(state, REGION_LARGE, struct region_large, c->large)->cell = s->shared_cell;
    if (s->go)
        go_rows_go(state, row)->site = row;
    __atomic_store_n(&c->site, row, __ATOMIC_RELEASE);
    __atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
}

/* The slot of a hash, claimed by the first who comes. NULL = no room. */
#define FIND(name, table, size)                                                              \
    static __typeof__(&((struct go_state *)0)->table[0]) name(struct go_state *state,        \
                                                              uint64_t hash, bool *is_new) { \
        *is_new = false;                                                                     \
        for (uint32_t i = 0; i < PROBES; i++) {                                              \
            __typeof__(&state->table[0]) slot = &state->table[(hash + i) & ((size)-1)];      \
            uint64_t none = RELAXED_LOAD(&slot->hash);                                       \
            if (!none && __atomic_compare_exchange_n(&slot->hash, &none, hash, false,        \
                                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {  \
                *is_new = true;                                                              \
                return slot;                                                                 \
            }                                                                                \
            if (none == hash)                                                                \
                return slot;                                                                 \
        }                                                                                    \
        return NULL;                                                                         \
    }
FIND(find_site, sites, GO_INDEX)
FIND(find_call, call_rows, ARRAY_SIZE(state->call_rows))

/* Of the first few, who come at once, the one that makes the row is done in some microseconds,
 * unless it lost its processor, which can last: then the next one makes another row, and whose is
 * in the slot first is the one that counts. Nobody waits for anybody, and the other row stays
 * unseen. */
#define PAUSES 512u

static uint32_t wait_for(const uint32_t *row, bool is_maker) {
    uint32_t got = __atomic_load_n(row, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; !got && !is_maker && i < PAUSES; i++) {
        __asm__ volatile("pause");
        got = __atomic_load_n(row, __ATOMIC_ACQUIRE);
    }
    return got;
}

/* Puts it into the slot; `*is_ours`: it is the first. 0 = there is none, there was no room. */
static uint32_t settle(uint32_t *slot, uint32_t row, bool *is_ours) {
    uint32_t none = 0;
    *is_ours = __atomic_compare_exchange_n(slot, &none, row ? row : UINT32_MAX, false,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return *is_ours ? row : none == UINT32_MAX ? 0 : none;
}

uint32_t go_rows_site(struct go_state *state, const struct go_walk *walk) {
    struct stack stack;
    bool is_new, is_ours;
    walk_stack(walk, &stack);
    if (!stack.count)
        region_lose(&state->region, REGION_LOST_UNWIND, 1);
    __typeof__(&state->sites[0]) slot = stack.count ? find_site(state, stack.hash, &is_new) : NULL;
    if (!slot) {
        if (stack.count)
            region_lose(&state->region, REGION_LOST_SITES, 1);
        return 0;
    }
    uint32_t row = wait_for(&slot->row, is_new), made = 0;
    if (!row) {
        made = make_site(state, &stack);
        row = settle(&slot->row, made, &is_ours);
        if (row && is_ours)
            publish_site(state, row, stack.hash);
    } else if (row == UINT32_MAX) {
        made = 1; /* there was no room before: what came now is lost, too */
        row = 0;
    }
    if (!row && made)
        region_lose(&state->region, REGION_LOST_SITES, 1);
    return row;
}

struct region_go *go_rows_go(const struct go_state *state, uint32_t site) {
    return ROW(state, REGION_GO, struct region_go, SITE(site)->go);
}

/* ---- sums ---- */

static struct region_histogram *histogram_of(struct go_state *state, struct region_site *s,
                                             uint32_t site) {
    uint32_t row = __atomic_load_n(&s->histogram, __ATOMIC_ACQUIRE);
    if (!row) {
        if (RELAXED_LOAD(&s->events) > REGION_HISTOGRAM_EVENTS ||
            RELAXED_ADD(&s->events, 1) + 1 != REGION_HISTOGRAM_EVENTS)
            return NULL;
        row = region_take(&state->region, REGION_HISTOGRAMS, 1);
        if (!row) {
            region_lose(&state->region, REGION_LOST_HISTOGRAMS, 1);
            return NULL;
        }
        ROW(state, REGION_HISTOGRAMS, struct region_histogram, row)->site = site;
        __atomic_store_n(&s->histogram, row, __ATOMIC_RELEASE);
    }
    return ROW(state, REGION_HISTOGRAMS, struct region_histogram, row);
}

/* An output of `size` bytes, beside its source. */
static void add_served(struct region_large *l, uint64_t size, const struct go_call *call) {
    uint64_t ratio = (size << 16) / call->source; /* no address space holds 2^48 bytes */
    RELAXED_STORE(&l->served_call, call->row);
    RELAXED_ADD(&l->served, 1);
    RELAXED_ADD(&l->served_source_bytes, call->source);
    base_raise_to(&l->source_ratio_min_inverted, ~ratio);
    base_raise_to(&l->source_ratio_max, ratio);
    if (!region_has_room(&l->source_ratio_sum))
        return;
    RELAXED_ADD(&l->source_ratio_sum, ratio);
    RELAXED_ADD(&l->source_ratio_count, 1);
}

/* What the block is for, beside the message that the goroutine compresses. */
static void add_role(const struct region_site *s, struct region_large *l, uint64_t size,
                     const struct go_call *call) {
    if (!(s->go_flags & REGION_GO_OUTPUT)) {
        if (s->codec_function) {
            RELAXED_ADD(&l->workspace_allocs, 1);
            RELAXED_ADD(&l->workspace_bytes, size);
        }
        return;
    }
    RELAXED_ADD(&l->output_allocs, 1);
    RELAXED_ADD(&l->output_bytes, size);
    if (s->go_flags & REGION_GO_GROWN)
        RELAXED_ADD(&l->grown, 1);
    if (call && call->row && call->source)
        add_served(l, size, call);
}

static void add_to_process(struct go_state *state, struct region_site *s, uint64_t size) {
    struct region_header *h = state->region.header;
    struct region_thread *all = ROW(state, REGION_THREADS, struct region_thread, 0);
    RELAXED_ADD(&h->large_allocs, 1);
    RELAXED_ADD(&h->large_bytes, size);
    base_raise_to(&h->large_peak, RELAXED_ADD(&h->large_live, size) + size);
    base_raise_to(&s->large_peak, RELAXED_ADD(&s->large_live, size) + size);
    RELAXED_ADD(&all->allocs, 1);
    RELAXED_ADD(&all->byte_goal, size);
}

void go_rows_add(struct go_state *state, const struct go_flight *f, const struct go_call *call,
                 uint64_t ticks) {
    struct region_site *s = SITE(f->site);
    struct region_cell *c = CELL(s->shared_cell ? s->shared_cell : OVERFLOW_CELL);
    if (call && call->row && !s->codec_call)
        RELAXED_STORE(&s->codec_call, call->row);
    add_to_process(state, s, f->size);
    RELAXED_ADD(&c->allocs, 1);
    uint64_t bytes = RELAXED_ADD(&c->bytes, f->size) + f->size, freed;
    RELAXED_ADD(&c->samples, 1);
    RELAXED_ADD(&c->allocator_ticks, ticks);
    base_lower_to(&c->size_min, f->size);
    base_raise_to(&c->size_max, f->size);
    freed = RELAXED_LOAD(&c->freed_bytes);
    if (bytes > freed)
        base_raise_to(&c->peak_bytes, bytes - freed);
    struct region_histogram *histogram = histogram_of(state, s, f->site);
    if (histogram) {
        region_enter_class(histogram->size, f->size, 1);
        region_enter_class(histogram->allocator, ticks, 1);
    }
    if (!c->large)
        return;
    struct region_large *l = ROW(state, REGION_LARGE, struct region_large, c->large);
    RELAXED_ADD(&l->allocs, 1);
    RELAXED_ADD(&l->bytes, f->size);
    RELAXED_ADD(&l->timed, 1);
    base_raise_to(&l->size_min_inverted, ~f->size);
    base_raise_to(&l->size_max, f->size);
    add_role(s, l, f->size, call);
}

void go_rows_used(struct go_state *state, struct go_live *block, const struct go_call *call) {
    const struct region_site *s = SITE(block->site);
    struct region_cell *c = CELL(s->shared_cell ? s->shared_cell : OVERFLOW_CELL);
    if (!c->large || !call->row || !call->source)
        return;
    struct region_large *l = ROW(state, REGION_LARGE, struct region_large, c->large);
    if (block->uses || s->go_flags & REGION_GO_OUTPUT) {
        block->uses = 2;
        RELAXED_ADD(&l->reused, 1);
        return;
    }
    block->uses = 1;
    RELAXED_ADD(&l->output_allocs, 1);
    RELAXED_ADD(&l->output_bytes, block->size);
    add_served(l, block->size, call);
}

static void add_life(struct go_state *state, const struct go_live *block, struct region_site *s,
                     struct region_cell *c, uint64_t life) {
    if (region_has_room(&c->life_sum)) {
        RELAXED_ADD(&c->life_sum, life);
        RELAXED_ADD(&c->freed_samples, 1);
    }
    base_lower_to(&c->life_min, life);
    base_raise_to(&c->life_max, life);
    if (s->histogram)
        region_enter_class(
            ROW(state, REGION_HISTOGRAMS, struct region_histogram, s->histogram)->life, life, 1);
    struct region_go *go = go_rows_go(state, block->site);
    RELAXED_ADD(&go->swept, 1);
    RELAXED_ADD(&go->swept_bytes, block->size);
    if (region_has_room(&go->swept_ticks))
        RELAXED_ADD(&go->swept_ticks, life);
}

void go_rows_swept(struct go_state *state, const struct go_live *block, uint64_t life) {
    struct region_header *h = state->region.header;
    struct region_site *s = SITE(block->site);
    struct region_cell *c = CELL(s->shared_cell ? s->shared_cell : OVERFLOW_CELL);
    uint32_t cycles = ((uint32_t)RELAXED_LOAD(&h->go_cycles) - block->cycle) & GO_CYCLE_MASK;
    RELAXED_ADD(&h->large_live, -block->size);
    RELAXED_ADD(&s->large_live, -block->size);
    RELAXED_ADD(&ROW(state, REGION_THREADS, struct region_thread, 0)->frees, 1);
    RELAXED_ADD(&c->frees, 1);
    RELAXED_ADD(&c->freed_bytes, block->size);
    add_life(state, block, s, c, life);
    if (!c->large)
        return;
    struct region_large *l = ROW(state, REGION_LARGE, struct region_large, c->large);
    RELAXED_ADD(&l->frees, 1);
    RELAXED_ADD(&l->freed_bytes, block->size);
    if (cycles <= state->transient_cycles) {
        RELAXED_ADD(&l->transient, 1);
        RELAXED_ADD(&l->transient_bytes, block->size);
    }
}

/* ---- codec calls ---- */

static uint32_t make_call(struct go_state *state, const struct stack *stack) {
    struct region *r = &state->region;
    uint32_t row = region_take(r, REGION_CODEC_CALLS, 1);
    if (!row)
        return 0;
    struct region_codec_call *c = ROW(state, REGION_CODEC_CALLS, struct region_codec_call, row);
    c->stack = make_stack(state, stack);
    c->sizes = region_take(r, REGION_CODEC_SIZES, REGION_SIZE_CLASSES);
    if (!c->sizes)
        region_lose(r, REGION_LOST_CODEC, 1);
    return row;
}

uint32_t go_rows_call(struct go_state *state, uint32_t function, const struct go_walk *walk) {
    struct stack stack;
    bool is_new, is_ours = false;
    walk_stack(walk, &stack);
    uint64_t hash = base_mix(stack.hash ^ (uint64_t)(function + 1) << 48);
    __typeof__(&state->call_rows[0]) slot = find_call(state, hash ? hash : 1, &is_new);
    uint32_t row = slot ? wait_for(&slot->row, is_new) : UINT32_MAX;
    if (!row)
        row = settle(&slot->row, make_call(state, &stack), &is_ours);
    if (row == UINT32_MAX)
        row = 0;
    if (row && is_ours)
        __atomic_store_n(&ROW(state, REGION_CODEC_CALLS, struct region_codec_call, row)->function,
                         state->ranges[function].row, __ATOMIC_RELEASE);
    if (!row)
        region_lose(&state->region, REGION_LOST_CODEC, 1);
    return row;
}

void go_rows_called(struct go_state *state, const struct go_call *call, uint64_t produced,
                    uint64_t ticks) {
    struct region_codec_call *c =
        ROW(state, REGION_CODEC_CALLS, struct region_codec_call, call->row);
    RELAXED_ADD(&state->region.header->codec_bytes, call->source);
    RELAXED_ADD(&c->calls, 1);
    RELAXED_ADD(&c->messages, 1);
    RELAXED_ADD(&c->source_bytes, call->source);
    RELAXED_ADD(&c->produced_bytes, produced);
    RELAXED_ADD(&c->output_capacity, call->capacity);
    RELAXED_ADD(&c->ticks, ticks);
    if (!c->sizes)
        return;
    struct region_codec_size *s = ROW(state, REGION_CODEC_SIZES, struct region_codec_size,
                                      c->sizes + region_size_class(call->source));
    RELAXED_ADD(&s->messages, 1);
    RELAXED_ADD(&s->source_bytes, call->source);
    RELAXED_ADD(&s->produced_bytes, produced);
    RELAXED_ADD(&s->ticks, ticks);
}
