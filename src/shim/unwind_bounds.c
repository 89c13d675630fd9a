/* Where the stacks of threads begin and end, and when what is remembered of one is of no use. */
#include "base/syscall.h"
#include "peek.h"
#include "unwind_thread.h"

/* The initial thread's stack. The kernel keeps it one mapping from its bound down to where it was
 * ever touched; what a program maps below (MAP_FIXED) and takes for a stack is another one, and a hole
 * is between them. Written once, by unwind_find_bounds. All pages from `initial_seen` on are there. */
static uint64_t initial_hi;
static uint64_t initial_seen; /* lowered when more of it is */
static uint64_t initial_thread_pointer;
#define INITIAL_REACH (120ull << 20) /* the kernel leaves 128 MiB of room for it, or more */
#define THREAD_REACH (64ull << 20)   /* larger stacks are walked as foreign ones */

/* Where the C library put this thread's stack, 0 = not found. glibc keeps block and size side by
 * side in the thread's control block (struct pthread), at a place that versions differ in; the
 * block ends right above it, and no other two words there say that. Pages would not tell: stacks
 * without a guard, or cut from a pool, lie beside others, which may be unmapped. */
#define CONTROL_BLOCK 2304u
#define ABOVE_CONTROL_BLOCK 16384u
#define STACK_MIN 16384u
/* In a sandbox no page can be asked for, but the thread pointer's own is there. */
static bool has_control_block(uint64_t tp) {
    uint64_t last = tp + CONTROL_BLOCK - 8;
    return BASE_SANDBOXED ? (tp ^ last) < PEEK_PAGE : peek_can_read(tp) && peek_can_read(last);
}

static uint64_t find_floor(uint64_t tp) {
    const uint64_t *word = (const uint64_t *)tp;
    uint64_t floor = 0;
    if (!has_control_block(tp))
        return 0;
    for (uint32_t i = 0; i + 1 < CONTROL_BLOCK / 8; i++) {
        uint64_t block = word[i], size = word[i + 1];
        if (block < tp && block > floor && size >= STACK_MIN && size < 1ull << 47 &&
            block + size > tp && block + size - tp <= ABOVE_CONTROL_BLOCK)
            floor = block;
    }
    return floor;
}

/* Each page from the one of the stack pointer, on which we run, up to what is known. Not from there down:
 * the kernel would let the stack grow to a page below it that is asked for. */
static bool extend_initial(struct unwind_thread *t, uint64_t page) {
    uint64_t seen = RELAXED_LOAD(&initial_seen);
    for (uint64_t at = page; at < seen; at += PEEK_PAGE)
        if (!peek_can_read(at))
            return false;
    base_lower_to(&initial_seen, page);
    t->lo = page;
    return true;
}

/* From above: the kernel lets the stack grow, if no more than its limit allows. */
#define AHEAD (256u << 10)
void unwind_look_ahead(void) {
    uint64_t at = RELAXED_LOAD(&initial_seen), last = at - AHEAD;
    if (at < AHEAD)
        return;
    while (at > last && peek_can_read(at - PEEK_PAGE))
        at -= PEEK_PAGE;
    base_lower_to(&initial_seen, at);
}

/* Extends [lo, hi) down to `sp` if that is the same stack: each page between is there. A thread's
 * stack ends below its thread control block, to which the thread pointer points. The mapping's
 * own end would not do: the kernel joins neighbours, and those may be unmapped while we read. */
static bool extend(struct unwind_thread *t, uint64_t sp) {
    bool is_initial = t->thread_pointer == initial_thread_pointer;
    uint64_t page = sp & ~(PEEK_PAGE - 1);
    if (!t->hi) {
        t->hi = is_initial ? initial_hi : t->thread_pointer & ~7ull;
        t->lo = is_initial ? RELAXED_LOAD(&initial_seen) : t->hi;
        t->floor = is_initial ? 0 : find_floor(t->thread_pointer);
    }
    if (unwind_is_own(t, sp))
        return true;
    if (sp >= t->hi || sp < t->floor || t->hi - sp > (is_initial ? INITIAL_REACH : THREAD_REACH))
        return false;
    if (is_initial)
        return extend_initial(t, page);
    /* What the C library gave to the thread is there; no page of it can be asked for. */
    if (UNLIKELY(BASE_SANDBOXED) && t->floor) {
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

void unwind_forget(struct unwind_thread *t) {
    t->first = t->settled = UNWIND_MAX;
    t->last.sp[UNWIND_MAX] = ~0ull;
}

COLD bool unwind_enter(struct unwind_thread *t, uint64_t sp, uint64_t tp) {
    if (t->thread_pointer != tp) {
        t->lo = t->hi = t->refused = 0;
        unwind_forget(t);
        unwind_forget_known(t);
        UNWIND_ORDER();
        t->thread_pointer = tp;
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
    return (t->thread_pointer == tp && unwind_is_own(t, sp)) || unwind_enter(t, sp, tp);
}

/* Upwards from here page by page: what is above the initial stack is not adjacent. */
static uint64_t find_initial_hi(uint64_t at) {
    for (unsigned i = 0; i < INITIAL_REACH / PEEK_PAGE && peek_can_read(at); i++)
        at += PEEK_PAGE;
    return at - 8; /* walk_near reads the word at a CFA, too */
}

void unwind_find_bounds(void) {
    initial_thread_pointer = unwind_thread_pointer();
    initial_seen = (uint64_t)__builtin_frame_address(0) & ~(PEEK_PAGE - 1);
    initial_hi = find_initial_hi(initial_seen);
}
