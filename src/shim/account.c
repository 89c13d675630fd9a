/* Sums: what an allocation adds and a free takes away. */
#include "account.h"

#include "account_cell.h"
#include "call.h"
#include "clock.h"
#include "decide.h"
#include "mapping.h"
#include "module.h"
#include "probe.h"
#include "real.h"
#include "site.h"
#include "unwind_lib.h"

int account_init(void) {
    int error = site_init();
    return error ? error : mapping_init();
}

/* ---- small tools ---- */

static bool is_large(uint64_t size) {
    return size >= shim.large;
}

/* What a block counts for in a cell. */
static struct decide_weight weigh(uint32_t kind, uint64_t size) {
    if (kind == REGION_CELL_SAMPLED)
        return decide_weigh(size ? size : 1, shim.conf.sample);
    return (struct decide_weight){.bytes = size, .blocks = 1};
}

/* ---- blocks from `large` up ---- */

static bool is_mmapped(uint64_t address) {
    return real.is_glibc && ((const uint64_t *)address)[-1] & 2;
}

/* A hook that a child's handler interrupted may have freed a block once more than there was. */
static void raise_peak(uint64_t *peak, uint64_t live) {
    if ((int64_t)live > 0)
        base_raise_to(peak, live);
}

static void add_large(struct shim_self *self, uint32_t cell, uint32_t block,
                      const struct account_event *e) {
    struct region_header *h = shim.region.header;
    struct region_site *s =
        ROW(REGION_SITES, struct region_site, ROW(REGION_CELLS, struct region_cell, cell)->site);
    RELAXED_ADD(&h->large_allocs, 1);
    RELAXED_ADD(&h->large_bytes, e->size);
    raise_peak(&h->large_peak, RELAXED_ADD(&h->large_live, e->size) + e->size);
    raise_peak(&s->large_peak, RELAXED_ADD(&s->large_live, e->size) + e->size);
    uint32_t row = site_large(cell);
    if (!row)
        return;
    struct region_large *l = ROW(REGION_LARGE, struct region_large, row);
    RELAXED_ADD(&l->allocs, 1);
    RELAXED_ADD(&l->bytes, e->size);
    base_raise_to(&l->size_min_inverted, ~e->size);
    base_raise_to(&l->size_max, e->size);
    if (e->timed)
        RELAXED_ADD(&l->timed, 1);
    if (is_mmapped(e->address))
        RELAXED_ADD(&l->mmapped, 1);
    if (e->grown)
        RELAXED_ADD(&l->grown, 1);
    if (block)
        call_block_made(self, block, s->codec_function);
    if (s->codec_function) {
        RELAXED_ADD(&l->workspace_allocs, 1);
        RELAXED_ADD(&l->workspace_bytes, e->size);
    }
}

static void remove_large(const struct region_cell *c, uint64_t size, uint64_t life, bool remote,
                         uint32_t served) {
    struct region_site *s = ROW(REGION_SITES, struct region_site, c->site);
    RELAXED_ADD(&shim.region.header->large_live, -size);
    RELAXED_ADD(&s->large_live, -size);
    uint32_t row = RELAXED_LOAD(&c->large);
    if (!row)
        return;
    struct region_large *l = ROW(REGION_LARGE, struct region_large, row);
    RELAXED_ADD(&l->frees, 1);
    RELAXED_ADD(&l->freed_bytes, size);
    if (remote)
        RELAXED_ADD(&l->remote_frees, 1);
    /* What served one message and died is transient however long that took; what served two is
     * the opposite. */
    if (served == 1 || (!served && life <= clock_ticks(shim.conf.transient_ns))) {
        RELAXED_ADD(&l->transient, 1);
        RELAXED_ADD(&l->transient_bytes, size);
    }
}

/* ---- cells ---- */

static void add_shared(struct region_cell *c, const struct region_remote *r, uint64_t size,
                       struct decide_weight w, uint64_t ticks) {
    RELAXED_ADD(&c->allocs, w.blocks);
    RELAXED_ADD(&c->bytes, w.bytes);
    RELAXED_ADD(&c->samples, 1);
    RELAXED_ADD(&c->allocator_ticks, ticks);
    base_lower_to(&c->size_min, size);
    base_raise_to(&c->size_max, size);
    uint64_t live = cell_live_bytes(c, r);
    if ((int64_t)live > 0)
        base_raise_to(&c->peak_bytes, live);
}

/* Ticks in the allocator that a timed block stands for. */
static uint64_t scale_ticks(const struct account_event *e, uint32_t kind, struct decide_weight w) {
    if (!e->timed)
        return 0;
    if (kind == REGION_CELL_SAMPLED)
        return (uint64_t)((unsigned __int128)e->allocator_ticks * w.blocks / REGION_SAMPLED_UNIT);
    return e->allocator_ticks * (is_large(e->size) ? 1 : SHIM_TIMED_EVERY);
}

static void enter_histogram(uint32_t site, uint32_t lives, const struct account_event *e) {
    struct region_histogram *h = site_histogram(site);
    if (!h)
        return;
    region_enter_class(h->size, e->size, lives);
    if (e->timed)
        region_enter_class(h->allocator, e->allocator_ticks, 1);
}

/* How many lives a block stands for that its cell is about to count. */
static uint32_t draw_lives(const struct region_cell *c, uint64_t size) {
    return c->kind == REGION_CELL_SAMPLED || is_large(size) ? 1 : cell_draw_lives(c->samples);
}

static void add(struct shim_self *self, uint32_t cell, uint32_t block, uint32_t lives, bool owned,
                const struct account_event *e) {
    struct region_cell *c = ROW(REGION_CELLS, struct region_cell, cell);
    const struct region_remote *r = ROW(REGION_REMOTE, struct region_remote, cell);
    struct decide_weight w = weigh(c->kind, e->size);
    uint64_t ticks = scale_ticks(e, c->kind, w);
    if (owned)
        cell_add(c, cell, e->size, w, ticks);
    else
        add_shared(c, r, e->size, w, ticks);
    if (is_large(e->size))
        add_large(self, cell, block, e);
    if (lives || e->timed)
        enter_histogram(c->site, lives, e);
}

/* ---- events ---- */

uint32_t account_find_recent(struct shim_self *self, const struct unwind_result *stack,
                             uint32_t kind) {
    uint64_t hash = (stack->hash ^ RELAXED_LOAD(&module_layout)) + kind;
    __typeof__(&self->private->recent[0]) recent =
        &self->private->recent[hash * 0x9e3779b97f4a7c15ull >> (64 - SHIM_RECENT_BITS)];
    if (LIKELY(recent->hash == hash && recent->cell))
        return recent->cell;
    uint32_t cell = site_cell(self, stack, kind);
    if (ROW(REGION_CELLS, struct region_cell, cell)->thread == self->row) {
        recent->hash = hash;
        recent->cell = cell;
    }
    return cell;
}

static uint32_t find_cell(struct shim_self *self, const struct account_event *e, bool nested) {
    uint32_t kind = e->sampled ? REGION_CELL_SAMPLED : REGION_CELL_EXACT;
    struct unwind_result stack = {.end = REGION_END_NOT_WALKED};
    if (nested) {
        region_lose(&shim.region, REGION_LOST_BUSY, 1);
        return site_shared_cell(0, kind);
    }
    struct shim_private *p = self->private;
    struct unwind_thread *walker = p && p->unwind ? p->unwind : account_borrow_walker();
    if (UNLIKELY(!walker)) {
        region_lose(&shim.region, REGION_LOST_UNWIND, 1);
        return site_shared_cell(0, kind);
    }
    if (UNLIKELY(shim.walks_by_lib))
        unwind_lib_walk(walker, e->at, &stack);
    else
        unwind_walk(walker, e->at, &stack);
    if (LIKELY(p && walker == p->unwind))
        return account_find_recent(self, &stack, kind);
    uint32_t cell = site_cell(self, &stack, kind);
    account_return_walker(walker);
    return cell;
}

/* A free that did not pass through us may have left a block at the same address. */
static uint32_t add_block(const struct account_event *e, uint32_t cell) {
    uint32_t stale = block_find(e->address);
    if (UNLIKELY(stale) && block_at(stale)->start == e->address)
        block_remove(stale);
    return block_add(e->address, e->size, cell, shim.epoch);
}

/* The row of a block that was taken out of the live table, 0 = none, or another's by now. */
static uint32_t block_of(const struct live_entry *entry) {
    uint64_t address = entry->key & LIVE_ADDRESS;
    return is_large(entry->size) && entry->block && block_at(entry->block)->start == address ? entry->block : 0;
}

void account_enter(struct shim_self *self, uint32_t cell, bool is_nested,
                   const struct account_event *e) {
    const struct region_cell *c = ROW(REGION_CELLS, struct region_cell, cell);
    bool owned = !is_nested && c->thread && c->thread == self->row;
    uint32_t lives = draw_lives(c, e->size), block = 0;
    struct live_entry entry = {.cell = cell, .size = e->size, .born = lives ? e->now : 0};
    if (is_large(e->size))
        entry.block = block = add_block(e, cell);
    else
        entry.lives = lives;
    if (live_insert(e->address, shim.epoch, &entry)) {
        add(self, cell, block, lives, owned, e);
        if (probe_watches_alloc())
            probe_fire_alloc(e->address, e->size, weigh(c->kind, e->size).bytes);
        return;
    }
    if (block)
        block_remove(block);
    /* Whole or not at all: a block whose free would be missed would look like a leak. */
    region_lose(&shim.region, REGION_LOST_LIVE, 1);
}

void account_alloc(struct shim_self *self, const struct account_event *e) {
    bool nested = self->busy;
    self->busy = 1;
    ORDER();
    account_enter(self, find_cell(self, e, nested), nested, e);
    ORDER();
    self->busy = nested;
}

static void free_remote(struct region_remote *r, struct decide_weight w, uint64_t life,
                        uint32_t lives) {
    RELAXED_ADD(&r->frees, w.blocks);
    RELAXED_ADD(&r->freed_bytes, w.bytes);
    if (!lives)
        return;
    if (region_has_room(&r->life_sum)) {
        RELAXED_ADD(&r->freed_samples, lives);
        RELAXED_ADD(&r->life_sum, life * lives);
    }
    base_raise_to(&r->life_min_inverted, ~life);
    base_raise_to(&r->life_max, life);
}

static void add_life(const struct region_cell *c, uint64_t life, uint32_t lives) {
    uint32_t row = ROW(REGION_SITES, struct region_site, c->site)->histogram;
    if (row)
        region_enter_class(ROW(REGION_HISTOGRAMS, struct region_histogram, row)->life, life, lives);
}

void account_free(struct shim_self *self, const struct live_entry *entry) {
    struct region *region = &shim.region;
    uint32_t block = block_of(entry);
    if (live_epoch(entry) != shim.epoch) {
        if (block)
            block_remove(block);
        RELAXED_ADD(
            shim_is_ready() ? &region->header->inherited_frees : &shim.provisional_inherited, 1);
        return;
    }
    if (probe_watches_free())
        probe_fire_free(entry->key & LIVE_ADDRESS);
    bool nested = self->busy;
    self->busy = 1;
    ORDER();
    struct region_cell *c = ROW(REGION_CELLS, struct region_cell, entry->cell);
    struct decide_weight w = weigh(c->kind, entry->size);
    uint64_t now = entry->born ? clock_now() : 0, life = now > entry->born ? now - entry->born : 0;
    uint32_t lives = is_large(entry->size) ? 1 : entry->lives;
    bool owned = !nested && c->thread && c->thread == self->row;
    if (owned)
        cell_free(c, w, life, lives);
    else
        free_remote(ROW(REGION_REMOTE, struct region_remote, entry->cell), w, life, lives);
    if (is_large(entry->size)) {
        uint32_t served = block ? call_block_freed(self, block) : 0;
        remove_large(c, entry->size, life, !owned, served);
    }
    if (block)
        block_remove(block);
    if (lives)
        add_life(c, life, lives);
    ORDER();
    self->busy = nested;
}
