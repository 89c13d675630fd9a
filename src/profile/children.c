/* Children of a process that run under squall, too: their regions lie beside its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define NEW_SECONDS 2

static uint64_t ns_of(const struct timespec *t) {
    return (uint64_t)t->tv_sec * 1000000000ull + (uint64_t)t->tv_nsec;
}

static bool read_header(int folder, const char *name, struct region_header *h) {
    int fd = profile_open_file(folder, name, false);
    bool read = fd >= 0 && pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h;
    if (fd >= 0)
        close(fd);
    return read;
}

/* A file that is new may be a child's. Returns false where it cannot be told yet. */
static bool consider(const struct profile_found *found, int folder, const char *name,
                     struct profile_children *c, uint64_t *newest) {
    struct region_header h;
    if (!read_header(folder, name, &h))
        return true;
    if (memcmp(h.magic, REGION_MAGIC, sizeof h.magic) != 0)
        return false;
    if (h.parent != found->inner_pid || h.start_raw_ns <= c->since_raw_ns)
        return true;
    c->count++;
    if (h.start_raw_ns > *newest) {
        *newest = h.start_raw_ns;
        c->last = h.pid;
    }
    return true;
}

/* Most reads are one question: is there anything new in the folder? */
void profile_children_find(const struct profile_found *found, struct profile_children *c) {
    char path[sizeof found->path];
    struct stat s;
    struct timespec now;
    struct dirent *entry;
    bool complete = true;
    uint64_t newest = c->since_raw_ns;
    memcpy(path, found->path, sizeof path);
    char *slash = strrchr(path, '/');
    c->count = 0;
    if (!slash || found->by_mapping || found->inner_pid == 0)
        return;
    *slash = 0;
    if (stat(path, &s) != 0 || ns_of(&s.st_mtim) == c->changed_ns)
        return;
    uint64_t changed = ns_of(&s.st_mtim);
    DIR *d = opendir(path);
    clock_gettime(CLOCK_REALTIME, &now);
    while (d && (entry = readdir(d)))
        if (strncmp(entry->d_name, "squall.", 7) == 0 &&
            fstatat(dirfd(d), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode) &&
            s.st_ctim.tv_sec + NEW_SECONDS >= c->looked_seconds)
            complete &= consider(found, dirfd(d), entry->d_name, c, &newest) ||
                        s.st_ctim.tv_sec + NEW_SECONDS < now.tv_sec;
    if (d)
        closedir(d);
    c->since_raw_ns = newest;
    if (!complete)
        return;
    c->changed_ns = changed;
    c->looked_seconds = now.tv_sec;
}
