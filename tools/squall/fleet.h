/* fleet: what all processes of the machine did, as figures that only grow.
 *
 * Why: who scrapes takes a counter that falls for one that began anew, and adds it up twice. The
 * figures of the region do not fall, but what a block was for is learnt after it was made, and
 * findings come and go. So growth is added up here under what was known when it was read; of a
 * place that is new, it waits until its purpose is known, or a look FLEET_SETTLE_NS later
 * still finds none.
 *
 * A process keeps its figures for a while after it ended, so that the last of them are seen, and
 * then they vanish, as Prometheus's conventions have it. More than `most` processes are counted
 * together from their beginning to their end.
 *
 * Who calls: one thread at a time. */
#ifndef SQUALL_FLEET_H
#define SQUALL_FLEET_H

#include "render/render.h"
#include "watch/watch.h"

#define FLEET_SETTLE_NS 10000000000ull

struct fleet;

struct fleet_options {
    uint32_t most;    /* processes with figures of their own */
    uint64_t keep_ns; /* how long those of one that ended are kept */
    const char *version;
};

struct fleet *fleet_open(const struct fleet_options *options); /* NULL: no memory */
void fleet_close(struct fleet *fleet);

/* Looks for processes that are new. Returns 0 or a negative errno. */
int fleet_find(struct fleet *fleet);
/* Reads the counters of all; names and findings where that is worth its cost by now. */
int fleet_update(struct fleet *fleet);
/* Good until the next call. */
const struct render_metrics *fleet_metrics(const struct fleet *fleet);

/* ---- fleet_process.c: one of them ---- */

/* Figures that several may share. Arrays grow; what stands in them stays where it is. */
struct fleet_figures {
    char pid[32];
    struct render_metrics_process shown;
    struct render_metrics_class *classes;
    struct render_metrics_codec *codecs;
    struct render_metrics_finding *findings;
};

/* A site as it was read last. */
struct fleet_site {
    uint64_t allocs, bytes; /* that were added up */
    uint64_t first_seen_ns; /* monotonic */
    uint32_t class;         /* where its live bytes stand now; UINT32_MAX = nowhere */
    uint64_t live_bytes;    /* of it, there */
};

struct fleet_process {
    struct watch *watch; /* NULL once it ended */
    struct profile_region region;
    int pid;
    char exe[256];
    struct fleet_figures *figures; /* its own or those of the others */
    struct fleet_figures own;
    uint64_t ended_ns;
    uint64_t generation, looked_ns; /* of the latest look; 0 = none */
    struct fleet_site *sites;
    uint32_t site_count;
    /* What of it is in the figures. */
    uint64_t allocs, frees, bytes, lost[REGION_LOST_COUNT];
    double allocator_seconds;
    struct render_metrics_codec codecs[WATCH_CODECS];
    uint32_t codec_count;
};

void fleet_figures_free(struct fleet_figures *figures);
/* Adds what the counters grew by. `ends`: nothing waits any more. Returns 0 or -ENOMEM. */
int fleet_process_add(struct fleet_process *p, uint64_t now_ns, bool ends);
/* Its live bytes count no more. */
void fleet_process_leave(struct fleet_process *p);

#endif
