/* The walk and the last stack.
 *
 * A walk is a function of (pc, sp, rbp), of the words of the stack that it reads and of the
 * unwind tables. So the outer part of the last stack can be taken over when the walk arrives in
 * one of its states and every word that a fresh walk would read from there on still has the same
 * value. Nothing is trusted because it is old: the walk has to land on a remembered state itself,
 * and the words are read again. longjmp, exceptions and coroutines need nothing special.
 *
 * rbp is part of a state only where an outer frame still uses it (`needs_bp`); most code compiled
 * without frame pointers carries some number in it that no rule looks at. */
#include "unwind.h"

#include "peek.h"
#include "unwind_thread.h"

#define MAX UNWIND_MAX

size_t unwind_thread_size(void) {
    return sizeof(struct unwind_thread);
}

/* ---- the bounds of stacks ---- */

/* The initial thread's stack. The kernel keeps it one mapping from its bound down to where it was
 * ever touched, and nothing else comes near. Written once, by unwind_init. */
static uint64_t initial_hi;
static uint64_t initial_thread_pointer;
#define INITIAL_REACH (120ull << 20) /* the kernel leaves 128 MiB of room for it, or more */
#define THREAD_REACH (64ull << 20)   /* larger stacks are walked as foreign ones */

static void forget(struct unwind_thread *t) {
    t->first = MAX;
    t->sp[MAX] = ~0ull;
}

/* Extends [lo, hi) down to `sp` if that is the same stack: each page between is there. A thread's
 * stack ends below its thread control block, to which the thread pointer points. The mapping's
 * own end would not do: the kernel joins neighbours, and those may be unmapped while we read. */
static bool extend(struct unwind_thread *t, uint64_t sp) {
    bool is_initial = t->thread_pointer == initial_thread_pointer;
    uint64_t page = sp & ~(PEEK_PAGE - 1);
    if (!t->hi)
        t->lo = t->hi = is_initial ? initial_hi : t->thread_pointer & ~7ull;
    if (sp >= t->hi || t->hi - sp > (is_initial ? INITIAL_REACH : THREAD_REACH))
        return false;
    if (is_initial) {
        t->lo = page;
        return true;
    }
    for (uint64_t at = (t->lo - 1) & ~(PEEK_PAGE - 1); at >= page; at -= PEEK_PAGE) {
        if (!peek_can_read(at))
            return false;
        t->lo = at;
    }
    return true;
}

/* Returns whether a walk that starts at `sp` is on our own stack. */
static COLD bool enter(struct unwind_thread *t, uint64_t sp, uint64_t tp) {
    if (t->thread_pointer != tp) {
        t->thread_pointer = tp;
        t->lo = t->hi = t->refused = 0;
        forget(t);
    }
    if (unwind_is_own(t, sp))
        return true;
    if (t->refused == sp / PEEK_PAGE)
        return false;
    if (extend(t, sp))
        return true;
    t->refused = sp / PEEK_PAGE;
    return false;
}

bool unwind_owns(struct unwind_thread *t, uint64_t sp) {
    uint64_t tp = unwind_thread_pointer();
    return (t->thread_pointer == tp && unwind_is_own(t, sp)) || enter(t, sp, tp);
}

/* Upwards from here page by page: what is above the initial stack is not adjacent. */
static uint64_t find_initial_hi(uint64_t sp) {
    uint64_t at = sp & ~(PEEK_PAGE - 1);
    for (unsigned i = 0; i < INITIAL_REACH / PEEK_PAGE && peek_can_read(at); i++)
        at += PEEK_PAGE;
    return at;
}

int unwind_init(void) {
    if (table_words)
        return 0;
    initial_thread_pointer = unwind_thread_pointer();
    initial_hi = find_initial_hi((uint64_t)__builtin_frame_address(0));
    return table_init();
}

/* ---- one step ---- */

struct cursor {
    uint64_t pc, sp, bp;
    uint64_t now;
    uint64_t exact;    /* REGION_FRAME_EXACT when pc was interrupted, else 0 */
    bool foreign;      /* sp is on a stack that is not our own */
    bool is_memorable; /* every state so far is on our own stack, outwards from the last */
};

static COLD bool load_foreign(struct unwind_thread *t, uint64_t address, uint64_t *value) {
    if (address & 7)
        return false;
    if (address - t->window_at >= t->window_size) {
        t->window_at = address;
        t->window_size = peek_read(t->window, address, sizeof t->window) & ~7ull;
        if (!t->window_size)
            return false;
    }
    *value = *(const uint64_t *)(const void *)(t->window + (address - t->window_at));
    return true;
}

/* Reads a word of the stack that the cursor is on, at or above its stack pointer. Code that was
 * interrupted in its epilogue has just taken rbp from below it, and the tables still say so: the
 * kernel leaves those 128 bytes alone. */
#define RED_ZONE 128u
INLINE bool load(struct unwind_thread *t, const struct cursor *c, uint64_t address,
                 uint64_t *value) {
    uint64_t lowest = c->exact ? c->sp - RED_ZONE : c->sp;
    if (UNLIKELY(address < lowest && !c->foreign))
        return false;
    if (LIKELY(address - t->lo < t->hi - t->lo && t->hi - address >= 8)) {
        *value = *(const uint64_t *)address;
        return true;
    }
    return c->foreign && load_foreign(t, address, value);
}

/* The frame of a signal handler: the interrupted code may have run on any stack. Only a walk's
 * start proves that a stack pointer is a real one, so our stack is not extended for this one; what
 * is below the part that is known is read as a foreign stack. */
static COLD uint32_t step_signal(struct unwind_thread *t, struct cursor *c) {
    uint64_t pc, sp, bp;
    if (!load(t, c, c->sp + 168, &pc) || !load(t, c, c->sp + 160, &sp) ||
        !load(t, c, c->sp + 120, &bp))
        return REGION_END_BAD_MEMORY;
    if (sp == c->sp)
        return REGION_END_CYCLE;
    c->pc = pc & ~REGION_FRAME_EXACT;
    c->sp = sp;
    c->bp = bp;
    c->exact = REGION_FRAME_EXACT;
    c->foreign = !unwind_is_own(t, sp);
    c->is_memorable = false;
    return 0;
}

static void note_end_word(struct unwind_thread *t, uint64_t address, uint64_t value) {
    t->end_words[t->end_word_count].address = address;
    t->end_words[t->end_word_count++].value = value;
}

/* The CFA of a rule that reads memory for it. */
static bool load_cfa(struct unwind_thread *t, const struct cursor *c, uint32_t rule,
                     uint64_t *cfa) {
    uint64_t from = (rule_kind(rule) == RULE_AT_RSP ? c->sp : c->bp) + rule_offset(rule);
    if (!load(t, c, from, cfa))
        return false;
    note_end_word(t, from, *cfa);
    if (rule_kind(rule) != RULE_DRAP)
        *cfa += 8;
    return true;
}

/* Where a step found the caller's rbp. */
INLINE uint64_t bp_slot(uint32_t rule, uint64_t cfa, uint64_t bp) {
    return rule_kind(rule) == RULE_DRAP ? bp : cfa - 8ull * rule_place(rule);
}

/* Why the caller's frame cannot begin at `cfa`. */
static COLD uint32_t bad_cfa(const struct cursor *c, uint64_t cfa) {
    return cfa == c->sp ? REGION_END_CYCLE
                        : (cfa < c->sp ? REGION_END_OTHER_STACK : REGION_END_BAD_MEMORY);
}

/* All kinds. Returns 0, or why there is no caller (enum region_stack_end). */
static NOINLINE uint32_t step_any(struct unwind_thread *t, struct cursor *c, uint32_t rule) {
    static const uint8_t ends[] = {[RULE_OUTERMOST] = REGION_END_OUTERMOST,
                                   [RULE_MISSING] = REGION_END_NO_RULE,
                                   [RULE_OUTSIDE] = REGION_END_JIT,
                                   [RULE_HARD] = REGION_END_TOO_HARD};
    uint32_t kind = rule_kind(rule);
    uint64_t cfa, pc, bp = c->bp;
    if (kind >= RULE_OUTERMOST)
        return kind < ARRAY_SIZE(ends) ? ends[kind] : REGION_END_UNKNOWN;
    if (kind == RULE_SIGNAL)
        return step_signal(t, c);
    if (kind <= RULE_RBP)
        cfa = (kind == RULE_RBP ? c->bp : c->sp) + rule_offset(rule);
    else if (!load_cfa(t, c, rule, &cfa))
        return REGION_END_BAD_MEMORY;
    /* Code that changed stacks itself and says so with a CFA from rbp: back to our own is the one
     * direction that can be checked. */
    bool returns = c->foreign && unwind_is_own(t, cfa);
    if ((cfa <= c->sp && !returns) || cfa & 7)
        return bad_cfa(c, cfa);
    if (!load(t, c, cfa - 8, &pc))
        return REGION_END_BAD_MEMORY;
    if (rule_place(rule) == RULE_PLACE_LOST)
        bp = 0;
    else if ((rule_place(rule) || kind == RULE_DRAP) && !load(t, c, bp_slot(rule, cfa, bp), &bp))
        return REGION_END_BAD_MEMORY;
    if (!pc) {
        note_end_word(t, cfa - 8, 0);
        return REGION_END_OUTERMOST;
    }
    t->end_word_count = 0;
    c->pc = pc;
    c->sp = cfa;
    c->bp = bp;
    c->exact = 0;
    if (returns)
        c->foreign = false;
    return 0;
}

/* The kinds of nearly all code, on our own stack and without unpredictable branches: whether the
 * CFA comes from rsp or rbp, and whether rbp was saved, changes from frame to frame. Anything
 * unusual is left to step_any, which begins again. */
INLINE bool step_fast(const struct unwind_thread *t, struct cursor *c, uint32_t rule) {
    uint64_t keep = c->bp;
    uint64_t cfa = (rule_kind(rule) == RULE_RBP ? c->bp : c->sp) + rule_offset(rule);
    uint32_t place = rule_place(rule);
    uint64_t slot = cfa - 8ull * place;
    if (UNLIKELY(rule_kind(rule) > RULE_RBP || c->foreign || place == RULE_PLACE_LOST))
        return false;
    /* Both words lie in [sp, hi): so the slots are on this stack, and the walk gets on. */
    if (UNLIKELY(cfa <= c->sp || cfa > t->hi || cfa & 7 || slot < c->sp))
        return false;
    const uint64_t *from = place ? (const uint64_t *)slot : &keep;
    __asm__("" : "+r"(from)); /* keeps the choice a conditional move */
    uint64_t pc = ((const uint64_t *)cfa)[-1];
    if (UNLIKELY(!pc))
        return false;
    c->bp = *from;
    c->pc = pc;
    c->sp = cfa;
    c->exact = 0;
    return true;
}

/* ---- the last stack ---- */

#define HASH_MULTIPLIER 0x9e3779b97f4a7c15ull

INLINE uint64_t hash_add(uint64_t h, uint64_t pc) {
    h = (h ^ pc) * HASH_MULTIPLIER;
    return h ^ (h >> 29);
}

INLINE uint64_t hash_seed(uint32_t end) {
    return (end + 1) * 0xd6e8feb86659fd93ull;
}

/* The state from which on the words are not what they were, given that state i was reached. */
static COLD uint32_t find_changed(const struct unwind_thread *t, uint32_t i) {
    uint32_t bad = i + 1, word = t->word_count[i];
    while (bad < MAX && *(const uint64_t *)(t->sp[bad] - 8) == t->pc[bad])
        bad++;
    while (word > 0 && *(const uint64_t *)t->words[word - 1].address == t->words[word - 1].value)
        word--;
    /* Only states that do not depend on the changed words may be met later. */
    uint32_t next = bad < MAX ? bad : i + 1;
    while (word && next < MAX && t->word_count[next] >= word)
        next++;
    return next;
}

static void remember_word(struct unwind_thread *t, uint32_t *count, uint64_t address,
                          uint64_t value) {
    t->words[*count].address = address;
    t->words[(*count)++].value = value;
}

/* The words of the step from state i to state i + 1, besides the return address. */
INLINE void remember_step(struct unwind_thread *t, uint32_t i) {
    uint32_t rule = t->rule[i], count = t->word_count[i + 1];
    uint32_t kind = rule_kind(rule);
    bool is_saved = rule_place(rule) || kind == RULE_DRAP;
    bool needs = t->needs_bp[i + 1];
    if (UNLIKELY(kind > RULE_RBP)) {
        uint64_t from = (kind == RULE_AT_RSP ? t->sp[i] : t->bp[i]) + rule_offset(rule);
        remember_word(t, &count, from, t->sp[i + 1] - (kind == RULE_DRAP ? 0 : 8));
    }
    if (needs && is_saved && rule_place(rule) != RULE_PLACE_LOST)
        remember_word(t, &count, bp_slot(rule, t->sp[i + 1], t->bp[i]), t->bp[i + 1]);
    t->word_count[i] = (uint16_t)count;
    t->needs_bp[i] = rule_uses_bp(rule) || (!is_saved && needs);
}

/* The outermost frame: a step that led nowhere. Where the bound cut the stack, a later walk may
 * have to go on from there, so its rbp counts in any case. */
static void remember_end(struct unwind_thread *t) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->end_word_count; i++)
        remember_word(t, &count, t->end_words[i].address, t->end_words[i].value);
    t->word_count[MAX - 1] = (uint16_t)count;
    t->needs_bp[MAX - 1] = rule_uses_bp(t->rule[MAX - 1]) || t->end == REGION_END_BOUND;
}

/* Puts the n fresh frames in front of state i of the last stack (i = MAX: they are all). */
static void remember(struct unwind_thread *t, uint32_t n, uint32_t i) {
    uint32_t first = i - n;
    for (uint32_t k = n; k-- > 0;) {
        uint32_t to = first + k;
        t->pc[to] = t->fresh_pc[k];
        t->sp[to] = t->fresh_sp[k];
        t->bp[to] = t->fresh_bp[k];
        t->rule[to] = t->fresh_rule[k];
        t->hash[to] = hash_add(t->hash[to + 1], t->fresh_pc[k]);
        if (UNLIKELY(to == MAX - 1))
            remember_end(t);
        else
            remember_step(t, to);
    }
    t->first = first;
}

/* ---- the walk ---- */

INLINE void answer(const struct unwind_thread *t, struct unwind_result *result) {
    result->frames = &t->pc[t->first];
    result->count = MAX - t->first;
    result->end = t->end;
    result->hash = t->hash[t->first];
}

/* A walk that ended with n fresh frames and met no remembered state. */
static void finish(struct unwind_thread *t, const struct cursor *c, uint32_t n, uint32_t end,
                   struct unwind_result *result) {
    if (c->is_memorable) {
        t->end = end;
        t->hash[MAX] = hash_seed(end);
        remember(t, n, MAX);
        answer(t, result);
        return;
    }
    uint64_t hash = hash_seed(end);
    for (uint32_t k = n; k-- > 0;)
        hash = hash_add(hash, t->fresh_pc[k]);
    result->frames = t->fresh_pc;
    result->count = n;
    result->end = end;
    result->hash = hash;
}

/* State i was met after n fresh frames, but the two parts together do not fit, or are fewer than
 * the cut stack that is remembered. Takes over frames of the last stack as fresh ones, up to its
 * last but one or the bound, and leaves the cursor at the next. Returns the number of fresh
 * frames then. */
static uint32_t take_over(struct unwind_thread *t, struct cursor *c, uint32_t n, uint32_t i) {
    while (n < MAX - 1 && i < MAX - 1) {
        t->fresh_pc[n] = t->pc[i];
        t->fresh_sp[n] = t->sp[i];
        t->fresh_bp[n] = t->bp[i];
        t->fresh_rule[n++] = t->rule[i++];
    }
    c->pc = t->pc[i];
    c->sp = t->sp[i];
    c->bp = t->bp[i];
    return n;
}

enum met { MET_NOTHING, MET_ALL, MET_PART };

/* Looks whether the cursor stands in a remembered state whose outer part still holds. *i is where
 * to look from; only states outside it can be met. */
INLINE enum met meet(struct unwind_thread *t, const struct cursor *c, uint32_t n, uint32_t *i) {
    uint32_t k = *i;
    while (t->sp[k] < c->sp)
        k++;
    *i = k;
    if (t->sp[k] != c->sp || k == MAX || t->pc[k] != c->pc || (t->bp[k] != c->bp && t->needs_bp[k]))
        return MET_NOTHING;
    if (UNLIKELY(!unwind_is_unchanged(t, k))) {
        *i = find_changed(t, k);
        return MET_NOTHING;
    }
    uint32_t whole = n + MAX - k;
    if (LIKELY(whole == MAX || (whole < MAX && t->end != REGION_END_BOUND)))
        return MET_ALL;
    return t->bp[k] == c->bp ? MET_PART : MET_NOTHING;
}

static void walk(struct unwind_thread *t, struct cursor *c, struct unwind_result *result) {
    uint32_t n = 0, i = c->is_memorable ? t->first : MAX, end;
    t->end_word_count = 0;
    for (;;) {
        enum met met = i < MAX && c->is_memorable ? meet(t, c, n, &i) : MET_NOTHING;
        if (met == MET_ALL) {
            remember(t, n, i);
            answer(t, result);
            return;
        }
        if (met == MET_PART) {
            n = take_over(t, c, n, i);
            i = MAX;
        }
        uint32_t rule = table_rule(c->exact ? c->pc : c->pc - 1, c->now, t->scratch);
        t->fresh_pc[n] = c->pc | c->exact;
        t->fresh_sp[n] = c->sp;
        t->fresh_bp[n] = c->bp;
        t->fresh_rule[n++] = rule;
        if (UNLIKELY(n == MAX) && rule_kind(rule) < RULE_OUTERMOST) {
            end = REGION_END_BOUND;
            break;
        }
        if (LIKELY(step_fast(t, c, rule)))
            continue;
        end = step_any(t, c, rule);
        if (end)
            break;
    }
    finish(t, c, n, end, result);
}

void unwind_walk(struct unwind_thread *t, const struct unwind_start *start,
                 struct unwind_result *result) {
    struct cursor c;
    c.pc = start->pc;
    c.sp = start->sp;
    c.bp = start->bp;
    c.now = RELAXED_LOAD(&table_stamp);
    c.exact = 0;
    uint64_t tp = unwind_thread_pointer();
    if (UNLIKELY(!table_words)) {
        result->frames = t->fresh_pc;
        result->count = 0;
        result->end = REGION_END_NOT_WALKED;
        result->hash = hash_seed(REGION_END_NOT_WALKED);
        return;
    }
    if (UNLIKELY(t->stamp != c.now)) {
        forget(t);
        t->stamp = c.now;
    }
    bool own = unwind_is_own(t, c.sp) && t->thread_pointer == tp;
    if (UNLIKELY(!own))
        own = enter(t, c.sp, tp);
    c.foreign = !own;
    c.is_memorable = own;
    t->window_size = 0;
    t->walk++;
    walk(t, &c, result);
}
