/* The region of a running process, found through what it has mapped: the only way where the file
 * lies in another mount namespace, or is a memfd without a name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
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
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    *count = 0;
    if (!f)
        return -errno;
    while (*count < CANDIDATES_MAX && getline(&line, &room, f) > 0) {
        uint64_t start, end, offset;
        int at = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*u %n", &start, &end,
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
    free(line);
    fclose(f);
    return 0;
}

/* By its name as the process sees it; by its mapping where it has none (that needs privileges). */
static int open_candidate(struct source *source, int pid, const struct candidate *c,
                          struct profile_error *error) {
    char path[4200];
    if (c->path[0] == '/' && strncmp(c->path, "/memfd:", 7) != 0) {
        snprintf(path, sizeof path, "/proc/%d/root%s", pid, c->path);
        if (source_open(source, AT_FDCWD, path, false, NULL) == 0)
            return 0;
    }
    snprintf(path, sizeof path, "/proc/%d/map_files/%s", pid, c->range);
    return source_open(source, AT_FDCWD, path, true, error);
}

static bool belongs_to(struct source *source, int32_t inner) {
    struct region_header h;
    return source_kind(source) == SOURCE_REGION &&
           source_read(source, 0, &h, sizeof h, NULL) == 0 && h.pid == inner;
}

static int load_candidate(struct source *source, const char *name, struct profile *profile,
                          struct profile_error *error) {
    struct maps *maps = maps_open();
    struct profile_process *p = profile_add(profile);
    source->name = name;
    int status = p ? decode_region(source, maps, NULL, p, error)
                   : profile_fail(error, -ENOMEM, name, 0, "no memory");
    maps_close(maps);
    return status;
}

int profile_load_pid(int pid, struct profile *profile, struct profile_error *error) {
    char name[32];
    uint32_t count = 0, opened = 0;
    struct profile_error why = {.text = ""};
    struct candidate *candidates = calloc(CANDIDATES_MAX, sizeof *candidates);
    memset(profile, 0, sizeof *profile);
    snprintf(name, sizeof name, "process %d", pid);
    int status = candidates ? find_candidates(pid, candidates, &count) : -ENOMEM;
    if (status) {
        profile_fail(error, status, name, 0, "cannot be examined: %s",
                     status == -ENOENT ? "no such process" : strerror(-status));
        goto cleanup;
    }
    int32_t inner = inner_pid(pid);
    status = -ENOENT;
    for (uint32_t i = 0; i < count && status == -ENOENT; i++) {
        struct source source;
        if (open_candidate(&source, pid, &candidates[i], &why) != 0)
            continue;
        opened++;
        if (belongs_to(&source, inner))
            status = load_candidate(&source, candidates[i].path, profile, error);
        source_close(&source);
    }
    if (status == -ENOENT && count == 0)
        profile_fail(error, status, name, 0, "has no region mapped: libsquall.so is not in it");
    else if (status == -ENOENT && opened == 0)
        profile_fail(error, status, name, 0, "its region is out of reach: %s", why.text);
    else if (status == -ENOENT)
        profile_fail(error, status, name, 0, "has no region of its own yet");
cleanup:
    free(candidates);
    if (status)
        profile_free(profile);
    return status;
}
