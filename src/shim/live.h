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
    uint32_t served; /* codec calls */
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

INLINE uint16_t live_epoch(const struct live_entry *e) {
    return (uint16_t)(e->key >> 48);
}

#endif
