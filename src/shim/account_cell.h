/* account_cell: what an event changes in a cell that its thread owns, for both ways of accounting.
 * Not a door: account's own.
 *
 * Lives. Two readings of the clock would cost more than all the rest that is done for a small
 * block of exact mode. So the life of every large and every sampled block is timed, and of the
 * other blocks of a cell that of the first LIVES_FIRST; after these, of one in LIVES_EVERY, which
 * then stands for as many (`lives`). Which one is decided when it is made, so that long and short
 * lives have the same chance, and by the fractional parts of multiples of the golden ratio, which
 * keep no step with a program that does the same thing every second or every tenth time. */
#ifndef SQUALL_SHIM_ACCOUNT_CELL_H
#define SQUALL_SHIM_ACCOUNT_CELL_H

#include "account.h"
#include "decide.h"

#define ROW(table, type, i) REGION_ROW(&shim.region, table, type, i)

#define LIVES_FIRST 64u
#define LIVES_EVERY_BITS 4u
#define LIVES_EVERY (1u << LIVES_EVERY_BITS)

/* How many lives the block stands for that is the cell's `ordinal`th, from 0; 0 = it is not timed.
 */
INLINE uint32_t cell_draw_lives(uint64_t ordinal) {
    if (UNLIKELY(ordinal < LIVES_FIRST))
        return 1;
    return UNLIKELY(ordinal * 0x9e3779b97f4a7c15ull >> (64 - LIVES_EVERY_BITS) == 0) ? LIVES_EVERY
                                                                                     : 0;
}

/* The half-octave class of a value, see REGION_CLASSES. */
INLINE unsigned cell_class(uint64_t v) {
    if (v < 2)
        return 0;
    unsigned top = 63u - (unsigned)__builtin_clzll(v);
    unsigned c = 2 * top + (unsigned)(v >> (top - 1) & 1);
    return c < REGION_CLASSES ? c : REGION_CLASSES - 1;
}

INLINE uint64_t cell_live_bytes(const struct region_cell *c, const struct region_remote *r) {
    return c->bytes - c->freed_bytes - RELAXED_LOAD(&r->freed_bytes);
}

INLINE void cell_add(struct region_cell *c, const struct region_remote *r, uint64_t size,
                     struct decide_weight w, uint64_t ticks) {
    c->sequence++;
    ORDER();
    c->allocs += w.blocks;
    c->bytes += w.bytes;
    c->samples++;
    c->allocator_ticks += ticks;
    if (size < c->size_min)
        c->size_min = size;
    if (size > c->size_max)
        c->size_max = size;
    /* Live bytes rise at no other moment, so this peak is exact. What other threads freed is on a
     * line of its own, and can only lower it. */
    if (UNLIKELY((int64_t)(c->bytes - c->freed_bytes) > (int64_t)c->peak_bytes)) {
        uint64_t live = cell_live_bytes(c, r);
        if ((int64_t)live > (int64_t)c->peak_bytes)
            c->peak_bytes = live;
    }
    ORDER();
    c->sequence++;
}

/* A life of 0 lives is not looked at. */
INLINE void cell_free(struct region_cell *c, struct decide_weight w, uint64_t life,
                      uint32_t lives) {
    c->sequence++;
    ORDER();
    c->frees += w.blocks;
    c->freed_bytes += w.bytes;
    if (lives) {
        c->freed_samples += lives;
        c->life_sum += life * lives;
        if (life < c->life_min)
            c->life_min = life;
        if (life > c->life_max)
            c->life_max = life;
    }
    ORDER();
    c->sequence++;
}

/* The cell of a stack that the thread walked just now; most were seen a moment ago. */
uint32_t account_find_recent(struct shim_self *self, const struct unwind_result *stack,
                             uint32_t kind);

/* Records a block whose cell is known: its live entry and its sums. The thread is busy. */
void account_enter(struct shim_self *self, uint32_t cell, bool is_nested,
                   const struct account_event *event);

#endif
