/* block: which large live block holds an address, for any address inside it.
 *
 * Why: a codec is given buffers, not blocks: "ZSTD_compress reads from here" is an address
 * somewhere in a block that may be the first byte or not. live answers only for first bytes.
 *
 * Who writes what: who holds a block adds it before the program sees the address and removes it
 * before the allocator may give the address away; so a row has one owner, and only words of the
 * index are raced for (compare-and-swap; nothing waits, whatever a signal handler or fork meets).
 * A row found is of a block that held the address during the call: who is not its owner and goes
 * on to use the row may meet its next block. start, size, version and next are block.c's, all else
 * is the user's, with relaxed atomics where several may write. */
#ifndef SQUALL_SHIM_BLOCK_H
#define SQUALL_SHIM_BLOCK_H

#include "base/base.h"

struct block {
    uint64_t start, size; /* bytes; start 0 = the row is free */
    uint32_t cell;        /* row of the region's cells */
    uint16_t epoch;
    uint8_t roles; /* bits set by the user of this module, atomically */
    uint8_t flags;
    uint32_t served;  /* messages */
    uint32_t context; /* row of the codec context it was made for, 0 = none */
    uint64_t message; /* the last message it served */
    uint64_t mark;    /* two words private to the user of this module */
    uint64_t mark2;
    uint32_t version; /* how many blocks the row has had */
    uint32_t next;    /* free row below this one on the stack of free rows */
};
_Static_assert(sizeof(struct block) == 64, "a cache line");

extern struct block *block_rows HIDDEN;

/* Maps the tables, `limit` bytes at most (0 = 80 MiB; less than 28 KiB is an error); fewer where
 * the system gives fewer. Returns 0 or -errno; without it, or after a failure, nothing is added or
 * found. Once in a process, before its first block: a second call forgets all, and is for tests. */
int block_init(uint64_t limit);
/* The row, its user's fields zero; 0 = no room: the block will not be found. */
uint32_t block_add(uint64_t start, uint64_t size, uint32_t cell, uint16_t epoch);
/* By who holds the block, before the real free. */
void block_remove(uint32_t row);
/* The row of the block with start <= address < start + size, 0 = none known. A block within a
 * block is found before the one around it if that is four times larger. */
uint32_t block_find(uint64_t address);

INLINE struct block *block_at(uint32_t row) {
    return &block_rows[row];
}

#endif
