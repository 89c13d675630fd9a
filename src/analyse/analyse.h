/* analyse: what the cells of a process add up to, and what that means.
 *
 * Why: every format shows the same figures, so they are computed here once: sums of each site over
 * its threads, quantiles from histograms, named stacks, findings with their advice, and what could
 * not be seen.
 *
 * Who owns what: struct analysis points into the profile_process it was made from and into the
 * struct analyse_names, both of which must outlive it; all else is its own until analyse_free.
 * Strings that come from the watched process (names of threads, paths, functions) are as it wrote
 * them; those that are made here are plain text. Nothing is estimated that the region has exactly:
 * in exact mode the sums of a (stack, thread) are passed through untouched. */
#ifndef SQUALL_ANALYSE_H
#define SQUALL_ANALYSE_H

#include "profile/profile.h"
#include "symbol/symbol.h"

/* ---- named frames, names.c ---- */

struct analyse_frame {
    const char *function;  /* NULL = not known */
    const char *file;      /* NULL = not known */
    const char *module;    /* path; NULL = outside every module */
    uint64_t offset;       /* the return address (or, see exact, the address itself) minus the base
                              of the module; without a module the address */
    uint32_t line;         /* 0 = not known */
    uint32_t module_flags; /* enum region_module_flag */
    uint32_t module_index; /* into profile_process.modules, 0 = none */
    bool inlined;          /* into the frame that follows */
    bool exact;            /* interrupted here by a signal: not a return address */
};

struct analyse_stack {
    const struct analyse_frame *frames; /* innermost first */
    uint32_t count;
};

struct analyse_names;

/* `symbols` may be NULL: then only the names in the dump are used. What was said of a process is
 * remembered, so it must not change until another one is asked about. */
struct analyse_names *analyse_names_open(struct symbols *symbols); /* NULL: no memory */
void analyse_names_close(struct analyse_names *names);

/* Names a stack of a process; with `lines`, DWARF is asked for files, lines and inlined frames.
 * The answer is good until the next call. An empty stack has count 0. */
struct analyse_stack analyse_name_stack(struct analyse_names *names,
                                        const struct profile_process *p, uint32_t stack,
                                        bool lines);

/* ---- sites ---- */

enum analyse_sort {
    ANALYSE_BY_BYTES,
    ANALYSE_BY_ALLOCS,
    ANALYSE_BY_PEAK,
    ANALYSE_BY_LIFETIME, /* mean */
    ANALYSE_BY_TIME      /* in the allocator */
};

struct analyse_options {
    enum analyse_sort sort;
    uint32_t top;    /* keep this many sites, 0 = all */
    bool one_thread; /* only what the thread `tid` allocated; other threads count in no sum */
    int32_t tid;
    uint64_t min_size; /* only sites whose largest block has at least this many bytes */
    bool one_site;     /* only the site with this id */
    uint32_t site;
    bool brief; /* for a summary: files are not searched for codecs without a name */
};

/* min, max and mean are exact, p50 and p99 from the histogram. */
struct analyse_spread {
    bool known;     /* else nothing was measured */
    bool quantiles; /* p50 and p99 are known */
    uint64_t min, max, p50, p99;
    double mean;
};

struct analyse_ratio {
    uint64_t count; /* 0 = not known */
    double min, max, mean;
};

struct analyse_sums {
    uint64_t allocs, frees, bytes, freed_bytes, live_bytes, live_blocks, peak_bytes;
    uint64_t remote_frees, allocator_ns, samples;
    bool estimated; /* has sampled cells: all of the above but samples are estimates */
    bool peak_is_upper_bound;
    bool torn;
};

/* One thread at one site. */
struct analyse_row {
    uint32_t thread; /* index into profile_process.threads */
    bool shared;     /* threads that have no cell of their own */
    struct analyse_sums sums;
};

enum analyse_role { ANALYSE_ROLE_NONE, ANALYSE_WORKSPACE, ANALYSE_OUTPUT, ANALYSE_INPUT };

struct analyse_site {
    const struct profile_site *site;
    struct analyse_sums sums;
    struct profile_large large; /* summed; its ratios are below */
    struct analyse_ratio source_ratio, produced_ratio;
    struct analyse_spread size, life;
    double bytes_per_second, allocs_per_second;
    const char *codec;          /* "zstd", of the call it is in, else of the one it served; NULL =
                                   neither or not known */
    const char *codec_function; /* NULL = not in a codec call */
    const char *served_by;      /* function whose output or input its blocks were; NULL = none */
    uint32_t direction;         /* enum region_direction */
    enum analyse_role role;     /* the one with most bytes */
    bool flagged, reused;
    bool is_sinks;            /* made by what a stream of Go's writes into, not by the codec */
    struct analyse_row *rows; /* most bytes first */
    uint32_t row_count;
};

/* ---- findings and visibility ---- */

enum analyse_evidence_kind { ANALYSE_INTEGER, ANALYSE_NUMBER, ANALYSE_TEXT };
struct analyse_evidence {
    const char *name;
    enum analyse_evidence_kind kind;
    uint64_t integer;
    double number;
    char *text; /* the finding's own */
};

/* One way out, and what it would have spared in this run where that can be computed. */
struct analyse_remedy {
    const char *name; /* "keep_destination", "low_memory", "cap_concurrency", ... */
    char *text;
    bool saves; /* else the three below are not known */
    uint64_t saved_allocs, saved_bytes, saved_peak_bytes;
};

/* The ids of the rules, what they look for and the names of evidence are in docs/findings.md. */
struct analyse_finding {
    const char *rule;
    uint32_t site;                 /* id of the worst, which `top` may have left out */
    bool has_site;                 /* else it is about calls, not about a place */
    double rank;                   /* larger is worse */
    char *summary, *fix, *caution; /* caution may be NULL */
    struct analyse_evidence *evidence;
    uint32_t evidence_count;
    struct analyse_remedy *remedies;
    uint32_t remedy_count;
};

/* The i-th id of all there are, NULL behind the last one. */
const char *analyse_rule_at(unsigned i);

struct analyse_statement {
    const char *subject; /* one word: "stacks", "symbols", "allocator", "codecs", ... */
    char *statement;     /* one sentence; may hold paths of the watched process */
};

struct analyse_totals {
    uint64_t allocs, frees, bytes; /* of the threads: exact */
    uint64_t freed_bytes, live_bytes, allocator_ns;
    uint64_t peak_live_bytes; /* at least this: see peak_is_lower_bound */
    bool peak_is_lower_bound; /* exact only for blocks from `large` up */
    bool estimated;           /* freed and live bytes are */
};

struct analysis {
    const struct profile_process *process;
    struct analyse_totals totals;
    double seconds;
    struct analyse_site *sites; /* those that the options keep, as sorted */
    uint32_t site_count;
    uint32_t sites_before_top; /* how many passed the filters; they follow in `sites` */
    uint32_t sites_recorded;   /* how many the process has */
    const struct profile_codec_call **codec_calls; /* those made, most source bytes first */
    uint32_t codec_call_count;
    uint32_t contexts_direction; /* of all contexts that were made; none if there are several */
    struct analyse_finding *findings; /* worst first; `top` takes none away */
    uint32_t finding_count;
    struct analyse_statement *statements;
    uint32_t statement_count;
};

/* Returns 0 or -ENOMEM. `names` may be NULL: then nothing is said about symbols. */
int analyse_process(struct analysis *a, const struct profile_process *p,
                    const struct analyse_options *options, struct analyse_names *names);
void analyse_free(struct analysis *a);

/* A figure without its fraction. What a damaged region says may be beyond every integer, or no
 * number: then it is the nearest one that is. */
INLINE uint64_t analyse_whole(double figure) {
    if (!(figure >= 1))
        return 0;
    return figure < 18446744073709549568.0 ? (uint64_t)figure : UINT64_MAX;
}

/* ---- numbers for people: "3.49 MiB", "12.3 ms", "1,234,567"; all return `out` ---- */

const char *analyse_format_bytes(char *out, size_t size, uint64_t bytes);
const char *analyse_format_time(char *out, size_t size, double ns);
const char *analyse_format_count(char *out, size_t size, uint64_t count);

/* ---- words, the same in every format ---- */

const char *analyse_lost_name(enum region_lost reason);   /* "stacks" */
const char *analyse_stack_end_name(uint32_t end);         /* "outermost" */
const char *analyse_state_name(enum profile_state state); /* "running" */
/* The same of a process, knowing how it ended: what called _exit ended, and did not die. */
const char *analyse_state_of(const struct profile_process *p);
/* "killed by SIGSEGV", "ended (exit 0)", "ended without its exit handlers", "running"; returns
 * `out`. */
const char *analyse_format_end(char *out, size_t size, const struct profile_process *p);
const char *analyse_allocator_name(uint32_t allocator); /* "mimalloc"; NULL = none */
const char *analyse_role_name(enum analyse_role role);  /* NULL = none */
const char *analyse_direction_name(uint32_t direction); /* "compress"; NULL = none */
const char *analyse_refused_name(uint32_t refused);     /* "short"; NULL = not refused */
const char *analyse_found_name(uint32_t found);         /* "name"; NULL = not known */
const char *analyse_codec_name(const struct profile_codec_function *f); /* NULL = not known */
const char *analyse_codec_of(const char *function); /* "ZSTD_compress2": "zstd", or NULL */

#endif
