/* Reads the packed format (docs/format.md): a header, then one zstd frame of records. The whole
 * frame is read to its checksum before anything of it counts; memory is bounded by the length of
 * the file, whatever the records claim. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "internal.h"

/* What a dump may unfold to. Regions are mostly zeros and shrink to a fiftieth; a file that claims
 * more than this is made to eat our memory. */
#define UNFOLD_FACTOR 1000u
#define UNFOLD_SUM (64u << 20)

struct reader {
    struct source *source;
    struct profile_error *error;
    ZSTD_DCtx *zstd;
    uint8_t *buffer;
    size_t buffer_size;
    ZSTD_inBuffer in;
    uint64_t at;        /* where in.src begins in the file */
    uint64_t limit;     /* bytes that may still be unfolded */
    bool ended;         /* the frame is complete, its checksum right */
    uint64_t processes; /* seen so far */
    dump_each *each;    /* NULL: they are all kept */
    void *data;
};

/* The place in the file up to which it has been read. */
static uint64_t place(const struct reader *r) {
    return r->at + r->in.pos;
}

static int broken(struct reader *r, const char *reason) {
    return profile_fail(r->error, -EINVAL, r->source->name, place(r), "%s", reason);
}

static int refill(struct reader *r) {
    uint64_t next = place(r), left = r->source->size - next;
    size_t want = left < r->buffer_size ? (size_t)left : r->buffer_size;
    if (want == 0)
        return broken(r, "cut short: the dump does not end");
    int status = source_read(r->source, next, r->buffer, want, r->error);
    if (status)
        return status;
    source_progress(r->source, want);
    r->at = next;
    r->in = (ZSTD_inBuffer){r->buffer, want, 0};
    return 0;
}

/* Exactly `size` unfolded bytes. */
static int get(struct reader *r, void *to, uint64_t size) {
    ZSTD_outBuffer out = {to, size, 0};
    if (size > r->limit)
        return broken(r, "unfolds to more than a dump of its length can hold");
    r->limit -= size;
    while (out.pos < out.size) {
        if (r->ended)
            return broken(r, "the dump ends within a record");
        size_t before = out.pos;
        size_t result = ZSTD_decompressStream(r->zstd, &out, &r->in);
        if (ZSTD_isError(result))
            return profile_fail(r->error, -EINVAL, r->source->name, place(r), "damaged: %s",
                                ZSTD_getErrorName(result));
        r->ended = result == 0;
        if (out.pos == before && r->in.pos == r->in.size && !r->ended) {
            int status = refill(r);
            if (status)
                return status;
        }
    }
    return 0;
}

/* After the last record: the checksum, and nothing behind it. */
static int finish(struct reader *r) {
    uint8_t more;
    while (!r->ended) {
        ZSTD_outBuffer out = {&more, 1, 0};
        if (r->in.pos == r->in.size) {
            int status = refill(r);
            if (status)
                return status;
        }
        size_t result = ZSTD_decompressStream(r->zstd, &out, &r->in);
        if (ZSTD_isError(result))
            return profile_fail(r->error, -EINVAL, r->source->name, place(r), "damaged: %s",
                                ZSTD_getErrorName(result));
        if (out.pos != 0)
            return broken(r, "something follows the last record");
        r->ended = result == 0;
    }
    return place(r) == r->source->size ? 0 : broken(r, "something follows the dump");
}

static int skip(struct reader *r, uint64_t size) {
    uint8_t waste[4096];
    while (size > 0) {
        uint64_t step = size < sizeof waste ? size : sizeof waste;
        int status = get(r, waste, step);
        if (status)
            return status;
        size -= step;
    }
    return 0;
}

/* The known beginning of a record that may have grown since. */
static int get_known(struct reader *r, const struct dump_record *record, void *to, size_t size) {
    if (record->length < size)
        return broken(r, "a record is shorter than it must be");
    int status = get(r, to, size);
    return status ? status : skip(r, record->length - size);
}

static bool fits(const struct reader *r, uint64_t length) {
    return length <= r->limit && length < SIZE_MAX / 2;
}

static int read_image(struct reader *r, const struct dump_record *record, struct image *image) {
    if (record->length < REGION_HEADER_SIZE)
        return broken(r, "a region is shorter than its header");
    if (!fits(r, record->length))
        return broken(r, "unfolds to more than a dump of its length can hold");
    /* Untouched pages of a large block cost nothing: only what really unfolds is taken. */
    uint8_t *bytes = aligned_alloc(64, (record->length + 63) & ~(uint64_t)63);
    if (!bytes)
        return profile_fail(r->error, -ENOMEM, r->source->name, place(r), "no memory");
    int status = get(r, bytes, record->length);
    if (status) {
        free(bytes);
        return status;
    }
    return image_adopt(bytes, record->length, r->source->name, image, r->error);
}

static const char *string_at(const char *strings, uint64_t size, uint32_t offset) {
    return offset < size ? strings + offset : strings;
}

static int place_symbols(struct reader *r, struct profile_process *p,
                         const struct dump_symbol *rows, uint32_t count, const char *strings,
                         uint64_t strings_size) {
    for (uint32_t i = 0; i < count; i++) {
        const struct dump_symbol *row = &rows[i];
        uint32_t module = row->module < p->module_count ? row->module : 0;
        if (i > 0 && (row->address < rows[i - 1].address ||
                      (row->address == rows[i - 1].address && module < p->symbols[i - 1].module)))
            return broken(r, "symbols are not in order");
        p->symbols[i] = (struct profile_symbol){
            .address = row->address,
            .module = module,
            .function = string_at(strings, strings_size, row->function),
            .file = string_at(strings, strings_size, row->file),
            .line = row->line,
            .inlined = row->flags & DUMP_SYMBOL_INLINED,
        };
    }
    p->symbol_count = count;
    return 0;
}

static int read_symbols(struct reader *r, const struct dump_record *record,
                        struct profile_process *p) {
    struct arena *arena = &((struct memory *)p->memory)->arena;
    struct dump_symbols head;
    struct dump_symbol *rows = NULL;
    char *strings;
    uint64_t rows_size, length = record->length - sizeof head;
    if (record->length < sizeof head || p->symbols)
        return broken(r, "impossible symbols");
    int status = get(r, &head, sizeof head);
    if (status)
        goto cleanup;
    rows_size = (uint64_t)head.count * sizeof *rows;
    if (rows_size > length || head.strings_size != length - rows_size || head.strings_size == 0 ||
        !fits(r, length)) {
        status = broken(r, "impossible symbols");
        goto cleanup;
    }
    status = -ENOMEM;
    rows = malloc(rows_size ? rows_size : 1);
    strings = arena_take(arena, head.strings_size);
    p->symbols = arena_take_array(arena, head.count, sizeof *p->symbols);
    if (rows && strings && p->symbols)
        status = get(r, rows, rows_size);
    if (status == 0)
        status = get(r, strings, head.strings_size);
    if (status == 0 && (strings[0] != 0 || strings[head.strings_size - 1] != 0))
        status = broken(r, "strings without an end");
    if (status == 0)
        status = place_symbols(r, p, rows, head.count, strings, head.strings_size);
    if (status == -ENOMEM)
        profile_fail(r->error, status, r->source->name, place(r), "no memory");
cleanup:
    free(rows);
    return status;
}

/* Applies what was known at packing; goes before decode_process, which needs the clock. */
static int apply(struct reader *r, struct profile_process *p, const struct dump_process *row) {
    double ticks_per_ns = (double)row->ticks_per_ns / 4294967296.0;
    if (!(ticks_per_ns > 0.0001 && ticks_per_ns < 10000))
        return broken(r, "impossible clock");
    p->ticks_per_ns = ticks_per_ns;
    p->clock_guessed = row->flags & DUMP_CLOCK_GUESSED;
    p->seconds_ns = row->seconds_ns;
    p->state = row->state <= PROFILE_UNKNOWN ? row->state : (uint32_t)PROFILE_UNKNOWN;
    if (p->state == PROFILE_RUNNING) /* it was, then */
        p->state = PROFILE_UNKNOWN;
    return 0;
}

static int read_process(struct reader *r, struct profile_process *p,
                        const struct dump_process *row) {
    struct dump_record record;
    struct image image;
    int status = get(r, &record, sizeof record);
    if (status)
        return status;
    if (record.type != DUMP_IMAGE)
        return broken(r, "a process without its region");
    status = apply(r, p, row);
    if (status == 0)
        status = read_image(r, &record, &image);
    if (status == 0)
        status = decode_process(p, &image, r->source->name, r->error);
    if (status || row->ended_by[0] == 0)
        return status;
    p->ended_by = arena_copy(&((struct memory *)p->memory)->arena, row->ended_by,
                             strnlen(row->ended_by, sizeof row->ended_by));
    return p->ended_by ? 0
                       : profile_fail(r->error, -ENOMEM, r->source->name, place(r), "no memory");
}

/* The process read last is complete: with `each` it is given away and dropped. */
static int give(struct reader *r, struct profile *profile) {
    if (!r->each || profile->count == 0)
        return 0;
    struct profile_process *p = &profile->processes[profile->count - 1];
    int status = r->each(r->data, p);
    profile_process_free(p);
    profile->count--;
    return status;
}

static int read_one(struct reader *r, const struct dump_record *record, struct profile *profile) {
    struct dump_process row;
    struct profile_process *p;
    int status = give(r, profile);
    if (status == 0)
        status = get_known(r, record, &row, sizeof row);
    if (status)
        return status;
    p = profile_add(profile);
    if (!p)
        return profile_fail(r->error, -ENOMEM, r->source->name, place(r), "no memory");
    r->processes++;
    return read_process(r, p, &row);
}

static int read_end(struct reader *r, const struct dump_record *record) {
    struct dump_end end;
    int status = get_known(r, record, &end, sizeof end);
    if (status == 0 && end.processes != r->processes)
        return broken(r, "processes are missing");
    return status ? status : finish(r);
}

/* One record after the other, up to the end. */
static int read_records(struct reader *r, struct profile *profile) {
    for (;;) {
        struct dump_record record;
        int status = get(r, &record, sizeof record);
        if (status)
            return status;
        switch (record.type) {
        case DUMP_PROCESS:
            status = read_one(r, &record, profile);
            break;
        case DUMP_SYMBOLS:
            if (r->processes == 0)
                return broken(r, "symbols without a process");
            status = read_symbols(r, &record, &profile->processes[profile->count - 1]);
            break;
        case DUMP_END:
            status = give(r, profile);
            return status ? status : read_end(r, &record);
        default: /* of a later version, and not needed to read the rest */
            status = skip(r, record.length);
        }
        if (status)
            return status;
    }
}

static int check_header(struct source *source, struct profile_error *error) {
    struct dump_header header;
    int status = source_read(source, 0, &header, sizeof header, error);
    if (status)
        return status;
    if (header.byte_order != REGION_BYTE_ORDER)
        return profile_fail(error, -EINVAL, source->name, offsetof(struct dump_header, byte_order),
                            "written on a machine of another byte order");
    if (header.version != DUMP_VERSION)
        return profile_fail(error, -EINVAL, source->name, offsetof(struct dump_header, version),
                            header.version > DUMP_VERSION
                                ? "written by a newer version of squall"
                                : "written by a version of squall that this one cannot read");
    return 0;
}

static int load(struct source *source, struct profile *profile, dump_each *each, void *data,
                struct profile_error *error) {
    struct reader r = {.source = source,
                       .error = error,
                       .at = sizeof(struct dump_header),
                       .each = each,
                       .data = data};
    int status = check_header(source, error);
    if (status)
        goto cleanup;
    if (__builtin_mul_overflow(source->size, (uint64_t)UNFOLD_FACTOR, &r.limit) ||
        __builtin_add_overflow(r.limit, (uint64_t)UNFOLD_SUM, &r.limit))
        r.limit = UINT64_MAX;
    r.zstd = ZSTD_createDCtx();
    r.buffer_size = ZSTD_DStreamInSize();
    r.buffer = malloc(r.buffer_size);
    r.in = (ZSTD_inBuffer){r.buffer, 0, 0};
    if (!r.zstd || !r.buffer) {
        status = profile_fail(error, -ENOMEM, source->name, 0, "no memory");
        goto cleanup;
    }
    ZSTD_DCtx_setParameter(r.zstd, ZSTD_d_windowLogMax, DUMP_WINDOW_LOG);
    status = read_records(&r, profile);
cleanup:
    ZSTD_freeDCtx(r.zstd);
    free(r.buffer);
    return status;
}

int dump_load(struct source *source, struct profile *profile, struct profile_error *error) {
    return load(source, profile, NULL, NULL, error);
}

int dump_walk(struct source *source, dump_each *each, void *data, struct profile_error *error) {
    struct profile one = {0};
    int status = load(source, &one, each, data, error);
    profile_free(&one);
    return status;
}
