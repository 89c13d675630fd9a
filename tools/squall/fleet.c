/* All processes: finding them, reading them, letting go of those that ended. */
#include "fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What an update may spend of the processor on names and findings, and what on those of processes
 * that are new and wait for them. Those that it did not come to are next. */
#define LOOK_BUDGET_NS 100000000ull
#define FIRST_LOOK_BUDGET_NS 500000000ull

struct fleet {
    struct fleet_options options;
    struct fleet_process **processes;
    uint32_t count, room;
    uint32_t next_look; /* where looking goes on */
    struct fleet_figures others;
    bool has_others;
    struct profile_unseen unseen;
    struct render_metrics metrics;
    struct render_metrics_process *shown;
};

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* ---- one more, one less ---- */

struct fleet *fleet_open(const struct fleet_options *options) {
    struct fleet *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->options = *options;
    f->metrics.version = options->version;
    strcpy(f->others.pid, "other");
    f->others.shown =
        (struct render_metrics_process){.pid = f->others.pid, .program = "other", .exe = ""};
    return f;
}

static void free_process(struct fleet_process *p) {
    watch_close(p->watch);
    fleet_figures_free(&p->own);
    free(p->sites);
    free(p);
}

void fleet_close(struct fleet *f) {
    if (!f)
        return;
    for (uint32_t i = 0; i < f->count; i++)
        free_process(f->processes[i]);
    fleet_figures_free(&f->others);
    free(f->processes);
    free(f->shown);
    free(f);
}

static void remove_at(struct fleet *f, uint32_t i) {
    free_process(f->processes[i]);
    memmove(&f->processes[i], &f->processes[i + 1], (--f->count - i) * sizeof *f->processes);
}

/* No more will come of it. */
static void end_process(struct fleet_process *p, uint64_t at) {
    fleet_process_leave(p);
    p->own.shown.running = false;
    p->ended_ns = at;
    watch_close(p->watch);
    p->watch = NULL;
}

/* Makes room among those with figures of their own: the one that ended first may go. */
static bool has_place(struct fleet *f) {
    uint32_t own = 0, oldest = UINT32_MAX;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct fleet_process *p = f->processes[i];
        own += p->figures == &p->own;
        if (!p->watch && (oldest == UINT32_MAX || p->ended_ns < f->processes[oldest]->ended_ns))
            oldest = i;
    }
    if (own >= f->options.most && oldest != UINT32_MAX) {
        remove_at(f, oldest);
        own--;
    }
    return own < f->options.most;
}

static void describe(struct fleet_process *p, const struct profile_found *found) {
    struct fleet_figures *own = &p->own;
    p->region = profile_region_of(found);
    p->pid = found->pid;
    memcpy(p->exe, found->exe, sizeof p->exe);
    p->exe[sizeof p->exe - 1] = 0;
    if (found->pid)
        snprintf(own->pid, sizeof own->pid, "%d", found->pid);
    else /* others may number themselves the same */
        snprintf(own->pid, sizeof own->pid, "%d@%08" PRIx32, found->inner_pid,
                 (uint32_t)(profile_region_number(found) >> 32));
    own->shown = (struct render_metrics_process){
        .pid = own->pid,
        .program = base_name(p->exe),
        .exe = p->exe,
        .mode = found->mode == REGION_MODE_EXACT ? "exact" : "default",
        .uid = found->uid,
        .running = true,
        .start_seconds = (double)found->start_realtime_ns / 1e9,
    };
}

/* ---- finding ---- */

static uint32_t count_open(const struct fleet *f) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < f->count; i++)
        open += f->processes[i]->watch != NULL;
    return open;
}

static int add(struct fleet *f, const struct profile_found *found) {
    if (f->count == f->room) {
        uint32_t room = f->room ? f->room * 2 : 16;
        struct fleet_process **grown = reallocarray(f->processes, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        f->processes = grown;
        f->room = room;
    }
    struct fleet_process *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    describe(p, found);
    p->watch = watch_open_one_more(found, count_open(f), &f->unseen);
    if (!p->watch) { /* it has ended since, or there are too many */
        free_process(p);
        return 0;
    }
    bool own = has_place(f);
    f->has_others |= !own;
    p->figures = own ? &p->own : &f->others;
    f->processes[f->count++] = p;
    return 0;
}

static void update_process(struct fleet *f, struct fleet_process *p, uint64_t at, bool may_look);

/* A number that another image has now: by exec, or given again. Its series would be the same. */
static void let_go_of(struct fleet *f, const struct profile_found *found) {
    for (uint32_t i = f->count; i-- > 0;) {
        struct fleet_process *p = f->processes[i];
        if (found->pid == 0 || p->pid != found->pid)
            continue;
        if (p->watch)
            update_process(f, p, now(CLOCK_MONOTONIC), true);
        if (p->watch)
            end_process(p, now(CLOCK_MONOTONIC));
        if (p->figures != &p->own || strcmp(base_name(p->exe), base_name(found->exe)) == 0)
            remove_at(f, i);
    }
}

static int consider(void *data, const struct profile_found *found) {
    struct fleet *f = data;
    struct profile_region region = profile_region_of(found);
    for (uint32_t i = 0; i < f->count; i++)
        if (profile_region_same(&f->processes[i]->region, &region))
            return 0;
    let_go_of(f, found);
    return add(f, found);
}

int fleet_find(struct fleet *f) {
    return profile_find(consider, f, &f->unseen);
}

/* ---- reading ---- */

static void update_process(struct fleet *f, struct fleet_process *p, uint64_t at, bool may_look) {
    struct profile_error ignored;
    enum watch_event event;
    bool ends = false;
    int status = watch_read(p->watch, &event, &ignored);
    if (status == 0) {
        ends = event == WATCH_ENDED || event == WATCH_REPLACED || event == WATCH_ALONE;
        if (may_look)
            status = watch_look(p->watch, ends, &ignored);
        if (watch_generation(p->watch) != p->generation) {
            p->generation = watch_generation(p->watch);
            p->looked_ns = at;
        }
        int added = fleet_process_add(p, at, ends);
        status = status ? status : added;
    } else {
        ends = true; /* its region is out of reach for good */
    }
    f->metrics.failures += status != 0;
    if (ends)
        end_process(p, at);
}

/* What has ended: figures in common are kept there, its own for a while. */
static void let_go(struct fleet *f, uint64_t at) {
    for (uint32_t i = f->count; i-- > 0;) {
        const struct fleet_process *p = f->processes[i];
        if (!p->watch && (p->figures != &p->own || at - p->ended_ns > f->options.keep_ns))
            remove_at(f, i);
    }
}

static int show(struct fleet *f) {
    struct render_metrics *m = &f->metrics;
    struct render_metrics_process *shown = reallocarray(f->shown, f->count + 1u, sizeof *f->shown);
    if (!shown)
        return -ENOMEM;
    f->shown = shown;
    m->processes = shown;
    m->count = m->running = m->aggregated = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct fleet_process *p = f->processes[i];
        m->running += p->watch != NULL;
        if (p->figures == &p->own)
            shown[m->count++] = p->own.shown;
        else
            m->aggregated++;
    }
    if (f->has_others)
        shown[m->count++] = f->others.shown;
    m->unseen = f->unseen.closed + f->unseen.out_of_reach + f->unseen.left_out;
    return 0;
}

int fleet_update(struct fleet *f) {
    uint64_t at = now(CLOCK_MONOTONIC), began = now(CLOCK_THREAD_CPUTIME_ID);
    uint32_t first = f->next_look, looked = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct fleet_process *p = f->processes[(first + i) % f->count];
        bool is_new = p->watch && !watch_analysis(p->watch);
        bool may_look =
            now(CLOCK_THREAD_CPUTIME_ID) - began < (is_new ? FIRST_LOOK_BUDGET_NS : LOOK_BUDGET_NS);
        if (p->watch)
            update_process(f, p, at, may_look);
        looked += may_look;
    }
    f->next_look = f->count ? (first + looked) % f->count : 0;
    let_go(f, at);
    f->metrics.updates++;
    f->metrics.update_seconds = (double)(now(CLOCK_MONOTONIC) - at) / 1e9;
    return show(f);
}

const struct render_metrics *fleet_metrics(const struct fleet *f) {
    return &f->metrics;
}
