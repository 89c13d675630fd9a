/* index: hash → row of a table, private to the process.
 *
 * Why: rows are found by hash at every event, and the readers need no index, so it is not in the
 * region. A word holds the upper 40 bits of the hash and the row's number; the row holds the whole
 * hash, and the caller compares it. Words are added with a compare-and-swap and never removed.
 *
 * The first places of a hash are in a small part, the others in a large one: few rows lie close
 * together, in cache and on few pages, and there is room for many. */
#ifndef SQUALL_SHIM_INDEX_H
#define SQUALL_SHIM_INDEX_H

#include "base/base.h"

struct index {
    uint64_t *words; /* INDEX_SMALL of the small part, then mask + 1 */
    uint64_t mask;
};

#define INDEX_SMALL 32768u
#define INDEX_SMALL_PROBES 8u
#define INDEX_PROBES 40u /* in all */
#define INDEX_ROW_BITS 24u

/* For up to `rows` rows. Returns 0 or -ENOMEM. */
int index_init(struct index *index, uint64_t rows);
/* The same for another try at a region, or a child's, before it has threads: what was mapped is
 * used again, emptied. */
int index_renew(struct index *index, uint64_t rows);

INLINE uint64_t *index_place(const struct index *index, uint64_t hash, uint32_t probe) {
    uint64_t at = hash + probe;
    return &index->words[LIKELY(probe < INDEX_SMALL_PROBES) ? at & (INDEX_SMALL - 1)
                                                            : INDEX_SMALL + (at & index->mask)];
}

/* The next row whose word matches, starting at *probe (0 at first), 0 = no more. */
INLINE uint32_t index_next(const struct index *index, uint64_t hash, uint32_t *probe) {
    while (*probe < INDEX_PROBES) {
        uint64_t w = __atomic_load_n(index_place(index, hash, (*probe)++), __ATOMIC_ACQUIRE);
        if (!w)
            return 0;
        if (w >> INDEX_ROW_BITS == hash >> INDEX_ROW_BITS)
            return (uint32_t)(w & ((1u << INDEX_ROW_BITS) - 1));
    }
    return 0;
}

/* Publishes a row. Returns the row that is found under the hash from now on: this one, or the one
 * that another thread published first; 0 = no room. A word of another hash with the same upper
 * bits is passed over when `is_same` says so. */
uint32_t index_add(struct index *index, uint64_t hash, uint32_t row,
                   bool (*is_same)(uint32_t row, uint64_t hash));

#endif
