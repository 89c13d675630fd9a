/* interpose: the exported hooks.
 *
 * Each hook is one or two unlikely tests and a tail call. What a test catches goes through a stub,
 * which saves where the caller's frame begins, to a record_ function; those do the work, out of
 * line. Nothing is held while the next allocator runs: it may throw (operator new), fork, or call
 * back into a hook. */
#include <errno.h>

#include "account.h"
#include "clock.h"
#include "countdown.h"
#include "decide.h"
#include "hooks.h"
#include "lifecycle.h"
#include "live.h"
#include "module.h"
#include "real.h"
#include "stub.h"

/* ---- one allocation, whichever function asks for it ---- */

struct request {
    enum hook hook;
    size_t size;    /* bytes asked for */
    size_t a, b, c; /* arguments as given */
    void **out;     /* posix_memalign */
    void *old;      /* realloc */
    void *operator; /* the next one, of an operator */
    int error;      /* posix_memalign's result */
    bool grown;     /* of another large block */
};

typedef void *take1(size_t);
typedef void *take2(size_t, size_t);
typedef void *take3(size_t, size_t, size_t);
typedef int take_out(void **, size_t, size_t);

/* The aligned family has no pointers that look for themselves: its first caller may come before
 * anything else did. With nothing to be found yet, blocks come from the bootstrap arena. */
static COLD void *call_first(struct request *q) {
    bool is_out = q->hook == HOOK_posix_memalign;
    bool is_page = q->hook == HOOK_valloc || q->hook == HOOK_pvalloc;
    void *p = real_boot_alloc(q->size, is_page ? 4096 : q->a);
    if (is_out) {
        q->error = p ? 0 : ENOMEM;
        if (p)
            *q->out = p;
    }
    return p;
}

INLINE void *call_aligned(struct request *q) {
    void *f = real.next[q->hook];
    if (UNLIKELY(!f)) {
        real_resolve();
        f = real.next[q->hook];
        if (!f)
            return call_first(q);
    }
    if (q->hook == HOOK_valloc || q->hook == HOOK_pvalloc)
        return ((take1 *)f)(q->a);
    if (q->hook != HOOK_posix_memalign)
        return ((take2 *)f)(q->a, q->b);
    q->error = ((take_out *)f)(q->out, q->a, q->b);
    return q->error ? NULL : *q->out;
}

/* There is no C++ library that calls of ours could go to: what delete does then is free. */
static COLD void *call_no_operator(const struct request *q) {
    take2 *f = (take2 *)real.next[HOOK_memalign];
    return f && q->hook >= HOOK_FIRST_ALIGNED ? f(q->b, q->a) : real.malloc(q->a);
}

INLINE void *call_next(struct request *q) {
    switch (q->hook) {
    case HOOK_malloc:
        return real.malloc(q->a);
    case HOOK_calloc:
        return real.calloc(q->a, q->b);
    case HOOK_realloc:
        return real.realloc(q->old, q->a);
    case HOOK_posix_memalign:
    case HOOK_memalign:
    case HOOK_aligned_alloc:
    case HOOK_valloc:
    case HOOK_pvalloc:
        return call_aligned(q);
    default: /* an operator; registers that it does not look at do no harm */
        return q->operator? ((take3 *)q->operator)(q->a, q->b, q->c) : call_no_operator(q);
    }
}

/* ---- deciding and counting ---- */

enum verdict { COUNT, SAMPLE, EXACT };

/* A thread without a row has no countdown: each block is drawn for itself, with the same p. */
static bool draws_sample(size_t size) {
    uint64_t random = clock_now() ^ (uint64_t)&random;
    return shim.conf.sample && size &&
           decide_random(&random) >> 2 < decide_probability(size, shim.conf.sample);
}

static enum verdict decide(const struct shim_self *self, size_t size) {
    const struct region_thread *row = *shim_slot(self);
    if (shim.exact || size >= shim.large)
        return EXACT;
    if (!row)
        return draws_sample(size) ? SAMPLE : COUNT;
    return row->byte_left < size ? SAMPLE : COUNT;
}

/* Single adds to the words of the fast path: a signal handler may count in between. */
static void count_alloc(struct shim_self *self, size_t size, enum verdict verdict) {
    struct region_thread *row = *shim_slot(self);
    self->counted++;
    if (!row) {
        account_shared_counts(1, size, 0);
        return;
    }
    row->allocs++;
    if (verdict == COUNT && row->byte_left >= size) {
        row->byte_left -= size;
        return;
    }
    if (verdict == EXACT) {
        row->byte_goal += size;
        return;
    }
    /* Also where an allocation inside this one has used up the countdown meanwhile. */
    uint64_t fallback = clock_now();
    uint64_t *random = self->private ? &self->private->random : &fallback;
    countdown_begin(row, size, decide_interval(random, shim.conf.sample));
}

static void count_free(struct shim_self *self) {
    struct region_thread *row = *shim_slot(self);
    if (row)
        row->frees++;
    else
        account_shared_counts(0, 0, 1);
}

/* ---- recording ---- */

/* Of threads of a forked child while another one makes its region. */
static COLD void count_unplaced(uint64_t allocs, uint64_t bytes, uint64_t frees) {
    RELAXED_ADD(&shim.unplaced_allocs, allocs);
    RELAXED_ADD(&shim.unplaced_bytes, bytes);
    RELAXED_ADD(&shim.unplaced_frees, frees);
}

static bool is_timed(struct shim_self *self, size_t size, enum verdict verdict) {
    if (verdict == COUNT)
        return false;
    if (verdict == SAMPLE || size >= shim.large)
        return true;
    if (!self->private)
        return false;
    if (self->private->timed_in > 1) {
        self->private->timed_in--;
        return false;
    }
    self->private->timed_in = SHIM_TIMED_EVERY;
    return true;
}

INLINE void record(struct shim_self *self, const struct request *q, const void *p,
                   const struct unwind_start *at, uint64_t before, enum verdict verdict) {
    /* A signal handler may have forked while the next allocator ran: then this is a child by now,
     * and what the thread leads to must be its own. */
    if (UNLIKELY(!shim_enter(self))) {
        if (shim.state == SHIM_ON)
            count_unplaced(1, q->size, 0);
        return;
    }
    /* This makes a forked child's region, where nothing was recorded before. */
    bool recorded = verdict != COUNT && shim_enter_region(self);
    count_alloc(self, q->size, verdict);
    if (!recorded)
        return;
    uint64_t now = clock_now();
    struct account_event event = {
        .address = (uint64_t)p,
        .size = q->size,
        .at = at,
        .now = now,
        .allocator_ticks = now - before,
        .timed = before != 0,
        .sampled = verdict == SAMPLE,
        .grown = q->grown,
    };
    account_alloc(self, &event);
    struct region_thread *row = *shim_slot(self);
    if (event.timed && row)
        row->last_clock = now;
    if (UNLIKELY(now >= RELAXED_LOAD(&lifecycle_next_tick)))
        lifecycle_tick(now);
}

/* jemalloc's aligned operators do pass through the exported aligned_alloc, whose hook has counted
 * the block then. */
INLINE bool is_counted(const struct request *q, const struct shim_self *self, uint32_t before) {
    return q->hook >= HOOK_FIRST_OPERATOR && self->counted != before;
}

/* Exact mode, a small block that is not timed, a thread with a row. */
INLINE bool is_ordinary(const struct shim_self *self, size_t size) {
    return LIKELY(*shim_slot(self) != NULL) && live_leaves && LIKELY(size < shim.large) &&
           LIKELY(self->row) && LIKELY(self->private->timed_in > 1);
}

static COLD void *record_late(struct shim_self *self, const struct request *q, void *p,
                              const struct unwind_start *at) {
    record(self, q, p, at, 0, EXACT);
    return p;
}

/* What the next allocator gave for a block that is_ordinary. */
INLINE bool record_ordinary(struct shim_self *self, size_t size, void *p,
                            const struct unwind_start *at) {
    /* A signal handler may have forked meanwhile, and the child's row may be provisional by now. */
    struct region_thread *row = *shim_slot(self);
    if (UNLIKELY(!row) || UNLIKELY(!self->row))
        return false;
    if (self->private->timed_in > 1)
        self->private->timed_in--;
    self->counted++;
    row->allocs++;
    row->byte_goal += size;
    account_alloc_small(self, (uint64_t)p, size, at);
    return true;
}

static NOINLINE void *allocate(struct request *q, const struct unwind_start *at) {
    struct shim_self *self = &shim_self;
    if (is_ordinary(self, q->size)) {
        uint32_t before = self->counted;
        void *p = call_next(q);
        if (LIKELY(p) && !is_counted(q, self, before) && !record_ordinary(self, q->size, p, at))
            return record_late(self, q, p, at);
        return p;
    }
    if (!shim_enter(self)) {
        void *p = call_next(q);
        if (p && shim.state == SHIM_ON)
            count_unplaced(1, q->size, 0);
        return p;
    }
    enum verdict verdict = decide(self, q->size);
    uint64_t before = is_timed(self, q->size, verdict) ? clock_now() : 0;
    uint32_t counted_before = self->counted;
    void *p = call_next(q);
    if (p && !is_counted(q, self, counted_before))
        record(self, q, p, at, before, verdict);
    return p;
}

/* ---- malloc and its kin ---- */

/* Counts down to the next sample; false: this block is it, and nothing was taken. Single
 * instructions, between which a signal handler may count as well. */
INLINE bool take_bytes(struct region_thread *row, size_t n) {
    bool is_short;
    __asm__("sub %2, %0" : "+m"(row->byte_left), "=@ccb"(is_short) : "r"(n));
    if (UNLIKELY(is_short))
        __asm__("add %1, %0" : "+m"(row->byte_left) : "r"(n) : "cc");
    return !is_short;
}

/* The fast path of an allocation: true = counted, nothing else to do. */
INLINE bool counted(size_t n) {
    struct region_thread *row = *shim_slot(&shim_self);
    if (UNLIKELY(!row) || UNLIKELY(n >= shim.hot.large) || UNLIKELY(!take_bytes(row, n)))
        return false;
    row->allocs++;
    return true;
}

static NOINLINE void *allocate_malloc(size_t n, const struct unwind_start *at) {
    return allocate(&(struct request){.hook = HOOK_malloc, .size = n, .a = n}, at);
}

SLOW(void *, malloc, size_t)(size_t n, long a, long b, const struct unwind_start *at) {
    (void)a;
    (void)b;
    struct shim_self *self = &shim_self;
    if (UNLIKELY(!is_ordinary(self, n)))
        return allocate_malloc(n, at);
    void *p = real.malloc(n);
    if (UNLIKELY(!p) || LIKELY(record_ordinary(self, n, p, at)))
        return p;
    return record_late(self, &(struct request){.hook = HOOK_malloc, .size = n, .a = n}, p, at);
}

EXPORT void *malloc(size_t n) {
    if (UNLIKELY(!counted(n)))
        return slow_malloc(n);
    return real.malloc(n);
}

SLOW(void *, calloc, size_t, size_t)(size_t n, size_t m, long b, const struct unwind_start *at) {
    size_t size;
    (void)b;
    if (__builtin_mul_overflow(n, m, &size))
        return real.calloc(n, m); /* fails */
    return allocate(&(struct request){.hook = HOOK_calloc, .size = size, .a = n, .b = m}, at);
}

EXPORT void *calloc(size_t n, size_t m) {
    size_t size;
    if (UNLIKELY(__builtin_mul_overflow(n, m, &size)) || UNLIKELY(!counted(size)))
        return slow_calloc(n, m);
    return real.calloc(n, m);
}

SLOW(void *, memalign, size_t, size_t)(size_t a, size_t n, long b, const struct unwind_start *at) {
    (void)b;
    return allocate(&(struct request){.hook = HOOK_memalign, .size = n, .a = a, .b = n}, at);
}

EXPORT void *memalign(size_t a, size_t n) {
    return slow_memalign(a, n);
}

SLOW(void *, aligned_alloc, size_t, size_t)
(size_t a, size_t n, long b, const struct unwind_start *at) {
    (void)b;
    return allocate(&(struct request){.hook = HOOK_aligned_alloc, .size = n, .a = a, .b = n}, at);
}

EXPORT void *aligned_alloc(size_t a, size_t n) {
    return slow_aligned_alloc(a, n);
}

SLOW(void *, valloc, size_t)(size_t n, long a, long b, const struct unwind_start *at) {
    (void)a;
    (void)b;
    return allocate(&(struct request){.hook = HOOK_valloc, .size = n, .a = n}, at);
}

EXPORT void *valloc(size_t n) {
    return slow_valloc(n);
}

SLOW(void *, pvalloc, size_t)(size_t n, long a, long b, const struct unwind_start *at) {
    (void)a;
    (void)b;
    return allocate(&(struct request){.hook = HOOK_pvalloc, .size = n, .a = n}, at);
}

EXPORT void *pvalloc(size_t n) {
    return slow_pvalloc(n);
}

SLOW(int, posix_memalign, void **, size_t, size_t)
(void **out, size_t a, size_t n, const struct unwind_start *at) {
    struct request q = {.hook = HOOK_posix_memalign, .size = n, .a = a, .b = n, .out = out};
    allocate(&q, at);
    return q.error;
}

EXPORT int posix_memalign(void **out, size_t a, size_t n) {
    return slow_posix_memalign(out, a, n);
}

/* ---- free ---- */

/* Before the real free: afterwards another thread may own the address. */
static NOINLINE void note_free(void *p, bool counts) {
    struct shim_self *self = &shim_self;
    struct live_entry entry;
    if (!p)
        return;
    if (!shim_enter(self)) {
        if (shim.state == SHIM_ON)
            count_unplaced(0, 0, counts);
        return;
    }
    if (counts)
        count_free(self);
    if (UNLIKELY(module_may_be_map((uint64_t)p)))
        module_freed((uint64_t)p);
    if (live_take((uint64_t)p, &entry))
        account_free(self, &entry);
    else if (shim.exact && shim_is_ready())
        RELAXED_ADD(&shim.region.header->untracked_frees, 1);
}

/* The fast path of a free: true = counted, and no recorded block has such an address. */
INLINE bool freed(void *p) {
    struct region_thread *row = *shim_slot(&shim_self);
    if (UNLIKELY(!row) || UNLIKELY(RELAXED_LOAD(&live_filter[live_hash((uint64_t)p)])))
        return false;
    row->frees++;
    return true;
}

static NOINLINE void slow_free(void *p) {
    struct shim_self *self = &shim_self;
    struct region_thread *row = *shim_slot(self);
    if (LIKELY(row != NULL) && live_leaves && LIKELY(!module_may_be_map((uint64_t)p)) &&
        LIKELY(account_free_small(self, (uint64_t)p))) {
        row->frees++;
    } else {
        if (real_is_boot(p))
            return;
        note_free(p, true);
    }
    real.free(p);
}

EXPORT void free(void *p) {
    if (UNLIKELY(!freed(p))) {
        slow_free(p);
        return;
    }
    real.free(p);
}

EXPORT size_t malloc_usable_size(void *p) {
    typedef size_t usable(void *);
    if (UNLIKELY(real_is_boot(p)))
        return real_boot_size(p);
    real_resolve();
    usable *f = (usable *)real.next[HOOK_malloc_usable_size];
    return f ? f(p) : 0;
}

/* ---- realloc ---- */

/* A block of the bootstrap arena cannot grow: it moves, and is never given back. */
static void *move_boot(void *old, size_t n, const struct unwind_start *at) {
    size_t had = real_boot_size(old);
    void *p = allocate(&(struct request){.hook = HOOK_malloc, .size = n, .a = n}, at);
    if (p)
        base_move(p, old, had < n ? had : n);
    return p;
}

/* The block is still there: so is its entry. */
static void put_back(struct shim_self *self, void *old, const struct live_entry *entry) {
    if (live_insert((uint64_t)old, live_epoch(entry), entry))
        return;
    region_lose(&shim.region, REGION_LOST_LIVE, 1);
    account_free(self, entry);
}

static void *reallocate(void *old, size_t n, const struct unwind_start *at) {
    struct shim_self *self = &shim_self;
    struct request q = {.hook = HOOK_realloc, .size = n, .a = n, .old = old};
    if (UNLIKELY(real_is_boot(old)))
        return move_boot(old, n, at);
    if (!old || !shim_enter(self))
        return allocate(&q, at);
    struct live_entry entry;
    bool was_live = live_take((uint64_t)old, &entry);
    enum verdict verdict = decide(self, n);
    uint64_t before = is_timed(self, n, verdict) ? clock_now() : 0;
    void *p = real.realloc(old, n);
    if (!p && n) {
        if (was_live)
            put_back(self, old, &entry);
        return NULL;
    }
    if (UNLIKELY(!shim_enter(self))) { /* see record */
        if (shim.state == SHIM_ON)
            count_unplaced(p != NULL, p ? n : 0, 1);
        return p;
    }
    /* One free at the old site, one allocation at realloc's own. With n = 0 there may be no new
     * block: then it was a free. */
    count_free(self);
    q.grown = was_live && entry.size >= shim.large && n > entry.size;
    if (was_live)
        account_free(self, &entry);
    else if (shim.exact && shim_is_ready())
        RELAXED_ADD(&shim.region.header->untracked_frees, 1);
    if (p)
        record(self, &q, p, at, before, verdict);
    return p;
}

SLOW(void *, realloc, void *, size_t)(void *old, size_t n, long b, const struct unwind_start *at) {
    (void)b;
    return reallocate(old, n, at);
}

EXPORT void *realloc(void *old, size_t n) {
    struct region_thread *row = *shim_slot(&shim_self);
    if (UNLIKELY(!row) || UNLIKELY(n >= shim.hot.large) || UNLIKELY(!n) ||
        UNLIKELY(RELAXED_LOAD(&live_filter[live_hash((uint64_t)old)])) ||
        UNLIKELY(!take_bytes(row, n)))
        return slow_realloc(old, n);
    row->allocs++;
    row->frees++;
    return real.realloc(old, n);
}

SLOW(void *, reallocarray, void *, size_t, size_t)
(void *old, size_t n, size_t m, const struct unwind_start *at) {
    size_t size;
    bool overflows = __builtin_mul_overflow(n, m, &size);
    /* Fails, and sets errno; or the block is not of our next allocator (see interpose_free.c): the C
     * library's calls the realloc that the program calls. */
    if (overflows || (real_resolve() && real.is_foreign)) {
        take3 *f = (take3 *)real.next[HOOK_reallocarray];
        if (f || overflows)
            return f ? f((size_t)old, n, m) : real.calloc(n, m);
    }
    return reallocate(old, size, at);
}

EXPORT void *reallocarray(void *old, size_t n, size_t m) {
    return slow_reallocarray(old, n, m);
}

/* ---- C++ operators ----
 *
 * libstdc++'s own call malloc and free, where the hooks above see them: then these only forward.
 * jemalloc, tcmalloc and mimalloc bring operators that never do: then these record (`direct`). */

/* One form for all: what an operator does not take are registers that nobody looks at. An aligned
 * one always goes the long way, see allocate(). */
#define NEW(name, aligned)                                                                \
    EXPORT void *name(size_t n, size_t a, size_t b);                                      \
    SLOW(void *, name, size_t, size_t, size_t)                                            \
    (size_t n, size_t a, size_t b, const struct unwind_start *at) {                       \
        struct request q = {.hook = HOOK_##name, .size = n, .a = n, .b = a, .c = b};      \
        q.operator= real_operator(HOOK_##name).function;                                  \
        return allocate(&q, at);                                                          \
    }                                                                                     \
    static NOINLINE void *look_##name(size_t n, size_t a, size_t b) {                     \
        struct real_operator o = real_operator(HOOK_##name);                              \
        if (UNLIKELY(!o.function) || (o.is_direct && (aligned || UNLIKELY(!counted(n))))) \
            return slow_##name(n, a, b);                                                  \
        return ((take3 *)o.function)(n, a, b);                                            \
    }                                                                                     \
    EXPORT void *name(size_t n, size_t a, size_t b) {                                     \
        take3 *forward = (take3 *)RELAXED_LOAD(&real.forward[HOOK_##name]);               \
        return (LIKELY(forward != NULL) ? forward : look_##name)(n, a, b);                \
    }
#define NEW_PLAIN(name) NEW(name, false)
#define NEW_ALIGNED(name) NEW(name, true)
HOOKS_NEW(NEW_PLAIN)
HOOKS_NEW_ALIGNED(NEW_ALIGNED)

typedef void give3(void *, size_t, size_t);

/* Some of jemalloc's operators do pass through the exported free: then that hook has counted. */
static void delete_direct(void *p, size_t a, size_t b, give3 *f) {
    struct shim_self *self = &shim_self;
    struct region_thread *row = *shim_slot(self);
    uint64_t before = row ? row->frees : 0;
    if (!row || RELAXED_LOAD(&live_filter[live_hash((uint64_t)p)]))
        note_free(p, false);
    f(p, a, b);
    row = *shim_slot(self);
    if (p && row && row->frees == before)
        row->frees++;
    else if (p && row && shim.exact && shim_is_ready()) /* that hook found nothing any more */
        RELAXED_ADD(&shim.region.header->untracked_frees, -1ull);
    else if (p && !row && shim_enter(self))
        count_free(self);
}

#define DELETE(name)                                                        \
    EXPORT void name(void *p, size_t a, size_t b);                          \
    static NOINLINE void look_##name(void *p, size_t a, size_t b) {         \
        struct real_operator o = real_operator(HOOK_##name);                \
        if (UNLIKELY(!o.function))                                          \
            free(p);                                                        \
        else if (o.is_direct)                                               \
            delete_direct(p, a, b, (give3 *)o.function);                    \
        else                                                                \
            ((give3 *)o.function)(p, a, b);                                 \
    }                                                                       \
    EXPORT void name(void *p, size_t a, size_t b) {                         \
        give3 *forward = (give3 *)RELAXED_LOAD(&real.forward[HOOK_##name]); \
        (LIKELY(forward != NULL) ? forward : look_##name)(p, a, b);         \
    }
HOOKS_DELETE(DELETE)
