/* One process, followed through its end and its execs. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* Counters that stand still for so long are those of an idle process, or of an image that exec
 * took away: one look at what is mapped tells, and holds up nobody who is busy. */
#define STILL_NS 500000000ull
#define RECHECK_NS 1000000000ull
/* A pass over all cells is let go when it is dear (a region may hold a hundred thousand). */
#define CELLS_SHARE 400u

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- opening and closing ---- */

static int open_pidfd(int pid) {
#ifdef SYS_pidfd_open
    return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
#else
    (void)pid;
    return -1;
#endif
}

int watch_open_found(const struct profile_found *found, struct watch **watch,
                     struct profile_error *error) {
    struct watch *w = calloc(1, sizeof *w);
    *watch = NULL;
    if (!w)
        return watch_fail(error, -ENOMEM, found->path, "no memory");
    w->found = *found;
    w->state = found->state;
    w->children.since_raw_ns = now(CLOCK_MONOTONIC_RAW);
    w->pidfd = open_pidfd(found->pid);
    w->gone = found->pid > 0 && w->pidfd < 0 && errno == ESRCH;
    int status = profile_reader_open(found, &w->reader, error);
    if (status) {
        watch_close(w);
        return status;
    }
    *watch = w;
    return 0;
}

int watch_open(int pid, struct watch **watch, struct profile_error *error) {
    struct profile_found *found = malloc(sizeof *found);
    *watch = NULL;
    int status = found ? profile_find_pid(pid, found, error)
                       : watch_fail(error, -ENOMEM, "process", "no memory");
    if (status == 0)
        status = watch_open_found(found, watch, error);
    free(found);
    return status;
}

/* All that was read; names and symbols stay, as its successor has them too. */
static void forget(struct watch *w) {
    watch_look_free(w);
    profile_reader_close(w->reader);
    w->reader = NULL;
    profile_counters_free(&w->before);
    profile_counters_free(&w->now);
    watch_change_free(&w->change);
    w->reads = 0;
    w->cells_cost_ns = w->cells_at_ns = w->still_since_ns = 0;
}

void watch_close(struct watch *w) {
    if (!w)
        return;
    forget(w);
    symbol_close(w->symbols);
    if (w->pidfd >= 0)
        close(w->pidfd);
    free(w->successor);
    free(w);
}

/* ---- reading ---- */

/* Is it gone? Asked before its counters are read, so that they are then its last. */
static bool is_gone(struct watch *w) {
    struct pollfd poll_fd = {.fd = w->pidfd, .events = POLLIN};
    if (!w->gone && w->pidfd >= 0)
        w->gone = poll(&poll_fd, 1, 0) > 0;
    return w->gone;
}

static int count(struct watch *w, bool must, struct profile_error *error) {
    struct profile_counters older = w->before;
    uint64_t began = now(CLOCK_THREAD_CPUTIME_ID), at = now(CLOCK_MONOTONIC_RAW);
    bool cells = must || w->reads == 0 || w->cells_cost_ns < 100000 ||
                 at - w->cells_at_ns >= w->cells_cost_ns * CELLS_SHARE;
    int status = 0;
    /* The two sets of arrays change places: no memory is taken at most reads. */
    w->before = w->now;
    w->now = older;
    if (w->reads)
        status = profile_counters_copy(&w->now, &w->before);
    if (status == 0)
        status = profile_reader_count(w->reader, &w->now, cells, error);
    else
        watch_fail(error, status, w->found.path, "no memory");
    if (status == 0 && watch_change_between(&w->change, w->reads ? &w->before : &w->now, &w->now))
        status = watch_fail(error, -ENOMEM, w->found.path, "no memory");
    if (cells) {
        w->cells_cost_ns = now(CLOCK_THREAD_CPUTIME_ID) - began;
        w->cells_at_ns = at;
    }
    w->reads++;
    return status;
}

static bool stands_still(const struct watch *w) {
    const struct watch_change *c = &w->change;
    return c->grew.allocs == 0 && c->grew.frees == 0 && c->grew.codec_bytes == 0 &&
           c->grew.bytes == 0;
}

/* Looks at what the process has mapped now. */
static enum watch_event check_mapping(struct watch *w) {
    struct profile_found *found = malloc(sizeof *found);
    struct profile_error why;
    enum watch_event event = WATCH_NOTHING;
    int status = found ? profile_find_pid(w->found.pid, found, &why) : -ENOMEM;
    struct profile_region before = profile_region_of(&w->found), after = before;
    if (status == 0)
        after = profile_region_of(found);
    if (!profile_region_same(&before, &after)) {
        free(w->successor);
        w->successor = found;
        found = NULL;
        event = w->state == PROFILE_REPLACED ? WATCH_NOTHING : WATCH_REPLACED;
        w->state = PROFILE_REPLACED;
    } else if (status == -ENOENT && w->state == PROFILE_RUNNING) {
        w->state = PROFILE_REPLACED;
        event = WATCH_ALONE;
    } else if (status == -ESRCH) { /* where there is no pidfd to tell (Linux before 5.3) */
        w->gone = true;
    }
    free(found);
    return event;
}

/* An image that exec took away goes on to be read, but never changes. */
static enum watch_event check(struct watch *w) {
    uint64_t at = w->now.raw_ns;
    if (!stands_still(w) || w->reads < 2) {
        w->still_since_ns = at;
        return WATCH_NOTHING;
    }
    if (w->found.pid == 0) /* out of sight: its exit handlers are all that could tell */
        return w->now.ended && at - w->still_since_ns > 2 * RECHECK_NS ? WATCH_ENDED
                                                                       : WATCH_NOTHING;
    if (at - w->still_since_ns < STILL_NS || at - w->checked_ns < RECHECK_NS)
        return WATCH_NOTHING;
    w->checked_ns = at;
    return check_mapping(w);
}

static int follow(struct watch *w, struct profile_error *error) {
    struct profile_reader *reader;
    int status = profile_reader_open(w->successor, &reader, error);
    if (status)
        return status;
    forget(w);
    w->reader = reader;
    w->found = *w->successor;
    w->state = PROFILE_RUNNING;
    free(w->successor);
    w->successor = NULL;
    return 0;
}

int watch_read(struct watch *w, enum watch_event *event, struct profile_error *error) {
    *event = WATCH_NOTHING;
    if (w->successor && follow(w, error) == 0)
        *event = WATCH_FOLLOWED;
    bool gone = is_gone(w);
    int status = count(w, gone, error);
    if (status)
        return status;
    if (gone) {
        if (w->state != PROFILE_REPLACED)
            w->state = w->now.ended ? PROFILE_ENDED : PROFILE_DIED;
        *event = WATCH_ENDED;
    } else if (*event == WATCH_NOTHING) {
        *event = check(w);
        if (*event == WATCH_ENDED)
            w->state = PROFILE_ENDED;
    }
    return 0;
}

/* ---- what is known ---- */

const struct profile_found *watch_found(const struct watch *w) {
    return &w->found;
}

enum profile_state watch_state(const struct watch *w) {
    return w->state;
}

const struct profile_counters *watch_counters(const struct watch *w) {
    return &w->now;
}

const struct watch_change *watch_change(const struct watch *w) {
    return &w->change;
}

double watch_seconds(const struct watch *w) {
    uint64_t start = w->found.start_raw_ns; /* the time of day may have been set since */
    return w->now.raw_ns > start ? (double)(w->now.raw_ns - start) / 1e9 : 0;
}

uint32_t watch_children(struct watch *w, int *last) {
    profile_children_find(&w->found, &w->children);
    /* Where it counts processes as we do, its children do, too. */
    *last = w->found.pid == w->found.inner_pid ? w->children.last : 0;
    return w->children.count;
}

int watch_descriptor(const struct watch *w) {
    return w->pidfd;
}
