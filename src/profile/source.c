/* Where bytes come from: a file that others may cut or rewrite while it is read, or memory. Files
 * are read with pread, never through a mapping: a file that is cut is an error, not a SIGBUS. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* O_PATH opens nothing yet: to open a device may do something, to open a FIFO waits. */
int profile_open_file(int folder_fd, const char *path, bool follow) {
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct stat status;
    char link[64];
    int what = openat(folder_fd, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (what < 0)
        return -errno;
    int fd = fstat(what, &status) != 0 ? -errno
             : S_ISREG(status.st_mode) ? 0
             : S_ISDIR(status.st_mode) ? -EISDIR
             : S_ISLNK(status.st_mode) ? -ELOOP
                                       : -EINVAL;
    if (fd == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", what);
        fd = open(link, flags);
        if (fd < 0 && errno == ENOENT) /* no /proc */
            fd = openat(folder_fd, path, flags | (follow ? 0 : O_NOFOLLOW));
        fd = fd < 0 ? -errno : fd;
    }
    close(what);
    return fd;
}

int source_take(struct source *source, int fd, const char *name, struct profile_error *error) {
    memset(source, 0, sizeof *source);
    source->name = name;
    source->fd = fd;
    if (fd == -EISDIR || fd == -EINVAL)
        return profile_fail(error, fd, name, 0, "is not a regular file");
    if (fd < 0)
        return profile_fail(error, fd, name, 0, "cannot be opened: %s", strerror(-fd));
    if (fstat(fd, &source->stat) != 0 || !S_ISREG(source->stat.st_mode)) {
        source_close(source);
        return profile_fail(error, -EINVAL, name, 0, "is not a regular file");
    }
    source->size = (uint64_t)source->stat.st_size;
    return 0;
}

int source_open(struct source *source, int folder_fd, const char *path, bool follow,
                struct profile_error *error) {
    return source_take(source, profile_open_file(folder_fd, path, follow), path, error);
}

int source_open_in(struct source *source, int folder_fd, const char *path,
                   struct profile_error *error) {
    return source_take(source, profile_open_file(folder_fd, held_name(path), false), path, error);
}

void source_memory(struct source *source, const void *bytes, size_t size, const char *name) {
    memset(source, 0, sizeof *source);
    source->fd = -1;
    source->bytes = bytes;
    source->size = size;
    source->name = name;
}

void source_close(struct source *source) {
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

int source_read(struct source *source, uint64_t offset, void *out, size_t size,
                struct profile_error *error) {
    uint8_t *to = out;
    if (offset > source->size || size > source->size - offset)
        return profile_fail(error, -EINVAL, source->name, source->size, "cut short");
    if (source->fd < 0) {
        memcpy(out, source->bytes + offset, size);
        return 0;
    }
    while (size > 0) {
        /* Not more than 1 GiB at once: the kernel would not give more than 2. */
        size_t want = size < (1u << 30) ? size : 1u << 30;
        ssize_t got = pread(source->fd, to, want, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int code = -errno;
            return profile_fail(error, code, source->name, offset, "cannot be read: %s",
                                strerror(-code));
        }
        if (got == 0)
            return profile_fail(error, -EINVAL, source->name, offset,
                                "cut short while it was read");
        to += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return 0;
}

enum source_kind source_kind(struct source *source) {
    static const char zeros[8];
    char magic[8];
    if (source->size == 0)
        return SOURCE_EMPTY;
    if (source_read(source, 0, magic, sizeof magic, NULL) != 0)
        return SOURCE_OTHER;
    if (memcmp(magic, REGION_MAGIC, sizeof magic) == 0)
        return SOURCE_REGION;
    if (memcmp(magic, DUMP_MAGIC, sizeof magic) == 0)
        return SOURCE_DUMP;
    return memcmp(magic, zeros, sizeof magic) == 0 ? SOURCE_EMPTY : SOURCE_OTHER;
}

void source_progress(struct source *source, uint64_t bytes) {
    source->done += bytes;
    if (source->progress)
        source->progress(source->progress_data,
                         source->done < source->total ? source->done : source->total,
                         source->total);
}
