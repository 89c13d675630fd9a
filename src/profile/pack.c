/* Writes the packed format (docs/format.md): one process after the other, so that no more than one
 * is in memory; beside the output and renamed, so that a name never leads to half a dump. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include "names.h"

#define LEVEL 6

struct writer {
    const char *name;
    int fd;
    uint64_t at;
    ZSTD_CCtx *zstd;
    uint8_t *buffer;
    size_t buffer_size;
    struct profile_error *error;
};

static int put_plain(struct writer *w, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    while (size > 0) {
        ssize_t put = write(w->fd, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            int code = put < 0 ? -errno : -EIO;
            return profile_fail(w->error, code, w->name, w->at, "cannot be written: %s",
                                strerror(-code));
        }
        from += put;
        size -= (size_t)put;
        w->at += (uint64_t)put;
    }
    return 0;
}

static int compress(struct writer *w, const void *bytes, size_t size, ZSTD_EndDirective end) {
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {w->buffer, w->buffer_size, 0};
        left = ZSTD_compressStream2(w->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return profile_fail(w->error, -EIO, w->name, w->at, "cannot be packed: %s",
                                ZSTD_getErrorName(left));
        int status = put_plain(w, w->buffer, out.pos);
        if (status)
            return status;
    } while (in.pos < in.size || (end == ZSTD_e_end && left > 0));
    return 0;
}

static int put(struct writer *w, const void *bytes, size_t size) {
    return size ? compress(w, bytes, size, ZSTD_e_continue) : 0;
}

static int put_record(struct writer *w, enum dump_type type, uint64_t length) {
    struct dump_record record = {.type = type, .length = length};
    return put(w, &record, sizeof record);
}

static uint64_t realtime_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Without exit handlers nothing in the region tells when it ended; who waited for it knows. */
static uint64_t lasted(const struct image *image, const struct profile_process *p,
                       const struct profile_end *end) {
    uint64_t start = image->view.header->start_raw_ns;
    bool told = end && p->state != PROFILE_ENDED && end->raw_ns > start;
    return told && end->raw_ns - start > p->seconds_ns ? end->raw_ns - start : p->seconds_ns;
}

static int put_process(struct writer *w, const struct profile_process *p,
                       const struct profile_end *end) {
    struct dump_process row = {
        .state = p->state,
        .flags = p->clock_guessed ? DUMP_CLOCK_GUESSED : 0,
        .ticks_per_ns = (uint64_t)(p->ticks_per_ns * 4294967296.0 + 0.5),
        .seconds_ns = lasted(&((struct memory *)p->memory)->image, p, end),
        .packed_realtime_ns = realtime_now(),
    };
    if (end)
        base_copy(row.ended_by, sizeof row.ended_by, end->ended_by);
    int status = put_record(w, DUMP_PROCESS, sizeof row);
    return status ? status : put(w, &row, sizeof row);
}

static uint64_t aligned(uint64_t size) {
    return (size + 63) & ~63ull;
}

/* The region with its tables moved together: the header with a directory that says where. */
static int put_image(struct writer *w, const struct image *image) {
    static const uint8_t zeros[64];
    const struct region_view *view = &image->view;
    uint64_t header_size = aligned(view->header->header_size), at = header_size;
    uint8_t *head = calloc(1, header_size);
    int status;
    if (!head)
        return profile_fail(w->error, -ENOMEM, w->name, w->at, "no memory");
    memcpy(head, image->header, view->header->header_size);
    for (unsigned t = 1; t <= REGION_TABLE_COUNT; t++) {
        struct region_directory d;
        if (!image->directory_at[t])
            continue;
        memcpy(&d, image->header + image->directory_at[t], sizeof d);
        d.offset = at;
        d.capacity = d.committed = view->used[t];
        if (t != REGION_TIMELINE || d.used < view->used[t]) /* a ring counts on */
            d.used = view->used[t];
        memcpy(head + image->directory_at[t], &d, sizeof d);
        at = aligned(at + view->used[t] * view->row_size[t]);
    }
    struct region_header *h = (void *)head;
    h->bound = at;
    h->header_size = (uint32_t)header_size;
    status = put_record(w, DUMP_IMAGE, at);
    if (status == 0)
        status = put(w, head, header_size);
    for (unsigned t = 1; t <= REGION_TABLE_COUNT && status == 0; t++) {
        uint64_t size = view->used[t] * view->row_size[t];
        if (image->directory_at[t] && (status = put(w, view->rows[t], size)) == 0)
            status = put(w, zeros, aligned(size) - size);
    }
    free(head);
    return status;
}

static int put_symbols(struct writer *w, const struct names *names) {
    struct dump_symbols head = {.count = (uint32_t)names->count,
                                .strings_size = names->strings_size};
    size_t rows = names->count * sizeof *names->symbols;
    if (names->count == 0)
        return 0;
    int status = put_record(w, DUMP_SYMBOLS, sizeof head + rows + names->strings_size);
    if (status == 0)
        status = put(w, &head, sizeof head);
    if (status == 0)
        status = put(w, names->symbols, rows);
    return status ? status : put(w, names->strings, names->strings_size);
}

struct job {
    const char *const *regions;
    uint32_t count;
    const struct profile_end *ends;
    uint32_t end_count;
    profile_namer *namer;
    void *data;
    struct maps *maps;
    bool follow;        /* the one region is a link to what a process has mapped */
    struct stat *stats; /* of each region, as it was packed */
    bool *mapped;
};

/* An exec'd-away image of a process did not end with it. */
static const struct profile_end *end_of(const struct job *job, const struct profile_process *p) {
    for (uint32_t i = 0; i < job->end_count; i++) {
        const struct profile_end *e = &job->ends[i];
        if (e->pid == p->pid && p->state != PROFILE_REPLACED &&
            (e->start_ticks == 0 || p->start_ticks == 0 || e->start_ticks == p->start_ticks))
            return e;
    }
    return NULL;
}

static int pack_region(struct writer *w, struct job *job, uint32_t i) {
    struct profile_error *error = w->error;
    struct profile_process p = {0};
    struct names names = {0};
    struct source source;
    int status = source_open(&source, AT_FDCWD, job->regions[i], job->follow, error);
    if (status)
        return status;
    if (source_kind(&source) == SOURCE_DUMP) {
        status = profile_fail(error, -EINVAL, job->regions[i], 0, "is packed already");
        source_close(&source);
        return status;
    }
    status = decode_region(&source, job->maps, job->regions[i], &p, error);
    if (status == 0 && names_collect(&names, &p, job->namer, job->data) != 0)
        status = profile_fail(error, -ENOMEM, job->regions[i], 0, "no memory");
    if (status == 0)
        status = put_process(w, &p, end_of(job, &p));
    if (status == 0)
        status = put_image(w, &((struct memory *)p.memory)->image);
    if (status == 0)
        status = put_symbols(w, &names);
    job->stats[i] = source.stat;
    job->mapped[i] = p.mapped;
    names_free(&names);
    profile_process_free(&p);
    source_close(&source);
    return status;
}

static int pack_all(struct writer *w, struct job *job) {
    struct dump_header header = {.version = DUMP_VERSION, .byte_order = REGION_BYTE_ORDER};
    struct dump_end end = {job->count};
    memcpy(header.magic, DUMP_MAGIC, sizeof header.magic);
    int status = put_plain(w, &header, sizeof header);
    for (uint32_t i = 0; i < job->count && status == 0; i++)
        status = pack_region(w, job, i);
    if (status == 0)
        status = put_record(w, DUMP_END, sizeof end);
    return status ? status : compress(w, &end, sizeof end, ZSTD_e_end);
}

static int folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* A file beside the output; hidden, so that nobody takes it for a dump. One of that name may be
 * left by a process with our number that was killed: in a container that is number 1 every time. */
static int open_temporary(const char *output, char *name, size_t size) {
    int folder = folder_length(output), fd = -1;
    for (unsigned i = 0; fd < 0 && i < 100; i++) {
        char again[16] = "";
        if (i)
            snprintf(again, sizeof again, "-%u", i);
        int length = snprintf(name, size, "%.*s.%.200s.%d%s.part", folder, output, output + folder,
                              (int)getpid(), again);
        if (length < 0 || (size_t)length >= size)
            return -ENAMETOOLONG;
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static int open_writer(struct writer *w, char *temporary, size_t size) {
    w->zstd = ZSTD_createCCtx();
    w->buffer_size = ZSTD_CStreamOutSize();
    w->buffer = malloc(w->buffer_size);
    if (!w->zstd || !w->buffer)
        return profile_fail(w->error, -ENOMEM, w->name, 0, "no memory");
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    w->fd = open_temporary(w->name, temporary, size);
    if (w->fd >= 0)
        return 0;
    return profile_fail(w->error, w->fd, w->name, 0, "cannot be made: %s", strerror(-w->fd));
}

int profile_pack_check(const char *output, struct profile_error *error) {
    char folder[4096];
    struct stat s;
    int status = *output ? 0 : -ENOENT;
    int length = snprintf(folder, sizeof folder, "%.*s.", folder_length(output), output);
    if (status == 0 && stat(output, &s) == 0 && !S_ISREG(s.st_mode))
        return profile_fail(error, -EEXIST, output, 0,
                            "cannot be made: it is there, and no regular file");
    if (length < 0 || (size_t)length >= sizeof folder)
        status = -ENAMETOOLONG;
    if (status == 0 && access(folder, W_OK | X_OK) != 0)
        status = -errno;
    if (status)
        profile_fail(error, status, output, 0, "cannot be made: %s", strerror(-status));
    return status;
}

static int publish(struct writer *w, const char *temporary) {
    /* The regions go away next: what replaces them has to be there first. */
    int failed = fsync(w->fd) != 0 ? errno : 0;
    if (close(w->fd) != 0 && !failed)
        failed = errno;
    w->fd = -1;
    if (failed) {
        int code = -failed;
        return profile_fail(w->error, code, w->name, w->at, "cannot be written: %s",
                            strerror(-code));
    }
    if (rename(temporary, w->name) != 0) {
        int code = -errno;
        return profile_fail(w->error, code, w->name, 0, "cannot be made: %s", strerror(-code));
    }
    return 0;
}

/* Only what was packed, and nothing that goes on being written. */
static void remove_regions(const struct job *job) {
    for (uint32_t i = 0; i < job->count; i++) {
        struct stat now;
        if (!job->mapped[i] && lstat(job->regions[i], &now) == 0 && S_ISREG(now.st_mode) &&
            now.st_dev == job->stats[i].st_dev && now.st_ino == job->stats[i].st_ino)
            unlink(job->regions[i]);
    }
}

static int pack_job(struct job *job, const char *output, bool remove, struct profile_error *error) {
    char temporary[4096];
    struct writer w = {.name = output, .fd = -1, .error = error};
    bool made = false;
    int status = profile_pack_check(output, error);
    job->maps = maps_open();
    job->stats = calloc((size_t)job->count + 1, sizeof *job->stats);
    job->mapped = calloc((size_t)job->count + 1, sizeof *job->mapped);
    if (status)
        goto cleanup;
    if (!job->maps || !job->stats || !job->mapped)
        status = profile_fail(error, -ENOMEM, output, 0, "no memory");
    else
        status = open_writer(&w, temporary, sizeof temporary);
    if (status)
        goto cleanup;
    made = true;
    status = pack_all(&w, job);
    if (status == 0)
        status = publish(&w, temporary);
    if (status == 0 && remove)
        remove_regions(job);
cleanup:
    if (w.fd >= 0)
        close(w.fd);
    if (made && status)
        unlink(temporary);
    ZSTD_freeCCtx(w.zstd);
    free(w.buffer);
    free(job->stats);
    free(job->mapped);
    maps_close(job->maps);
    return status;
}

int profile_pack(const char *const *regions, uint32_t count, const char *output,
                 const struct profile_end *ends, uint32_t end_count, profile_namer *namer,
                 void *data, bool remove, struct profile_error *error) {
    struct job job = {.regions = regions,
                      .count = count,
                      .ends = ends,
                      .end_count = end_count,
                      .namer = namer,
                      .data = data};
    return pack_job(&job, output, remove, error);
}

int profile_pack_found(const struct profile_found *found, const char *output, profile_namer *namer,
                       void *data, struct profile_error *error) {
    const char *region = found->path;
    struct job job = {
        .regions = &region, .count = 1, .follow = found->by_mapping, .namer = namer, .data = data};
    return pack_job(&job, output, false, error);
}
