/* Rows, and an index from granules to rows.
 *
 * A block of class k has 4^k bytes or more and less than 4^(k+1); memory is cut in granules of
 * 4^(k+1) bytes, so it lies in one or two of them, however large it is, and it is entered under
 * each. Disjoint blocks of a class are at most five in a granule. A question looks at one granule
 * for each class that ever had a block.
 *
 * The first eight bytes of a bucket say whether there is anything to look at. Each word has a tag:
 * four bits of its hash, and which quarters of the granule the block reaches into, so that a
 * neighbour's row is seldom read in vain. Beside them stands how many words found the bucket full
 * and passed it by; while there are any, a question goes on to the next bucket. The first two lie
 * in one cache line of the small level, whose memory most processes never outgrow; the others in
 * the large one, two in each of scattered lines, so that a run of full buckets is no wall. */
#include "block.h"

#include <errno.h>

#include "base/reserve.h"

#define STEP 2u /* a class is a factor of 1 << STEP */

#define SLOTS 6u
#define ROW_BITS 20u
#define ROW_MASK ((1u << ROW_BITS) - 1)
#define ROW_BITS_MIN 8u
#define SMALL_BITS 11u          /* 64 KiB of buckets */
#define SIZE_MAX_BITS 62u       /* larger: no block */
#define SMALL_PLACES 2u         /* buckets tried in the small level */
#define PLACES (2u + 16u)       /* in all */
#define SECOND (1u << ROW_BITS) /* in a word: that of the block's second granule */
#define CHECK_SHIFT (ROW_BITS + 1)
#define EACH_TAG 0x010101010101ull
#define PASSED_SHIFT 48u
#define PASSED_MANY 0xffffu /* stays: the bucket counts no more */

/* A word is check, SECOND and row, 0 = free; the check is of the hash too. A row's two words
 * differ, else one could be removed for the other, which other buckets had to count. A slot is
 * claimed by its word, before the tag is set; only the row's owner clears them, the tag first. A
 * tag that is not its word's is no harm: the row itself has the last word. */
struct bucket {
    union {
        uint64_t head;
        struct {
            uint8_t tags[SLOTS]; /* 0 = free */
            uint16_t passed;     /* words of living blocks for which it was too full */
        };
    };
    uint32_t words[SLOTS];
};
_Static_assert(sizeof(struct bucket) == 32, "two in a cache line");
_Static_assert(offsetof(struct bucket, passed) * 8 == PASSED_SHIFT, "the head's upper bits");

struct level {
    struct bucket *buckets;
    uint32_t shift; /* from a hash to a bucket */
};

/* Read by all, hardly ever written. */
static struct {
    struct level small, large;
    uint32_t row_count;
    uint32_t classes; /* bits of those that ever had a block */
} table __attribute__((aligned(64)));

struct block *block_rows;

/* Written at every block. */
static struct {
    uint64_t free;  /* top of the stack of free rows, | count of changes << 32: no ABA */
    uint32_t fresh; /* rows from here on were never used; 0 is none */
} pool __attribute__((aligned(64)));

/* ---- memory ---- */

static uint64_t bytes_for(unsigned bits) {
    unsigned small = bits < SMALL_BITS ? bits : SMALL_BITS;
    return (sizeof(struct block) << bits) + (sizeof(struct bucket) << small) +
           (sizeof(struct bucket) << (bits - 1));
}

static void lay_out(uint64_t at, unsigned bits) {
    unsigned small = bits < SMALL_BITS ? bits : SMALL_BITS;
    block_rows = (struct block *)at;
    table.small.buckets = (struct bucket *)(block_rows + (1ull << bits));
    table.small.shift = 64 - small;
    table.large.buckets = table.small.buckets + (1ull << small);
    table.large.shift = 64 - (bits - 1);
    table.row_count = 1u << bits;
    table.classes = 0;
    pool.free = 0;
    pool.fresh = 1;
}

int block_init(uint64_t limit) {
    for (unsigned bits = ROW_BITS; bits >= ROW_BITS_MIN; bits--) {
        uint64_t bytes = bytes_for(bits);
        if (limit && bytes > limit)
            continue;
        long at = base_reserve(bytes, PROT_READ | PROT_WRITE);
        if (base_is_error(at))
            continue;
        lay_out((uint64_t)at, bits);
        return 0;
    }
    return -ENOMEM;
}

/* ---- rows ---- */

static uint32_t take_fresh(void) {
    uint32_t row = RELAXED_LOAD(&pool.fresh);
    do
        if (row >= table.row_count)
            return 0;
    while (!__atomic_compare_exchange_n(&pool.fresh, &row, row + 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    return row;
}

/* The row given back last, so that few are ever touched. `next` may be read of a row that another
 * thread has taken meanwhile: then the count has changed, and the swap fails. */
static uint32_t take_row(void) {
    uint64_t top = __atomic_load_n(&pool.free, __ATOMIC_ACQUIRE), below;
    do {
        if (!(uint32_t)top)
            return take_fresh();
        below = ((top >> 32) + 1) << 32 | RELAXED_LOAD(&block_rows[(uint32_t)top].next);
    } while (!__atomic_compare_exchange_n(&pool.free, &top, below, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_ACQUIRE));
    return (uint32_t)top;
}

static void give_row(uint32_t row) {
    uint64_t top = RELAXED_LOAD(&pool.free), ours;
    do {
        RELAXED_STORE(&block_rows[row].next, (uint32_t)top);
        ours = ((top >> 32) + 1) << 32 | row;
    } while (!__atomic_compare_exchange_n(&pool.free, &top, ours, false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

/* A row that is given back and taken again between our reads has another version. Stores of start
 * and size are releases, for this order: (start = 0, version + 1), (size, start). A row whose
 * block went away meanwhile may be denied: for a moment there was none. */
INLINE bool holds(uint32_t row, uint64_t address) {
    const struct block *b = &block_rows[row];
    uint32_t version = __atomic_load_n(&b->version, __ATOMIC_ACQUIRE);
    uint64_t start = __atomic_load_n(&b->start, __ATOMIC_ACQUIRE);
    uint64_t size = __atomic_load_n(&b->size, __ATOMIC_ACQUIRE);
    return start && address - start < size && RELAXED_LOAD(&b->version) == version;
}

/* ---- the index ---- */

INLINE uint32_t class_of(uint64_t size) {
    return (63u - (uint32_t)__builtin_clzll(size)) / STEP;
}

INLINE uint32_t granule_bits(uint32_t class) {
    return (class + 1) * STEP;
}

/* Its upper bits are the bucket, 34 to 44 the check and 30 to 33 in the tag. */
INLINE uint64_t hash_of(uint32_t class, uint64_t granule) {
    return (granule << 6 | class) * 0x9e3779b97f4a7c15ull;
}

INLINE uint32_t check_of(uint64_t hash) {
    return (uint32_t)(hash >> 34) << CHECK_SHIFT;
}

INLINE uint32_t quarter_of(uint32_t class, uint64_t address) {
    return (uint32_t)(address >> (granule_bits(class) - 2)) & 3;
}

INLINE uint32_t tag_of(uint64_t hash, uint32_t quarters) {
    return ((uint32_t)(hash >> 26) & 0xf0) | quarters;
}

/* Slots whose tag has this hash and this quarter, as the highest bit of their bytes. */
INLINE uint64_t slots_with(uint64_t head, uint64_t hash, uint32_t quarter) {
    uint64_t same = ~(head ^ tag_of(hash, 0) * EACH_TAG);
    same &= same << 1;
    same &= same << 2;
    return same & head << (7 - quarter) & 0x80 * EACH_TAG;
}

/* The quarters of a granule from that of `first` to that of `last`, addresses in it. */
INLINE uint32_t quarters_of(uint32_t class, uint64_t first, uint64_t last) {
    uint32_t low = quarter_of(class, first), high = quarter_of(class, last);
    return 0xfu << low & 0xfu >> (3 - high);
}

INLINE struct bucket *home_of(uint64_t hash) {
    return &table.small.buckets[hash >> table.small.shift];
}

/* The buckets of a hash, in the order in which they are tried. */
static struct bucket *place(uint64_t hash, uint32_t i) {
    if (i < SMALL_PLACES)
        return &table.small.buckets[(hash >> table.small.shift) ^ i];
    i -= SMALL_PLACES;
    return &table.large.buckets[((hash * (i | 1)) >> table.large.shift) ^ (i & 1)];
}

static bool enter_bucket(struct bucket *b, uint32_t word, uint32_t tag) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t none = 0;
        if (RELAXED_LOAD(&b->words[i]) ||
            !__atomic_compare_exchange_n(&b->words[i], &none, word, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&b->tags[i], (uint8_t)tag, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

static bool leave_bucket(struct bucket *b, uint32_t word) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (RELAXED_LOAD(&b->words[i]) != word)
            continue;
        RELAXED_STORE(&b->tags[i], 0);
        __atomic_store_n(&b->words[i], 0, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

/* Only a word that passes by a bucket counts there, for as long as it lives; so whoever looks for
 * it finds a count. One too many (a fork in the middle) costs a look, no more. */
static void count_passed(struct bucket *b, int by) {
    uint16_t old = RELAXED_LOAD(&b->passed);
    while (old != PASSED_MANY &&
           !__atomic_compare_exchange_n(&b->passed, &old, (uint16_t)(old + by), true,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        ;
}

/* A word that found the first n buckets full is gone. */
static void unpass(uint64_t hash, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        count_passed(place(hash, i), -1);
}

static bool enter(uint64_t hash, uint32_t word, uint32_t tag) {
    word |= check_of(hash);
    if (LIKELY(enter_bucket(home_of(hash), word, tag)))
        return true;
    for (uint32_t i = 1; i < PLACES; i++) {
        /* Before the word is where only this count leads. */
        count_passed(place(hash, i - 1), 1);
        if (enter_bucket(place(hash, i), word, tag))
            return true;
    }
    unpass(hash, PLACES - 1);
    return false;
}

static void leave(uint64_t hash, uint32_t word) {
    word |= check_of(hash);
    if (LIKELY(leave_bucket(home_of(hash), word)))
        return;
    for (uint32_t i = 1; i < PLACES; i++)
        if (leave_bucket(place(hash, i), word)) {
            unpass(hash, i);
            return;
        }
}

INLINE uint32_t find_in(const struct bucket *b, uint64_t head, uint64_t hash, uint32_t quarter,
                        uint64_t address) {
    for (uint64_t slots = slots_with(head, hash, quarter); slots; slots &= slots - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(slots) / 8;
        uint32_t word = __atomic_load_n(&b->words[i], __ATOMIC_ACQUIRE);
        if ((word ^ check_of(hash)) < 1u << CHECK_SHIFT && holds(word & ROW_MASK, address))
            return word & ROW_MASK; /* not 0: that row holds nothing */
    }
    return 0;
}

/* Where the home bucket did not have it, but others passed it by. */
static NOINLINE uint32_t find_further(uint64_t hash, uint32_t quarter, uint64_t address) {
    for (uint32_t i = 1; i < PLACES; i++) {
        const struct bucket *b = place(hash, i);
        uint64_t head = __atomic_load_n(&b->head, __ATOMIC_ACQUIRE);
        uint32_t row = find_in(b, head, hash, quarter, address);
        if (row)
            return row;
        if (!(head >> PASSED_SHIFT))
            break;
    }
    return 0;
}

/* ---- blocks ---- */

static bool enter_block(uint32_t row, uint64_t start, uint64_t size) {
    uint32_t class = class_of(size), bits = granule_bits(class);
    uint64_t end = start + size - 1, cut = end >> bits << bits, hash;
    if (UNLIKELY(!(RELAXED_LOAD(&table.classes) & 1u << class)))
        __atomic_fetch_or(&table.classes, 1u << class, __ATOMIC_RELEASE);
    hash = hash_of(class, start >> bits);
    if (start >= cut)
        return enter(hash, row, tag_of(hash, quarters_of(class, start, end)));
    if (!enter(hash, row, tag_of(hash, quarters_of(class, start, cut - 1))))
        return false;
    hash = hash_of(class, end >> bits);
    if (enter(hash, row | SECOND, tag_of(hash, quarters_of(class, cut, end))))
        return true;
    leave(hash_of(class, start >> bits), row);
    return false;
}

static void leave_block(uint32_t row, uint64_t start, uint64_t size) {
    uint32_t class = class_of(size), bits = granule_bits(class);
    uint64_t first = start >> bits, last = (start + size - 1) >> bits;
    leave(hash_of(class, first), row);
    if (first != last)
        leave(hash_of(class, last), row | SECOND);
}

uint32_t block_add(uint64_t start, uint64_t size, uint32_t cell, uint16_t epoch) {
    if (!start || !size || size >> SIZE_MAX_BITS || start + size < start)
        return 0;
    uint32_t row = take_row();
    if (!row)
        return 0;
    struct block *b = &block_rows[row];
    b->cell = cell;
    b->epoch = epoch;
    b->roles = b->flags = 0;
    b->served = b->context = 0;
    b->message = b->mark = b->mark2 = 0;
    __atomic_store_n(&b->size, size, __ATOMIC_RELEASE);
    __atomic_store_n(&b->start, start, __ATOMIC_RELEASE);
    if (LIKELY(enter_block(row, start, size)))
        return row;
    __atomic_store_n(&b->start, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&b->version, b->version + 1, __ATOMIC_RELEASE);
    give_row(row);
    return 0;
}

/* A row that is free is left alone: it must not be given back twice. */
void block_remove(uint32_t row) {
    struct block *b = &block_rows[row];
    if (!row || !b->start)
        return;
    uint64_t start = b->start, size = b->size;
    __atomic_store_n(&b->start, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&b->version, b->version + 1, __ATOMIC_RELEASE);
    leave_block(row, start, size);
    give_row(row);
}

uint32_t block_find(uint64_t address) {
    for (uint32_t m = __atomic_load_n(&table.classes, __ATOMIC_ACQUIRE); m; m &= m - 1) {
        uint32_t class = (uint32_t)__builtin_ctz(m);
        uint64_t hash = hash_of(class, address >> granule_bits(class));
        uint32_t quarter = quarter_of(class, address);
        const struct bucket *b = home_of(hash);
        uint64_t head = __atomic_load_n(&b->head, __ATOMIC_ACQUIRE);
        uint32_t row = find_in(b, head, hash, quarter, address);
        if (!row && UNLIKELY(head >> PASSED_SHIFT))
            row = find_further(hash, quarter, address);
        if (row)
            return row;
    }
    return 0;
}
