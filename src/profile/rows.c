/* Rows that are being written while we read them.
 *
 * A row's sequence word is odd while its owner writes. Owners that allocate all the time write
 * every 50 ns or so: two system calls around a row would see it change every time, so the second
 * look goes through a mapping. The file may be cut under that mapping (SIGBUS), therefore every
 * access stands between guards; copying itself has been done with pread. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "internal.h"

#define TRIES_ROW 256u
#define TRIES_CELL 64u
/* A writer that lost its processor in the middle needs a moment; a dead one, or a file in which
 * all rows are odd, must not hold us up: these are for a whole table. */
#define TRIES_TABLE (1u << 20)
#define NAPS_TABLE 20u
#define NAP_NS 1000000

struct patience {
    uint32_t tries, naps;
};

static __thread sigjmp_buf guard_return;
static __thread const uint8_t *guard_start, *guard_end;

static void caught(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    const uint8_t *at = info->si_addr;
    if (at >= guard_start && at < guard_end)
        siglongjmp(guard_return, 1);
    /* Not ours: fault again, with the default outcome. */
    signal(signal_number, SIG_DFL);
}

/* Copies a row from live memory; false if it was being written all the time. */
static bool try_row(const uint8_t *live, uint8_t *copy, uint64_t size, struct patience *left) {
    const uint32_t *sequence = (const uint32_t *)(const void *)live;
    for (uint32_t i = 0; i < TRIES_ROW && left->tries > 0; i++) {
        left->tries--;
        uint32_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
        if (!(before & 1)) {
            memcpy(copy, live, size);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            uint32_t after = RELAXED_LOAD(sequence);
            memcpy(copy, &before, sizeof before);
            if (before == after)
                return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

static bool read_row(const uint8_t *live, uint8_t *copy, uint64_t size, struct patience *left) {
    const struct timespec nap = {0, NAP_NS};
    while (!try_row(live, copy, size, left)) {
        if (left->tries == 0 || left->naps == 0)
            return false;
        left->naps--;
        nanosleep(&nap, NULL);
    }
    return true;
}

static void settle(const uint8_t *live, uint8_t *rows, uint64_t row_size, uint64_t count) {
    struct patience left = {TRIES_TABLE, NAPS_TABLE};
    for (uint64_t i = 0; i < count; i++, live += row_size, rows += row_size) {
        uint32_t sequence,
            now = __atomic_load_n((const uint32_t *)(const void *)live, __ATOMIC_ACQUIRE);
        memcpy(&sequence, rows, sizeof sequence);
        if (sequence == now && !(now & 1))
            continue;
        /* Whoever has changed once is odd in the copy until a clean one was had. */
        sequence |= 1;
        memcpy(rows, &sequence, sizeof sequence);
        if (!read_row(live, rows, row_size, &left)) {
            memcpy(rows, live, row_size);
            memcpy(&sequence, rows, sizeof sequence);
            sequence |= 1;
            memcpy(rows, &sequence, sizeof sequence);
        }
    }
}

/* Calls `work` with the first `length` bytes of a file in memory; a file that is cut meanwhile ends
 * it there. */
static void guarded(int fd, uint64_t length, void (*work)(const uint8_t *map, void *data),
                    void *data) {
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO}, before;
    uint8_t *map = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED)
        return; /* odd rows are torn then, without another look */
    guard_start = map;
    guard_end = map + length;
    sigaction(SIGBUS, &action, &before);
    if (sigsetjmp(guard_return, 1) == 0)
        work(map, data);
    sigaction(SIGBUS, &before, NULL);
    guard_start = guard_end = NULL;
    munmap(map, length);
}

struct settled {
    uint64_t offset, row_size, count;
    uint8_t *rows;
};

static void settle_table(const uint8_t *map, void *data) {
    const struct settled *t = data;
    settle(map + t->offset, t->rows, t->row_size, t->count);
}

void rows_settle(int fd, uint64_t offset, uint8_t *rows, uint64_t row_size, uint64_t count) {
    struct settled table = {offset, row_size, count, rows};
    if (fd >= 0 && count > 0)
        guarded(fd, offset + row_size * count, settle_table, &table);
}

/* ---- cells, with what other threads freed and the large blocks beside them ---- */

/* One cell in the live file and in the copy; `large` is NULL where it has none. */
struct trio {
    const struct region_cell *cell;
    const struct region_remote *remote;
    const struct region_large *large;
    struct region_cell *cell_copy;
    struct region_remote *remote_copy;
    struct region_large *large_copy;
};

static bool large_changed(const struct trio *t) {
    return t->large && (RELAXED_LOAD(&t->large->allocs) != t->large_copy->allocs ||
                        RELAXED_LOAD(&t->large->frees) != t->large_copy->frees);
}

static bool remote_changed(const struct trio *t) {
    return t->remote && RELAXED_LOAD(&t->remote->frees) != t->remote_copy->frees;
}

static bool is_settled(const struct trio *t) {
    uint32_t now = __atomic_load_n(&t->cell->sequence, __ATOMIC_ACQUIRE);
    return !(now & 1) && now == t->cell_copy->sequence &&
           RELAXED_LOAD(&t->cell->allocs) == t->cell_copy->allocs &&
           RELAXED_LOAD(&t->cell->frees) == t->cell_copy->frees && !large_changed(t) &&
           !remote_changed(t);
}

/* Rows without a sequence are sums that others add to: what was freed is taken from an earlier copy
 * than what was allocated, so that it is never more. */
static void copy_sums(const struct trio *t) {
    if (t->remote)
        memcpy(t->remote_copy, t->remote, sizeof *t->remote);
    if (!t->large)
        return;
    struct region_large *copy = t->large_copy, freed;
    memcpy(&freed, t->large, sizeof freed);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    memcpy(copy, t->large, sizeof *copy);
    copy->frees = freed.frees;
    copy->freed_bytes = freed.freed_bytes;
    copy->remote_frees = freed.remote_frees;
    copy->transient = freed.transient;
    copy->transient_bytes = freed.transient_bytes;
}

/* The same within a cell that several threads add to: its sequence tells nothing. */
static void copy_shared(const struct trio *t) {
    struct region_cell freed, *copy = t->cell_copy;
    memcpy(&freed, t->cell, sizeof freed);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    memcpy(copy, t->cell, sizeof *copy);
    copy->frees = freed.frees;
    copy->freed_bytes = freed.freed_bytes;
    copy->freed_samples = freed.freed_samples;
    copy->life_sum = freed.life_sum;
}

/* All three as they were at one moment, if its threads leave one between two blocks. */
static void settle_trio(const struct trio *t, struct patience *left) {
    bool is_shared = t->cell->thread == 0;
    for (uint32_t i = 0; i < TRIES_CELL && left->tries > 0 && !is_settled(t); i++) {
        left->tries--;
        copy_sums(t);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (is_shared)
            copy_shared(t);
        else
            memcpy(t->cell_copy, t->cell, sizeof *t->cell);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    }
    if (is_settled(t))
        return;
    copy_sums(t);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (is_shared) {
        copy_shared(t);
        return;
    }
    uint8_t *copy = (uint8_t *)t->cell_copy;
    if (!read_row((const uint8_t *)t->cell, copy, sizeof *t->cell, left)) {
        memcpy(copy, t->cell, sizeof *t->cell);
        t->cell_copy->sequence |= 1;
    }
}

struct cells {
    struct image *image;
    uint64_t at[REGION_TABLE_COUNT + 1]; /* of tables in the file */
};

static const void *live_row(const struct cells *c, const uint8_t *map, unsigned table, uint64_t i) {
    return i < c->image->view.used[table] ? map + c->at[table] + i * c->image->view.row_size[table]
                                          : NULL;
}

static void *copied_row(const struct cells *c, unsigned table, uint64_t i) {
    return c->image->tables[table] + i * c->image->view.row_size[table];
}

static void settle_cells(const uint8_t *map, void *data) {
    struct cells *c = data;
    struct patience left = {TRIES_TABLE, NAPS_TABLE};
    for (uint64_t i = 0; i < c->image->view.used[REGION_CELLS]; i++) {
        struct region_cell *copy = copied_row(c, REGION_CELLS, i);
        struct trio t = {
            .cell = live_row(c, map, REGION_CELLS, i),
            .remote = live_row(c, map, REGION_REMOTE, i),
            .cell_copy = copy,
        };
        uint32_t large = RELAXED_LOAD(&t.cell->large);
        t.large = large ? live_row(c, map, REGION_LARGE, large) : NULL;
        if (t.remote)
            t.remote_copy = copied_row(c, REGION_REMOTE, i);
        if (t.large)
            t.large_copy = copied_row(c, REGION_LARGE, large);
        settle_trio(&t, &left);
    }
}

void rows_settle_cells(int fd, struct image *image) {
    static const unsigned tables[] = {REGION_CELLS, REGION_REMOTE, REGION_LARGE};
    struct cells cells = {.image = image};
    uint64_t end = 0;
    for (unsigned k = 0; k < ARRAY_SIZE(tables); k++) {
        unsigned t = tables[k];
        const struct region_view *view = &image->view;
        uint64_t at = (uint64_t)(view->rows[t] - view->image);
        uint64_t size = view->used[t] * view->row_size[t];
        if (!image->tables[t] || size == 0)
            image->view.used[t] = 0;
        cells.at[t] = at;
        end = at + size > end ? at + size : end;
    }
    if (fd >= 0 && image->view.used[REGION_CELLS])
        guarded(fd, end, settle_cells, &cells);
}
