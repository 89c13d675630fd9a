/* The region of a running process, found through what it has mapped: the only way where the file
 * lies in another mount namespace, or is a memfd without a name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define CANDIDATES_MAX 16u /* one of its own and those of forebears that it has not let go yet */

struct candidate {
    char range[40]; /* as map_files names it */
    char path[4096];
};

/* The process's own number in its innermost namespace: what its region says. */
static int32_t inner_pid(int pid) {
    char path[64], line[512];
    int32_t inner = pid;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return inner;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "NSpid:", 6) != 0)
            continue;
        const char *last = strrchr(line, '\t');
        if (last)
            inner = (int32_t)strtol(last, NULL, 10);
        break;
    }
    fclose(f);
    return inner;
}

/* Mappings of the first page of what may be a region. */
static int find_candidates(int pid, struct candidate *out, uint32_t *count) {
    char path[64], *line = NULL;
    size_t room = 0;
    int status = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    *count = 0;
    if (!f)
        return -errno;
    errno = 0;
    while (*count < CANDIDATES_MAX && getline(&line, &room, f) > 0) {
        uint64_t start, end, offset;
        int at = 0;
        if (!strstr(line, "squall") ||
            sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*u %n", &start, &end,
                   &offset, &at) < 3 ||
            offset != 0 || at == 0)
            continue;
        line[strcspn(line, "\n")] = 0;
        if (!strstr(line + at, "/squall.") && !strstr(line + at, "/memfd:squall"))
            continue;
        struct candidate *c = &out[(*count)++];
        snprintf(c->range, sizeof c->range, "%" PRIx64 "-%" PRIx64, start, end);
        snprintf(c->path, sizeof c->path, "%s", line + at);
    }
    if (ferror(f) && errno)
        status = -errno;
    free(line);
    fclose(f);
    return status;
}

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef RESOLVE_IN_ROOT
#define RESOLVE_IN_ROOT 0x10
#define RESOLVE_NO_SYMLINKS 0x04
#endif

/* "/proc/PID/root", then what the process calls its file: it may have put something else there
 * since, a link in a folder's place too. What the kernel told of a mapping holds no link, and leads
 * nowhere out of that root. */
static int open_below_root(const char *path, size_t root_length) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    char root[64], link[64];
    snprintf(root, sizeof root, "%.*s", (int)root_length, path);
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    int what = (int)syscall(SYS_openat2, folder, path + root_length + 1, &how, sizeof how);
    int fd = what < 0 ? -errno : 0;
    close(folder);
    if (fd == -ENOSYS || fd == -EPERM) /* Linux before 5.6; a filter that does not know it */
        return profile_open_file(AT_FDCWD, path, false);
    if (what < 0)
        return fd;
    snprintf(link, sizeof link, "/proc/self/fd/%d", what);
    fd = profile_open_file(AT_FDCWD, link, true);
    close(what);
    return fd;
}

/* Length of "/proc/PID/root" where a path begins with it. */
static size_t root_length(const char *path) {
    int pid, length = 0;
    return sscanf(path, "/proc/%d/root%n/", &pid, &length) == 1 && length > 0 && path[length] == '/'
               ? (size_t)length
               : 0;
}

static int open_found(struct source *source, const char *path, bool by_mapping,
                      struct profile_error *error) {
    size_t root = by_mapping ? 0 : root_length(path);
    return root ? source_take(source, open_below_root(path, root), path, error)
                : source_open(source, AT_FDCWD, path, by_mapping, error);
}

/* By its name as the process sees it; by its mapping where it has none (that needs privileges). */
static int open_candidate(struct source *source, int pid, const struct candidate *c, char *path,
                          size_t size, bool *by_mapping, struct profile_error *error) {
    *by_mapping = false;
    if (c->path[0] == '/' && strncmp(c->path, "/memfd:", 7) != 0) {
        snprintf(path, size, "/proc/%d/root%.4000s", pid, c->path);
        if (open_found(source, path, false, NULL) == 0)
            return 0;
    }
    *by_mapping = true;
    snprintf(path, size, "/proc/%d/map_files/%s", pid, c->range);
    return open_found(source, path, true, error);
}

static bool belongs_to(struct source *source, int32_t inner) {
    struct region_header h;
    return source_kind(source) == SOURCE_REGION &&
           source_read(source, 0, &h, sizeof h, NULL) == 0 && h.pid == inner;
}

/* Where the process sees other files than we do, its modules are found below its own root. */
static void find_root(int pid, char *root, size_t size) {
    struct stat theirs, ours;
    char path[64];
    root[0] = 0;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
    bool differs = stat(path, &theirs) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 &&
                   theirs.st_ino != ours.st_ino;
    snprintf(path, sizeof path, "/proc/%d/root/.", pid);
    differs |= stat(path, &theirs) == 0 && stat("/", &ours) == 0 &&
               (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);
    if (differs && stat(path, &theirs) == 0)
        snprintf(root, size, "/proc/%d/root", pid);
}

void found_fill(struct profile_found *found, struct source *source) {
    struct region_header h;
    if (source_read(source, 0, &h, sizeof h, NULL) == 0) {
        found->inner_pid = h.pid;
        found->key = h.random;
        found->run_id = h.run_id;
        found->start_ticks = h.start_ticks;
        found->start_realtime_ns = h.start_realtime_ns;
        found->start_raw_ns = h.start_raw_ns;
        found->mode = h.configuration.mode;
    }
    found->uid = source->stat.st_uid;
    found->device = source->stat.st_dev;
    found->inode = source->stat.st_ino;
    folder_exe(source, found->exe, sizeof found->exe);
}

int profile_find_pid(int pid, struct profile_found *found, struct profile_error *error) {
    char name[32];
    uint32_t count = 0, opened = 0;
    struct profile_error why = {.text = ""};
    struct candidate *candidates = calloc(CANDIDATES_MAX, sizeof *candidates);
    memset(found, 0, sizeof *found);
    snprintf(name, sizeof name, "process %d", pid);
    int status = candidates ? find_candidates(pid, candidates, &count) : -ENOMEM;
    if (status) {
        profile_fail(error, status, name, 0, "cannot be examined: %s",
                     status == -ENOENT ? "no such process" : strerror(-status));
        status = status == -ENOENT ? -ESRCH : status;
        goto cleanup;
    }
    int32_t inner = count ? inner_pid(pid) : 0;
    status = -ENOENT;
    for (uint32_t i = 0; i < count && status == -ENOENT; i++) {
        struct source source;
        if (open_candidate(&source, pid, &candidates[i], found->path, sizeof found->path,
                           &found->by_mapping, &why) != 0)
            continue;
        opened++;
        if (belongs_to(&source, inner)) {
            status = 0;
            found->pid = pid;
            found->state = PROFILE_RUNNING;
            memcpy(found->file, candidates[i].path, sizeof found->file);
            find_root(pid, found->root, sizeof found->root);
            found_fill(found, &source);
        }
        source_close(&source);
    }
    if (status == -ENOENT && count == 0)
        profile_fail(error, status, name, 0, "has no region mapped: libsquall.so is not in it");
    else if (status == -ENOENT && opened == 0)
        status = profile_fail(error, -EREMOTE, name, 0, "its region is out of reach: %s", why.text);
    else if (status == -ENOENT)
        profile_fail(error, status, name, 0, "has no region of its own yet");
cleanup:
    free(candidates);
    return status;
}

int found_open(const struct profile_found *found, struct source *source,
               struct profile_error *error) {
    return open_found(source, found->path, found->by_mapping, error);
}

int profile_load_pid(int pid, struct profile *profile, struct profile_error *error) {
    struct profile_found *found = malloc(sizeof *found);
    struct source source = {.fd = -1};
    struct maps *maps = NULL;
    memset(profile, 0, sizeof *profile);
    int status = found ? profile_find_pid(pid, found, error)
                       : profile_fail(error, -ENOMEM, "process", 0, "no memory");
    if (status == 0)
        status = found_open(found, &source, error);
    if (status)
        goto cleanup;
    maps = maps_open();
    struct profile_process *p = profile_add(profile);
    source.name = found->file;
    status = p ? decode_region(&source, maps, NULL, p, error)
               : profile_fail(error, -ENOMEM, found->file, 0, "no memory");
    if (status == 0)
        memcpy(p->root, found->root, sizeof p->root);
cleanup:
    maps_close(maps);
    source_close(&source);
    free(found);
    if (status)
        profile_free(profile);
    return status;
}
