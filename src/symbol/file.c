/* The files that are read for symbols. Whoever made a module chose them, and the names of more, so
 * only regular files are opened, and nothing that is opened can wait or act: to open a FIFO waits
 * for ever, to open a device may do something. A file costs its owner the blocks that it has, but
 * its reader all of its length: one that is mostly holes, or larger than any, is not read. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* File systems compress, and linkers leave holes between segments. */
#define HOLES_FREE (64ll << 20)
#define HOLES_RATIO 8

/* Of what others own. */
#define FINDER_MAX (1ull << 30)
#define ALL_MAX (2ull << 30)
/* Of what is one's own: a larger file is not copied. */
#define OWN_MAX (64ll << 20)

static int judge(const struct stat *status) {
    if (!S_ISREG(status->st_mode))
        return -EINVAL;
    if (status->st_size > SYMBOL_FILE_MAX ||
        (status->st_size > HOLES_FREE && status->st_size / 512 / HOLES_RATIO > status->st_blocks))
        return -EFBIG;
    return 0;
}

/* ---- copies: a file may be written over while it is read ---- */

static _Atomic uint64_t held; /* of all finders */

static bool charge(struct finder *finder, uint64_t bytes) {
    if (!finder)
        return true;
    if (bytes > FINDER_MAX - finder->held)
        return false;
    if (atomic_fetch_add(&held, bytes) + bytes > ALL_MAX) {
        atomic_fetch_sub(&held, bytes);
        return false;
    }
    finder->held += bytes;
    return true;
}

static void give_back(struct finder *finder, uint64_t bytes) {
    if (!finder || bytes > finder->held)
        return;
    finder->held -= bytes;
    atomic_fetch_sub(&held, bytes);
}

void symbol_forget_files(struct finder *finder) {
    give_back(finder, finder->held);
}

bool symbol_charge(uint64_t bytes) {
    return charge(symbol_guarded(), bytes);
}

void symbol_give_back(uint64_t bytes) {
    give_back(symbol_guarded(), bytes);
}

static bool is_copied(const struct stat *status) {
    if (status->st_uid == 0)
        return status->st_mode & (S_IWGRP | S_IWOTH);
    return status->st_uid != geteuid() || status->st_mode & S_IWOTH || status->st_size <= OWN_MAX;
}

static int fill(int to, int from, off_t size) {
    char block[65536];
    for (off_t at = 0; at < size;) {
        ssize_t got = pread(from, block, sizeof block, at);
        if (got <= 0)
            return got ? -errno : 0; /* cut meanwhile */
        if (write(to, block, (size_t)got) != got)
            return -ENOMEM;
        at += got;
    }
    return fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ? -errno
                                                                                            : 0;
}

/* Takes fd. */
static int copy(int fd, off_t size) {
    int memory = -EFBIG, status = 0;
    if (charge(symbol_guarded(), (uint64_t)size)) {
        memory = memfd_create("squall", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (memory < 0)
            memory = -ENOMEM;
        else
            status = fill(memory, fd, size);
        if (status) {
            close(memory);
            memory = status;
        }
        if (memory < 0)
            give_back(symbol_guarded(), (uint64_t)size);
    }
    close(fd);
    return memory;
}

static bool is_copy(int fd) {
    return fcntl(fd, F_GET_SEALS) > F_SEAL_SEAL; /* which is what a file on tmpfs has */
}

/* Takes fd. What is in it takes memory, too, once it is unpacked. */
static int weigh(int fd) {
    uint64_t bytes;
    int status = symbol_unpacked(fd, &bytes);
    if (status == 0 && is_copy(fd) && !charge(symbol_guarded(), bytes))
        status = -E2BIG;
    if (status == 0)
        return fd;
    struct stat file;
    if (is_copy(fd) && fstat(fd, &file) == 0)
        give_back(symbol_guarded(), (uint64_t)file.st_size);
    close(fd);
    return status;
}

void symbol_close_file(int fd) {
    struct stat status;
    uint64_t bytes;
    if (fd < 0)
        return;
    if (is_copy(fd) && fstat(fd, &status) == 0 && symbol_unpacked(fd, &bytes) == 0)
        give_back(symbol_guarded(), (uint64_t)status.st_size + bytes);
    close(fd);
}

/* ---- the door ---- */

/* O_PATH opens nothing yet. Not by open(), which comes here. */
int symbol_open_file(const char *path) {
    struct stat status;
    char link[64];
    int what = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
    if (what < 0)
        return -errno;
    int fd = fstat(what, &status) ? -errno : judge(&status);
    if (fd == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", what);
        fd = openat(AT_FDCWD, link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == ENOENT) /* no /proc */
            fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        fd = fd < 0 ? -errno : fd;
    }
    close(what);
    if (fd >= 0 && is_copied(&status))
        fd = copy(fd, status.st_size);
    return fd < 0 ? fd : weigh(fd);
}
