/* A private copy of a region: from here on nothing changes under us.
 *
 * Only the rows in use are copied: the file is sparse and may be a terabyte long. The order of
 * the copies makes the sums plausible while the process goes on: what was freed before what was
 * allocated, cells before the totals of threads, and whatever refers to a row before the table of
 * that row, so that it is there when it is looked for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ALIGNMENT 64u
#define COPY_STEP (4u << 20)
/* A sparse file of a few blocks must not make us take gigabytes: used rows may exceed what the
 * file holds on its device by this factor (file systems compress) and this sum. */
#define SPARSE_FACTOR 16u
#define SPARSE_SUM (64u << 20)

static const uint8_t copy_order[REGION_TABLE_COUNT] = {
    REGION_REMOTE,      REGION_LARGE,       REGION_CELLS,       REGION_HISTOGRAMS,
    REGION_GO,          REGION_ANON,        REGION_CONTEXTS,    REGION_SITES,
    REGION_CODEC_CALLS, REGION_CODEC_SIZES, REGION_CONCURRENCY, REGION_STACKS,
    REGION_FRAMES,      REGION_THREADS,     REGION_TIMELINE,    REGION_CODEC_FUNCTIONS,
    REGION_MODULES,     REGION_STRINGS,
};

/* Rows with a sequence, those of cells apart: they are settled with what belongs to them. */
static bool has_sequence(unsigned table) {
    return table == REGION_THREADS;
}

/* Lengths that are multiples of the alignment, as aligned_alloc asks for, and never 0. */
static uint8_t *take(uint64_t size) {
    uint64_t rounded = (size + ALIGNMENT) & ~(uint64_t)(ALIGNMENT - 1);
    return rounded < size ? NULL : aligned_alloc(ALIGNMENT, rounded);
}

static int refuse(const char *name, const struct region_error *e, struct profile_error *error) {
    return profile_fail(error, -EINVAL, name, e->offset, "%s", e->reason);
}

/* Header and directory; `view` names the rows as if the whole file lay at image->header. */
static int copy_header(struct source *source, struct image *image, struct profile_error *error) {
    struct region_error why;
    uint32_t header_size = REGION_HEADER_SIZE;
    uint64_t first = source->size < REGION_HEADER_SIZE ? source->size : REGION_HEADER_SIZE;
    image->header = take(64u * 1024u); /* validate accepts no longer header */
    if (!image->header)
        return profile_fail(error, -ENOMEM, source->name, 0, "no memory");
    memset(image->header, 0, 64u * 1024u);
    int status = source_read(source, 0, image->header, (size_t)first, error);
    if (status)
        return status;
    memcpy(&header_size, image->header + offsetof(struct region_header, header_size),
           sizeof header_size);
    if (header_size > first && header_size <= 64u * 1024u && header_size <= source->size)
        status = source_read(source, 0, image->header, header_size, error);
    if (status)
        return status;
    if (region_validate(image->header, source->size, &image->view, &why) != 0)
        return refuse(source->name, &why, error);
    return 0;
}

static void find_entries(struct image *image) {
    const struct region_header *h = image->view.header;
    for (uint32_t i = 0; i < h->directory_count; i++) {
        uint64_t at = h->directory_offset + (uint64_t)i * sizeof(struct region_directory);
        uint32_t type;
        memcpy(&type, image->header + at, sizeof type);
        if (type >= REGION_THREADS && type <= REGION_TABLE_COUNT)
            image->directory_at[type] = at;
    }
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* How many rows may be read now; the process may have taken more since the header was read. */
int image_refresh(struct source *source, struct image *image, unsigned table,
                  struct profile_error *error) {
    struct region_directory d;
    int status = source_read(source, image->directory_at[table], &d, sizeof d, error);
    if (status)
        return status;
    uint64_t used = least(least(d.used, d.committed), image->view.capacity[table]);
    image->view.used[table] = table == REGION_STRINGS ? used : least(used, UINT32_MAX);
    return 0;
}

static int copy_table(struct source *source, struct image *image, unsigned table, uint64_t *room,
                      struct profile_error *error) {
    struct region_view *view = &image->view;
    uint64_t offset = (uint64_t)(view->rows[table] - view->image), done = 0;
    int status = image_refresh(source, image, table, error);
    if (status)
        return status;
    uint64_t size = view->used[table] * view->row_size[table]; /* <= capacity: was checked */
    if (size > *room)
        return profile_fail(error, -EFBIG, source->name, image->directory_at[table],
                            "names more rows than a file of its size on disk can hold");
    *room -= size;
    image->tables[table] = take(size);
    if (!image->tables[table])
        return profile_fail(error, -ENOMEM, source->name, offset, "no memory");
    while (done < size) {
        uint64_t step = least(size - done, COPY_STEP);
        status = source_read(source, offset + done, image->tables[table] + done, step, error);
        if (status)
            return status;
        done += step;
        source_progress(source, step);
    }
    if (has_sequence(table))
        rows_settle(source->fd, offset, image->tables[table], view->row_size[table],
                    view->used[table]);
    return 0;
}

/* The header once more: its sums are totals of what was just copied, and it tells whether the
 * file is still the one we began with. */
static int copy_totals(struct source *source, struct image *image, struct profile_error *error) {
    struct region_header *h = (void *)image->header, now;
    for (unsigned tries = 0;; tries++) {
        struct region_header again;
        int status = source_read(source, 0, &now, sizeof now, error);
        if (status == 0)
            status = source_read(source, 0, &again, sizeof again, error);
        if (status)
            return status;
        if (!(now.pair_sequence & 1) && now.pair_sequence == again.pair_sequence)
            break;
        if (tries == 16) { /* killed between two stores: no last pair */
            now.end_raw_ns = now.end_clock = 0;
            now.pair_sequence = 0;
            break;
        }
    }
    struct stat file = source->stat;
    if (source->fd >= 0 && fstat(source->fd, &file) == 0 && file.st_size != source->stat.st_size)
        return profile_fail(error, -EINVAL, source->name, (uint64_t)file.st_size,
                            "changed its length while it was read");
    if (memcmp(now.magic, h->magic, sizeof now.magic) != 0 || now.random != h->random ||
        now.pid != h->pid || now.bound != h->bound)
        return profile_fail(error, -EINVAL, source->name, 0, "changed while it was read");
    /* What was checked stays as it was checked. */
    now.version = h->version;
    now.byte_order = h->byte_order;
    now.header_size = h->header_size;
    now.directory_count = h->directory_count;
    now.directory_offset = h->directory_offset;
    *h = now;
    return 0;
}

int image_open(struct source *source, struct image *image, struct profile_error *error) {
    memset(image, 0, sizeof *image);
    int status = copy_header(source, image, error);
    if (status)
        image_free(image);
    else
        find_entries(image);
    return status;
}

int image_copy(struct source *source, struct image *image, struct profile_error *error) {
    uint64_t on_disk = source->fd < 0 ? source->size : (uint64_t)source->stat.st_blocks * 512;
    uint64_t room;
    struct moment before = {0};
    memset(image, 0, sizeof *image);
    if (__builtin_mul_overflow(on_disk, (uint64_t)SPARSE_FACTOR, &room) ||
        __builtin_add_overflow(room, (uint64_t)SPARSE_SUM, &room))
        room = UINT64_MAX;
    int status = copy_header(source, image, error);
    if (status)
        goto cleanup;
    find_entries(image);
    status = moment_begin(&before, source, image, error);
    for (unsigned i = 0; i < REGION_TABLE_COUNT && status == 0; i++) {
        if (image->directory_at[copy_order[i]])
            status = copy_table(source, image, copy_order[i], &room, error);
        if (status == 0 && copy_order[i] == REGION_CELLS && image->directory_at[REGION_CELLS])
            rows_settle_cells(source->fd, image);
    }
    if (status == 0)
        status = copy_totals(source, image, error);
    for (unsigned t = 1; t <= REGION_TABLE_COUNT; t++)
        image->view.rows[t] = image->tables[t];
    if (status == 0)
        moment_settle(&before, image);
cleanup:
    moment_end(&before);
    if (status)
        image_free(image);
    return status;
}

int image_adopt(uint8_t *bytes, uint64_t size, const char *name, struct image *image,
                struct profile_error *error) {
    struct region_error why;
    memset(image, 0, sizeof *image);
    image->header = bytes;
    if (region_validate(bytes, size, &image->view, &why) != 0) {
        image_free(image);
        return profile_fail(error, -EINVAL, name, why.offset,
                            "a region in this dump is broken (the offset is in the region): %s",
                            why.reason);
    }
    find_entries(image);
    return 0;
}

void image_free(struct image *image) {
    for (unsigned t = 0; t <= REGION_TABLE_COUNT; t++)
        free(image->tables[t]);
    free(image->header);
    memset(image, 0, sizeof *image);
}
