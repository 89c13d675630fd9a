/* live: which recorded blocks are alive, by address.
 *
 * Biased: it is made to decide that a pointer is NOT recorded, since in default mode nearly none
 * is. A byte of the filter stands for all addresses that hash to it and counts the recorded ones
 * (255 stays 255); zero means that no recorded block has such an address.
 *
 * In exact mode nearly all blocks are small and their life is not timed: those have a word of the
 * map, which is where their address says, so that no two blocks ever want the same one. All others
 * have an entry of the table, which is found by hash.
 *
 * Who writes what: whoever holds a block owns its word or entry (writes it before the program sees
 * the address, takes it before the allocator may give the address to somebody else), so neither
 * needs a lock; an entry is claimed with a compare-and-swap of its key. */
#ifndef SQUALL_SHIM_LIVE_H
#define SQUALL_SHIM_LIVE_H

#include "base/base.h"

#define LIVE_FILTER_SIZE 65536u
extern uint8_t live_filter[LIVE_FILTER_SIZE] HIDDEN;

struct live_entry {
    uint64_t key; /* address | epoch << 48; 0 = free */
    uint32_t cell;
    union {
        uint32_t block; /* from `large` up: of block.h, 0 = no room */
        uint32_t lives; /* smaller: how many blocks this one's life stands for */
    };
    uint64_t size;
    uint64_t born; /* ticks; 0 = its life is not timed */
};
_Static_assert(sizeof(struct live_entry) == 32, "two in a cache line");

/* Neighbouring addresses fall on neighbouring bytes; blocks of mmap differ in the upper bits. Every
 * free pays for each shift here. */
INLINE uint32_t live_hash(uint64_t p) {
    return (uint32_t)((p ^ p >> 16) >> 4) & (LIVE_FILTER_SIZE - 1);
}

/* Maps the table: small in default mode, for many blocks in exact mode; `limit` bytes at most
 * (0 = no limit). Returns 0, or 1 if it became smaller than wanted, or -errno. */
int live_init(bool exact, uint64_t limit);
/* The filter never lets this address pass: NULL, blocks of the bootstrap arena. */
void live_always(uint64_t p);
/* False: no room; the block must not be counted. A word of the map will do where the entry says no
 * more than fits there. */
bool live_insert(uint64_t p, uint16_t epoch, const struct live_entry *entry);
/* Moves the entry of a block out; false: it is not recorded. */
bool live_take(uint64_t p, struct live_entry *entry);

#define LIVE_ADDRESS ((1ull << 48) - 1)

INLINE uint16_t live_epoch(const struct live_entry *e) {
    return (uint16_t)(e->key >> 48);
}

/* ---- the map ----
 *
 * A word for every 16 bytes of the address space: leaves of 32 MiB for 64 MiB of it, mapped when
 * the first block in there is recorded and backed by memory only where such blocks begin. A word:
 * present 1 bit, epoch 16, cell 24, size 16, from the top; 0 = nothing. */
#define LIVE_GRANULE_BITS 4u
#define LIVE_LEAF_BITS 22u
#define LIVE_GRANULES_BITS (47u - LIVE_GRANULE_BITS)
#define LIVE_MAP_SIZE_MAX 0xffffu /* of a block */

extern uint64_t **live_leaves HIDDEN; /* by the upper bits of the address; NULL = no map */

/* The word of a block; NULL = it can have none, or its leaf is not there. */
INLINE uint64_t *live_word(uint64_t p) {
    /* What is not a multiple of 16, or no address at all, gets too large. */
    uint64_t granule = p >> LIVE_GRANULE_BITS | p << (64 - LIVE_GRANULE_BITS);
    if (UNLIKELY(granule >> LIVE_GRANULES_BITS))
        return NULL;
    uint64_t *leaf = RELAXED_LOAD(&live_leaves[granule >> LIVE_LEAF_BITS]);
    return LIKELY(leaf != NULL) ? &leaf[granule & ((1u << LIVE_LEAF_BITS) - 1)] : NULL;
}

INLINE uint64_t live_word_make(uint16_t epoch, uint32_t cell, uint64_t size) {
    return (uint64_t)(0x10000u | epoch) << 40 | (uint64_t)cell << 16 | size;
}
/* Whether there is a block, and it was recorded by this process. */
INLINE bool live_word_is_ours(uint64_t word, uint16_t epoch) {
    return word >> 40 == (0x10000u | epoch);
}
INLINE uint32_t live_word_cell(uint64_t word) {
    return (uint32_t)(word >> 16) & 0xffffffu;
}
INLINE uint64_t live_word_size(uint64_t word) {
    return word & LIVE_MAP_SIZE_MAX;
}

#endif
