/* The hook out of a Go program again. First the code is as it was; then nothing comes in any more,
 * and once no thread is inside, the memory goes too. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "go.h"

#define TRIES 200

static int fail(struct go_result *result, const char *why) {
    snprintf(result->reason, sizeof result->reason, "%s", why);
    return -1;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

struct installed {
    uint64_t at;
    struct go_near near;
    struct go_record *records;
    uint64_t region; /* address in the program */
    uint64_t code_end;
};

/* Its trampolines are in executable memory that has no file; what they read lies before them. */
static bool is_at(const struct go_target *t, uint64_t code, struct installed *in) {
    in->at = code - GO_NEAR_DATA;
    return go_target_read(t, in->at, &in->near, sizeof in->near) == 0 &&
           in->near.magic == GO_NEAR_MAGIC && in->near.patches &&
           in->near.patches <= GO_PATCHES_MAX;
}

static bool find(const struct go_target *t, struct installed *in) {
    char path[64], line[8192], flags[8];
    uint64_t from, to, inode;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)t->pid);
    FILE *maps = fopen(path, "re");
    while (maps && !found && fgets(line, sizeof line, maps))
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %" SCNu64, &from, &to, flags,
                   &inode) == 4 &&
            inode == 0 && flags[2] == 'x' && flags[1] == '-' && from > GO_NEAR_DATA) {
            found = is_at(t, from, in);
            in->code_end = to;
        }
    if (maps)
        fclose(maps);
    return found;
}

bool go_is_installed(const struct go_target *t) {
    struct installed in = {0};
    return find(t, &in);
}

static int read_records(const struct go_target *t, struct installed *in) {
    uint64_t size = in->near.patches * sizeof *in->records;
    in->records = malloc(size);
    if (!in->records)
        return -ENOMEM;
    int error = go_target_read(t, in->at + GO_NEAR_SITES, in->records, size);
    for (uint64_t i = 0; i < in->near.patches && !error; i++)
        if (in->records[i].size > GO_PATCH_MAX || in->records[i].at < t->low ||
            in->records[i].at >= t->high)
            error = -EINVAL;
    return error ? error
                 : go_target_read(t,
                                  in->near.state + offsetof(struct go_state, region) +
                                      offsetof(struct region, base),
                                  &in->region, sizeof in->region);
}

static int write_back(const struct go_target *t, const struct installed *in) {
    uint64_t none = 0;
    uint32_t off = 0;
    int error = 0;
    for (uint64_t i = 0; i < in->near.patches && !error; i++)
        error = go_target_write(t, in->records[i].at, in->records[i].old, in->records[i].size);
    if (!error)
        error =
            go_target_write(t, in->near.state + offsetof(struct go_state, is_on), &off, sizeof off);
    return error
               ? error
               : go_target_write(t, in->at + offsetof(struct go_near, patches), &none, sizeof none);
}

static bool is_idle(const struct go_target *t, const struct installed *in) {
    uint64_t busy[GO_STACKS / 64];
    if (go_target_read(t, in->near.state, busy, sizeof busy))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(busy); i++)
        if (busy[i] != UINT64_MAX)
            return false;
    return true;
}

/* The last that the region is told. */
static void end_region(const struct go_target *t, const struct installed *in) {
    struct region_header h;
    uint32_t state = REGION_GO_DETACHED, one = 1;
    if (go_target_read(t, in->region, &h, sizeof h))
        return;
    go_region_pair(&h);
    go_target_write(t, in->region + offsetof(struct region_header, go_state), &state, sizeof state);
    if (!in->near.is_ours)
        return;
    go_target_write(t, in->region + offsetof(struct region_header, end_raw_ns), &h.end_raw_ns,
                    2 * sizeof(uint64_t));
    go_target_write(t, in->region + offsetof(struct region_header, ended), &one, sizeof one);
}
_Static_assert(offsetof(struct region_header, end_clock) ==
                   offsetof(struct region_header, end_raw_ns) + 8,
               "written together");

/* All are stopped, and nothing leads into the hook any more: whether nobody is in it. */
static bool is_left(const struct go_target *t, const struct installed *in) {
    return is_idle(t, in) && !go_target_is_within(t, in->at + GO_NEAR_DATA, in->code_end);
}

static bool stop_and_look(struct go_target *t, const struct installed *in,
                          struct go_result *result) {
    uint64_t from = now_ns();
    if (go_target_stop(t, true))
        return false;
    bool left = is_left(t, in);
    go_target_resume(t);
    go_result_stopped(result, from, now_ns());
    return left;
}

/* One thread is enough to give the memory back. */
static void forget(struct go_target *t, const struct installed *in) {
    uint64_t region[6] = {in->region, in->near.region_size, 0, 0, 0, 0};
    uint64_t all[6] = {in->at, in->near.size, 0, 0, 0, 0};
    if (go_target_stop(t, false))
        return;
    go_target_call(t, SYS_munmap, region);
    go_target_call(t, SYS_munmap, all);
    go_target_resume(t);
}

int go_uninstall(struct go_target *t, struct go_result *result) {
    struct timespec pause = {0, 500000};
    struct installed in = {0};
    int status = -1, error;
    bool left = false;
    if (!find(t, &in)) {
        fail(result, "the hook is not in it");
        goto cleanup;
    }
    error = read_records(t, &in);
    uint64_t from = now_ns();
    if (!error)
        error = go_target_stop(t, true);
    if (!error) {
        result->threads = t->thread_count;
        error = write_back(t, &in);
        left = is_left(t, &in);
        go_target_resume(t);
        go_result_stopped(result, from, now_ns());
    }
    if (error) {
        fail(result, strerror(-error));
        goto cleanup;
    }
    result->patches = (uint32_t)in.near.patches;
    end_region(t, &in);
    /* What was put in by the library stays mapped: it is the library's. */
    for (int i = 0; in.near.is_ours && !left && i < TRIES; i++) {
        nanosleep(&pause, NULL);
        left = stop_and_look(t, &in, result);
    }
    if (in.near.is_ours && left)
        forget(t, &in);
    status = 0;
cleanup:
    free(in.records);
    return status;
}
