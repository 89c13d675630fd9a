/* The inside of the room. */
#ifndef SQUALL_WATCH_INTERNAL_H
#define SQUALL_WATCH_INTERNAL_H

#include "watch.h"

/* One look at everything. Names belong to it, because they point into its profile. */
struct look {
    struct profile profile;
    struct analyse_names *names;
    struct analysis analysis;
    const struct analyse_site **by_row; /* NULL where a row has no site */
    uint32_t rows;
    char **site_names; /* by row, made when they are asked for */
};

struct watch {
    struct profile_found found;
    struct profile_found *successor; /* what exec made of it, to be read next */
    struct profile_reader *reader;
    int pidfd;
    bool gone;
    enum profile_state state;
    struct profile_counters before, now;
    struct watch_change change;
    uint64_t reads; /* of this region */
    uint64_t cells_cost_ns, cells_at_ns;
    uint64_t still_since_ns, checked_ns;
    struct profile_children children;

    /* look.c */
    struct symbols *symbols;
    struct look *look;
    uint64_t look_cost_ns, looked_ns, generation;
};

/* Fills `error` with "FILE: REASON"; returns `code`. */
int watch_fail(struct profile_error *error, int code, const char *file, const char *reason);
void watch_look_free(struct watch *watch);

#endif
