/* The totals of a region that is being written. The cells are copied while its threads go on, then
 * the totals of threads: those would tell of a later moment, with more blocks in them than all
 * sites have together. What a total was before the cells and after them is known; the sum of the
 * cells lies between, and that is what the total is set to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int moment_begin(struct moment *m, struct source *source, struct image *image,
                 struct profile_error *error) {
    const struct region_header *h = image->view.header;
    memset(m, 0, sizeof *m);
    if (source->fd < 0 || !image->directory_at[REGION_THREADS] || h->ended)
        return 0;
    int status = image_refresh(source, image, REGION_THREADS, error);
    uint64_t size = image->view.used[REGION_THREADS] * image->view.row_size[REGION_THREADS];
    if (status || size == 0)
        return status;
    if (size > (uint64_t)source->stat.st_blocks * 512 * 16) /* copy_table will say it */
        return 0;
    uint64_t offset = (uint64_t)(image->view.rows[REGION_THREADS] - image->view.image);
    m->threads = malloc(size);
    if (!m->threads)
        return profile_fail(error, -ENOMEM, source->name, offset, "no memory");
    m->count = image->view.used[REGION_THREADS];
    m->row_size = image->view.row_size[REGION_THREADS];
    m->large_allocs = h->large_allocs;
    m->large_bytes = h->large_bytes;
    return source_read(source, offset, m->threads, size, error);
}

void moment_end(struct moment *m) {
    free(m->threads);
    m->threads = NULL;
}

static uint64_t between(uint64_t value, uint64_t low, uint64_t high) {
    return value < low ? low : value > high ? high : value;
}

static uint64_t bytes_of(const struct region_thread *t) {
    uint64_t bytes = t->byte_goal - t->byte_left;
    return (int64_t)bytes < 0 ? 0 : bytes;
}

struct sums {
    uint64_t allocs, bytes;
};

/* What the cells of each thread add up to; returns the frees of all. */
static uint64_t sum_cells(const struct image *image, struct sums *threads, uint64_t count) {
    const struct region_view *view = &image->view;
    uint64_t frees = 0;
    for (uint64_t i = 0; i < view->used[REGION_CELLS]; i++) {
        const struct region_cell *c = region_view_row(view, REGION_CELLS, i);
        const struct region_remote *r = region_view_row(view, REGION_REMOTE, i);
        if (c->kind != REGION_CELL_EXACT)
            continue;
        frees += c->frees + (r ? r->frees : 0);
        if (c->thread < count) {
            threads[c->thread].allocs += c->allocs;
            threads[c->thread].bytes += c->bytes;
        }
    }
    return frees;
}

static struct region_thread *thread_at(struct image *image, uint64_t i) {
    uint8_t *rows = image->tables[REGION_THREADS];
    return (struct region_thread *)(void *)(rows + i * image->view.row_size[REGION_THREADS]);
}

static const struct region_thread *earlier(const struct moment *m, uint64_t i) {
    static const struct region_thread none;
    return i < m->count ? (const void *)((const uint8_t *)m->threads + i * m->row_size) : &none;
}

/* Frees belong to the thread that allocated, so only their sum is known: each thread gets its part
 * of what is to be taken back. */
static void settle_frees(const struct moment *m, struct image *image, uint64_t count,
                         uint64_t frees) {
    uint64_t before = 0, after = 0;
    for (uint64_t i = 0; i < count; i++) {
        before += earlier(m, i)->frees;
        after += thread_at(image, i)->frees;
    }
    frees += image->view.header->inherited_frees + image->view.header->untracked_frees;
    uint64_t surplus = after > before ? after - between(frees, before, after) : 0;
    for (uint64_t i = 0; i < count && surplus; i++) {
        struct region_thread *t = thread_at(image, i);
        uint64_t low = earlier(m, i)->frees, room = t->frees > low ? t->frees - low : 0;
        uint64_t part = room < surplus ? room : surplus;
        t->frees -= part;
        surplus -= part;
    }
}

/* Exact mode: every block of a thread stands in one of its cells. */
static void settle_threads(const struct moment *m, struct image *image) {
    uint64_t count = image->view.used[REGION_THREADS];
    struct sums *sums = calloc(count + 1, sizeof *sums);
    if (!sums)
        return; /* totals are a little later than the cells then */
    uint64_t frees = sum_cells(image, sums, count);
    for (uint64_t i = 1; i < count; i++) {
        struct region_thread *t = thread_at(image, i);
        uint64_t bytes = between(sums[i].bytes, bytes_of(earlier(m, i)), bytes_of(t));
        t->allocs = between(sums[i].allocs, earlier(m, i)->allocs, t->allocs);
        t->byte_goal = bytes + t->byte_left;
    }
    settle_frees(m, image, count, frees);
    free(sums);
}

/* Both modes: the large blocks of the process are those of its rows. */
static void settle_large(const struct moment *m, struct image *image) {
    struct region_header *h = (void *)image->header;
    uint64_t allocs = 0, bytes = 0, freed = 0;
    for (uint64_t i = 0; i < image->view.used[REGION_LARGE]; i++) {
        const struct region_large *l = region_view_row(&image->view, REGION_LARGE, i);
        allocs += l->allocs;
        bytes += l->bytes;
        freed += l->freed_bytes;
    }
    if (h->lost[REGION_LOST_LARGE])
        return; /* some have no row */
    bool moved = h->large_allocs != m->large_allocs;
    h->large_allocs = between(allocs, m->large_allocs, h->large_allocs);
    h->large_bytes = between(bytes, m->large_bytes, h->large_bytes);
    if (moved)
        h->large_live = bytes > freed ? bytes - freed : 0;
}

void moment_settle(const struct moment *m, struct image *image) {
    if (!m->threads)
        return;
    if (image->view.header->configuration.mode == REGION_MODE_EXACT)
        settle_threads(m, image);
    settle_large(m, image);
}
