/* compare: what two recordings have in common and what became of it.
 *
 * Why: a run twice as long is not twice as bad, two builds have their code at different addresses,
 * and what was sampled differs from run to run. So figures are divided by what the program did
 * (messages, source bytes), stacks are matched by the names of their functions, and a difference
 * counts only where it is larger than chance would make it.
 *
 * Who owns what: struct compare owns all that it points to until compare_free; nothing of the
 * analyses that were added is needed afterwards. */
#ifndef SQUALL_COMPARE_H
#define SQUALL_COMPARE_H

#include "analyse/analyse.h"

enum compare_which { COMPARE_BEFORE, COMPARE_AFTER };

/* What figures are divided by. */
enum compare_unit {
    COMPARE_BEST, /* messages where both sides have seen them, source bytes where these messages are
                     of another size, else the run */
    COMPARE_MESSAGE,
    COMPARE_SOURCE_BYTE,
    COMPARE_SECOND,
    COMPARE_RUN, /* nothing */
    COMPARE_UNITS
};

enum compare_verdict { COMPARE_SAME, COMPARE_NEW, COMPARE_GONE, COMPARE_MORE, COMPARE_LESS };

/* One side, summed over its processes. Calls are those that compress; `codec` bytes and allocations
 * are workspaces and outputs of them. */
struct compare_side {
    uint32_t processes;
    char *command; /* of the first one; NULL = none */
    double seconds;
    bool estimated; /* some processes were sampled */
    uint64_t allocs, bytes, allocator_ns, peak_bytes;
    uint64_t codec_allocs, codec_bytes;
    uint64_t calls, messages, source_bytes, produced_bytes, ns, cpu_ns, page_faults;
    double variance, codec_variance; /* of bytes and codec_bytes */
};

struct compare_sums {
    uint64_t allocs, bytes, live_bytes, allocator_ns;
    double variance; /* of bytes: by sampling, and by chance from run to run */
};

/* `before` and `after` are per unit; a difference of up to `error` may be chance. */
struct compare_change {
    enum compare_verdict verdict;
    double before, after;
    double error; /* < 0: not known, and nothing is judged */
};

struct compare_site {
    struct compare_change bytes;
    struct compare_sums sides[2]; /* as recorded */
    struct analyse_stack stack;   /* function, module and, without a function, offset */
    const char *codec, *codec_function, *role; /* NULL = none */
};

struct compare_metric {
    const char *name; /* "codec_bytes" */
    bool per_unit;    /* else it is what it is */
    struct compare_change change;
};

struct compare_finding {
    enum compare_verdict verdict; /* SAME, NEW or GONE */
    bool confirmed;               /* the place that it is about changed, too: not by chance */
    const char *rule;
    const char *summary;        /* of AFTER, where it is there */
    const char *summary_before; /* NULL = it was not there */
    const char *fix;            /* as summary */
};

struct compare {
    struct compare_side sides[2];
    enum compare_unit unit;     /* in force, never COMPARE_BEST */
    double tolerance;           /* as asked for */
    double units[2];            /* how many of them each side has */
    struct compare_site *sites; /* changed ones first, the largest change first */
    uint32_t site_count, changed_count;
    struct compare_metric *metrics;
    uint32_t metric_count;
    struct compare_finding *findings; /* new, gone, the rest */
    uint32_t finding_count;
    void *memory; /* private to this room */
};

struct compare_options {
    enum compare_unit unit;
    double tolerance; /* a smaller part of a figure is no change: 0.05 */
};

int compare_open(struct compare *c); /* 0 or -ENOMEM */
/* Adds what one process did to a side; the analysis has to have all sites. */
int compare_add(struct compare *c, enum compare_which which, const struct analysis *a,
                struct analyse_names *names);
/* Fills all but `sides`. -ENODATA: one side has none of the unit. */
int compare_finish(struct compare *c, const struct compare_options *options);
void compare_free(struct compare *c);

/* A message after, in bytes of source, as a multiple of one before; 0 = not known. */
double compare_message_ratio(const struct compare *c);
/* So that figures of a message would compare what is not the same work. */
bool compare_messages_are_others(const struct compare *c);

const char *compare_unit_name(enum compare_unit unit);          /* "message" */
const char *compare_verdict_name(enum compare_verdict verdict); /* "more" */

#endif
