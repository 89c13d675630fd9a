/* The files that are read for symbols. Whoever made a module chose them, and the names of more, so
 * only regular files are opened, and nothing that is opened can wait or act: to open a FIFO waits
 * for ever, to open a device may do something. A file costs its owner the blocks that it has, but
 * its reader all of its length: one that is mostly holes, or larger than any, is not read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* File systems compress, and linkers leave holes between segments. */
#define HOLES_FREE (64ll << 20)
#define HOLES_RATIO 8

static int judge(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (status.st_size > SYMBOL_FILE_MAX ||
        (status.st_size > HOLES_FREE && status.st_size / 512 / HOLES_RATIO > status.st_blocks))
        return -EFBIG;
    return 0;
}

/* O_PATH opens nothing yet. Not by open(), which comes here. */
int symbol_open_file(const char *path) {
    char link[64];
    int what = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
    if (what < 0)
        return -errno;
    int fd = judge(what);
    if (fd == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", what);
        fd = openat(AT_FDCWD, link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == ENOENT) /* no /proc */
            fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        fd = fd < 0 ? -errno : fd;
    }
    close(what);
    return fd;
}
