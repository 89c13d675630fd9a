/* Stacks that came back. */
#include "unwind_thread.h"

/* No entry is of generation 0. */
void unwind_forget_known(struct unwind_thread *t) {
    if (++t->generation)
        return;
    for (unsigned i = 0; i < UNWIND_KNOWN; i++)
        t->known[i].generation = 0;
    t->generation = 1;
}

static void know_word(struct unwind_known *known, uint64_t address, uint64_t value) {
    known->offset[known->count] = (uint32_t)(address - known->sp);
    known->value[known->count++] = value;
}

/* Once is not enough: stacks that never come back would only displace others. */
void unwind_keep_known(struct unwind_thread *t, uint64_t hash, uint32_t number) {
    const struct unwind_frames *f = &t->last;
    uint32_t i = t->first;
    struct unwind_known *known = &t->known[unwind_known_place(f->pc[i], f->sp[i])];
    if (known->hash != hash) {
        known->hash = hash;
        return;
    }
    unwind_settle(t, i);
    uint32_t words = unwind_word_count(t, i);
    if (UNWIND_MAX - 1 - i + words > UNWIND_KNOWN_WORDS - 3)
        return;
    known->generation = 0; /* known again when all is there */
    UNWIND_ORDER();
    known->pc = f->pc[i];
    known->sp = f->sp[i];
    known->bp = f->bp[i];
    known->needs_bp = unwind_needs_bp(t, i);
    known->number = number;
    known->count = 0;
    for (uint32_t k = i + 1; k < UNWIND_MAX; k++)
        know_word(known, f->sp[k] - 8, f->pc[k]);
    for (uint32_t k = 0; k < words; k++)
        know_word(known, t->words[k].address, t->words[k].value);
    for (uint16_t n = known->count; known->count & 3;)
        know_word(known, known->sp + known->offset[n - 1], known->value[n - 1]);
    UNWIND_ORDER();
    known->generation = t->generation;
}
