/* render: one analysed process in the formats that people and programs read.
 *
 * Why: formats differ in layout only; every figure and every sentence comes from src/analyse.
 *
 * Who owns what: nothing here outlives a call but struct render_json, between begin and end. What
 * the watched process wrote (names, paths, arguments) is made valid UTF-8 here, and for a terminal
 * harmless: no byte of it can move a cursor or colour a line.
 *
 * What can fail returns 0 or a negative errno: the stream could not be written, or no memory. A
 * caller that sees an error exits with it; what was written so far is then not a whole document. */
#ifndef SQUALL_RENDER_H
#define SQUALL_RENDER_H

#include "analyse/analyse.h"
#include "watch/watch.h"
#include "compare/compare.h"

/* ---- json.c: what scripts depend on; one element of "processes" at a time ---- */

struct render_json;

struct render_json *render_json_begin(FILE *out); /* NULL: no memory */
/* Without `lines` frames have a function at most. */
int render_json_process(struct render_json *json, const struct analysis *a,
                        struct analyse_names *names, bool lines);
/* Ends the document, flushes the stream and frees json. With `broken` the document is left open,
 * so that it does not look whole. Returns the first error of all calls. */
int render_json_end(struct render_json *json, bool broken);

/* ---- text.c: for people ---- */

struct render_text {
    FILE *out;
    unsigned width; /* columns; 0 = as long as it takes */
    bool color;
    bool lines;        /* files, lines and inlined frames */
    bool whole_stacks; /* every frame as it is, nothing folded */
    unsigned sites;    /* how many to show, 0 = all that the analysis has */
};

int render_text_process(const struct render_text *text, const struct analysis *a,
                        struct analyse_names *names);

/* A screen at most: totals, the worst findings in a sentence each, the first `text->sites` sites in
 * two lines each, what is not visible in short. */
int render_text_summary(const struct render_text *text, const struct analysis *a,
                        struct analyse_names *names);

/* ---- live_json.c: moments of a process that runs, an object a line ---- */

struct render_live {
    const char *event; /* what the last read brought, see docs/live.md; NULL = nothing */
    uint32_t sites;    /* how many, those that grew most first */
    bool findings;     /* with the findings of the last look */
};

struct render_json *render_lines_begin(FILE *out); /* NULL: no memory */
/* Writes one line and flushes it; 0 or the first error of all calls. */
int render_live_line(struct render_json *json, struct watch *watch, const struct render_live *live);
void render_lines_end(struct render_json *json);

/* ---- live_text.c ---- */

/* A line for people about the last change. */
int render_live_text(FILE *out, struct watch *watch);
/* The processes of a machine; rates are those of the last change, or since their start where
 * `since_start` is set. */
int render_list_text(FILE *out, const struct watch_list *list, unsigned width, bool since_start);
int render_list_json(FILE *out, const struct watch_list *list, bool since_start);

/* ---- clean.c ---- */

/* Text of a watched process for a terminal: valid UTF-8, nothing that moves a cursor, no wider than
 * `columns` (0 = as it is). Returns `out`. */
const char *render_clean(char *out, size_t size, const char *text, unsigned columns);
/* "12.3k", "4.56M": counts in four columns. Returns `out`. */
const char *render_short_count(char *out, size_t size, double count);
/* "34 s", "2h05m": an age in seven columns. Returns `out`. */
const char *render_age(char *out, size_t size, double seconds);
/* Last part of a path. */
const char *render_name_of(const char *path);
/* ---- export.c: for other programs; docs/export.md says which ---- */

enum render_format {
    RENDER_PPROF,
    RENDER_HEAP,
    RENDER_FOLDED,
    RENDER_SPEEDSCOPE,
    RENDER_DHAT,
    RENDER_CSV,
    RENDER_JSONL,
    RENDER_FORMATS
};

/* What a format that has one figure a stack (folded, speedscope) tells. */
enum render_value {
    RENDER_BYTES,
    RENDER_ALLOCS,
    RENDER_LIVE_BYTES,
    RENDER_LIVE_BLOCKS,
    RENDER_TIME, /* in the allocator, nanoseconds */
    RENDER_VALUES
};

struct render_export;

const char *render_format_name(enum render_format format); /* "pprof" */
const char *render_value_name(enum render_value value);    /* "bytes" */

/* NULL: no memory. Every process given to it until its end has to stay as it is till then. */
struct render_export *render_export_begin(FILE *out, enum render_format format,
                                          enum render_value value, bool lines);
int render_export_process(struct render_export *x, const struct analysis *a,
                          struct analyse_names *names);
/* Ends the document, flushes the stream and frees x. With `broken` it does not look whole. Returns
 * the first error of all calls. */
int render_export_end(struct render_export *x, bool broken);

/* ---- html.c: the report as a page for a browser, which needs nothing else ---- */

struct render_html;

/* False: squall was built without the page, and there is nothing to begin. */
bool render_has_page(void);
struct render_html *render_html_begin(FILE *out, const char *version); /* NULL: no memory */
int render_html_process(struct render_html *html, const struct analysis *a,
                        struct analyse_names *names, bool lines);
/* As render_json_end. */
int render_html_end(struct render_html *html, bool broken);

/* ---- diff_text.c, diff_json.c, diff_html.c: two recordings compared ---- */

/* Of changed sites the first text->sites, 0 = all. */
int render_diff_text(const struct render_text *text, const struct compare *c);
int render_diff_json(FILE *out, const struct compare *c);
/* A page as that of html.c; -ENOMEM also where squall has none. */
int render_diff_html(FILE *out, const struct compare *c, const char *version);

/* Columns of a stream: $COLUMNS, else the terminal's, else 0. */
unsigned render_width(FILE *out);
/* Whether to colour a stream when nobody said: a terminal, no NO_COLOR, TERM not "dumb". */
bool render_color(FILE *out);

/* ---- openmetrics.c: figures of many processes for Prometheus and its like ---- */

/* Blocks by what they were for. Words are ours, never the process's. */
struct render_metrics_class {
    const char *codec, *role, *finding; /* "none" where there is none */
    uint64_t allocs, bytes, live_bytes;
};
struct render_metrics_codec {
    const char *codec, *direction;
    uint64_t calls, failures, source_bytes, produced_bytes;
    double seconds;
};
struct render_metrics_finding {
    const char *rule;
    uint32_t count;
};

struct render_metrics_process {
    const char *pid, *program, *exe; /* as found: bytes of unknown origin */
    const char *mode;                /* NULL: stands for several processes, nothing is said of it */
    uint32_t uid;
    bool running;
    double start_seconds; /* since 1970 */
    uint64_t allocs, frees, bytes;
    double allocator_seconds;
    uint64_t lost[REGION_LOST_COUNT];
    const struct render_metrics_class *classes;
    const struct render_metrics_codec *codecs;
    const struct render_metrics_finding *findings;
    uint32_t class_count, codec_count, finding_count;
};

struct render_metrics {
    const struct render_metrics_process *processes; /* no two with the same pid and program */
    uint32_t count;
    uint32_t running, aggregated; /* processes that run; those without figures of their own */
    uint32_t unseen;              /* not ours to read, or too many */
    const char *version;
    uint64_t updates, failures;
    double update_seconds; /* what the last one took */
};

/* As OpenMetrics 1.0, or in the text format 0.0.4 that is older and that all readers know. */
int render_metrics(FILE *out, const struct render_metrics *metrics, bool openmetrics);

#endif
