/* The sums of a region that is being written, read again and again at little cost: for the rates of
 * a live view. Tables are copied with pread into buffers that are kept (a read of a hole takes no
 * page, a file that is cut is no SIGBUS), in the order that keeps sums plausible: what was freed
 * before what was allocated, cells before the totals of threads.
 *
 * Rows are not settled here: a row that changed while it was copied is off by the operation under
 * way, and whole again at the next read. profile_reader_load is for figures that have to agree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

struct rows {
    uint8_t *bytes;
    size_t room;
    uint64_t count, size;
};

struct profile_reader {
    struct profile_found found;
    struct source source;
    struct image image; /* header and directory only */
    struct rows rows;   /* of one table after the other */
    struct rows remote; /* which cells need beside their own */
};

int profile_reader_open(const struct profile_found *found, struct profile_reader **reader,
                        struct profile_error *error) {
    struct profile_reader *r = calloc(1, sizeof *r);
    *reader = NULL;
    if (!r)
        return profile_fail(error, -ENOMEM, found->path, 0, "no memory");
    r->found = *found;
    r->source.fd = -1;
    int status = found_open(&r->found, &r->source, error);
    if (status == 0)
        status = image_open(&r->source, &r->image, error);
    if (status == 0 && r->image.view.header->random != found->key)
        status = profile_fail(error, -ESTALE, found->path, 0, "is another region by now");
    if (status) {
        profile_reader_close(r);
        return status;
    }
    *reader = r;
    return 0;
}

void profile_reader_close(struct profile_reader *r) {
    if (!r)
        return;
    source_close(&r->source);
    image_free(&r->image);
    free(r->rows.bytes);
    free(r->remote.bytes);
    free(r);
}

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* The rows of a table in use now. */
static int read_rows(struct profile_reader *r, unsigned table, struct rows *rows,
                     struct profile_error *error) {
    struct region_view *view = &r->image.view;
    rows->count = 0;
    if (!r->image.directory_at[table])
        return 0;
    int status = image_refresh(&r->source, &r->image, table, error);
    if (status)
        return status;
    uint64_t size = view->used[table] * view->row_size[table];
    /* A sparse file names rows that nobody wrote: what is not on its device is not read. */
    if (size > (64u << 20) && size / 16 > (uint64_t)r->source.stat.st_blocks * 512)
        return profile_fail(error, -EFBIG, r->source.name, r->image.directory_at[table],
                            "names more rows than a file of its size on disk can hold");
    if (size > rows->room) {
        uint8_t *grown = aligned_alloc(64, (size + size / 2 + 63) & ~63ull);
        if (!grown)
            return profile_fail(error, -ENOMEM, r->source.name, 0, "no memory");
        free(rows->bytes);
        rows->bytes = grown;
        rows->room = (size + size / 2 + 63) & ~63ull;
    }
    rows->size = view->row_size[table];
    rows->count = view->used[table];
    return source_read(&r->source, (uint64_t)(view->rows[table] - view->image), rows->bytes, size,
                       error);
}

static const void *row(const struct rows *rows, uint64_t i) {
    return rows->bytes + i * rows->size;
}

/* Room for `count` rows of `size` bytes each; those that are new are zero. */
static int make_room(void **array, uint32_t *room, uint64_t count, size_t size) {
    if (count <= *room)
        return 0;
    uint64_t more = count + count / 2;
    uint8_t *grown = more <= UINT32_MAX ? reallocarray(*array, more, size) : NULL;
    if (!grown)
        return -ENOMEM;
    memset(grown + *room * size, 0, (more - *room) * size);
    *array = grown;
    *room = (uint32_t)more;
    return 0;
}

#define MAKE_ROOM(array, room, count) make_room((void **)&(array), &(room), count, sizeof *(array))

/* ---- sites: what each is, and the sums of its cells ---- */

/* Sites never change once they are there, so only new ones are looked at. */
static int learn_sites(struct profile_reader *r, struct profile_counters *c,
                       struct profile_error *error) {
    int status = read_rows(r, REGION_SITES, &r->rows, error);
    if (status == 0)
        status = MAKE_ROOM(c->sites, c->site_room, r->rows.count);
    for (uint64_t i = 0; status == 0 && i < r->rows.count; i++) {
        const struct region_site *from = row(&r->rows, i);
        struct profile_count_site *to = &c->sites[i];
        to->codec_function = from->codec_function;
        to->direction = from->direction <= REGION_DECOMPRESS ? from->direction : 0;
        to->stack = from->stack;
    }
    if (status == 0)
        c->site_count = (uint32_t)r->rows.count;
    return status;
}

static uint64_t blocks(const struct region_cell *cell, uint64_t n) {
    return cell->kind == REGION_CELL_SAMPLED ? n / REGION_SAMPLED_UNIT : n;
}

static void add_cell(struct profile_counters *c, const struct region_cell *cell,
                     const struct region_remote *remote) {
    static const struct region_remote nothing;
    uint32_t site = cell->site < c->site_count ? cell->site : 0;
    struct profile_count_site *to = &c->sites[site];
    if (!remote)
        remote = &nothing;
    uint64_t freed = cell->freed_bytes + remote->freed_bytes;
    freed = freed < cell->bytes ? freed : cell->bytes;
    to->allocs += blocks(cell, cell->allocs);
    to->frees += blocks(cell, cell->frees + remote->frees);
    to->bytes += cell->bytes;
    to->freed_bytes += freed;
    to->live_bytes += cell->bytes - freed;
    to->samples += cell->samples;
    to->allocator_ticks += cell->allocator_ticks;
    to->estimated |= cell->kind == REGION_CELL_SAMPLED;
    c->freed_bytes += freed;
    c->live_bytes += cell->bytes - freed;
    c->allocator_ticks += cell->allocator_ticks;
}

static int count_cells(struct profile_reader *r, struct profile_counters *c,
                       struct profile_error *error) {
    int status = learn_sites(r, c, error);
    if (status == 0)
        status = read_rows(r, REGION_REMOTE, &r->remote, error);
    if (status == 0)
        status = read_rows(r, REGION_CELLS, &r->rows, error);
    if (status || c->site_count == 0)
        return status;
    c->cells_raw_ns = now(CLOCK_MONOTONIC_RAW);
    c->freed_bytes = c->live_bytes = c->allocator_ticks = 0;
    for (uint32_t i = 0; i < c->site_count; i++) {
        struct profile_count_site *s = &c->sites[i];
        *s = (struct profile_count_site){s->codec_function, s->direction, s->stack, .allocs = 0};
    }
    for (uint64_t i = 0; i < r->rows.count; i++)
        add_cell(c, row(&r->rows, i), i < r->remote.count ? row(&r->remote, i) : NULL);
    return 0;
}

/* ---- codec calls ---- */

static int learn_functions(struct profile_reader *r, struct profile_counters *c,
                           struct profile_error *error) {
    int status = read_rows(r, REGION_CODEC_FUNCTIONS, &r->rows, error);
    uint64_t count = r->rows.count ? r->rows.count : 1;
    if (status == 0)
        status = MAKE_ROOM(c->functions, c->function_room, count);
    if (status)
        return status;
    memset(c->functions, 0, count * sizeof *c->functions);
    for (uint64_t i = 0; i < r->rows.count; i++) {
        const struct region_codec_function *from = row(&r->rows, i);
        c->functions[i].codec = from->codec;
        c->functions[i].direction = from->direction <= REGION_DECOMPRESS ? from->direction : 0;
    }
    c->function_count = (uint32_t)count;
    return 0;
}

static int count_calls(struct profile_reader *r, struct profile_counters *c,
                       struct profile_error *error) {
    int status = learn_functions(r, c, error);
    if (status == 0)
        status = read_rows(r, REGION_CODEC_CALLS, &r->rows, error);
    for (uint64_t i = 1; status == 0 && i < r->rows.count; i++) {
        const struct region_codec_call *from = row(&r->rows, i);
        struct profile_count_function *to =
            &c->functions[from->function < c->function_count ? from->function : 0];
        to->calls += from->calls;
        to->nested += from->nested;
        to->failures += from->failures;
        to->source_bytes += from->source_bytes;
        to->produced_bytes += from->produced_bytes;
        to->ticks += from->ticks;
    }
    return status;
}

/* ---- threads and the header ---- */

static int count_threads(struct profile_reader *r, struct profile_counters *c,
                         struct profile_error *error) {
    int status = read_rows(r, REGION_THREADS, &r->rows, error);
    if (status == 0)
        status = MAKE_ROOM(c->threads, c->thread_room, r->rows.count);
    if (status)
        return status;
    c->thread_count = (uint32_t)r->rows.count;
    c->allocs = c->frees = c->bytes = 0;
    for (uint32_t i = 0; i < c->thread_count; i++) {
        const struct region_thread *from = row(&r->rows, i);
        struct profile_count_thread *to = &c->threads[i];
        uint64_t bytes = from->byte_goal - from->byte_left;
        to->tid = from->tid;
        to->generations = from->generations;
        to->codec_call = from->codec_call;
        memcpy(to->name, from->name, sizeof to->name);
        to->name[sizeof to->name - 1] = 0;
        to->allocs = from->allocs;
        to->frees = from->frees;
        to->bytes = (int64_t)bytes < 0 ? 0 : bytes;
        c->allocs += to->allocs;
        c->frees += to->frees;
        c->bytes += to->bytes;
    }
    return 0;
}

static int count_header(struct profile_reader *r, struct profile_counters *c,
                        struct profile_error *error) {
    struct region_header h;
    int status = source_read(&r->source, 0, &h, sizeof h, error);
    if (status)
        return status;
    if (h.random != r->found.key || memcmp(h.magic, REGION_MAGIC, sizeof h.magic) != 0)
        return profile_fail(error, -ESTALE, r->source.name, 0, "changed while it was read");
    c->raw_ns = now(CLOCK_MONOTONIC_RAW);
    c->realtime_ns = now(CLOCK_REALTIME);
    c->ended = h.ended != 0;
    c->large_allocs = h.large_allocs;
    c->large_bytes = h.large_bytes;
    c->large_live = (int64_t)h.large_live < 0 ? 0 : h.large_live;
    c->large_peak = h.large_peak > c->large_live ? h.large_peak : c->large_live;
    c->codec_bytes = h.codec_bytes;
    c->in_allocator = h.in_allocator;
    c->inherited_frees = h.inherited_frees;
    c->untracked_frees = h.untracked_frees;
    memcpy(c->lost, h.lost, sizeof c->lost);
    return 0;
}

int profile_reader_count(struct profile_reader *r, struct profile_counters *c, bool cells,
                         struct profile_error *error) {
    int status = 0;
    if (fstat(r->source.fd, &r->source.stat) != 0 ||
        (uint64_t)r->source.stat.st_size != r->source.size)
        return profile_fail(error, -EINVAL, r->source.name, 0, "changed its length");
    if (cells)
        status = count_cells(r, c, error);
    if (status == 0)
        status = count_calls(r, c, error);
    if (status == 0)
        status = count_threads(r, c, error);
    return status ? status : count_header(r, c, error);
}

/* ---- the rest ---- */

int profile_reader_load(struct profile_reader *r, enum profile_state state, struct profile *profile,
                        struct profile_error *error) {
    bool mapped = state == PROFILE_RUNNING;
    memset(profile, 0, sizeof *profile);
    struct profile_process *p = profile_add(profile);
    struct source source = r->source;
    source.name = r->found.file;
    if (fstat(source.fd, &source.stat) != 0)
        source.stat = r->source.stat;
    int status =
        p ? decode_region_as(&source, (struct state){.state = state, .mapped = mapped}, p, error)
          : profile_fail(error, -ENOMEM, r->found.file, 0, "no memory");
    if (status)
        profile_free(profile);
    return status;
}

double profile_reader_ticks_per_ns(struct profile_reader *r) {
    struct calibration clock;
    struct profile_error ignored;
    if (source_read(&r->source, 0, r->image.header, sizeof(struct region_header), &ignored) != 0)
        return 1;
    memset(r->image.view.used, 0, sizeof r->image.view.used); /* no rows are there */
    clock_calibrate(&r->image, &clock);
    return clock.ticks_per_ns;
}

static int copy_array(void **to, uint32_t *room, const void *from, uint32_t count, size_t size) {
    int status = make_room(to, room, count, size);
    if (status == 0 && count)
        memcpy(*to, from, count * size);
    return status;
}

#define COPY_ARRAY(name, count, room) \
    copy_array((void **)&kept.name, &kept.room, from->name, from->count, sizeof *kept.name)

int profile_counters_copy(struct profile_counters *to, const struct profile_counters *from) {
    struct profile_counters kept = *from;
    kept.threads = to->threads;
    kept.thread_room = to->thread_room;
    kept.sites = to->sites;
    kept.site_room = to->site_room;
    kept.functions = to->functions;
    kept.function_room = to->function_room;
    int status = COPY_ARRAY(threads, thread_count, thread_room);
    if (status == 0)
        status = COPY_ARRAY(sites, site_count, site_room);
    if (status == 0)
        status = COPY_ARRAY(functions, function_count, function_room);
    if (status) /* what was made is kept for the next time, but says nothing */
        kept.thread_count = kept.site_count = kept.function_count = 0;
    *to = kept;
    return status;
}

void profile_counters_free(struct profile_counters *c) {
    free(c->threads);
    free(c->sites);
    free(c->functions);
    memset(c, 0, sizeof *c);
}
