/* Rows of stacks, sites and cells, found by hash. */
#include "site.h"

#include <errno.h>

#include "account.h"
#include "base/reserve.h"
#include "call.h"
#include "codec.h"
#include "index.h"
#include "module.h"

#define ROW(table, type, i) REGION_ROW(&shim.region, table, type, i)
#define SITE(i) ROW(REGION_SITES, struct region_site, i)
#define CELL(i) ROW(REGION_CELLS, struct region_cell, i)
#define STACK(i) ROW(REGION_STACKS, struct region_stack, i)

static struct index stacks, sites, cells;

/* The two cells of site 0. */
#define OVERFLOW_SAMPLED 0u
#define OVERFLOW_EXACT 1u

/* Row 0 of each of these must be there before anything is counted. */
static int open_tables(void) {
    static const uint8_t tables[] = {REGION_THREADS, REGION_STACKS, REGION_FRAMES,  REGION_SITES,
                                     REGION_REMOTE,  REGION_CELLS,  REGION_MODULES, REGION_STRINGS};
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        int error = region_open(&shim.region, tables[i]);
        if (error)
            return error;
    }
    return region_take(&shim.region, REGION_CELLS, 1) == OVERFLOW_EXACT ? 0 : -ENOSPC;
}

struct site_cells site_cells;

static int renew_cells(uint64_t rows) {
    static uint64_t reserved; /* bytes; a child's region may be larger than its parent's was */
    uint64_t bytes = rows * (sizeof *site_cells.thread + sizeof *site_cells.remote_seen);
    if (bytes <= reserved) {
        base_syscall(SYS_madvise, site_cells.remote_seen, reserved, MADV_DONTNEED);
        return 0;
    }
    long at = base_reserve(bytes, PROT_READ | PROT_WRITE);
    if (base_is_error(at))
        return (int)at;
    site_cells.thread = (uint32_t *)((uint64_t *)at + rows);
    site_cells.remote_seen = (uint64_t *)at;
    reserved = bytes;
    return 0;
}

static void init_cell(uint32_t row, uint32_t thread, uint32_t kind) {
    struct region_cell *c = CELL(row);
    RELAXED_STORE(&site_cells.thread[row], thread);
    c->thread = thread;
    c->kind = (uint16_t)kind;
    c->size_min = UINT64_MAX;
    c->life_min = UINT64_MAX;
    if (!thread)
        c->flags = REGION_CELL_PEAK_IS_BOUND;
}

int site_init(void) {
    int error = open_tables();
    if (error)
        return error;
    const struct region_directory *d = shim.region.directory;
    error = renew_cells(d[REGION_CELLS].capacity);
    if (error)
        return error;
    STACK(0)->end = REGION_END_NOT_WALKED;
    init_cell(OVERFLOW_SAMPLED, 0, REGION_CELL_SAMPLED);
    init_cell(OVERFLOW_EXACT, 0, REGION_CELL_EXACT);
    SITE(0)->shared_cell = OVERFLOW_EXACT;
    error = index_renew(&stacks, d[REGION_STACKS].capacity);
    if (!error)
        error = index_renew(&sites, d[REGION_SITES].capacity);
    if (!error)
        error = index_renew(&cells, d[REGION_CELLS].capacity);
    return error;
}

/* ---- stacks ---- */

static bool stack_is(uint32_t row, uint64_t hash) {
    return STACK(row)->hash == hash;
}

static uint32_t find_stack(uint64_t hash) {
    uint32_t probe = 0, row;
    while ((row = index_next(&stacks, hash, &probe)))
        if (stack_is(row, hash))
            return row;
    return 0;
}

/* Frames of ours are the stub of codec calls: they are not the program's. */
static bool is_ours(uint64_t frame) {
    extern char self_start[] __asm__("__ehdr_start") HIDDEN, self_end[] __asm__("_end") HIDDEN;
    return frame - (uint64_t)self_start < (uint64_t)(self_end - self_start);
}

static uint32_t make_stack(uint64_t hash, const struct unwind_result *stack) {
    struct region *r = &shim.region;
    uint32_t row = region_take(r, REGION_STACKS, 1), count = 0;
    for (uint32_t i = 0; i < stack->count; i++)
        count += !is_ours(stack->frames[i]);
    uint32_t first = row && count ? region_take(r, REGION_FRAMES, count) : 0;
    if (!row || (count && !first)) {
        region_lose(r, REGION_LOST_STACKS, 1);
        return 0;
    }
    for (uint32_t i = 0, to = first; i < stack->count; i++)
        if (!is_ours(stack->frames[i]))
            *ROW(REGION_FRAMES, uint64_t, to++) = stack->frames[i];
    struct region_stack *s = STACK(row);
    s->first = first;
    s->count = (uint16_t)count;
    s->end = (uint8_t)stack->end;
    s->module_event = RELAXED_LOAD(&r->header->module_event);
    __atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
    /* Two threads may make the same stack at once: the second copy is not used. */
    uint32_t winner = index_add(&stacks, hash, row, stack_is);
    return winner ? winner : row;
}

/* ---- sites ---- */

static bool site_is(uint32_t row, uint64_t hash) {
    return __atomic_load_n(&SITE(row)->hash, __ATOMIC_ACQUIRE) == hash;
}

/* Never 0: that marks a row that is not published. */
static uint64_t hash_of(const struct unwind_result *stack) {
    uint64_t h = base_mix(stack->hash ^ RELAXED_LOAD(&module_layout));
    return h ? h : 1;
}

uint32_t site_stack(const struct unwind_result *stack) {
    uint64_t hash = hash_of(stack);
    uint32_t row = find_stack(hash);
    return row ? row : make_stack(hash, stack);
}

static uint32_t make_site(uint64_t hash, const struct unwind_result *stack) {
    struct region *r = &shim.region;
    uint32_t stack_row = site_stack(stack);
    uint32_t row = stack_row ? region_take(r, REGION_SITES, 1) : 0;
    if (!row) {
        if (stack_row)
            region_lose(r, REGION_LOST_SITES, 1);
        return 0;
    }
    struct region_site *s = SITE(row);
    struct codec_context in = codec_classify(stack);
    s->stack = stack_row;
    s->codec_function = in.function;
    s->direction = in.direction;
    s->codec_call = call_current(&shim_self);
    uint32_t mark = in.function ? 0 : call_mark(&shim_self);
    if (mark)
        s->codec_function = mark;
    if (mark || (in.function && !in.direction))
        s->direction = call_direction(&shim_self);
    __atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
    uint32_t winner = index_add(&sites, hash, row, site_is);
    if (winner != row)
        RELAXED_STORE(&s->hash, 0); /* another thread's row is the site, ours stays empty */
    if (!winner)
        region_lose(r, REGION_LOST_SITES, 1);
    return winner;
}

uint32_t site_find(const struct unwind_result *stack) {
    uint64_t hash = hash_of(stack);
    uint32_t probe = 0, row;
    while ((row = index_next(&sites, hash, &probe)))
        if (site_is(row, hash))
            return row;
    return make_site(hash, stack);
}

/* ---- cells ---- */

static uint64_t cell_hash(uint64_t hash, uint32_t thread, uint32_t kind) {
    return hash + (2 * thread + kind) * 0x9e3779b97f4a7c15ull;
}

/* A cell of this thread is written and looked up by this thread alone. Of the hash the index
 * compares the upper 40 bits and, by the place, some 10 of the lowest; the cell has 16 from
 * between. The whole hash is in the site's row, one cache miss away. */
static uint16_t check_of(uint64_t key) {
    return (uint16_t)(key >> 8);
}
_Static_assert(INDEX_ROW_BITS == 24, "the index compares the bits above those");

static bool cell_matches(const struct region_cell *c, uint64_t key, uint32_t thread,
                         uint32_t kind) {
    return c->thread == thread && c->kind == kind && c->check == check_of(key);
}

static bool no_other(uint32_t row, uint64_t hash) {
    (void)row;
    (void)hash;
    return false;
}

static uint32_t make_cell(uint32_t site, uint32_t thread, uint32_t kind) {
    uint32_t row = region_take(&shim.region, REGION_CELLS, 1);
    if (!row)
        return 0;
    init_cell(row, thread, kind);
    /* The site last: until then the row reads as the overflow site's, with nothing in it. */
    __atomic_store_n(&CELL(row)->site, site, __ATOMIC_RELEASE);
    return row;
}

/* One cell in eight is kept back for sites whose threads find no room: then the site's sums stay
 * right and only the thread is not known. */
static bool has_room_for_owned(void) {
    const struct region_directory *d = &shim.region.directory[REGION_CELLS];
    return RELAXED_LOAD(&d->used) < d->capacity - d->capacity / 8;
}

uint32_t site_shared_cell(uint32_t site, uint32_t kind) {
    struct region_site *s = SITE(site);
    if (!site)
        return kind == REGION_CELL_EXACT ? OVERFLOW_EXACT : OVERFLOW_SAMPLED;
    uint32_t *shared = kind == REGION_CELL_EXACT ? &s->shared_cell : &s->shared_sampled;
    uint32_t cell = __atomic_load_n(shared, __ATOMIC_ACQUIRE);
    if (cell)
        return cell;
    uint32_t made = make_cell(site, 0, kind);
    if (!made)
        return site_shared_cell(0, kind);
    if (__atomic_compare_exchange_n(shared, &cell, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    return cell; /* the one made here stays empty */
}

uint32_t site_cell(struct shim_self *self, const struct unwind_result *stack, uint32_t kind) {
    uint64_t hash = hash_of(stack), key = cell_hash(hash, self->row, kind);
    uint32_t probe = 0, row;
    if (self->row)
        while ((row = index_next(&cells, key, &probe)))
            if (cell_matches(CELL(row), key, self->row, kind))
                return row;
    uint32_t site = site_find(stack);
    if (!site || !self->row)
        return site_shared_cell(site, kind);
    row = has_room_for_owned() ? make_cell(site, self->row, kind) : 0;
    if (row)
        CELL(row)->check = check_of(key);
    if (row && !index_add(&cells, key, row, no_other))
        row = 0;
    if (row) {
        account_name(self);
        return row;
    }
    region_lose(&shim.region, REGION_LOST_CELLS, 1);
    return site_shared_cell(site, kind);
}

uint32_t site_large(uint32_t cell) {
    struct region_cell *c = CELL(cell);
    uint32_t row = __atomic_load_n(&c->large, __ATOMIC_ACQUIRE);
    if (row)
        return row;
    uint32_t made = region_take(&shim.region, REGION_LARGE, 1);
    if (!made) {
        region_lose(&shim.region, REGION_LOST_LARGE, 1);
        return 0;
    }
    ROW(REGION_LARGE, struct region_large, made)->cell = cell;
    if (__atomic_compare_exchange_n(&c->large, &row, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return made;
    return row;
}

struct region_histogram *site_histogram(uint32_t site) {
    struct region_site *s = SITE(site);
    uint32_t row = __atomic_load_n(&s->histogram, __ATOMIC_ACQUIRE);
    if (!row) {
        if (s->events == UINT32_MAX || RELAXED_ADD(&s->events, 1) + 1 != REGION_HISTOGRAM_EVENTS)
            return NULL;
        row = region_take(&shim.region, REGION_HISTOGRAMS, 1);
        if (!row) {
            RELAXED_STORE(&s->events, UINT32_MAX);
            region_lose(&shim.region, REGION_LOST_HISTOGRAMS, 1);
            return NULL;
        }
        ROW(REGION_HISTOGRAMS, struct region_histogram, row)->site = site;
        __atomic_store_n(&s->histogram, row, __ATOMIC_RELEASE);
    }
    return ROW(REGION_HISTOGRAMS, struct region_histogram, row);
}
