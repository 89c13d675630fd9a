/* watch: processes that run under squall, followed from one moment to the next.
 *
 * Why: the live views (ps, live, top) and whatever exports figures need the same: find the
 * processes, read each one again and again at little cost, say what changed between two reads, and
 * notice that one ended, became another by exec, or went out of sight.
 *
 * What it costs the watched process: nothing is asked of it: no signal, no ptrace, no write. Its
 * counters are copied from the region file; its /proc/PID/maps, which would hold up its mmap calls,
 * are read only when it is found and when its counters stand still.
 *
 * What it costs us: watch_read copies counters; watch_look (names, findings) is dear, so it keeps
 * to a share of the processor of its own choosing.
 *
 * Who owns what: a struct watch owns all that it hands out; it is good until the next call with
 * the same watch. Not for several threads at once. */
#ifndef SQUALL_WATCH_H
#define SQUALL_WATCH_H

#include "analyse/analyse.h"

/* ---- one process, watch.c ---- */

struct watch;

enum watch_event {
    WATCH_NOTHING,
    WATCH_ENDED,    /* it is gone: no read will bring more */
    WATCH_REPLACED, /* it called exec; what was read last is the end of what it was before */
    WATCH_FOLLOWED, /* its successor's region is read from now on, from zero */
    WATCH_ALONE     /* it called exec and runs on without squall, so far */
};

/* What one read brought. */
struct watch_change {
    double seconds;               /* between the two reads; 0 = there was only one */
    struct profile_counters grew; /* what sums grew by, row by row; levels (live bytes, peaks) are
                                     those of the later read */
    int64_t live_bytes;           /* change of grew.live_bytes, which may be below zero */
};

/* Opens the region of a process; does not read it yet. */
int watch_open(int pid, struct watch **watch, struct profile_error *error);
int watch_open_found(const struct profile_found *found, struct watch **watch,
                     struct profile_error *error);
void watch_close(struct watch *watch);

/* Reads the counters and looks whether the process is still there. Returns 0 or a negative errno:
 * the region can no longer be read. */
int watch_read(struct watch *watch, enum watch_event *event, struct profile_error *error);

const struct profile_found *watch_found(const struct watch *watch);
enum profile_state watch_state(const struct watch *watch);
const struct profile_counters *watch_counters(const struct watch *watch);
/* Since the read before the last one of this region. */
const struct watch_change *watch_change(const struct watch *watch);
/* Age of the process image in seconds at the last read. */
double watch_seconds(const struct watch *watch);

/* How many processes that run under squall it has started since the last call, or since it was
 * opened; the youngest's number, 0 = it has none here. */
uint32_t watch_children(struct watch *watch, int *last);
/* Becomes readable when the process ends; -1 = not known, ask watch_read. */
int watch_descriptor(const struct watch *watch);

/* Loads and analyses all, if it is worth its cost now: when `must` is set, at the first time, or
 * when a second has passed and what it cost last time is less than 1/250 of the time since. Returns
 * 0 or a negative errno; what was there before stays then. */
int watch_look(struct watch *watch, bool must, struct profile_error *error);
/* What watch_look made; NULL before. Of the same region as the counters, but older. */
const struct analysis *watch_analysis(const struct watch *watch);
struct analyse_names *watch_names(const struct watch *watch);
/* Changes with every new analysis. */
uint64_t watch_generation(const struct watch *watch);
/* The site of a row, or NULL: newer than the last look. */
const struct analyse_site *watch_site(const struct watch *watch, uint32_t id);
/* "deflate ← write_log": the first named functions of its stack that are not the allocator's, as
 * the process wrote them; "" = not known. */
const char *watch_site_name(struct watch *watch, uint32_t id);

/* ---- differences, change.c ---- */

/* What sums grew by from one read to a later one of the same region. `change` is zeroed before its
 * first use; freed with watch_change_free. Returns 0 or -ENOMEM. */
int watch_change_between(struct watch_change *change, const struct profile_counters *from,
                         const struct profile_counters *to);
void watch_change_free(struct watch_change *change);

/* ---- codecs, codecs.c ---- */

struct watch_codec {
    const char *codec; /* "zstd"; NULL = of a function that only the program knows */
    uint32_t direction;
    uint64_t calls, failures, source_bytes, produced_bytes;
    uint64_t ticks;
};
#define WATCH_CODECS 40u

/* Sums by codec and direction, those with calls, most source bytes first;
 * returns how many. Works on counters and on the growth of a change alike. */
uint32_t watch_codecs(const struct profile_counters *counters, struct watch_codec *out);

/* ---- all processes, list.c ---- */

#define WATCH_MOST 4096u

struct watch_list {
    struct watch **watches; /* by age, oldest first */
    uint32_t count, room;
    struct profile_unseen unseen; /* of the last search */
};

/* Finds all processes; keeps the watches of those that it has already, so that changes between two
 * calls are known. Does not read them. */
int watch_list_find(struct watch_list *list);
/* Reads each one, drops those that ended or cannot be read any more. */
void watch_list_read(struct watch_list *list);
void watch_list_free(struct watch_list *list);
/* How many watches may be open at once without descriptors running out for what else is done. */
uint32_t watch_most(void);
/* Opens a watch as watch_open_found does, unless `open` are so many already, or half as many and only
 * a region is seen and no process; NULL where nothing came
 * of it, and what was left out is in `unseen`: one that has ended since is not. */
struct watch *watch_open_one_more(const struct profile_found *found, uint32_t open,
                                  struct profile_unseen *unseen);
/* What could not be seen and why, one line; "" = nothing. Returns `out`. */
const char *watch_unseen(const struct profile_unseen *unseen, char *out, size_t size);

/* ---- the last seconds, history.c ---- */

#define WATCH_HISTORY 6u
#define WATCH_SAMPLES 1024u

/* Counters of the last few seconds and a line of large bytes over the last minutes. Zeroed before
 * its first use. */
struct watch_history {
    struct profile_counters kept[WATCH_HISTORY];
    uint32_t first, count;      /* a ring */
    struct watch_change change; /* from the oldest kept to the last read */
    struct watch_sample {
        uint64_t ns; /* age of the process */
        uint64_t large_bytes;
    } samples[WATCH_SAMPLES]; /* oldest first */
    uint32_t sample_count;
    uint64_t key; /* of the region that all this is about */
};

/* After each watch_read. Returns 0 or -ENOMEM. */
int watch_history_add(struct watch_history *history, const struct watch *watch);
void watch_history_free(struct watch_history *history);
/* Bytes in large blocks in each of `count` parts of the last `seconds`; where nothing was recorded
 * yet it is 0. Returns the most of all. */
uint64_t watch_history_bins(const struct watch_history *history, double seconds, uint64_t *bins,
                            uint32_t count);

/* ---- what a screen shows: rows.c makes the rows, view.c keeps them in order ---- */

enum watch_tab {
    WATCH_FINDINGS,
    WATCH_SITES,
    WATCH_THREADS,
    WATCH_CALLS,
    WATCH_PROCESSES,
    WATCH_TAB_COUNT
};
enum watch_unit {
    WATCH_TEXT,
    WATCH_BYTES,
    WATCH_NUMBER,
    WATCH_COUNT, /* as a number, but whole */
    WATCH_PLAIN,
    WATCH_RATIO,
    WATCH_AGE
};

struct watch_column {
    const char *title;
    unsigned width;
    enum watch_unit unit;
};
#define WATCH_COLUMNS 8u

/* The columns of a tab; behind them stands the name, as wide as there is room. */
const struct watch_column *watch_columns(enum watch_tab tab, uint32_t *count);

struct watch_row {
    uint64_t key;                /* the same for the same thing at every filling */
    uint32_t id;                 /* row of the region, finding, or watch of the list */
    double value[WATCH_COLUMNS]; /* NAN = not known */
    const char *text;            /* of the one column that is text */
    char *name;                  /* as the process wrote it */
    bool marked;
};

struct watch_view {
    enum watch_tab tab;
    uint32_t sort; /* column; the number of columns = by name */
    bool reversed;
    bool since_start; /* rates since the start, not over the last seconds */
    char filter[64];  /* rows whose name or text has it, whatever the case */
    struct watch_row *rows;
    uint32_t count, room, hidden; /* hidden by the filter */
    uint32_t selected;
    bool moved; /* the selection stays on its row once it was moved */
};

void watch_view_open(struct watch_view *view, enum watch_tab tab);
void watch_view_free(struct watch_view *view);
/* Another tab, with the order that suits it. */
void watch_view_turn(struct watch_view *view, enum watch_tab tab);
/* Makes the rows anew. `history` is of `watch`; `list` is for WATCH_PROCESSES only. For want of
 * memory rows are missing. */
void watch_view_fill(struct watch_view *view, struct watch *watch,
                     const struct watch_history *history, const struct watch_list *list);
/* The next column to sort by, or with -1 the one before. */
void watch_view_sort(struct watch_view *view, int by);
void watch_view_move(struct watch_view *view, int64_t by);
const struct watch_row *watch_view_selected(const struct watch_view *view);

#endif
