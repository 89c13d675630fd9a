/* The map, and the table of live blocks: levels of buckets of two entries (a cache line each).
 *
 * A block's first places keep the order of addresses, so that the table has the locality of the
 * heap that it describes; where many small blocks crowd each other out, the further places are
 * scattered, each on its own: a run of full buckets is no wall. When a level has no room in any of
 * them, the next, larger one is used. */
#include "live.h"

#include <errno.h>

#include "base/reserve.h"
#include "identity.h"

#define NEAR 2u /* places in the order of addresses */
#define PLACES 16u

uint8_t live_filter[LIVE_FILTER_SIZE] __attribute__((aligned(64)));

#define BUCKET 2u /* entries, a cache line */
#define LEVELS 3u

struct level {
    struct live_entry *entries;
    uint64_t mask; /* of buckets */
};
static struct level levels[LEVELS];
static uint32_t level_count;
static uint32_t levels_used; /* highest level that ever held an entry, plus one */

/* ---- the filter ---- */

void live_always(uint64_t p) {
    RELAXED_STORE(&live_filter[live_hash(p)], 255);
}

static void filter_change(uint64_t p, int by) {
    uint8_t *f = &live_filter[live_hash(p)], old = RELAXED_LOAD(f);
    while (old != 255 && !__atomic_compare_exchange_n(f, &old, (uint8_t)(old + by), true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* ---- the table ---- */

/* NULL = none. */
static void *reserve_with(uint64_t bytes, int protection) {
    long at = base_reserve(bytes, protection);
    return base_is_error(at) ? NULL : (void *)at;
}

static void *reserve(uint64_t bytes) {
    return reserve_with(bytes, PROT_READ | PROT_WRITE);
}

static int add_level(unsigned bits, unsigned bits_min) {
    for (; bits >= bits_min; bits--) {
        struct live_entry *at = reserve(sizeof(struct live_entry) << bits);
        if (!at)
            continue;
        levels[level_count].entries = at;
        levels[level_count].mask = (1ull << bits) / BUCKET - 1;
        level_count++;
        return (int)bits;
    }
    return -ENOMEM;
}

/* The buckets of a block, in the order in which they are tried. */
static uint64_t place(const struct level *l, uint64_t p, unsigned i) {
    if (i < NEAR)
        return (((p >> 6) ^ (p >> 32)) + i) & l->mask;
    return base_mix(p + i * 0x9e3779b97f4a7c15ull) & l->mask;
}

static bool claim(struct live_entry *e, uint64_t key) {
    uint64_t none = 0;
    return RELAXED_LOAD(&e->key) == 0 &&
           __atomic_compare_exchange_n(&e->key, &none, key, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static bool insert_in(struct level *l, uint64_t p, uint64_t key, const struct live_entry *entry) {
    for (unsigned i = 0; i < PLACES; i++) {
        struct live_entry *e = &l->entries[place(l, p, i) * BUCKET];
        for (unsigned k = 0; k < BUCKET; k++) {
            if (!claim(&e[k], key))
                continue;
            e[k].cell = entry->cell;
            e[k].block = entry->block;
            e[k].size = entry->size;
            e[k].born = entry->born;
            return true;
        }
    }
    return false;
}

static bool take_from(struct level *l, uint64_t p, struct live_entry *entry) {
    for (unsigned i = 0; i < PLACES; i++) {
        struct live_entry *e = &l->entries[place(l, p, i) * BUCKET];
        for (unsigned k = 0; k < BUCKET; k++) {
            uint64_t key = RELAXED_LOAD(&e[k].key);
            if ((key & LIVE_ADDRESS) != (p & LIVE_ADDRESS) || !key)
                continue;
            *entry = e[k];
            /* Release: the next owner of the slot must not see our reads after its writes. */
            __atomic_store_n(&e[k].key, 0, __ATOMIC_RELEASE);
            return true;
        }
    }
    return false;
}

/* ---- the map ---- */

#define LEAF_BYTES (sizeof(uint64_t) << LIVE_LEAF_BITS)
#define LEAVES (1ull << (LIVE_GRANULES_BITS - LIVE_LEAF_BITS))
#define LEAVES_MAX 256u /* mapped: 16 GiB of addresses */

uint64_t **live_leaves;
static uint32_t leaves_left;
static uint64_t space_at_start;

/* Without it the table does everything. */
static void init_map(uint64_t limit) {
    uint64_t fit = limit / LEAF_BYTES;
    space_at_start = identity_space_limit();
    leaves_left = limit && fit < LEAVES_MAX ? (uint32_t)fit : LEAVES_MAX;
    if (leaves_left)
        live_leaves = reserve(LEAVES * sizeof live_leaves[0]);
}

/* Not where the program locks in memory all that it maps: the kernel would fill the leaf. That is
 * seen before it can be written to, for pages that are locked cannot be advised away. Nor where it
 * has narrowed its address space since the start: the leaf would be taken from what it has left. */
static uint64_t *reserve_leaf(void) {
    uint64_t *leaf = identity_space_limit() < space_at_start ? NULL
                                                             : reserve_with(LEAF_BYTES, PROT_NONE);
    if (!leaf)
        return NULL;
    if (!base_syscall(SYS_madvise, leaf, LEAF_BYTES, MADV_DONTNEED) &&
        !base_syscall(SYS_mprotect, leaf, LEAF_BYTES, PROT_READ | PROT_WRITE))
        return leaf;
    base_syscall(SYS_munmap, leaf, LEAF_BYTES);
    return NULL;
}

/* Leaves are never given back: a thread may be about to look into one. */
static COLD bool add_leaf(uint64_t p) {
    uint64_t **at = &live_leaves[p >> (LIVE_GRANULE_BITS + LIVE_LEAF_BITS)], *none = NULL;
    uint32_t left = RELAXED_LOAD(&leaves_left);
    do {
        if (!left)
            return false;
    } while (!__atomic_compare_exchange_n(&leaves_left, &left, left - 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    uint64_t *leaf = reserve_leaf();
    if (!leaf) {
        RELAXED_STORE(&leaves_left, 0); /* what has no memory now is not asked again and again */
        return false;
    }
    if (__atomic_compare_exchange_n(at, &none, leaf, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return true;
    base_syscall(SYS_munmap, leaf, LEAF_BYTES);
    RELAXED_ADD(&leaves_left, 1);
    return true;
}

/* Whether the map took the block. If not, what is there is stale: its free did not pass through
 * us, and the address belongs to this block now. */
static bool enter_map(uint64_t p, uint16_t epoch, const struct live_entry *entry) {
    if (!live_leaves)
        return false;
    uint64_t *word = live_word(p);
    bool fits = !entry->born && !entry->block && entry->size <= LIVE_MAP_SIZE_MAX;
    bool can_have_leaf = !(p & ((1u << LIVE_GRANULE_BITS) - 1)) && !(p >> 47);
    if (!word && fits && can_have_leaf && add_leaf(p))
        word = live_word(p);
    if (!word)
        return false;
    RELAXED_STORE(word, fits ? live_word_make(epoch, entry->cell, entry->size) : 0);
    return fits;
}

static bool leave_map(uint64_t p, struct live_entry *entry) {
    uint64_t *at = live_leaves ? live_word(p) : NULL;
    uint64_t word = at ? RELAXED_LOAD(at) : 0;
    if (!word)
        return false;
    RELAXED_STORE(at, 0);
    *entry = (struct live_entry){
        .key = (p & LIVE_ADDRESS) | (word >> 40 & 0xffff) << 48,
        .cell = live_word_cell(word),
        .size = live_word_size(word),
    };
    return true;
}

/* ---- both ---- */

static unsigned bits_within(uint64_t limit, unsigned wanted) {
    while (limit && wanted > 8 && sizeof(struct live_entry) << wanted > limit)
        wanted--;
    return wanted;
}

int live_init(bool exact, uint64_t limit) {
    unsigned wanted = exact ? 24 : 20, last = bits_within(limit, wanted);
    live_always(0);
    if (exact)
        init_map(limit);
    if (exact)
        for (unsigned i = 0; i < LIVE_FILTER_SIZE; i++)
            live_filter[i] = 255;
    else if (add_level(12, 8) < 0)
        return -ENOMEM;
    int got = add_level(last, 8);
    if (got < 0)
        return got;
    return (unsigned)got < wanted;
}

bool live_insert(uint64_t p, uint16_t epoch, const struct live_entry *entry) {
    uint64_t key = (p & LIVE_ADDRESS) | (uint64_t)epoch << 48;
    if (enter_map(p, epoch, entry))
        return true;
    for (uint32_t i = 0; i < level_count; i++) {
        if (!insert_in(&levels[i], p, key, entry))
            continue;
        if (UNLIKELY(RELAXED_LOAD(&levels_used) <= i))
            RELAXED_STORE(&levels_used, i + 1);
        filter_change(p, 1);
        return true;
    }
    return false;
}

bool live_take(uint64_t p, struct live_entry *entry) {
    if (!p)
        return false;
    if (leave_map(p, entry))
        return true;
    for (uint32_t i = 0, n = RELAXED_LOAD(&levels_used); i < n; i++)
        if (take_from(&levels[i], p, entry)) {
            filter_change(p, -1);
            return true;
        }
    return false;
}
