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

int unwind_init(void) {
    if (table_words)
        return 0;
    unwind_find_bounds();
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
    c->is_memorable = false;
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
#define HASH_FACTOR 0x9e3779b97f4a7c15ull
INLINE uint64_t hash_mixed(uint64_t pc) {
    uint64_t mixed = pc * 0xd6e8feb86659fd93ull;
    return mixed ^ mixed >> 32;
}

INLINE uint64_t hash_add(uint64_t h, uint64_t pc) {
    return (h + hash_mixed(pc)) * HASH_FACTOR;
}

INLINE uint64_t hash_seed(uint32_t end) {
    return (end + 1) * 0xd6e8feb86659fd93ull;
}

/* `needs` counts the words from bit 1 on, as in unwind_thread. Returns it with one more: it is not
 * kept in memory while states are settled. */
INLINE uint32_t remember_word(struct unwind_thread *t, uint32_t needs, uint64_t address,
                              uint64_t value) {
    t->words[needs >> 1].address = address;
    t->words[needs >> 1].value = value;
    return needs + 2;
}

/* The word that the CFA of state i is read from. */
static COLD uint32_t remember_cfa(struct unwind_thread *t, uint32_t needs, uint32_t i) {
    uint32_t rule = t->last.rule[i], kind = rule_kind(rule);
    uint64_t from = (kind == RULE_AT_RSP ? t->last.sp[i] : t->last.bp[i]) + rule_offset(rule);
    return remember_word(t, needs, from, t->last.sp[i + 1] - (kind == RULE_DRAP ? 0 : 8));
}

/* The outermost frame: a step that led nowhere. Where the bound cut the stack, a later walk may
 * have to go on from there, so its rbp counts in any case. */
static void settle_end(struct unwind_thread *t) {
    uint32_t needs = 0;
    for (uint32_t i = 0; i < t->end_word_count; i++)
        needs = remember_word(t, needs, t->end_words[i].address, t->end_words[i].value);
    bool needs_bp = rule_uses_bp(t->last.rule[MAX - 1]) || t->end == REGION_END_BOUND;
    t->hash[MAX] = hash_seed(t->end);
    t->hash[MAX - 1] = hash_add(t->hash[MAX], t->last.pc[MAX - 1]);
    t->needs[MAX - 1] = (uint16_t)(needs | needs_bp);
    t->at[unwind_at(t->last.sp[MAX - 1])] = MAX - 1;
    t->settled = MAX - 1;
    _Static_assert(MAX <= 256, "a state fits a byte");
}

NOINLINE void unwind_settle(struct unwind_thread *t, uint32_t until) {
    const struct unwind_frames *f = &t->last;
    uint32_t i = t->settled, needs = t->needs[i];
    uint64_t hash = t->hash[i];
    while (i > until) {
        uint32_t rule = f->rule[--i], is_saved = rule / RULE_SAVES_BP & 1;
        /* The words of the step from here to the state outside, besides the return address. */
        if (UNLIKELY(rule_kind(rule) > RULE_RBP))
            needs = remember_cfa(t, needs, i);
        if ((needs & is_saved) && LIKELY(rule_place(rule) != RULE_PLACE_LOST))
            needs = remember_word(t, needs, bp_slot(rule, f->sp[i + 1], f->bp[i]), f->bp[i + 1]);
        needs = (needs & ~is_saved) | (rule / RULE_USES_BP & 1);
        t->needs[i] = (uint16_t)needs;
        t->hash[i] = hash = hash_add(hash, f->pc[i]);
        t->at[unwind_at(f->sp[i])] = (uint8_t)i;
    }
    t->settled = i;
}

/* The innermost state that still holds, settled: every word that a walk from there on reads is what
 * it was. MAX = none. Judged from the outside in, because what holds ends where the stack last
 * changed; four frames at a time, because where it ends cannot be predicted. Only words above the
 * stack pointer are read: others may be on pages that are there no more. */
static uint32_t find_holding(struct unwind_thread *t, uint64_t sp) {
    uint32_t k = MAX - 1, words = 0;
    if (t->first == MAX)
        return MAX;
    for (; k >= t->first + 4 && t->last.sp[k - 3] > sp; k -= 4) {
        if (unwind_frame_changed(t, k) | unwind_frame_changed(t, k - 1) |
            unwind_frame_changed(t, k - 2) | unwind_frame_changed(t, k - 3)) {
            unsigned changed = (unwind_frame_changed(t, k) != 0) |
                               (unwind_frame_changed(t, k - 1) != 0) << 1 |
                               (unwind_frame_changed(t, k - 2) != 0) << 2 | 1 << 3;
            k -= (unsigned)__builtin_ctz(changed);
            k++; /* no walk comes to state k itself, whose pc is another one */
            break;
        }
    }
    if (k < t->settled)
        unwind_settle(t, k);
    /* Most states need no words but their return addresses. */
    while (words < unwind_word_count(t, k) && t->words[words].address >= sp &&
           !unwind_changed(t->words[words].address, t->words[words].value))
        words++;
    while (k < MAX && unwind_word_count(t, k) > words)
        k++;
    return k;
}

/* ---- the walk ---- */

/* The part of the last stack from its state `first` on, which stays settled from `settled` on. */
INLINE void answer(struct unwind_thread *t, uint32_t first, uint32_t settled, uint64_t hash,
                   struct unwind_result *result) {
    t->settled = settled; /* first: what lies inside it is not settled any more */
    UNWIND_ORDER();
    t->first = first;
    t->whole = hash;
    result->frames = &t->last.pc[first];
    result->count = MAX - first;
    result->end = t->end;
    result->hash = hash;
}

/* Frames [from, end) to `to` and after. */
static NOINLINE void move_frames(struct unwind_frames *f, uint32_t from, uint32_t end,
                                 uint32_t to) {
    int32_t step = to < from ? 1 : -1, by = (int32_t)(to - from);
    uint32_t k = to < from ? from : end - 1;
    for (uint32_t n = end - from; n-- > 0; k += (uint32_t)step) {
        uint32_t at = k + (uint32_t)by;
        f->pc[at] = f->pc[k];
        f->sp[at] = f->sp[k];
        f->bp[at] = f->bp[k];
        f->rule[at] = f->rule[k];
    }
}

/* A walk under way: it has frames [begin, end) of `frames` so far. `end` never passes `holding`:
 * what is there and after is still the last stack's. */
struct path {
    struct unwind_frames *frames;
    uint32_t begin, end, holding;
    uint32_t last;        /* where the last stack began */
    uint64_t sum, weight; /* the hash of the whole is sum + weight × that of what is outside */
};

/* Where the frames of a walk from here begin if they are as many as one would think: they need not
 * be moved then. This state was there in the last stack, or in one before; or the stack is one
 * frame deeper, where the last was, too; or as deep. No branches: which it is cannot be predicted.
 */
INLINE uint32_t guess_begin(const struct unwind_thread *t, uint64_t pc, uint64_t sp) {
    const struct unwind_frames *f = &t->last;
    uint32_t first = t->first, i = t->at[unwind_at(sp)];
    if (UNLIKELY(first >= MAX))
        return 0;
    bool was = (i >= first) & (f->sp[i] == sp) & (f->pc[i] == pc);
    bool deeper = (sp < f->sp[first]) & t->deepens & (first != 0);
    uint32_t begin = first - deeper;
    return was ? i : begin;
}

/* hash_add from the inside outwards. */
INLINE void path_hash(uint64_t *sum, uint64_t *weight, uint64_t pc) {
    *weight *= HASH_FACTOR;
    *sum += hash_mixed(pc) * *weight;
}

/* The walk goes where the last stack is remembered, of which what holds stays: that is what is left
 * of it where the walk turns out not to be remembered, or never ends (a child was forked in the
 * midst of it, and hands the thread's memory on). A stack that the bound cut is not whole from
 * there on. */
INLINE void begin_path(struct unwind_thread *t, const struct cursor *c, struct path *path) {
    uint32_t begin = guess_begin(t, c->pc, c->sp), holding = find_holding(t, c->sp);
    if (begin >= holding)
        begin = holding ? holding - 1 : 0;
    path->frames = &t->last;
    path->begin = path->end = begin;
    path->holding = holding;
    path->last = t->first;
    t->first = t->end == REGION_END_BOUND ? MAX : holding;
    UNWIND_ORDER();
}

/* No state of the last stack is of use any more. */
static void drop_holding(struct unwind_thread *t, struct path *path) {
    unwind_forget(t);
    path->holding = MAX;
}

/* The guess was wrong: there is no place for another frame. Moves the frames to the beginning;
 * where they are there already, the stack is deeper than the bound, and of no use to the last
 * one's. */
static COLD void make_room(struct unwind_thread *t, struct path *path) {
    if (!path->begin) {
        drop_holding(t, path);
        return;
    }
    move_frames(path->frames, path->begin, path->end, 0);
    path->end -= path->begin;
    path->begin = 0;
}

/* Moves the walk's frames up to where state i follows them. */
INLINE void join(struct unwind_thread *t, struct path *path, uint32_t i) {
    uint32_t gap = i - path->end;
    if (!gap)
        return;
    t->first = MAX;
    UNWIND_ORDER();
    move_frames(path->frames, path->begin, path->end, path->begin + gap);
    path->begin += gap;
    path->end = i;
}

/* The walk is past what can be remembered: it goes on elsewhere. */
static COLD void leave_path(struct unwind_thread *t, struct path *path) {
    uint32_t n = path->end - path->begin;
    for (uint32_t k = 0; k < n; k++)
        t->other.pc[k] = path->frames->pc[path->begin + k];
    path->frames = &t->other;
    path->begin = 0;
    path->end = n;
    path->holding = MAX;
}

/* A walk that ended and met no remembered state. */
static void finish(struct unwind_thread *t, struct path *path, uint32_t end,
                   struct unwind_result *result) {
    if (path->frames == &t->last) {
        join(t, path, MAX); /* t->first is MAX now: moved, or nothing held */
        t->end = end;
        settle_end(t);
        unwind_settle(t, path->begin);
        answer(t, path->begin, path->begin, t->hash[path->begin], result);
        return;
    }
    uint64_t hash = hash_seed(end);
    for (uint32_t k = path->end; k-- > 0;)
        hash = hash_add(hash, t->other.pc[k]);
    result->frames = t->other.pc;
    result->count = path->end;
    result->end = end;
    result->hash = hash;
}

/* Whether the cursor stands in state i. */
INLINE bool is_in(const struct unwind_thread *t, uint32_t i, uint64_t pc, uint64_t sp,
                  uint64_t bp) {
    return t->last.sp[i] == sp && t->last.pc[i] == pc &&
           (t->last.bp[i] == bp || !unwind_needs_bp(t, i));
}

/* Walks over frames whose rules are near, on our own stack, in registers: the other steps keep the
 * cursor in memory, and each load from there would wait for the store before it. Returns the
 * state it came to among those that hold, or MAX where one of the other steps has to be taken.
 *
 * Each frame waits for the one before: two loads and a sum. What else is done here is done
 * meanwhile. */
static uint32_t walk_near(struct unwind_thread *t, struct cursor *c, struct path *path) {
    struct unwind_frames *f = path->frames;
    uint64_t pc = c->pc, sp = c->sp, bp = c->bp, hi = t->hi;
    uint32_t holding = path->holding, met = MAX;
    uint64_t from = t->last.sp[holding], to = path->end;
    /* The last place is for a step that knows the bound. */
    uint64_t room = holding < MAX ? holding : MAX - 1;
    uint64_t sum = path->sum, weight = path->weight;
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
        if (UNLIKELY(t->near_pc[pc % UNWIND_NEAR] != pc) || UNLIKELY(to >= room))
            break;
        /* Both words lie in [sp, hi): so the slots are on this stack, and the walk gets on. */
        if (UNLIKELY(cfa <= sp || cfa > hi || cfa & 7 || slot < sp))
            break;
        uint64_t caller = ((const uint64_t *)cfa)[-1], saved = *(const uint64_t *)slot;
        if (UNLIKELY(!caller))
            break;
        f->pc[to] = pc;
        f->sp[to] = sp;
        f->bp[to] = bp;
        f->rule[to++] = rule;
        path_hash(&sum, &weight, pc);
        bp = place ? saved : bp;
        pc = caller;
        sp = cfa;
    }
    c->pc = pc;
    c->sp = sp;
    c->bp = bp;
    path->end = (uint32_t)to;
    path->sum = sum;
    path->weight = weight;
    return met;
}

INLINE void keep_near(struct unwind_thread *t, uint64_t pc, uint32_t rule) {
    if (rule_kind(rule) > RULE_RBP || rule_place(rule) == RULE_PLACE_LOST)
        return;
    t->near_pc[pc % UNWIND_NEAR] = 0; /* never, not even in a child, with another address's rule */
    UNWIND_ORDER();
    t->near[pc % UNWIND_NEAR] =
        (struct unwind_near){.offset = (int32_t)rule_offset(rule), .rule = rule_marked(rule)};
    UNWIND_ORDER();
    t->near_pc[pc % UNWIND_NEAR] = pc;
}

/* Whether the outer part from state i on completes the walk. Where it was cut by the bound, what is
 * remembered of a stack that is less deep now is not all there is; and a stack of just as many
 * frames as the bound is cut by it, unless the last of them says that it is the outermost. */
INLINE bool completes(const struct unwind_thread *t, const struct path *path, uint32_t i) {
    bool is_cut = t->end == REGION_END_BOUND;
    if (UNLIKELY(path->end - path->begin == i))
        return is_cut || rule_kind(t->last.rule[MAX - 1]) >= RULE_OUTERMOST;
    return LIKELY(!is_cut);
}

/* State i was met and does not complete the walk, which goes on at the last frame that is
 * remembered: the frames between are there. Where rbp is another one than it was, which matters to
 * none of these but may to those outside, it goes on from here. */
static COLD void go_on(struct unwind_thread *t, struct cursor *c, struct path *path, uint32_t i) {
    if (t->last.bp[i] == c->bp) {
        join(t, path, i);
        path->end = MAX - 1;
        c->pc = t->last.pc[MAX - 1];
        c->sp = t->last.sp[MAX - 1];
        c->bp = t->last.bp[MAX - 1];
    }
    drop_holding(t, path);
}

static void walk(struct unwind_thread *t, struct cursor *c, struct unwind_result *result) {
    struct path path = {.frames = &t->other, .holding = MAX, .weight = 1};
    uint32_t end;
    if (LIKELY(c->is_memorable))
        begin_path(t, c, &path);
    t->end_word_count = 0;
    for (;;) {
        if (LIKELY(!c->foreign && !c->exact)) {
            uint32_t i = walk_near(t, c, &path);
            if (i < MAX && LIKELY(completes(t, &path, i))) {
                join(t, &path, i);
                uint64_t hash = path.sum + path.weight * t->hash[i];
                bool repeats = hash == t->whole;
                t->deepens = path.begin < path.last;
                answer(t, path.begin, i, hash, result);
                if (repeats) /* so it will again */
                    unwind_settle(t, path.begin);
                return;
            }
            if (i < MAX)
                go_on(t, c, &path, i);
        }
        if (UNLIKELY(path.end == path.holding)) {
            make_room(t, &path);
            continue;
        }
        uint32_t rule = table_rule(c->exact ? c->pc : c->pc - 1, c->now, t->scratch);
        uint32_t at = path.end++;
        path.frames->pc[at] = c->pc | c->exact;
        path_hash(&path.sum, &path.weight, c->pc | c->exact);
        path.frames->sp[at] = c->sp;
        path.frames->bp[at] = c->bp;
        path.frames->rule[at] = rule_marked(rule);
        if (!c->exact)
            keep_near(t, c->pc, rule);
        if (UNLIKELY(path.end - path.begin == MAX) && rule_kind(rule) < RULE_OUTERMOST) {
            end = REGION_END_BOUND;
            break;
        }
        if (LIKELY(step_fast(t, c, rule)))
            continue;
        end = step_any(t, c, rule);
        if (UNLIKELY(!c->is_memorable) && path.frames == &t->last)
            leave_path(t, &path);
        if (end)
            break;
    }
    finish(t, &path, end, result);
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
        result->frames = t->other.pc;
        result->count = 0;
        result->end = REGION_END_NOT_WALKED;
        result->hash = hash_seed(REGION_END_NOT_WALKED);
        return;
    }
    if (UNLIKELY(t->stamp != c.now)) {
        unwind_forget(t);
        unwind_forget_known(t);
        if (t->stamp) /* else they are zero, and on pages that need not be touched */
            base_zero(t->near_pc, sizeof t->near_pc);
        t->stamp = c.now;
    }
    bool own = unwind_is_own(t, c.sp) && t->thread_pointer == tp;
    if (UNLIKELY(!own))
        own = unwind_enter(t, c.sp, tp);
    c.foreign = !own;
    c.is_memorable = own;
    t->window_size = 0;
    if (own && unwind_repeats(t, start)) {
        answer(t, t->first, t->settled, t->hash[t->first], result);
        return;
    }
    t->walk++;
    walk(t, &c, result);
}
