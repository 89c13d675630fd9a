/* See unwind_table.h for what a word is. */
#include "unwind_table.h"

#include <sys/mman.h>

#include "base/syscall.h"
#include "unwind.h"

#define TABLE_BYTES (TABLE_SLOTS * sizeof(uint64_t))
#define WAYS 4u
#define WAY_SHIFT 31u

uint64_t *table_words;
uint64_t table_stamp = 1ull << 32;

int table_init(void) {
    long m = base_syscall(SYS_mmap, 0, TABLE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_is_error(m))
        return (int)m;
    base_syscall(SYS_madvise, m, TABLE_BYTES, MADV_DONTDUMP);
    __atomic_store_n(&table_words, (uint64_t *)m, __ATOMIC_RELEASE);
    return 0;
}

INLINE uint32_t generation_of_word(uint64_t word) {
    return (uint32_t)(word >> RULE_BITS) & (TABLE_GENERATIONS - 1);
}

INLINE uint32_t generation_of_stamp(uint64_t stamp) {
    return (uint32_t)(stamp >> 32) & (TABLE_GENERATIONS - 1);
}

/* The generation's bits come round: words of the same bits have to be gone before that. */
void unwind_invalidate(void) {
    uint64_t now = __atomic_add_fetch(&table_stamp, 1ull << 32, __ATOMIC_SEQ_CST);
    if (table_words && generation_of_stamp(now) % (TABLE_GENERATIONS / 2) == 0)
        base_syscall(SYS_madvise, table_words, TABLE_BYTES, MADV_DONTNEED);
}

/* Only the lower half counts these; should it ever run over, the rules are compiled anew. */
void unwind_module_added(void) {
    __atomic_add_fetch(&table_stamp, 1, __ATOMIC_SEQ_CST);
}

/* The newest goes home. What it drives out goes into a slot beside, if it is at home here. */
static void store(struct table_slot s, uint32_t rule, uint64_t now) {
    uint32_t generation = generation_of_stamp(now);
    uint64_t old = RELAXED_LOAD(&table_words[s.home]);
    if (old && !(old >> WAY_SHIFT & (WAYS - 1)) && generation_of_word(old) == generation) {
        uint32_t way = 1 + (uint32_t)(s.want >> 6) % (WAYS - 1);
        for (uint32_t i = 1; i < WAYS; i++) {
            uint64_t beside = RELAXED_LOAD(&table_words[s.home ^ i]);
            if (!beside || generation_of_word(beside) != generation)
                way = i;
        }
        RELAXED_STORE(&table_words[s.home ^ way], old | (uint64_t)way << WAY_SHIFT);
    }
    RELAXED_STORE(&table_words[s.home], s.want << RULE_BITS | rule);
}

static COLD uint32_t compile(uint64_t address, struct table_slot s, uint64_t now,
                             uint8_t *scratch) {
    struct module m;
    uint32_t rule;
    if (address >> TABLE_ADDRESS_BITS)
        return rule_outside((uint32_t)now);
    if (module_look(address, &m))
        rule = rule_compile(&m, address, scratch);
    else
        rule = rule_outside((uint32_t)now);
    /* Compiled from tables that went away meanwhile: good for nobody. */
    if (RELAXED_LOAD(&table_stamp) >> 32 == now >> 32)
        store(s, rule, now);
    return rule;
}

uint32_t table_rule_slow(uint64_t address, struct table_slot s, uint64_t now, uint8_t *scratch) {
    for (uint32_t way = 0; way < WAYS; way++) {
        uint64_t word = RELAXED_LOAD(&table_words[s.home ^ way]);
        uint32_t rule = (uint32_t)word & RULE_MASK;
        if (word >> RULE_BITS != (s.want | (uint64_t)way << 4))
            continue;
        /* Outside every module that was known then. */
        if (rule_kind(rule) == RULE_OUTSIDE && rule != rule_outside((uint32_t)now))
            break;
        return rule;
    }
    return compile(address, s, now, scratch);
}
