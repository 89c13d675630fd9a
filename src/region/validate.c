/* The checking half: what a reader may use of an image that nobody vouches for.
 *
 * The image may be a private copy, or the first bytes of one (only header and directory are
 * touched here), or even live memory: each entry is therefore copied before it is judged, so that
 * what was checked is what is used. */
#include "region.h"

#include <errno.h>
#include <string.h>

/* Newer shims of the same version may lengthen header and rows, but not without limit. */
#define HEADER_MAX (64u * 1024u)
#define DIRECTORY_MAX 64u
#define ROW_MAX (64u * 1024u)

struct known {
    uint32_t size;
    uint32_t align;
};

#define KNOWN(type) \
    { sizeof(type), _Alignof(type) }

static const struct known known_rows[REGION_TABLE_COUNT + 1] = {
    [REGION_THREADS] = KNOWN(struct region_thread),
    [REGION_MODULES] = KNOWN(struct region_module),
    [REGION_STRINGS] = KNOWN(char),
    [REGION_STACKS] = KNOWN(struct region_stack),
    [REGION_FRAMES] = KNOWN(uint64_t),
    [REGION_SITES] = KNOWN(struct region_site),
    [REGION_CELLS] = KNOWN(struct region_cell),
    [REGION_REMOTE] = KNOWN(struct region_remote),
    [REGION_LARGE] = KNOWN(struct region_large),
    [REGION_HISTOGRAMS] = KNOWN(struct region_histogram),
    [REGION_CODEC_FUNCTIONS] = KNOWN(struct region_codec_function),
    [REGION_CODEC_CALLS] = KNOWN(struct region_codec_call),
    [REGION_CODEC_SIZES] = KNOWN(struct region_codec_size),
    [REGION_CONCURRENCY] = KNOWN(struct region_concurrency),
    [REGION_CONTEXTS] = KNOWN(struct region_context),
    [REGION_GO] = KNOWN(struct region_go),
    [REGION_ANON] = KNOWN(struct region_anon),
    [REGION_TIMELINE] = KNOWN(struct region_tick),
};

static int refuse(struct region_error *error, uint64_t offset, const char *reason) {
    error->offset = offset;
    error->reason = reason;
    return -EINVAL;
}

#define REFUSE_HEADER(field, reason) refuse(error, offsetof(struct region_header, field), reason)

static bool is_zero(const void *bytes, size_t size) {
    const uint8_t *b = bytes;
    for (size_t i = 0; i < size; i++)
        if (b[i])
            return false;
    return true;
}

/* The fields that say how to read the rest. */
static int check_header(const struct region_header *h, uint64_t size, struct region_error *error) {
    if (is_zero(h->magic, sizeof h->magic))
        return REFUSE_HEADER(magic, "a region that was never finished: its process died at once, "
                                    "or is just starting");
    if (memcmp(h->magic, REGION_MAGIC, sizeof h->magic) != 0)
        return REFUSE_HEADER(magic, "not a squall region");
    if (h->byte_order != REGION_BYTE_ORDER)
        return REFUSE_HEADER(byte_order, "written on a machine of another byte order");
    if (h->version > REGION_VERSION)
        return REFUSE_HEADER(version, "written by a newer version of squall");
    if (h->version != REGION_VERSION)
        return REFUSE_HEADER(version, "written by a version of squall that this one cannot read");
    if (h->header_size < REGION_HEADER_SIZE || h->header_size > HEADER_MAX)
        return REFUSE_HEADER(header_size, "impossible size of the header");
    if (h->bound < h->header_size || h->bound > REGION_BOUND_MAX)
        return REFUSE_HEADER(bound, "impossible length of the file");
    if (h->bound > size)
        return refuse(error, size, "cut short: the header names a greater length");
    if (h->directory_offset < sizeof *h || h->directory_offset > h->header_size ||
        h->directory_offset % _Alignof(struct region_directory) != 0)
        return REFUSE_HEADER(directory_offset, "the directory lies outside the header");
    if (h->directory_count > DIRECTORY_MAX ||
        h->directory_count >
            (h->header_size - h->directory_offset) / sizeof(struct region_directory))
        return REFUSE_HEADER(directory_count, "the directory does not fit into the header");
    return 0;
}

#define REFUSE_ENTRY(field, reason) \
    refuse(error, at + offsetof(struct region_directory, field), reason)

/* One entry of a known type; `at` is its place in the file. */
static int check_entry(const struct region_directory *d, uint64_t at, const struct region_header *h,
                       struct region_error *error) {
    const struct known *known = &known_rows[d->type];
    uint64_t bytes;
    if (d->row_size < known->size)
        return REFUSE_ENTRY(row_size, "rows are shorter than this version's");
    if (d->row_size > ROW_MAX || d->row_size % known->align != 0)
        return REFUSE_ENTRY(row_size, "impossible size of rows");
    if (d->offset < h->header_size || d->offset > h->bound || d->offset % known->align != 0)
        return REFUSE_ENTRY(offset, "a table lies outside the file or at a crooked address");
    if (__builtin_mul_overflow(d->capacity, (uint64_t)d->row_size, &bytes) ||
        bytes > h->bound - d->offset)
        return REFUSE_ENTRY(capacity, "a table reaches beyond the end of the file");
    return 0;
}

static bool overlap(const struct region_directory *a, const struct region_directory *b) {
    uint64_t a_end = a->offset + a->capacity * a->row_size;
    uint64_t b_end = b->offset + b->capacity * b->row_size;
    return a->offset < b_end && b->offset < a_end;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The writer may be between two stores, and a ring's `used` counts on: whatever the three numbers
 * say, only rows that all of them grant are readable. Rows are named by 32 bits, except the bytes
 * of strings. */
static uint64_t readable(const struct region_directory *d) {
    uint64_t rows = least(least(d->used, d->committed), d->capacity);
    return d->type == REGION_STRINGS ? rows : least(rows, UINT32_MAX);
}

static void enter(struct region_view *view, const struct region_directory *d) {
    /* By integer, not by pointer: the image may hold less than the file (see above). */
    view->rows[d->type] = (const uint8_t *)((uintptr_t)view->image + (uintptr_t)d->offset);
    view->row_size[d->type] = d->row_size;
    view->used[d->type] = readable(d);
    view->capacity[d->type] = d->capacity;
}

static int check_directory(struct region_view *view, const struct region_header *h,
                           struct region_error *error) {
    struct region_directory seen[REGION_TABLE_COUNT];
    uint32_t seen_count = 0;
    for (uint32_t i = 0; i < h->directory_count; i++) {
        struct region_directory d;
        uint64_t at = h->directory_offset + (uint64_t)i * sizeof d;
        memcpy(&d, view->image + at, sizeof d);
        if (d.type < REGION_THREADS || d.type > REGION_TABLE_COUNT)
            continue;
        if (view->row_size[d.type] != 0)
            return REFUSE_ENTRY(type, "a table stands twice in the directory");
        int status = check_entry(&d, at, h, error);
        if (status)
            return status;
        for (uint32_t k = 0; k < seen_count; k++)
            if (overlap(&d, &seen[k]))
                return REFUSE_ENTRY(offset, "two tables overlap");
        seen[seen_count++] = d;
        enter(view, &d);
    }
    return 0;
}

int region_validate(const void *image, uint64_t size, struct region_view *view,
                    struct region_error *error) {
    struct region_header h;
    memset(view, 0, sizeof *view);
    if ((uintptr_t)image % _Alignof(struct region_header) != 0)
        return refuse(error, 0, "the image is not aligned in memory");
    if (size >= sizeof h.magic && size < REGION_HEADER_SIZE &&
        memcmp(image, REGION_MAGIC, sizeof h.magic) == 0)
        return refuse(error, size, "cut short within the header");
    if (size < REGION_HEADER_SIZE)
        return refuse(error, size, "too short for a squall region");
    memcpy(&h, image, sizeof h);
    view->image = image;
    view->size = size;
    view->header = image;
    int status = check_header(&h, size, error);
    if (status == 0)
        status = check_directory(view, &h, error);
    if (status)
        memset(view, 0, sizeof *view);
    return status;
}

const void *region_view_row(const struct region_view *view, enum region_table table,
                            uint64_t index) {
    if (table < REGION_THREADS || table > REGION_TABLE_COUNT || index >= view->used[table])
        return NULL;
    return view->rows[table] + index * view->row_size[table];
}

const char *region_view_string(const struct region_view *view, uint64_t offset) {
    /* A longer row of strings would be another encoding: none of it is used. */
    if (offset == 0 || offset >= view->used[REGION_STRINGS] || view->row_size[REGION_STRINGS] != 1)
        return "";
    const char *s = (const char *)view->rows[REGION_STRINGS] + offset;
    return memchr(s, 0, view->used[REGION_STRINGS] - offset) ? s : "";
}
