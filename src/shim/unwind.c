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

/* Where the C library put this thread's stack, 0 = not found. glibc keeps block and size side by
 * side in the thread's control block (struct pthread), at a place that versions differ in; the
 * block ends right above it, and no other two words there say that. Pages would not tell: stacks
 * without a guard, or cut from a pool, lie beside others, which may be unmapped. */
#define CONTROL_BLOCK 2304u
#define ABOVE_CONTROL_BLOCK 16384u
#define STACK_MIN 16384u
static uint64_t find_floor(uint64_t tp) {
    const uint64_t *word = (const uint64_t *)tp;
    uint64_t floor = 0;
    if (!peek_can_read(tp) || !peek_can_read(tp + CONTROL_BLOCK - 8))
        return 0;
    for (uint32_t i = 0; i + 1 < CONTROL_BLOCK / 8; i++) {
        uint64_t block = word[i], size = word[i + 1];
        if (block < tp && block > floor && size >= STACK_MIN && size < 1ull << 47 &&
            block + size > tp && block + size - tp <= ABOVE_CONTROL_BLOCK)
            floor = block;
    }
    return floor;
}

/* Extends [lo, hi) down to `sp` if that is the same stack: each page between is there. A thread's
 * stack ends below its thread control block, to which the thread pointer points. The mapping's
 * own end would not do: the kernel joins neighbours, and those may be unmapped while we read. */
static bool extend(struct unwind_thread *t, uint64_t sp) {
    bool is_initial = t->thread_pointer == initial_thread_pointer;
    uint64_t page = sp & ~(PEEK_PAGE - 1);
    if (!t->hi) {
        t->lo = t->hi = is_initial ? initial_hi : t->thread_pointer & ~7ull;
        t->floor = is_initial ? 0 : find_floor(t->thread_pointer);
    }
    if (sp >= t->hi || sp < t->floor || t->hi - sp > (is_initial ? INITIAL_REACH : THREAD_REACH))
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
        unwind_forget_known(t);
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
    return at - 8; /* walk_near reads the word at a CFA, too */
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

/* A polynomial of the mixed addresses: what each frame adds to the chain is one multiplication. Who
 * indexes by it mixes the sum. */
INLINE uint64_t hash_add(uint64_t h, uint64_t pc) {
    uint64_t mixed = pc * 0xd6e8feb86659fd93ull;
    return (h + (mixed ^ mixed >> 32)) * 0x9e3779b97f4a7c15ull;
}

INLINE uint64_t hash_seed(uint32_t end) {
    return (end + 1) * 0xd6e8feb86659fd93ull;
}

/* The innermost state that still holds: every word that a walk from there on reads is what it was.
 * MAX = none. Judged from the outside in, because what holds ends where the stack last changed;
 * four frames at a time, because where it ends cannot be predicted. Only words above the stack
 * pointer are read: others may be on pages that are there no more. */
static uint32_t find_holding(const struct unwind_thread *t, uint64_t sp) {
    uint32_t k = MAX - 1, words = 0;
    if (t->first == MAX)
        return MAX;
    for (; k >= t->first + 4 && t->sp[k - 3] > sp; k -= 4) {
        unsigned changed =
            (unwind_frame_changed(t, k) != 0) | (unwind_frame_changed(t, k - 1) != 0) << 1 |
            (unwind_frame_changed(t, k - 2) != 0) << 2 | (unwind_frame_changed(t, k - 3) != 0) << 3;
        if (changed) {
            k -= (unsigned)__builtin_ctz(changed);
            break;
        }
    }
    /* Most states need no words but their return addresses. */
    while (words < unwind_word_count(t, k) && t->words[words].address >= sp &&
           !unwind_changed(t->words[words].address, t->words[words].value))
        words++;
    while (k < MAX && unwind_word_count(t, k) > words)
        k++;
    return k;
}

/* `needs` counts the words from bit 1 on, as in unwind_thread. Returns it with one more: it is not
 * kept in memory while frames are placed. */
INLINE uint32_t remember_word(struct unwind_thread *t, uint32_t needs, uint64_t address,
                              uint64_t value) {
    t->words[needs >> 1].address = address;
    t->words[needs >> 1].value = value;
    return needs + 2;
}

/* The word that the CFA of state i is read from. */
static COLD uint32_t remember_cfa(struct unwind_thread *t, uint32_t needs, uint32_t i,
                                  uint32_t rule) {
    uint32_t kind = rule_kind(rule);
    uint64_t from = (kind == RULE_AT_RSP ? t->sp[i] : t->bp[i]) + rule_offset(rule);
    return remember_word(t, needs, from, t->sp[i + 1] - (kind == RULE_DRAP ? 0 : 8));
}

/* The outermost frame: a step that led nowhere. Where the bound cut the stack, a later walk may
 * have to go on from there, so its rbp counts in any case. */
static void remember_end(struct unwind_thread *t, uint32_t rule) {
    uint32_t needs = 0;
    for (uint32_t i = 0; i < t->end_word_count; i++)
        needs = remember_word(t, needs, t->end_words[i].address, t->end_words[i].value);
    bool needs_bp = rule_uses_bp(rule) || t->end == REGION_END_BOUND;
    t->needs[MAX - 1] = (uint16_t)(needs | needs_bp);
}

/* Puts frame k of the walk at place `to`. */
INLINE void place_frame(struct unwind_thread *t, uint32_t to, uint32_t k) {
    const struct unwind_fresh *f = &t->fresh[k];
    t->pc[to] = t->fresh_pc[k];
    t->sp[to] = f->sp;
    t->bp[to] = f->bp;
    t->at[unwind_at(f->sp)] = (uint8_t)to;
    _Static_assert(MAX <= 256, "a state fits a byte");
}

/* Puts the n fresh frames in front of state i of the last stack (i = MAX: they are all). */
static void remember(struct unwind_thread *t, uint32_t n, uint32_t i) {
    uint32_t to = i;
    uint64_t hash = t->hash[i];
    if (i == MAX && n) {
        place_frame(t, --to, --n);
        remember_end(t, t->fresh[n].rule);
        t->hash[to] = hash = hash_add(hash, t->pc[to]);
    }
    uint32_t needs = t->needs[to];
    while (n-- > 0) {
        uint32_t rule = t->fresh[n].rule, is_saved = rule / RULE_SAVES_BP & 1;
        place_frame(t, --to, n);
        /* The words of the step from here to the state outside, besides the return address. */
        if (UNLIKELY(rule_kind(rule) > RULE_RBP))
            needs = remember_cfa(t, needs, to, rule);
        if ((needs & is_saved) && LIKELY(rule_place(rule) != RULE_PLACE_LOST))
            needs = remember_word(t, needs, bp_slot(rule, t->sp[to + 1], t->bp[to]), t->bp[to + 1]);
        needs = (needs & ~is_saved) | (rule / RULE_USES_BP & 1);
        t->needs[to] = (uint16_t)needs;
        t->hash[to] = hash = hash_add(hash, t->pc[to]);
    }
    t->first = to;
}

/* ---- known stacks ---- */

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
    uint32_t i = t->first, words = unwind_word_count(t, i);
    struct unwind_known *known = &t->known[unwind_known_place(t->pc[i], t->sp[i])];
    if (known->hash != hash) {
        known->hash = hash;
        return;
    }
    if (MAX - 1 - i + words > UNWIND_KNOWN_WORDS - 3)
        return;
    known->pc = t->pc[i];
    known->sp = t->sp[i];
    known->bp = t->bp[i];
    known->needs_bp = unwind_needs_bp(t, i);
    known->number = number;
    known->count = 0;
    for (uint32_t k = i + 1; k < MAX; k++)
        know_word(known, t->sp[k] - 8, t->pc[k]);
    for (uint32_t k = 0; k < words; k++)
        know_word(known, t->words[k].address, t->words[k].value);
    for (uint16_t n = known->count; known->count & 3;)
        know_word(known, known->sp + known->offset[n - 1], known->value[n - 1]);
    known->generation = t->generation;
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
        t->fresh[n].sp = t->sp[i];
        t->fresh[n].bp = t->bp[i];
        t->fresh[n++].rule = rule_marked(table_rule(t->pc[i++] - 1, c->now, t->scratch));
    }
    c->pc = t->pc[i];
    c->sp = t->sp[i];
    c->bp = t->bp[i];
    return n;
}

/* Whether the cursor stands in state i. */
INLINE bool is_in(const struct unwind_thread *t, uint32_t i, uint64_t pc, uint64_t sp,
                  uint64_t bp) {
    return t->sp[i] == sp && t->pc[i] == pc && (t->bp[i] == bp || !unwind_needs_bp(t, i));
}

/* Walks over frames whose rules are near, on our own stack, in registers: the other steps keep the
 * cursor in memory, and each load from there would wait for the store before it. Returns the
 * state it came to among those that hold, from `holding` on, or MAX where one of the other steps
 * has to be taken. */
static uint32_t walk_near(struct unwind_thread *t, struct cursor *c, uint32_t *count,
                          uint32_t holding) {
    uint64_t pc = c->pc, sp = c->sp, bp = c->bp, hi = t->hi, from = t->sp[holding];
    uint32_t n = *count, met = MAX;
    for (;;) {
        if (sp >= from) {
            uint32_t i = t->at[unwind_at(sp)];
            if (i >= holding && is_in(t, i, pc, sp, bp)) {
                met = i;
                break;
            }
        }
        uint32_t rule = t->near[pc % UNWIND_NEAR].rule;
        uint64_t offset = (uint64_t)(int64_t)t->near[pc % UNWIND_NEAR].offset;
        uint64_t place = rule >> 16 & 0xff << 3; /* rule_place, in bytes */
        uint64_t cfa = sp + offset, from_bp = bp + offset;
        __asm__("" : "+r"(cfa), "+r"(from_bp)); /* both at once: each walk waits for this */
        cfa = rule & RULE_USES_BP ? from_bp : cfa;
        uint64_t slot = cfa - place; /* without a place the word at the CFA: it is there */
        if (UNLIKELY(t->near_pc[pc % UNWIND_NEAR] != pc) || UNLIKELY(n == MAX - 1))
            break;
        /* Both words lie in [sp, hi): so the slots are on this stack, and the walk gets on. */
        if (UNLIKELY(cfa <= sp || cfa > hi || cfa & 7 || slot < sp))
            break;
        uint64_t caller = ((const uint64_t *)cfa)[-1], saved = *(const uint64_t *)slot;
        if (UNLIKELY(!caller))
            break;
        t->fresh_pc[n] = pc;
        t->fresh[n].sp = sp;
        t->fresh[n].bp = bp;
        t->fresh[n++].rule = rule;
        bp = place ? saved : bp;
        pc = caller;
        sp = cfa;
    }
    c->pc = pc;
    c->sp = sp;
    c->bp = bp;
    *count = n;
    return met;
}

INLINE void keep_near(struct unwind_thread *t, uint64_t pc, uint32_t rule) {
    if (rule_kind(rule) > RULE_RBP || rule_place(rule) == RULE_PLACE_LOST)
        return;
    t->near_pc[pc % UNWIND_NEAR] = pc;
    t->near[pc % UNWIND_NEAR] =
        (struct unwind_near){.offset = (int32_t)rule_offset(rule), .rule = rule_marked(rule)};
}

/* Whether the outer part from state i on completes the walk. If not, the two parts together do not
 * fit, or are fewer than the cut stack that is remembered. */
INLINE bool completes(const struct unwind_thread *t, uint32_t n, uint32_t i) {
    uint32_t whole = n + MAX - i;
    return LIKELY(whole == MAX || (whole < MAX && t->end != REGION_END_BOUND));
}

static void walk(struct unwind_thread *t, struct cursor *c, struct unwind_result *result) {
    uint32_t n = 0, end;
    uint32_t holding = c->is_memorable ? find_holding(t, c->sp) : MAX;
    t->end_word_count = 0;
    for (;;) {
        if (LIKELY(!c->foreign && !c->exact)) {
            uint32_t i = walk_near(t, c, &n, c->is_memorable ? holding : MAX);
            if (i < MAX && LIKELY(completes(t, n, i))) {
                remember(t, n, i);
                answer(t, result);
                return;
            }
            if (i < MAX) {
                if (t->bp[i] == c->bp)
                    n = take_over(t, c, n, i);
                holding = MAX;
            }
        }
        uint32_t rule = table_rule(c->exact ? c->pc : c->pc - 1, c->now, t->scratch);
        t->fresh_pc[n] = c->pc | c->exact;
        t->fresh[n].sp = c->sp;
        t->fresh[n].bp = c->bp;
        t->fresh[n++].rule = rule_marked(rule);
        if (!c->exact)
            keep_near(t, c->pc, rule);
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
        unwind_forget_known(t);
        if (t->stamp) /* else they are zero, and on pages that need not be touched */
            base_zero(t->near_pc, sizeof t->near_pc);
        t->stamp = c.now;
    }
    bool own = unwind_is_own(t, c.sp) && t->thread_pointer == tp;
    if (UNLIKELY(!own))
        own = enter(t, c.sp, tp);
    c.foreign = !own;
    c.is_memorable = own;
    t->window_size = 0;
    if (own && unwind_repeats(t, start)) {
        answer(t, result);
        return;
    }
    t->walk++;
    walk(t, &c, result);
}
