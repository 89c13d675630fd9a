/* unwind_thread: what a thread remembers of its last stack, and whether a walk would give it again.
 *
 * Why in a header: most allocations come with the stack of the one before, and the short way of
 * exact mode has no time for a call. Not a door: unwind's and the short way's. */
#ifndef SQUALL_SHIM_UNWIND_THREAD_H
#define SQUALL_SHIM_UNWIND_THREAD_H

#include "unwind.h"
#include "unwind_table.h"

#define UNWIND_MAX REGION_FRAMES_MAX

#define UNWIND_NEAR 1024u
#define UNWIND_AT 256u
#define UNWIND_KNOWN 64u
#define UNWIND_KNOWN_WORDS 40u
#define UNWIND_KNOWN_TRUST 16u

/* The rule of a return address that this thread met lately, if it is of the kinds of nearly all
 * code: what the walk needs first, ready to be added. Whose it is stands beside, in near_pc: one
 * index is all there is to compute between a return address and the next. */
struct unwind_near {
    int32_t offset; /* of the CFA, bytes */
    uint32_t rule;  /* rule_marked */
};

/* Stores before it are in memory before those after it, for who forks in between: the child's
 * threads are handed this memory as it is. */
#define UNWIND_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

struct unwind_word {
    uint64_t address;
    uint64_t value;
};

/* A stack that came back, whole: every word that a walk reads, and the number that stands for the
 * stack with its owner. Two or three allocations in turn, as most loops make them, would otherwise
 * undo what is remembered of each other. */
struct unwind_known {
    uint64_t pc, sp, bp;
    uint64_t hash; /* of the stack that was walked last and has its place here */
    uint32_t number;
    uint32_t generation; /* of the thread's known stacks; 0 = none is known here */
    uint16_t count;      /* words, filled up to a multiple of 4 */
    bool needs_bp;
    uint32_t offset[UNWIND_KNOWN_WORDS]; /* of the word, bytes from sp */
    uint64_t value[UNWIND_KNOWN_WORDS];
};

/* Frames of a stack. State i is (pc, sp, bp)[i]; the return address pc[i] was read at sp[i] - 8,
 * and rule[i] (rule_marked) leads to state i + 1. */
struct unwind_frames {
    uint64_t sp[UNWIND_MAX + 1]; /* [UNWIND_MAX]: a bound that stops searches */
    uint64_t pc[UNWIND_MAX];
    uint64_t bp[UNWIND_MAX];
    uint32_t rule[UNWIND_MAX];
};

/* Frames of the last stack fill the upper ends of the arrays, innermost first, so that an outer
 * part keeps its place when the inner part changes:
 *
 *      0        first          settled          MAX-1   MAX
 *      | unused | innermost ......... outermost frame | end |
 *
 * Words that a walk from state i on reads besides the return addresses (saved rbps that are needed,
 * words that a CFA is computed from) are words[0 .. word_count[i]), outermost first. They, hash,
 * needs and at are there for states from `settled` on; those of the states inside are computed when
 * something asks for them, which it does not where every stack is another one. After a walk that is
 * not remembered, what is left may be an outer part of the stack, settled further in than it
 * begins. */
struct unwind_thread {
    uint64_t stamp;          /* of the last stack and the bounds */
    uint64_t walk;           /* counts the walks; nothing below changes without one */
    uint64_t thread_pointer; /* whose stack [lo, hi) is */
    uint64_t lo, hi;         /* our own stack, as far as it is known to be there; so is [hi] */
    uint64_t floor;          /* our own stack begins nowhere below; 0 = not known */
    uint64_t refused;        /* sp of the last stack that is not our own, in pages */
    uint32_t first;          /* UNWIND_MAX: no stack is remembered */
    uint32_t settled;
    uint32_t end;
    bool deepens;   /* the last stack was deeper than the one before; a hint */
    uint64_t whole; /* hash of the last stack; a hint */

    struct unwind_frames last;
    uint64_t hash[UNWIND_MAX + 1];
    uint16_t needs[UNWIND_MAX + 1]; /* word_count << 1 | needs_bp */
    struct unwind_word words[2 * UNWIND_MAX + 4];
    uint8_t at[UNWIND_AT]; /* the state that came last with such a stack pointer, see unwind_at */
    uint64_t near_pc[UNWIND_NEAR]; /* 0 = none */
    struct unwind_near near[UNWIND_NEAR];
    uint32_t generation; /* older known stacks are forgotten */
    uint32_t known_trust, known_skipped;
    struct unwind_known known[UNWIND_KNOWN];

    struct unwind_frames other;      /* from 0 on: of a walk that is not remembered */
    struct unwind_word end_words[2]; /* read by the last step, which led nowhere */
    uint32_t end_word_count;
    uint64_t window_at, window_size; /* a piece of a stack that is not our own */
    uint8_t window[2048] __attribute__((aligned(8)));
    uint8_t scratch[RULE_SCRATCH];
};

/* The last stack is no stack from now on. */
void unwind_forget(struct unwind_thread *t);
/* Settles the states of the last stack from `until` on. */
void unwind_settle(struct unwind_thread *t, uint32_t until);
/* Where the initial thread's stack ends; by that thread, on it, once. */
void unwind_find_bounds(void);
/* Returns whether a walk that starts at `sp` is on the stack of the thread with thread pointer
 * `tp`, whose bounds it looks for where they are not known so far. */
bool unwind_enter(struct unwind_thread *t, uint64_t sp, uint64_t tp);

INLINE uint64_t unwind_thread_pointer(void) {
    uint64_t tp;
    __asm__("mov %%fs:0, %0" : "=r"(tp));
    return tp;
}

INLINE bool unwind_is_own(const struct unwind_thread *t, uint64_t sp) {
    return sp - t->lo < t->hi - t->lo;
}

INLINE uint32_t unwind_word_count(const struct unwind_thread *t, uint32_t i) {
    return t->needs[i] >> 1;
}
INLINE bool unwind_needs_bp(const struct unwind_thread *t, uint32_t i) {
    return t->needs[i] & 1;
}

/* Call sites keep the stack pointer a multiple of 16. */
INLINE uint32_t unwind_at(uint64_t sp) {
    return (uint32_t)(sp >> 4) % UNWIND_AT;
}

INLINE uint64_t unwind_changed(uint64_t address, uint64_t value) {
    return *(const uint64_t *)address ^ value;
}

INLINE uint64_t unwind_frame_changed(const struct unwind_thread *t, uint32_t k) {
    return unwind_changed(t->last.sp[k] - 8, t->last.pc[k]);
}

/* Reads every return address again that a walk from state i on reads; all lie in [sp[i], hi). This
 * loop is what a repeating stack costs: no branch but its own, four words a turn. 0 = as they were.
 */
INLINE uint64_t unwind_frames_changed(const struct unwind_thread *t, uint32_t i) {
    uint64_t differ = 0;
    uint64_t k = i + 1;
    if (k & 1)
        differ |= unwind_frame_changed(t, (uint32_t)k++);
    if (k & 2) {
        differ |= unwind_frame_changed(t, (uint32_t)k) | unwind_frame_changed(t, (uint32_t)k + 1);
        k += 2;
    }
    _Static_assert(UNWIND_MAX % 4 == 0, "the loop ends there");
    for (; k < UNWIND_MAX; k += 4)
        differ |= unwind_frame_changed(t, (uint32_t)k) | unwind_frame_changed(t, (uint32_t)k + 1) |
                  unwind_frame_changed(t, (uint32_t)k + 2) |
                  unwind_frame_changed(t, (uint32_t)k + 3);
    return differ;
}

/* The same of the other words; state i is settled. */
INLINE uint64_t unwind_words_changed(const struct unwind_thread *t, uint32_t i) {
    uint64_t differ = 0;
    for (const struct unwind_word *w = t->words, *end = w + unwind_word_count(t, i); w < end; w++)
        differ |= unwind_changed(w->address, w->value);
    return differ;
}

/* Whether what is remembered is of this stack and of the modules as they are now. */
INLINE bool unwind_is_current(const struct unwind_thread *t) {
    return LIKELY(t->stamp == RELAXED_LOAD(&table_stamp)) &&
           LIKELY(t->thread_pointer == unwind_thread_pointer());
}

/* Whether a walk from `start` would give the last stack. One that is not settled was met once:
 * where every stack is another one there is nothing to be gained by a look. */
INLINE bool unwind_repeats(const struct unwind_thread *t, const struct unwind_start *start) {
    uint32_t i = t->first;
    return LIKELY(t->settled <= i) && LIKELY(t->last.sp[i] == start->sp) &&
           LIKELY(t->last.pc[i] == start->pc) &&
           LIKELY(t->last.bp[i] == start->bp || !unwind_needs_bp(t, i)) && unwind_is_current(t) &&
           LIKELY((unwind_frames_changed(t, i) | unwind_words_changed(t, i)) == 0);
}

INLINE uint32_t unwind_known_place(uint64_t pc, uint64_t sp) {
    return (uint32_t)(pc ^ pc >> 6 ^ sp >> 4) % UNWIND_KNOWN;
}

/* Whether to look: where stacks come at random there is nothing to find, and one try in 16 will
 * do to notice that this has changed. */
INLINE bool unwind_trusts_known(struct unwind_thread *t) {
    return LIKELY(t->known_trust) || ++t->known_skipped % UNWIND_KNOWN_TRUST == 0;
}

/* The known stack that a walk from `start` would give, NULL = it is to be walked. */
INLINE const struct unwind_known *unwind_find_known(struct unwind_thread *t,
                                                    const struct unwind_start *start) {
    const struct unwind_known *known = &t->known[unwind_known_place(start->pc, start->sp)];
    uint64_t differ = 0;
    if (t->known_trust)
        t->known_trust--;
    if (known->pc != start->pc || known->sp != start->sp ||
        (known->bp != start->bp && known->needs_bp) || known->generation != t->generation ||
        !unwind_is_current(t))
        return NULL;
    for (uint32_t k = 0; k < known->count; k += 4)
        differ |= unwind_changed(start->sp + known->offset[k], known->value[k]) |
                  unwind_changed(start->sp + known->offset[k + 1], known->value[k + 1]) |
                  unwind_changed(start->sp + known->offset[k + 2], known->value[k + 2]) |
                  unwind_changed(start->sp + known->offset[k + 3], known->value[k + 3]);
    if (differ)
        return NULL;
    t->known_trust = UNWIND_KNOWN_TRUST;
    return known;
}

#endif
