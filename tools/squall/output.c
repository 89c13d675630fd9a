/* A document that a command writes to a file by name. */
#include <errno.h>
#include <stdlib.h>
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

/* Beside its name and then renamed, so that a name never leads to half a document. What is there
 * and no regular file (a device, a pipe) is written to as it is. */
int command_write_file(const char *path, int (*write)(void *data, FILE *out), void *data) {
    char *temporary = NULL;
    struct stat there;
    bool beside = stat(path, &there) != 0 || S_ISREG(there.st_mode);
    FILE *out = beside ? open_beside(path, &temporary) : fopen(path, "w");
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
