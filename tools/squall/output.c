/* A document that a command writes to a file by name. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

/* Opens a new file beside `path`; its name is in *temporary then. */
static FILE *open_beside(const char *path, char **temporary) {
    if (asprintf(temporary, "%s.XXXXXX", path) < 0) {
        *temporary = NULL;
        errno = ENOMEM;
        return NULL;
    }
    int fd = mkstemp(*temporary);
    if (fd < 0) {
        free(*temporary);
        *temporary = NULL;
        return NULL;
    }
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask); /* as any other file that a command makes */
    FILE *out = fdopen(fd, "w");
    if (!out)
        close(fd);
    return out;
}

/* In a folder where everybody may take a name: did somebody else? */
static bool is_taken(const char *path, const struct stat *entry) {
    struct stat folder;
    char *copy = strdup(path);
    bool open_to_all = !copy || stat(dirname(copy), &folder) != 0 ||
                       ((folder.st_mode & S_ISVTX) && (folder.st_mode & S_IWOTH));
    free(copy);
    return open_to_all && entry->st_uid != geteuid() && entry->st_uid != 0;
}

/* What is there and no regular file: a device, a pipe, a stream of ours. It was looked at by its
 * name, which may lead to something else by now: nothing is made here, and nothing cut. */
static FILE *open_special(const char *path) {
    struct stat entry, now;
    char link[64];
    int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY, fd = -1;
    int what = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (what >= 0 && fstat(what, &entry) == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", what);
        if (is_taken(path, &entry))
            errno = EACCES;
        else
            fd = open(S_ISLNK(entry.st_mode) ? path : link, flags);
    }
    int error = errno;
    if (fd >= 0 && (fstat(fd, &now) != 0 || S_ISREG(now.st_mode))) {
        close(fd);
        fd = -1;
        error = EEXIST;
    }
    if (what >= 0)
        close(what);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (fd >= 0 && !out)
        close(fd);
    errno = error;
    return out;
}

/* A name for what we write to anyway ("/dev/stdout"): that is not to be replaced, whatever it is.
 */
static FILE *open_stream(const char *path, const struct stat *there) {
    struct stat stream, entry;
    for (int fd = 1; fd <= 2; fd++)
        if (fstat(fd, &stream) == 0 && stream.st_dev == there->st_dev &&
            stream.st_ino == there->st_ino && lstat(path, &entry) == 0 && S_ISLNK(entry.st_mode)) {
            int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
            FILE *out = own < 0 ? NULL : fdopen(own, "w");
            if (own >= 0 && !out)
                close(own);
            return out;
        }
    return NULL;
}

/* Beside its name and then renamed, so that a name never leads to half a document. What is there
 * and no regular file (a device, a pipe) is written to as it is. */
int command_write_file(const char *path, int (*write)(void *data, FILE *out), void *data) {
    char *temporary = NULL;
    struct stat there;
    bool is_there = stat(path, &there) == 0;
    FILE *out = is_there ? open_stream(path, &there) : NULL;
    if (!out)
        out = is_there && !S_ISREG(there.st_mode) ? open_special(path)
                                                  : open_beside(path, &temporary);
    int error = out ? write(data, out) : -errno;
    if (out && fclose(out) && !error)
        error = -errno;
    if (!error && temporary && rename(temporary, path))
        error = -errno;
    if (error && temporary)
        unlink(temporary);
    free(temporary);
    return error;
}
