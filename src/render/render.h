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

/* ---- export.c: for other programs; docs/export.md says which ---- */

enum render_format {
    RENDER_PPROF,
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

/* ---- diff_text.c, diff_json.c: two recordings compared ---- */

/* Of changed sites the first text->sites, 0 = all. */
int render_diff_text(const struct render_text *text, const struct compare *c);
int render_diff_json(FILE *out, const struct compare *c);

/* Columns of a stream: $COLUMNS, else the terminal's, else 0. */
unsigned render_width(FILE *out);
/* Whether to colour a stream when nobody said: a terminal, no NO_COLOR, TERM not "dumb". */
bool render_color(FILE *out);

#endif
