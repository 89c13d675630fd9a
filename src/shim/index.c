#include "index.h"

#include <errno.h>

#include "base/reserve.h"

int index_init(struct index *index, uint64_t rows) {
    uint64_t words = 1024;
    while (words < 2 * rows)
        words *= 2;
    uint64_t bytes = (INDEX_SMALL + words) * 8;
    long at = base_reserve(bytes, PROT_READ | PROT_WRITE);
    if (base_is_error(at))
        return (int)at;
    index->words = (uint64_t *)at;
    index->mask = words - 1;
    return 0;
}

int index_renew(struct index *index, uint64_t rows) {
    /* A child's region may be larger than its parent's was: a limit was raised meanwhile. */
    if (!index->words || index->mask + 1 < 2 * rows)
        return index_init(index, rows);
    base_syscall(SYS_madvise, index->words, (INDEX_SMALL + index->mask + 1) * 8, MADV_DONTNEED);
    return 0;
}

uint32_t index_add(struct index *index, uint64_t hash, uint32_t row,
                   bool (*is_same)(uint32_t row, uint64_t hash)) {
    uint64_t word = hash >> INDEX_ROW_BITS << INDEX_ROW_BITS | row;
    for (uint32_t i = 0; i < INDEX_PROBES; i++) {
        uint64_t *w = index_place(index, hash, i), none = 0;
        if (__atomic_compare_exchange_n(w, &none, word, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return row;
        uint32_t other = (uint32_t)(none & ((1u << INDEX_ROW_BITS) - 1));
        if (none >> INDEX_ROW_BITS == hash >> INDEX_ROW_BITS && is_same(other, hash))
            return other;
    }
    return 0;
}
