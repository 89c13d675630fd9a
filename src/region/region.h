/* region: creates, maps, commits and validates the region file.
 *
 * Why: the layout (include/squall/region.h) is shared by two processes that do not trust each
 * other; this room is the only place that lays it out, grows it and checks it.
 * The writing half (create.c, commit.c) is linked into the shim, the checking half (validate.c)
 * into the companion; layout.c into both. No C library in the writing half. */
#ifndef SQUALL_REGION_ROOM_H
#define SQUALL_REGION_ROOM_H

#include <squall/region.h>

#include "base/base.h"

/* ---- layout.c: where each table lies in a file of a given bound ---- */

/* Fills directory[0 .. REGION_TABLE_COUNT) for a file of `bound` bytes, at least
 * REGION_BOUND_MIN; committed is 0 and used 0. Returns the number of bytes laid out, <= bound. */
uint64_t region_layout(uint64_t bound, struct region_directory *directory);

/* ---- create.c, commit.c: the watched process ---- */

/* The mapped region of this process. Written once by region_create, then only read. */
struct region {
    uint8_t *base;
    struct region_header *header;       /* == base */
    struct region_directory *directory; /* by enum region_table, [0] not used */
    uint64_t bound;
    bool populated; /* everything was committed at the start: no further madvise */
    void *rows[REGION_TABLE_COUNT + 1];       /* first row of each table */
    uint32_t refused[REGION_TABLE_COUNT + 1]; /* commits not to try again yet */
    void (*on_full)(int error);               /* called at every failed commit; NULL = nobody */
};

/* A row of a table; the caller knows that it is committed. */
#define REGION_ROW(r, table, type, i) (&((type *)(r)->rows[table])[i])

/* Whether a file system (statfs's f_type) copies on write: btrfs, ZFS, bcachefs, NILFS. There a page that
 * was written back takes another block at its next store, and where none is left that is a SIGBUS, which
 * MADV_POPULATE_WRITE rules out only until the kernel writes the page. Btrfs may ask for room of a file
 * that is not to be copied (chattr +C), too: older kernels always, later ones where data and metadata
 * share it. */
INLINE bool region_is_refused_on(uint64_t filesystem) {
    return filesystem == 0x9123683eu || filesystem == 0x2fc12fc1u || filesystem == 0xca451a4eu ||
           filesystem == 0x3434u;
}

/* Maps `fd` (or, fd < 0, shared anonymous memory) of `bound` bytes and writes header skeleton
 * (without the magic) and directory. The file has been given its length by the caller. Returns 0 or
 * -errno; nothing is left mapped on failure. */
int region_map(struct region *r, int fd, uint64_t bound);

/* Writes the magic: from now on a reader takes the file for a region. Once the header is filled. */
void region_publish(struct region *r);

/* Backs rows [0, rows) of a table without taking them. Returns 0 or -errno (counted). */
int region_commit(struct region *r, enum region_table table, uint64_t rows);

/* Backs more of each open table than is used, before this cannot be done any more. What fails is not
 * counted: it will be where it is needed. */
void region_reserve(struct region *r);

/* Commits a table's first step and lets readers see its row 0. Returns 0 or -errno. */
int region_open(struct region *r, enum region_table table);

/* Takes `count` rows of a table, next to each other; commits as needed. Returns the first row's
 * number, or 0 when the table is full or a commit failed (counted in header.lost[COMMITS]; the
 * caller counts what that loses). Any thread, any time, no lock. The rows are zero. */
uint32_t region_take(struct region *r, enum region_table table, uint32_t count);

/* Copies `size` bytes plus a zero into the string table. Returns its offset, 0 if it did not fit
 * (counted in lost[STRINGS]). */
uint64_t region_string(struct region *r, const char *s, size_t size);

/* What the header says now becomes tick `number` of the timeline. Until that is there readers pass it
 * by. */
INLINE void region_fill_tick(struct region_tick *t, const struct region_header *h, uint64_t number) {
    RELAXED_STORE(&t->number, 0);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    t->clock = h->end_clock;
    t->raw_ns = h->end_raw_ns;
    t->live_bytes = RELAXED_LOAD(&h->large_live);
    t->allocated_bytes = RELAXED_LOAD(&h->large_bytes);
    t->allocs = RELAXED_LOAD(&h->large_allocs);
    t->codec_bytes = RELAXED_LOAD(&h->codec_bytes);
    t->in_allocator = RELAXED_LOAD(&h->in_allocator);
    __atomic_store_n(&t->number, number, __ATOMIC_RELEASE);
}

/* Whether a sum that only a mean is made of may still grow: it and its count stop before it would
 * wrap (lives of 48 hours do that to 36,000 blocks), and the mean is of what came before. */
INLINE bool region_has_room(const uint64_t *sum) {
    return !(RELAXED_LOAD(sum) >> 63);
}

/* The half-octave class of a value, see REGION_CLASSES. */
INLINE unsigned region_class(uint64_t v) {
    if (v < 2)
        return 0;
    unsigned top = 63u - (unsigned)__builtin_clzll(v);
    unsigned c = 2 * top + (unsigned)(v >> (top - 1) & 1);
    return c < REGION_CLASSES ? c : REGION_CLASSES - 1;
}

/* Where a class would run over, all are halved: a histogram is a shape. */
INLINE void region_enter_class(uint32_t classes[REGION_CLASSES], uint64_t value, uint32_t count) {
    uint32_t *class = &classes[region_class(value)];
    *class += count;
    if (UNLIKELY(*class >> 31))
        for (unsigned i = 0; i < REGION_CLASSES; i++)
            classes[i] /= 2;
}

/* The row of a message among those of its call, see REGION_SIZE_CLASSES. */
INLINE uint32_t region_size_class(uint64_t bytes) {
    uint32_t c = bytes ? 64u - (uint32_t)__builtin_clzll(bytes) : 0;
    return c < REGION_SIZE_CLASSES ? c : REGION_SIZE_CLASSES - 1;
}

INLINE void region_lose(struct region *r, enum region_lost reason, uint64_t n) {
    RELAXED_ADD(&r->header->lost[reason], n);
}

/* ---- validate.c: whoever reads ---- */

/* What a reader may use of an image: every [rows[t], rows[t] + used[t] * row_size[t]) lies inside
 * it. A table that the file does not have has used 0. */
struct region_view {
    const uint8_t *image;
    uint64_t size;
    const struct region_header *header;
    const uint8_t *rows[REGION_TABLE_COUNT + 1];
    uint64_t row_size[REGION_TABLE_COUNT + 1];
    uint64_t used[REGION_TABLE_COUNT + 1]; /* rows that may be read */
    uint64_t capacity[REGION_TABLE_COUNT + 1];
};

struct region_error {
    uint64_t offset;    /* where in the file */
    const char *reason; /* a phrase for people, static */
};

/* Checks header and directory of an image of `size` bytes. Returns 0, or -EINVAL with *error. */
int region_validate(const void *image, uint64_t size, struct region_view *view,
                    struct region_error *error);

/* A row, or NULL where the index is out of range. */
const void *region_view_row(const struct region_view *view, enum region_table table,
                            uint64_t index);
/* A zero-terminated string inside the image, never NULL: "" where the offset is bad. */
const char *region_view_string(const struct region_view *view, uint64_t offset);

#endif
