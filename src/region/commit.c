/* Grows tables and hands out rows. No lock: rows are taken with a compare-and-swap that never
 * passes the committed bound, and a commit may be done by two threads at once without harm. */
#include <errno.h>
#include <linux/mman.h>

#include "base/syscall.h"
#include "region.h"

static void raise(uint64_t *p, uint64_t v) {
    uint64_t old = RELAXED_LOAD(p);
    while (old < v &&
           !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

/* A table's steps double from REGION_FIRST_STEP to REGION_STEP: a process that ends soon should not
 * pay for what it does not use, above all where the folder is on a disk. */
static uint64_t step_of(uint64_t bytes) {
    uint64_t step = REGION_FIRST_STEP;
    while (step < REGION_STEP && step < bytes)
        step *= 2;
    return step;
}

/* Backs rows [0, rows) and the rest of their step. MADV_POPULATE_WRITE returns an error where
 * touching the page would be a SIGBUS: full disk, full tmpfs, memory cgroup. */
static long back(struct region *r, struct region_directory *d, uint64_t rows) {
    uint64_t first = (RELAXED_LOAD(&d->committed) * d->row_size) & ~4095ull;
    uint64_t last = rows * d->row_size, step = step_of(last);
    last = (last + step - 1) / step * step;
    uint64_t end = (d->capacity * d->row_size + 4095) & ~4095ull;
    if (last > end)
        last = end;
    long error =
        base_syscall(SYS_madvise, r->base + d->offset + first, last - first, MADV_POPULATE_WRITE);
    if (error)
        return error;
    uint64_t whole = last / d->row_size;
    raise(&d->committed, whole < d->capacity ? whole : d->capacity);
    return 0;
}

int region_commit(struct region *r, enum region_table table, uint64_t rows) {
    struct region_directory *d = &r->directory[table];
    if (rows > d->capacity)
        return -ENOSPC;
    if (rows <= RELAXED_LOAD(&d->committed))
        return 0;
    /* A full disk stays full for a while: do not make a system call of every allocation. */
    uint32_t left = RELAXED_LOAD(&r->refused[table]);
    if (left) {
        RELAXED_STORE(&r->refused[table], left - 1);
        if (left > 1)
            return -ENOSPC;
    }
    long error = back(r, d, rows);
    if (error) {
        region_lose(r, REGION_LOST_COMMITS, 1);
        RELAXED_STORE(&r->refused[table], 1024);
        if (r->on_full)
            r->on_full((int)error);
        return (int)error;
    }
    return 0;
}

/* As much again as is used, within bounds. */
#define RESERVE_MIN (128u << 10)
#define RESERVE_MAX (1u << 20)
void region_reserve(struct region *r) {
    for (unsigned t = 1; t <= REGION_TABLE_COUNT; t++) {
        struct region_directory *d = &r->directory[t];
        uint64_t done = RELAXED_LOAD(&d->committed), used = RELAXED_LOAD(&d->used), more = used;
        if (more < RESERVE_MIN / d->row_size)
            more = RESERVE_MIN / d->row_size;
        if (more > RESERVE_MAX / d->row_size)
            more = RESERVE_MAX / d->row_size;
        uint64_t rows = used + more < d->capacity ? used + more : d->capacity;
        if (done && rows > done)
            back(r, d, rows);
    }
}

int region_open(struct region *r, enum region_table table) {
    int error = region_commit(r, table, 1);
    if (!error)
        raise(&r->directory[table].used, 1);
    return error;
}

uint32_t region_take(struct region *r, enum region_table table, uint32_t count) {
    struct region_directory *d = &r->directory[table];
    uint64_t used = RELAXED_LOAD(&d->used);
    for (;;) {
        uint64_t first = used ? used : 1; /* row 0 is the overflow row */
        if (first + count > RELAXED_LOAD(&d->committed)) {
            /* A cell and its remote counters have the same number: both or none. */
            if (table == REGION_CELLS && region_commit(r, REGION_REMOTE, first + count))
                return 0;
            if (region_commit(r, table, first + count))
                return 0;
        }
        if (__atomic_compare_exchange_n(&d->used, &used, first + count, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            if (table == REGION_CELLS)
                raise(&r->directory[REGION_REMOTE].used, first + count);
            return (uint32_t)first;
        }
    }
}

uint64_t region_string(struct region *r, const char *s, size_t size) {
    if (size >= 65536) {
        region_lose(r, REGION_LOST_STRINGS, 1);
        return 0;
    }
    uint32_t at = region_take(r, REGION_STRINGS, (uint32_t)size + 1);
    if (!at) {
        region_lose(r, REGION_LOST_STRINGS, 1);
        return 0;
    }
    base_move((char *)r->rows[REGION_STRINGS] + at, s, size);
    return at;
}
