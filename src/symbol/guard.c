/* What libdw opens by itself: the .dwo file of a skeleton unit and the file that .gnu_debugaltlink
 * names, when a name or a reference leads there. Nothing in its interface takes these from us, and
 * a look at the name beforehand is no answer: the directory belongs to whoever made the module, so
 * what lies there is another file a moment later.
 *
 * So libdw's open() is ours: the companion defines the function, and all libraries find that one.
 * While symbols are read, what it opens for reading is what symbol_open_file opens, and nothing is
 * opened for writing; at any other time it is open() as ever. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#include "internal.h"

static _Thread_local struct finder *guarded;

struct finder *symbol_guard(struct finder *finder) {
    struct finder *before = guarded;
    guarded = finder;
    return before;
}

struct finder *symbol_guarded(void) {
    return guarded;
}

static int open_guarded(const char *path, int flags) {
    int fd = (flags & O_ACCMODE) == O_RDONLY ? symbol_open_file(path) : -EACCES;
    if (fd >= 0)
        return fd;
    errno = -fd;
    return -1;
}

/* Exported, also where all else is hidden. */
__attribute__((visibility("default"))) int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (guarded)
        return open_guarded(path, flags);
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list list;
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

__attribute__((visibility("default"), alias("open"))) int open64(const char *path, int flags, ...);
