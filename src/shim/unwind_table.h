/* unwind_table: the rules compiled so far, of all threads.
 *
 * Why one table: threads run the same code. A rule is one word that names its address in full, so
 * nobody waits, retries or mistakes one address for another: any thread stores and loads whole
 * words, relaxed. Only unwind.c walks with it.
 *
 * A word: tag 31 bits, way 2, generation 4, rule 27. Multiplication by an odd number is a
 * bijection of 47-bit addresses; the upper 16 bits of the product are the home slot, the others
 * the tag. A rule is in its home slot or in one of the three next to it (slot ^ way). */
#ifndef SQUALL_SHIM_UNWIND_TABLE_H
#define SQUALL_SHIM_UNWIND_TABLE_H

#include "shim/unwind_rule.h"

#define TABLE_SLOTS 65536u
#define TABLE_ADDRESS_BITS 47u
#define TABLE_TAG_BITS 31u
#define TABLE_MULTIPLIER 0x2b2ae3d27c4f1b65ull
#define TABLE_GENERATIONS 16u

extern uint64_t *table_words; /* NULL: nothing is walked. Written once, by table_init */

/* Upper half: generation of the rules. Lower half: modules that became known. What was concluded
 * from rules holds only as long as this has not changed. */
extern uint64_t table_stamp;

struct table_slot {
    uint32_t home;
    uint64_t want; /* what a word in its home slot has above the rule */
};

/* 0 or -errno. */
int table_init(void);

/* Not in its home slot: looks beside it, and compiles the rule where it is nowhere. */
uint32_t table_rule_slow(uint64_t address, struct table_slot s, uint64_t now, uint8_t *scratch);

/* The rule for the code at `address`; `now` is the stamp that the walk began with. */
INLINE uint32_t table_rule(uint64_t address, uint64_t now, uint8_t *scratch) {
    uint64_t h = (address * TABLE_MULTIPLIER) & ((1ull << TABLE_ADDRESS_BITS) - 1);
    struct table_slot s;
    s.home = (uint32_t)(h >> TABLE_TAG_BITS);
    s.want = (h & ((1ull << TABLE_TAG_BITS) - 1)) << 6 | ((now >> 32) & (TABLE_GENERATIONS - 1));
    s.want |= (address >> TABLE_ADDRESS_BITS) << 37; /* such an address matches no word */
    uint64_t word = RELAXED_LOAD(&table_words[s.home]);
    if (LIKELY(word >> RULE_BITS == s.want) && LIKELY(rule_kind((uint32_t)word) != RULE_OUTSIDE))
        return (uint32_t)word & RULE_MASK;
    return table_rule_slow(address, s, now, scratch);
}

#endif
