/* live: which recorded blocks are alive, by address.
 *
 * Biased: it is made to decide that a pointer is NOT recorded, since in default mode nearly none
 * is. A byte of the filter stands for all addresses that hash to it and counts the recorded ones
 * (255 stays 255); zero means that no recorded block has such an address.
 *
 * Who writes what: whoever holds a block owns its entry (inserts it before the program sees the
 * address, takes it before the allocator may give the address to somebody else), so entries need
 * no lock; a slot is claimed with a compare-and-swap of its key. */
#ifndef SQUALL_SHIM_LIVE_H
#define SQUALL_SHIM_LIVE_H

#include "base/base.h"

#define LIVE_FILTER_SIZE 65536u
extern uint8_t live_filter[LIVE_FILTER_SIZE] HIDDEN;

struct live_entry {
    uint64_t key; /* address | epoch << 48; 0 = free */
    uint32_t cell;
    uint32_t block; /* of block.h, 0 = not a large one, or no room */
    uint64_t size;
    uint64_t born; /* ticks */
};
_Static_assert(sizeof(struct live_entry) == 32, "two in a cache line");

/* Neighbouring addresses fall on neighbouring bytes; blocks of mmap differ in the upper bits. */
INLINE uint32_t live_hash(uint64_t p) {
    return (uint32_t)((p >> 4) ^ (p >> 12) ^ (p >> 20) ^ (p >> 31)) & (LIVE_FILTER_SIZE - 1);
}

/* Maps the table: small in default mode, for many blocks in exact mode; `limit` bytes at most
 * (0 = no limit). Returns 0, or 1 if it became smaller than wanted, or -errno. */
int live_init(bool exact, uint64_t limit);
/* The filter never lets this address pass: NULL, blocks of the bootstrap arena. */
void live_always(uint64_t p);
/* False: no room; the block must not be counted. */
bool live_insert(uint64_t p, uint16_t epoch, const struct live_entry *entry);
/* Moves the entry of a block out; false: it is not recorded. */
bool live_take(uint64_t p, struct live_entry *entry);

/* The first place of most blocks, without a call. */
#define LIVE_BUCKET 2u /* entries, a cache line */
#define LIVE_ADDRESS ((1ull << 48) - 1)

struct live_level {
    struct live_entry *entries;
    uint64_t mask; /* of buckets */
};
#define LIVE_LEVELS 3u
extern struct live_level live_levels[LIVE_LEVELS] HIDDEN;

/* Where a block's places in the order of addresses begin, before the mask of a level. */
INLINE uint64_t live_near(uint64_t p) {
    return (p >> 6) ^ (p >> 32);
}

INLINE struct live_entry *live_home(uint64_t p) {
    return &live_levels[0].entries[(live_near(p) & live_levels[0].mask) * LIVE_BUCKET];
}

INLINE bool live_claim(struct live_entry *e, uint64_t key) {
    uint64_t none = 0;
    return RELAXED_LOAD(&e->key) == 0 &&
           __atomic_compare_exchange_n(&e->key, &none, key, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Exact mode: there is one level, and the filter is full for good. False: use live_insert. */
INLINE bool live_insert_home(uint64_t p, uint16_t epoch, uint32_t cell, uint64_t size,
                             uint64_t born) {
    uint64_t key = p | (uint64_t)epoch << 48;
    struct live_entry *e = live_home(p);
    if (UNLIKELY(!live_claim(e, key)) && UNLIKELY(!live_claim(++e, key)))
        return false;
    e->cell = cell;
    e->block = 0;
    e->size = size;
    e->born = born;
    return true;
}

/* The entry in its first place, NULL = it may be elsewhere: use live_take. The caller reads it and
 * then gives the slot back with live_release. */
INLINE struct live_entry *live_find_home(uint64_t p) {
    struct live_entry *e = live_home(p);
    if (LIKELY((RELAXED_LOAD(&e->key) & LIVE_ADDRESS) == p))
        return e;
    e++;
    return (RELAXED_LOAD(&e->key) & LIVE_ADDRESS) == p ? e : NULL;
}

/* Release: the next owner of the slot must not see our reads after its writes. */
INLINE void live_release(struct live_entry *e) {
    __atomic_store_n(&e->key, 0, __ATOMIC_RELEASE);
}

INLINE uint16_t live_epoch(const struct live_entry *e) {
    return (uint16_t)(e->key >> 48);
}

#endif
