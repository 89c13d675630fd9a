#include "say.h"

#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/syscall.h"

static struct { uint64_t device, inode; } stderr_at_start;

void say_init(void) {
    struct stat st;
    if (base_syscall(SYS_fstat, 2, &st) == 0) {
        stderr_at_start.device = st.st_dev;
        stderr_at_start.inode = st.st_ino;
    }
}

/* A terminal may stop who writes to it from the background (stty tostop). */
static bool may_stop(void) {
    struct termios modes;
    int32_t group;
    return base_syscall(SYS_ioctl, 2, TCGETS, &modes) == 0 && modes.c_lflag & TOSTOP &&
           base_syscall(SYS_ioctl, 2, TIOCGPGRP, &group) == 0 &&
           (group <= 0 || group != base_syscall(SYS_getpgrp));
}

/* Still the stream of the start, and writing to it neither blocks nor kills nor stops. */
static bool is_safe(size_t length) {
    struct stat st;
    struct rlimit limit;
    struct pollfd p = {.fd = 2, .events = POLLOUT};
    if (base_syscall(SYS_fstat, 2, &st) || st.st_dev != stderr_at_start.device ||
        st.st_ino != stderr_at_start.inode)
        return false;
    if (S_ISREG(st.st_mode) &&
        (base_syscall(SYS_getrlimit, RLIMIT_FSIZE, &limit) ||
         (limit.rlim_cur != RLIM_INFINITY && (uint64_t)st.st_size + length > limit.rlim_cur)))
        return false;
    if (S_ISCHR(st.st_mode) && may_stop())
        return false;
    /* POLLERR is what a pipe without a reader says. */
    return base_syscall(SYS_poll, &p, 1, 0) == 1 && p.revents == POLLOUT;
}

void say(const char *first, ...) {
    char line[512];
    size_t at = 0;
    va_list list;
    base_append(line, sizeof line - 1, &at, "squall: ");
    va_start(list, first);
    for (const char *s = first; s; s = va_arg(list, const char *))
        base_append(line, sizeof line - 1, &at, s);
    va_end(list);
    line[at++] = '\n';
    if (is_safe(at))
        base_syscall(SYS_write, 2, line, at);
}

const char *say_error(int error) {
    switch (error < 0 ? -error : error) {
    case EACCES:
    case EPERM:
        return "permission denied";
    case ENOENT:
        return "no such folder";
    case ENOTDIR:
        return "not a folder";
    case EROFS:
        return "read-only file system";
    case ENOSPC:
    case EDQUOT:
    case EFAULT: /* MADV_POPULATE_WRITE where a store would be a SIGBUS */
        return "no space left";
    case ENOMEM:
        return "no memory left";
    case EMFILE:
    case ENFILE:
        return "no descriptor left";
    case EFBIG:
        return "over RLIMIT_FSIZE";
    case EMEDIUMTYPE: /* a full disk would be a SIGBUS there, see place.c */
        return "a file system that copies on write";
    case ELOOP:
        return "a symbolic link";
    case EXDEV:
        return "not ours, or open to others";
    default:
        return "cannot be used";
    }
}
