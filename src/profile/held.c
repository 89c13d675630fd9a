/* Folders by descriptor. Whoever owns a folder, or the one above it, can put another in its place
 * at any moment: what was read from it, is written beside that and removed then has to be named
 * within the one folder that was opened, not by its path again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static int open_folder(const char *folder, int how) {
    /* The names that the shim takes lie where everybody may put a link; it follows none. */
    int fd =
        open(folder, how | O_DIRECTORY | O_CLOEXEC | (places_is_shared(folder) ? O_NOFOLLOW : 0));
    return fd < 0 ? -errno : fd;
}

int held_folder(const char *folder) {
    return open_folder(folder, O_RDONLY);
}

const char *held_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool held_is_beside(const char *one, const char *other) {
    size_t length = (size_t)(held_name(one) - one);
    return length == (size_t)(held_name(other) - other) && memcmp(one, other, length) == 0;
}

int held_open(struct held *held, const char *path) {
    char folder[4096];
    size_t length = (size_t)(held_name(path) - path);
    *held = (struct held){.fd = -1, .path = path};
    if (length >= sizeof folder)
        return -ENAMETOOLONG;
    memcpy(folder, length ? path : ".", length ? length : 2);
    if (length > 1)
        folder[length - 1] = 0;
    else if (length == 1)
        folder[1] = 0;
    held->fd = open_folder(folder, O_PATH);
    if (held->fd < 0)
        return held->fd;
    int status = fstat(held->fd, &held->stat) != 0 ? -errno : 0;
    if (status)
        held_close(held);
    return status;
}

void held_close(struct held *held) {
    if (held->fd >= 0)
        close(held->fd);
    held->fd = -1;
}

/* Nobody else's in the folder of a third. */
static bool may_remove(const struct held *held, const struct stat *file) {
    uid_t owner = held->stat.st_uid;
    return file->st_uid == geteuid() || file->st_uid == owner || owner == geteuid() || owner == 0;
}

int held_remove(const struct held *held, const char *name, const struct stat *file) {
    struct stat now;
    if (!may_remove(held, file))
        return -EPERM;
    if (fstatat(held->fd, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (!S_ISREG(now.st_mode) || now.st_dev != file->st_dev || now.st_ino != file->st_ino)
        return -ESTALE;
    return unlinkat(held->fd, name, 0) != 0 ? -errno : 0;
}
