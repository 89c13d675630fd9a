/* The short way of exact mode: blocks under `large` of a thread with a row, which are nearly all.
 *
 * It does what account_alloc and account_free do, for blocks whose life is not timed, without what
 * such a block cannot need; everything else it hands over. */
#include "account_cell.h"
#include "clock.h"
#include "lifecycle.h"
#include "probe.h"
#include "unwind_thread.h"

static NOINLINE void alloc_the_long_way(struct shim_self *self, uint64_t address, uint64_t size,
                                        const struct unwind_start *at) {
    account_alloc(self, &(struct account_event){
                            .address = address, .size = size, .at = at, .now = clock_now()});
}

/* A block whose life is timed, or that has no place in the map. Or the hook began in a process of
 * which this is a child by now, whose cells have other numbers. */
static NOINLINE void enter(struct shim_self *self, uint32_t cell, uint64_t address, uint64_t size) {
    uint64_t now = clock_now();
    if (UNLIKELY(!self->row))
        return;
    account_enter(self, cell, false,
                  &(struct account_event){.address = address, .size = size, .now = now});
    if (UNLIKELY(now >= RELAXED_LOAD(&lifecycle_next_tick)))
        lifecycle_tick(now);
}

/* Of a stack that is not that of the allocation before. */
static NOINLINE uint32_t find_cell(struct shim_self *self, const struct unwind_start *at) {
    struct shim_private *p = self->private;
    struct unwind_result stack;
    bool looked = unwind_trusts_known(p->unwind);
    const struct unwind_known *known = looked ? unwind_find_known(p->unwind, at) : NULL;
    if (known)
        return known->number;
    unwind_walk(p->unwind, at, &stack);
    uint32_t cell = account_find_recent(self, &stack, REGION_CELL_EXACT);
    /* A stack that is not remembered leaves an older one in the walker, whose cell this is not. */
    bool is_remembered = stack.frames != p->unwind->other.pc;
    p->last_walk = is_remembered ? p->unwind->walk : 0;
    p->last_cell = cell;
    if (looked && is_remembered && stack.count)
        unwind_keep_known(p->unwind, stack.hash, cell);
    return cell;
}

void account_alloc_small(struct shim_self *self, uint64_t address, uint64_t size,
                         const struct unwind_start *at) {
    struct shim_private *p = self->private;
    if (UNLIKELY(self->busy) || UNLIKELY(!p->unwind) || UNLIKELY(shim.walks_by_lib) ||
        probe_watches_alloc()) {
        alloc_the_long_way(self, address, size, at);
        return;
    }
    self->busy = 1;
    ORDER();
    /* The word may be in another processor's cache, where the block died last. The program's next
     * locked instruction would wait for our store to it. */
    uint64_t *word = live_word(address);
    __asm__ volatile("prefetchw (%0)" : : "r"(word)); /* of no effect where that is NULL */
    uint32_t cell = p->last_cell;
    if (UNLIKELY(p->last_walk != p->unwind->walk) || UNLIKELY(!unwind_repeats(p->unwind, at)))
        cell = find_cell(self, at);
    struct region_cell *c = ROW(REGION_CELLS, struct region_cell, cell);
    uint32_t row = self->row;
    if (UNLIKELY(c->thread != row) || UNLIKELY(!row) || UNLIKELY(!word) || cell_draw_lives(c->samples) ||
        UNLIKELY(size > LIVE_MAP_SIZE_MAX)) {
        enter(self, cell, address, size);
    } else {
        RELAXED_STORE(word, live_word_make(shim.epoch, cell, size));
        cell_add(c, cell, size, (struct decide_weight){.bytes = size, .blocks = 1}, 0);
    }
    ORDER();
    self->busy = 0;
}

/* Made by another thread: the cell, which that one writes all the time, is not looked at. */
static NOINLINE void free_remote(uint32_t cell, uint64_t size) {
    struct region_remote *r = ROW(REGION_REMOTE, struct region_remote, cell);
    RELAXED_ADD(&r->frees, 1);
    RELAXED_ADD(&r->freed_bytes, size);
}

bool account_free_small(struct shim_self *self, uint64_t address) {
    uint64_t *at = live_word(address);
    if (UNLIKELY(!at))
        return false;
    uint64_t word = RELAXED_LOAD(at);
    if (!live_word_is_ours(word, shim.epoch) || UNLIKELY(self->busy) || UNLIKELY(!self->row) ||
        probe_watches_free())
        return false;
    uint32_t cell = live_word_cell(word);
    RELAXED_STORE(at, 0);
    if (UNLIKELY(RELAXED_LOAD(&site_cells.thread[cell]) != self->row)) {
        free_remote(cell, live_word_size(word));
        return true;
    }
    self->busy = 1;
    ORDER();
    cell_free(ROW(REGION_CELLS, struct region_cell, cell),
              (struct decide_weight){.bytes = live_word_size(word), .blocks = 1}, 0, 0);
    ORDER();
    self->busy = 0;
    return true;
}
