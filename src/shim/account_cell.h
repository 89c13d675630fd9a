/* account_cell: what an event changes in a cell that its thread owns, for both ways of accounting.
 * Not a door: account's own.
 *
 * Lives. Two readings of the clock would cost more than all the rest that is done for a small
 * block of exact mode. So the life of every large and every sampled block is timed, and of a cell's
 * other blocks that of the first LIVES_ALL; after these of one in 16, and from the LIVES_MANYth on
 * of one in 256, each of which then stands for as many (`lives`). Which one is decided when it is
 * made, so that long and short lives have the same chance, and by the fractional parts of squares
 * times the golden ratio: these keep no step with a program that does the same thing every second or
 * every tenth time, which those of its multiples do where the step is a Fibonacci number. */
#ifndef SQUALL_SHIM_ACCOUNT_CELL_H
#define SQUALL_SHIM_ACCOUNT_CELL_H

#include "account.h"
#include "decide.h"
#include "site.h"

#define ROW(table, type, i) REGION_ROW(&shim.region, table, type, i)

#define LIVES_ALL 4u
#define LIVES_MANY 4096u
#define LIVES_OFTEN_BITS 4u
#define LIVES_SELDOM_BITS 8u

/* How many lives the block stands for that is the cell's `ordinal`th, from 0; 0 = it is not timed.
 */
INLINE uint32_t cell_draw_lives(uint64_t ordinal) {
    uint64_t fraction = ordinal * ordinal * 0x9e3779b97f4a7c15ull;
    if (UNLIKELY(ordinal < LIVES_ALL))
        return 1;
    if (LIKELY(fraction >> (64 - LIVES_OFTEN_BITS) != 0))
        return 0;
    if (ordinal < LIVES_MANY)
        return 1u << LIVES_OFTEN_BITS;
    return fraction >> (64 - LIVES_SELDOM_BITS) ? 0 : 1u << LIVES_SELDOM_BITS;
}

/* Of the owner, or of a shared cell. */
INLINE uint64_t cell_live_bytes(const struct region_cell *c, const struct region_remote *r) {
    return c->bytes - c->freed_bytes - RELAXED_LOAD(&r->freed_bytes);
}

/* Live bytes rise at no other moment, so this peak is exact. What other threads freed can only lower
 * it, and is looked at only where what was seen of it last would make a new one. */
INLINE void cell_raise_peak(struct region_cell *c, uint32_t cell) {
    uint64_t live = c->bytes - c->freed_bytes;
    if (LIKELY((int64_t)live <= (int64_t)c->peak_bytes))
        return;
    uint64_t *seen = &site_cells.remote_seen[cell];
    if (LIKELY((int64_t)(live - *seen) <= (int64_t)c->peak_bytes))
        return;
    *seen = RELAXED_LOAD(&ROW(REGION_REMOTE, struct region_remote, cell)->freed_bytes);
    if ((int64_t)(live - *seen) > (int64_t)c->peak_bytes)
        c->peak_bytes = live - *seen;
}

INLINE void cell_add(struct region_cell *c, uint32_t cell, uint64_t size, struct decide_weight w,
                     uint64_t ticks) {
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
    cell_raise_peak(c, cell);
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
        if (region_has_room(&c->life_sum)) {
            c->freed_samples += lives;
            c->life_sum += life * lives;
        }
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
