/* Writes the packed format (docs/format.md). */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

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

int writer_put(struct writer *w, const struct profile_process *p, const struct profile_end *end,
               const struct names *names) {
    int status = put_process(w, p, end);
    if (status == 0)
        status = put_image(w, &((struct memory *)p->memory)->image);
    if (status == 0)
        status = put_symbols(w, names);
    w->processes += status == 0;
    return status;
}

/* A file beside the output; hidden, so that nobody takes it for a dump. */
static int open_temporary(struct writer *w) {
    int fd = -1;
    for (unsigned i = 0; fd < 0 && i < 100; i++) {
        uint64_t random = 0;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            random = base_mix(realtime_now() + i);
        snprintf(w->temporary, sizeof w->temporary, ".%.200s.%016" PRIx64 ".part",
                 held_name(w->name), random);
        fd = openat(w->folder, w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? -errno : fd;
}

/* Its own descriptor of the folder, in which the dump then is whatever becomes of the path. */
static int open_folder(int folder, const char *output) {
    struct held held;
    if (folder >= 0) {
        int fd = fcntl(folder, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
    }
    int status = held_open(&held, output);
    return status ? status : held.fd;
}

static int put_header(struct writer *w) {
    struct dump_header header = {.version = DUMP_VERSION, .byte_order = REGION_BYTE_ORDER};
    memcpy(header.magic, DUMP_MAGIC, sizeof header.magic);
    return put_plain(w, &header, sizeof header);
}

int writer_open(struct writer *w, int folder, const char *output, int level,
                struct profile_error *error) {
    *w = (struct writer){.name = output, .fd = -1, .folder = -1, .error = error};
    int status = profile_pack_check(output, error);
    if (status)
        return status;
    w->zstd = ZSTD_createCCtx();
    w->buffer_size = ZSTD_CStreamOutSize();
    w->buffer = malloc(w->buffer_size);
    if (!w->zstd || !w->buffer)
        return profile_fail(w->error, -ENOMEM, w->name, 0, "no memory");
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    w->folder = open_folder(folder, output);
    w->fd = w->folder < 0 ? w->folder : open_temporary(w);
    if (w->fd >= 0) {
        /* So that `squall clean` tells it from one that was left by a process that was killed. */
        flock(w->fd, LOCK_EX | LOCK_NB);
        return put_header(w);
    }
    w->temporary[0] = 0;
    return profile_fail(w->error, w->fd, w->name, 0, "cannot be made: %s", strerror(-w->fd));
}

int profile_pack_check(const char *output, struct profile_error *error) {
    char folder[4096];
    struct stat s;
    int status = *output ? 0 : -ENOENT;
    int length =
        snprintf(folder, sizeof folder, "%.*s.", (int)(held_name(output) - output), output);
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

int writer_publish(struct writer *w) {
    struct dump_end end = {w->processes};
    int status = put_record(w, DUMP_END, sizeof end);
    if (status == 0)
        status = compress(w, &end, sizeof end, ZSTD_e_end);
    if (status)
        return status;
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
    if (renameat(w->folder, w->temporary, w->folder, held_name(w->name)) != 0) {
        int code = -errno;
        return profile_fail(w->error, code, w->name, 0, "cannot be made: %s", strerror(-code));
    }
    w->temporary[0] = 0;
    return 0;
}

void writer_close(struct writer *w) {
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary[0])
        unlinkat(w->folder, w->temporary, 0);
    if (w->folder >= 0)
        close(w->folder);
    ZSTD_freeCCtx(w->zstd);
    free(w->buffer);
    *w = (struct writer){.fd = -1, .folder = -1};
}
