/* The table of live blocks: levels of buckets of two entries (a cache line each).
 *
 * A block's first places keep the order of addresses, so that the table has the locality of the
 * heap that it describes; where many small blocks crowd each other out, the further places are
 * scattered, each on its own: a run of full buckets is no wall. When a level has no room in any of
 * them, the next, larger one is used. */
#include "live.h"

#include <errno.h>
#include <linux/mman.h>

#include "base/syscall.h"

#define NEAR 2u /* places in the order of addresses */
#define PLACES 16u

uint8_t live_filter[LIVE_FILTER_SIZE] __attribute__((aligned(64)));

struct live_level live_levels[LIVE_LEVELS];
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

static int add_level(unsigned bits, unsigned bits_min) {
    for (; bits >= bits_min; bits--) {
        uint64_t bytes = sizeof(struct live_entry) << bits;
        long at = base_syscall(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base_is_error(at))
            continue;
        base_syscall(SYS_madvise, at, bytes, MADV_NOHUGEPAGE);
        base_syscall(SYS_madvise, at, bytes, MADV_DONTDUMP);
        live_levels[level_count].entries = (struct live_entry *)at;
        live_levels[level_count].mask = (1ull << bits) / LIVE_BUCKET - 1;
        level_count++;
        return (int)bits;
    }
    return -ENOMEM;
}

static unsigned bits_within(uint64_t limit, unsigned wanted) {
    while (limit && wanted > 8 && sizeof(struct live_entry) << wanted > limit)
        wanted--;
    return wanted;
}

int live_init(bool exact, uint64_t limit) {
    unsigned wanted = exact ? 24 : 20, last = bits_within(limit, wanted);
    live_always(0);
    if (exact)
        for (unsigned i = 0; i < LIVE_FILTER_SIZE; i++)
            live_filter[i] = 255;
    else if (add_level(12, 8) < 0)
        return -ENOMEM;
    int got = add_level(last, 8);
    if (got < 0)
        return got;
    levels_used = 1; /* live_insert_home does not tell */
    return (unsigned)got < wanted;
}

/* The buckets of a block, in the order in which they are tried. */
static uint64_t place(const struct live_level *l, uint64_t p, unsigned i) {
    if (i < NEAR)
        return (live_near(p) + i) & l->mask;
    return base_mix(p + i * 0x9e3779b97f4a7c15ull) & l->mask;
}

static bool insert_in(struct live_level *l, uint64_t p, uint64_t key,
                      const struct live_entry *entry) {
    for (unsigned i = 0; i < PLACES; i++) {
        struct live_entry *e = &l->entries[place(l, p, i) * LIVE_BUCKET];
        for (unsigned k = 0; k < LIVE_BUCKET; k++) {
            if (!live_claim(&e[k], key))
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

bool live_insert(uint64_t p, uint16_t epoch, const struct live_entry *entry) {
    uint64_t key = (p & LIVE_ADDRESS) | (uint64_t)epoch << 48;
    for (uint32_t i = 0; i < level_count; i++) {
        if (!insert_in(&live_levels[i], p, key, entry))
            continue;
        if (UNLIKELY(RELAXED_LOAD(&levels_used) <= i))
            RELAXED_STORE(&levels_used, i + 1);
        filter_change(p, 1);
        return true;
    }
    return false;
}

static bool take_from(struct live_level *l, uint64_t p, struct live_entry *entry) {
    for (unsigned i = 0; i < PLACES; i++) {
        struct live_entry *e = &l->entries[place(l, p, i) * LIVE_BUCKET];
        for (unsigned k = 0; k < LIVE_BUCKET; k++) {
            uint64_t key = RELAXED_LOAD(&e[k].key);
            if ((key & LIVE_ADDRESS) != (p & LIVE_ADDRESS) || !key)
                continue;
            *entry = e[k];
            live_release(&e[k]);
            return true;
        }
    }
    return false;
}

bool live_take(uint64_t p, struct live_entry *entry) {
    if (!p)
        return false;
    for (uint32_t i = 0, n = RELAXED_LOAD(&levels_used); i < n; i++)
        if (take_from(&live_levels[i], p, entry)) {
            filter_change(p, -1);
            return true;
        }
    return false;
}
