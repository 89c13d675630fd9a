/* unwind_rule: how to get from one frame to its caller, for one address of code, in 27 bits.
 *
 * Why so small: a rule, the tag of its address and the generation fit one word, so that the table
 * of rules needs neither locks nor retries. What does not fit is RULE_HARD: the walk ends there
 * and says so.
 *
 * Nobody shares what is declared here; rules are values. */
#ifndef SQUALL_SHIM_UNWIND_RULE_H
#define SQUALL_SHIM_UNWIND_RULE_H

#include "shim/module.h"

/* Every kind up to RULE_DRAP has the return address at CFA - 8. Order matters: the walk's fast
 * path takes the kinds up to RULE_RBP, the kinds from RULE_OUTERMOST on end the walk. */
enum rule_kind {
    RULE_NONE,      /* never returned: an empty word of the table */
    RULE_RSP,       /* CFA = rsp + offset */
    RULE_RBP,       /* CFA = rbp + offset */
    RULE_AT_RSP,    /* CFA = [rsp + offset] + 8: OpenSSL's assembly */
    RULE_AT_RBP,    /* CFA = [rbp + offset] + 8 */
    RULE_DRAP,      /* CFA = [rbp + offset], caller's rbp = [rbp]: gcc's realigned frames */
    RULE_SIGNAL,    /* rsp points to the ucontext of an interrupted frame */
    RULE_OUTERMOST, /* there is no caller */
    RULE_MISSING,   /* a module, but no unwind information for this address */
    RULE_OUTSIDE,   /* no module; the upper bits say as of which number of modules */
    RULE_HARD       /* there is a rule and this walker cannot do it */
};

#define RULE_BITS 27u
#define RULE_MASK ((1u << RULE_BITS) - 1)

/* Layout: kind 4 bits, offset 15 bits in words, biased; place of the saved rbp 8 bits, in words
 * below the CFA. */
#define RULE_OFFSET_BIAS 64
#define RULE_OFFSET_MAX (0x7fff - RULE_OFFSET_BIAS)
#define RULE_PLACE_SAME 0u
#define RULE_PLACE_LOST 0xffu
#define RULE_STAMP_MASK 0x7fffffu

INLINE uint32_t rule_kind(uint32_t rule) {
    return rule & 15;
}
INLINE uint64_t rule_offset(uint32_t rule) {
    return (((uint64_t)rule >> 1) & (0x7fffu << 3)) - RULE_OFFSET_BIAS * 8;
}
INLINE uint32_t rule_place(uint32_t rule) {
    return (rule >> 19) & 0xff;
}
INLINE uint32_t rule_make(uint32_t kind, int64_t offset_words, uint32_t place) {
    return kind | (uint32_t)(offset_words + RULE_OFFSET_BIAS) << 4 | place << 19;
}
INLINE uint32_t rule_outside(uint32_t modules) {
    return RULE_OUTSIDE | (modules & RULE_STAMP_MASK) << 4;
}
INLINE bool rule_uses_bp(uint32_t rule) {
    uint32_t kind = rule_kind(rule);
    return kind == RULE_RBP || kind == RULE_AT_RBP || kind == RULE_DRAP;
}
/* Whether the caller's rbp is read from the stack. */
INLINE bool rule_saves_bp(uint32_t rule) {
    return rule_place(rule) != RULE_PLACE_SAME || rule_kind(rule) == RULE_DRAP;
}

/* The two as bits above a rule: they change from frame to frame, and no branch would be foreseen. */
#define RULE_USES_BP (1u << 27)
#define RULE_SAVES_BP (1u << 28)
_Static_assert(RULE_BITS == 27, "they are above");
INLINE uint32_t rule_marked(uint32_t rule) {
    return rule | (rule_uses_bp(rule) ? RULE_USES_BP : 0) | (rule_saves_bp(rule) ? RULE_SAVES_BP : 0);
}

/* The rule that holds when the instruction at `address` is about to run; for a return address
 * the caller passes the byte before it, which belongs to the call. `module` is the one that holds
 * it. `scratch` is used where the module's memory has to be peeked at. */
#define RULE_SCRATCH 1024u /* bytes */
uint32_t rule_compile(const struct module *module, uint64_t address, uint8_t *scratch);

#endif
