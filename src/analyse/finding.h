/* The inside of the findings.
 *
 * Sites that matter are put into groups: one codec, used by one program or through one library (its
 * host). What a rule says, it says of a group, so that the four blocks of a deflateInit, or the
 * workspace and the output of a batch, are one finding and not five.
 *
 * finding.c groups, asks the rules, ranks; finding_gather.c sums; finding_say.c puts a finding
 * together; finding_context.c, finding_buffer.c, finding_concurrency.c and finding_size.c are the
 * rules; finding_remedy.c the ways out with their savings, finding_peak.c for them what a cap would
 * leave; finding_cost.c what is worth telling; advice.c the words. */
#ifndef SQUALL_ANALYSE_FINDING_H
#define SQUALL_ANALYSE_FINDING_H

#include "internal.h"

/* ---- advice.c ---- */

enum advice_kind {
    ADVICE_PROGRAM, /* compresses by itself, and something is known about it */
    ADVICE_BINDING, /* a codec for another language: its user does not see the C calls */
    ADVICE_JVM,     /* the same, and it has streams */
    ADVICE_KAFKA    /* compresses batches on behalf of its user */
};

struct advice_host {
    const char *name;
    enum advice_kind kind;
    const char *codec; /* only for this one; NULL = any */
    /* How it is known: of a module, what its path contains; "=": its base name is, "^": its base
     * name begins with. Of a function: what its name begins with. Several are parted by '|'. */
    const char *modules, *functions;
    const char *context; /* what to do about a context for every message; NULL = as in C */
    const char *output;  /* what to do about outputs; NULL = as in C */
};

struct advice_codec {
    const char *codec;
    const char *context;       /* how to keep one */
    const char *output;        /* how to size a destination that is kept */
    const char *low_memory;    /* what makes a context smaller */
    bool no_context;           /* it has none to keep */
    const char *low_memory_go; /* the same in Go; NULL = nothing to add */
};

/* Weak: by the interpreter alone, so that a frame further out may know better. */
const struct advice_host *advice_find_host(const struct analyse_frame *frame, const char *codec,
                                           bool *is_weak);
const struct advice_codec *advice_find_codec(const char *codec); /* never NULL */

/* ---- what the rules work on ---- */

/* Compress calls of one codec and host. */
struct finding_calls {
    bool known;
    uint64_t calls, messages, source_bytes, produced_bytes, ns, cpu_ns, page_faults;
    uint32_t threads;                                     /* at least */
    uint32_t level;                                       /* most calls at once, 0 = not known */
    struct profile_codec_size sizes[REGION_SIZE_CLASSES]; /* of messages; messages 0 = none */
};

struct finding_contexts {
    uint64_t created, ended, single, messages;
};

struct finding_group {
    const char *codec; /* NULL = not known */
    const struct advice_host *host;
    struct finding_calls calls;
    struct finding_contexts contexts;
    bool is_borrowed; /* calls and contexts are those of the codec anywhere */
    uint32_t finding; /* the first about its blocks, counted from 1; 0 = none so far */
};

struct finding_site {
    const struct analyse_site *site;
    uint32_t group;
    bool done; /* some finding names it */
};

/* Sites that one finding is about, added up. */
struct finding_sum {
    const struct analyse_site *worst; /* most bytes */
    uint32_t sites, threads;
    uint64_t allocs, bytes, mmapped, handed_over, grown, reused;
    uint64_t peak_bytes; /* of several sites an upper bound */
    uint64_t live_bytes, live_blocks;
    uint64_t smallest, largest;
    uint64_t allocator_ns;
    uint64_t workspace_allocs, workspace_bytes, output_allocs, output_bytes;
    uint64_t served, source_bytes; /* messages and their bytes, of outputs */
    double ratio_sum, ratio_min;   /* buffer to source */
    uint64_t ratio_count;
    uint64_t pool, pool_bytes; /* blocks that would do, and what they take */
    uint64_t cap;              /* calls at once for the next */
    uint64_t capped_bytes;     /* peak with no more than so many calls at once */
    bool estimated;
    bool waits; /* some blocks outlive their call, or calls at once are not known */
};

/* Where throughput stops growing. */
struct finding_knee {
    bool known;
    bool from_cpu;   /* low levels were not seen: estimated from CPU time */
    bool is_lowest;  /* not known for one reason: the lowest level seen is as good as any */
    uint32_t levels; /* with calls enough to count */
    uint32_t level, max;
    double throughput, throughput_max; /* bytes a second, at `level` and at `max` */
    double share_above;                /* of calls */
    double waiting;                    /* share of the time of the calls above */
};

struct finding_work {
    struct analysis *a;
    struct analyse_names *names;
    struct finding_site *sites;
    uint32_t site_count;
    struct finding_group *groups;
    uint32_t group_count;
    struct finding_knee knee;
    struct finding_memo *memo; /* of finding_gather.c; NULL = no memory for one */
    bool whole; /* no filter is on: what the process did may be told */
    int error;
};

/* ---- finding_gather.c ---- */

void finding_gather(struct finding_work *work);
void finding_gather_free(struct finding_work *work);
bool finding_is_flagged(const struct finding_site *site, enum analyse_role role);
/* Adds a site to a sum: what it has in its role, or all of it if `whole`. */
void finding_add(struct finding_work *work, struct finding_sum *sum, struct finding_site *site,
                 bool whole);
/* "rd_kafka_zstd_compress": the innermost function that is neither the codec's nor an allocator's;
 * at most `size` bytes. Returns out. */
const char *finding_caller(struct finding_work *work, char *out, size_t size, uint32_t stack);
uint32_t finding_size_class(uint64_t from);

/* ---- finding_cost.c ---- */

/* What the blocks of a sum cost, over the work of the calls; below 0 = that is not known. */
double finding_cost_share(const struct finding_work *work, const struct finding_sum *sum,
                          const struct finding_calls *calls);
/* Else a finding about these blocks is worth nobody's time. */
bool finding_matters(const struct finding_work *work, const struct finding_sum *sum,
                     const struct finding_calls *calls);

/* ---- finding_peak.c ---- */

/* What so many blocks of the site, alive at once all the time, take at the most. */
uint64_t finding_peak_of(const struct analyse_site *site, uint64_t at_once);

/* ---- finding_go.c: what Go's sites know besides, for finding_evidence ---- */

void finding_go(struct finding_work *work, struct analyse_finding *f,
                const struct finding_sum *sum);

/* ---- finding_say.c ---- */

/* A new finding; valid until the next one. NULL when memory ran out. */
struct analyse_finding *finding_begin(struct finding_work *work, const char *rule,
                                      const struct analyse_site *site, uint64_t bytes);
/* The same, about the blocks of a group; NULL also if there are none, or if they do not matter. */
struct analyse_finding *finding_begin_blocks(struct finding_work *work, const char *rule,
                                             uint32_t group, const struct finding_sum *sum);
void finding_say(struct finding_work *work, char **text, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* appends */
void finding_integer(struct finding_work *work, struct analyse_finding *f, const char *name,
                     uint64_t value);
void finding_number(struct finding_work *work, struct analyse_finding *f, const char *name,
                    double value);
void finding_text(struct finding_work *work, struct analyse_finding *f, const char *name,
                  const char *value);
/* NULL when memory ran out. */
struct analyse_remedy *finding_remedy(struct finding_work *work, struct analyse_finding *f,
                                      const char *name);
/* What every finding about blocks has. */
void finding_evidence(struct finding_work *work, struct analyse_finding *f,
                      const struct finding_sum *sum, const struct finding_group *group);
/* "600 blocks of 3.49 MiB" or "600 blocks of 64.0 KiB to 3.49 MiB". */
void finding_blocks(char *out, size_t size, const struct finding_sum *sum);
/* "2.04 GiB in 3.2 s" */
void finding_amount(char *out, size_t size, const struct finding_work *work, uint64_t bytes);

#define FINDING_NAME 160 /* bytes for the name of a function */
#define FINDING_WORDS 160

/* ---- finding_remedy.c: the four ways out ---- */

enum finding_keep { FINDING_KEEP_OUTPUT, FINDING_KEEP_CONTEXT };
void finding_remedies(struct finding_work *work, struct analyse_finding *f, struct finding_sum *sum,
                      const struct finding_group *group, enum finding_keep keep);
/* "1 KiB to 2 KiB: 812 messages, 1.02 : 1, 9.1 µs each; ..." */
void finding_say_sizes(struct finding_work *work, char **text,
                       const struct profile_codec_size *sizes);

/* Whether any site of the process is Go's: else options of Go's libraries are no help. */
bool finding_has_go(const struct finding_work *work);
/* Ends a sentence on what makes contexts smaller. */
void finding_say_go(struct finding_work *work, char **text, const struct finding_group *group);

/* ---- the rules ---- */

void finding_batches(struct finding_work *work, uint32_t group);
void finding_context(struct finding_work *work, uint32_t group);
void finding_outputs(struct finding_work *work, uint32_t group);
void finding_mapped(struct finding_work *work, uint32_t group);
void finding_small(struct finding_work *work, uint32_t group); /* after all of the above */
void finding_kept(struct finding_work *work, uint32_t group);
void finding_find_knee(struct finding_work *work);
void finding_concurrency(struct finding_work *work);
/* A codec with threads of its own waits for them: its caller's CPU time says nothing. */
bool finding_has_workers(const struct finding_work *work);
void finding_sizes(struct finding_work *work);

#endif
