/* Rows of calls and contexts, and what is added to them. A thread's own rows take plain stores; the
 * rows that threads share take atomic adds. */
#include <sys/resource.h>
#include <time.h>

#include "base/syscall.h"
#include "call_internal.h"
#include "clock.h"
#include "index.h"
#include "site.h"

#define ROW(table, type, i) REGION_ROW(&shim.region, table, type, i)
#define CALL(i) ROW(REGION_CODEC_CALLS, struct region_codec_call, i)
#define CONTEXT(i) ROW(REGION_CONTEXTS, struct region_context, i)

/* Two system calls for CPU time and faults, before and after, take one to three microseconds, the
 * latter in a virtual machine: a two-thousandth of this much work. */
#define TIMED_NS 6000000u
#define UNTIMED_MOST 1024u
#define TIMED_FIRST 4u

static struct index calls, contexts;

/* ---- the region's ---- */

static int open_index(struct index *index, enum region_table table) {
    return index_renew(index, shim.region.directory[table].capacity);
}

/* The process's own levels are the first rows of their table, so they are taken before any call
 * takes its own. Not at the start: most processes compress nothing. */
enum { LEVELS_NOT, LEVELS_NOW, LEVELS_THERE, LEVELS_FAILED };
static uint32_t levels;

static COLD bool take_levels(void) {
    uint32_t not_yet = LEVELS_NOT;
    if (!__atomic_compare_exchange_n(&levels, &not_yet, LEVELS_NOW, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return not_yet == LEVELS_THERE; /* another thread takes them now: this one counts nothing */
    /* Row 0 comes with the first that are taken. */
    bool taken = region_take(&shim.region, REGION_CONCURRENCY, REGION_LEVELS - 1) == 1;
    if (!taken)
        region_lose(&shim.region, REGION_LOST_CODEC, 1);
    __atomic_store_n(&levels, taken ? LEVELS_THERE : LEVELS_FAILED, __ATOMIC_RELEASE);
    return taken;
}

static bool has_levels(void) {
    return LIKELY(__atomic_load_n(&levels, __ATOMIC_ACQUIRE) == LEVELS_THERE) || take_levels();
}

int call_rows_open(void) {
    levels = LEVELS_NOT;
    int error = open_index(&calls, REGION_CODEC_CALLS);
    return error ? error : open_index(&contexts, REGION_CONTEXTS);
}

/* ---- calls ---- */

static bool call_is(uint32_t row, uint32_t function, uint32_t stack, uint32_t thread) {
    const struct region_codec_call *c = CALL(row);
    return c->function == function && c->stack == stack && c->thread == thread;
}

static bool no_other(uint32_t row, uint64_t hash) {
    (void)row;
    (void)hash;
    return false; /* the key holds the thread: nobody else makes such a row */
}

static uint32_t make_call(uint64_t hash, uint32_t function, uint32_t stack, uint32_t thread) {
    uint32_t row = region_take(&shim.region, REGION_CODEC_CALLS, 1);
    if (!row)
        return 0;
    struct region_codec_call *c = CALL(row);
    c->stack = stack;
    c->thread = thread;
    __atomic_store_n(&c->function, function, __ATOMIC_RELEASE);
    return index_add(&calls, hash, row, no_other) ? row : 0;
}

static uint32_t find_call(uint64_t hash, uint32_t function, uint32_t stack, uint32_t thread) {
    uint32_t probe = 0, row;
    while ((row = index_next(&calls, hash, &probe)))
        if (call_is(row, function, stack, thread))
            return row;
    return make_call(hash, function, stack, thread);
}

static uint32_t slot_of(uint64_t hash) {
    return (uint32_t)(hash >> (64 - SHIM_RECENT_CALLS_BITS));
}

/* By the thread's last calls. `hash` is of the function and of where it is called. */
static uint32_t *find_recent(struct shim_private *p, uint64_t hash) {
    uint32_t slot = slot_of(hash);
    if (LIKELY(p->recent_calls[slot].hash == hash))
        return &p->recent_calls[slot].row;
    p->recent_calls[slot].hash = 0;
    p->recent_calls[slot].row = 0;
    return &p->recent_calls[slot].row;
}

static uint64_t key_of(uint64_t hash, const struct shim_self *self) {
    return base_mix(hash + self->row * 0x9e3779b97f4a7c15ull);
}

static void remember(struct shim_private *p, uint64_t hash, uint32_t row) {
    uint32_t slot = slot_of(hash);
    p->recent_calls[slot].row = row;
    p->recent_calls[slot].hash = row ? hash : 0;
}

uint32_t call_rows_find(struct shim_self *self, const struct call_frame *f,
                        const struct unwind_start *at, uint32_t direction) {
    struct shim_private *p = self->private;
    struct unwind_result stack;
    uint32_t function = codec_function_row(f->function, direction);
    if (!function)
        return 0;
    unwind_walk(p->unwind, at, &stack);
    uint64_t hash = base_mix(stack.hash ^ RELAXED_LOAD(&module_layout) ^ (uint64_t)function << 40);
    uint32_t row = *find_recent(p, hash);
    if (LIKELY(row))
        return row;
    row = find_call(key_of(hash, self), function, site_stack(&stack), self->row);
    remember(p, hash, row);
    return row;
}

INLINE __typeof__(&((struct shim_private *)0)->nested[0])
nested_of(struct shim_private *p, const void *function, uint32_t outer) {
    return &p->nested[((uint64_t)function / sizeof(struct codec_function) + outer) % SHIM_NESTED];
}

bool call_rows_add_known(struct shim_private *p, const struct codec_function *f, uint32_t outer) {
    const __typeof__(p->nested[0]) *known = nested_of(p, f, outer);
    if (known->function != f || known->outer != outer || !known->row)
        return false;
    CALL(known->row)->calls++;
    CALL(known->row)->nested++;
    return true;
}

bool call_rows_add_nested(struct shim_self *self, const struct codec_function *f,
                          const struct shim_call *outer) {
    struct shim_private *p = self->private;
    __typeof__(&p->nested[0]) known = nested_of(p, f, outer->row);
    uint32_t function = codec_function_row(f, f->direction ? f->direction : outer->direction);
    uint64_t hash = base_mix(outer->row ^ (uint64_t)function << 40 ^ 1ull << 32);
    uint32_t row = 0;
    if (function)
        row = find_call(key_of(hash, self), function, CALL(outer->row)->stack, self->row);
    known->function = f;
    known->outer = outer->row;
    known->row = row;
    return row && call_rows_add_known(p, f, outer->row);
}

/* ---- time ---- */

/* One for so much work as such calls were so far: a thread that waits for its turn does none. Also
 * of the first calls each, as how long they take is not known yet, and then fewer and fewer, for
 * those meet new memory and are not to stand for all. The row alone tells: a thread may come from
 * more places in turn than it remembers. */
bool call_rows_is_timed(uint32_t row) {
    const struct region_codec_call *c = CALL(row);
    uint64_t so_far = c->calls, timed = c->timed;
    if (so_far < TIMED_FIRST || (so_far & (so_far - 1)) == 0 || timed < so_far / UNTIMED_MOST)
        return true;
    /* timed * TIMED_NS < so_far * mean: the work so far has one for each TIMED_NS. */
    return (unsigned __int128)timed * timed * TIMED_NS < (unsigned __int128)so_far * c->cpu_ns;
}

void call_rows_usage(uint64_t *cpu_ns, uint32_t *page_faults, uint32_t *context_switches) {
    struct timespec t = {0};
    struct rusage u;
    base_zero(&u, sizeof u);
    base_syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t);
    base_syscall(SYS_getrusage, RUSAGE_THREAD, &u);
    *cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    *page_faults = (uint32_t)(u.ru_minflt + u.ru_majflt);
    *context_switches = (uint32_t)(u.ru_nvcsw + u.ru_nivcsw);
}

/* ---- sums ---- */

void call_rows_add(uint32_t row, const struct call_frame *f, const struct call_result *r,
                   const struct call_cost *cost) {
    struct region_codec_call *c = CALL(row);
    c->calls++;
    c->failures += r->failed;
    c->source_bytes += r->consumed;
    c->produced_bytes += r->produced;
    c->output_capacity += f->capacity;
    c->ticks += cost->ticks;
    if (!cost->timed_ticks)
        return;
    c->timed++;
    c->timed_ticks += cost->timed_ticks;
    c->cpu_ns += cost->cpu_ns;
    c->page_faults += cost->page_faults;
    c->context_switches += cost->context_switches;
}

/* The rows that belong to a call, made at the first use; 0 = no room. */
static uint32_t rows_of(uint32_t *first, enum region_table table, uint32_t count) {
    if (LIKELY(*first))
        return *first == UINT32_MAX ? 0 : *first;
    uint32_t taken = region_take(&shim.region, table, count);
    if (!taken)
        region_lose(&shim.region, REGION_LOST_CODEC, 1);
    RELAXED_STORE(first, taken ? taken : UINT32_MAX);
    return taken;
}

void call_rows_add_message(uint32_t row, uint64_t source, uint64_t produced,
                           const struct call_cost *cost) {
    struct region_codec_call *c = CALL(row);
    c->messages++;
    uint32_t first = rows_of(&c->sizes, REGION_CODEC_SIZES, REGION_SIZE_CLASSES);
    if (!first)
        return;
    struct region_codec_size *s =
        ROW(REGION_CODEC_SIZES, struct region_codec_size, first + region_size_class(source));
    s->messages++;
    s->source_bytes += source;
    s->produced_bytes += produced;
    s->ticks += cost->ticks;
    s->cpu_ns += cost->cpu_ns;
    s->page_faults += cost->page_faults;
    s->context_switches += cost->context_switches;
    s->timed_ticks += cost->timed_ticks;
}

static uint32_t level_class(uint32_t level) {
    uint32_t c = level <= 32 ? level - 1 : 32 + (level - 33) / 8;
    return c < REGION_LEVELS ? c : REGION_LEVELS - 1;
}

/* Of the process. */
static struct region_concurrency *shared_level(uint32_t level) {
    return ROW(REGION_CONCURRENCY, struct region_concurrency, level_class(level));
}

void call_rows_add_level(uint32_t row, uint32_t level, uint32_t end_level, uint64_t source,
                         const struct call_cost *cost) {
    if (!has_levels())
        return;
    uint32_t last = end_level ? end_level : level;
    uint32_t first = rows_of(&CALL(row)->concurrency, REGION_CONCURRENCY, REGION_LEVELS);
    struct region_concurrency *l =
        ROW(REGION_CONCURRENCY, struct region_concurrency, first + level_class(level));
    if (UNLIKELY(!first)) {
        RELAXED_ADD(&l->flow_bytes, source / 2);
        RELAXED_ADD(&shared_level(last)->flow_bytes, source / 2);
        RELAXED_ADD(&l->calls, 1);
        RELAXED_ADD(&l->source_bytes, source);
        RELAXED_ADD(&l->ticks, cost->ticks);
        RELAXED_ADD(&l->cpu_ns, cost->cpu_ns);
        RELAXED_ADD(&l->timed_ticks, cost->timed_ticks);
        return;
    }
    l->flow_bytes += source / 2;
    l[(int)level_class(last) - (int)level_class(level)].flow_bytes += source / 2;
    l->calls++;
    l->source_bytes += source;
    l->ticks += cost->ticks;
    l->cpu_ns += cost->cpu_ns;
    l->timed_ticks += cost->timed_ticks;
}

void call_rows_add_wall(uint32_t level, uint64_t ticks) {
    if (!has_levels())
        return;
    RELAXED_ADD(&shared_level(level)->wall_ticks, ticks);
}

/* ---- contexts ---- */

static bool context_is(uint32_t row, uint64_t hash) {
    const struct region_context *c = CONTEXT(row);
    return base_mix((uint64_t)c->function << 32 | c->stack) == hash;
}

uint32_t call_rows_context(uint32_t call) {
    const struct region_codec_call *from = CALL(call);
    uint64_t hash = base_mix((uint64_t)from->function << 32 | from->stack);
    uint32_t probe = 0, row;
    while ((row = index_next(&contexts, hash, &probe)))
        if (context_is(row, hash))
            return row;
    row = region_take(&shim.region, REGION_CONTEXTS, 1);
    if (!row) {
        region_lose(&shim.region, REGION_LOST_CONTEXTS, 1);
        return 0;
    }
    struct region_context *c = CONTEXT(row);
    c->stack = from->stack;
    __atomic_store_n(&c->function, from->function, __ATOMIC_RELEASE);
    /* Of two threads one makes the row that is found; the other's stays empty. */
    uint32_t winner = index_add(&contexts, hash, row, context_is);
    return winner ? winner : row;
}
