/* The inside of the room. */
#ifndef SQUALL_ANALYSE_INTERNAL_H
#define SQUALL_ANALYSE_INTERNAL_H

#include "analyse.h"

/* spread.c: a quantile (0..1) of a histogram of half-octave classes, interpolated within its class;
 * -1 when the histogram is empty. */
double analyse_spread_quantile(const uint32_t *classes, double q);
/* Fills p50 and p99, clamped to min and max; `unit` is how many units of the classes make one of
 * the spread. Without a histogram they are known only when all values are equal. */
void analyse_spread_quantiles(struct analyse_spread *spread, const uint32_t *classes, double unit);

/* sites.c: sums one site. Returns false when the options leave nothing of it, -ENOMEM in *error. */
bool analyse_sites_sum(struct analyse_site *site, const struct analysis *a,
                       const struct profile_site *from, const struct analyse_options *options,
                       int *error);
void analyse_sites_sort(struct analyse_site *sites, uint32_t count, enum analyse_sort sort);

/* calls.c */
int analyse_calls_sort(struct analysis *a);
/* visible.c: one sentence more; visible_codec.c, visible_memory.c: the parts of their name. */
int analyse_visible_say(struct analysis *a, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct analyse_visible {
    struct analysis *a;
    struct analyse_names *names; /* NULL: nothing is said about files */
    bool *used;                  /* by module: stands in the stack of a site shown */
    bool *named;                 /* the dump names functions of it */
    bool searches;               /* files are searched for codecs without a name */
};
int analyse_visible_codecs(const struct analyse_visible *v);
int analyse_visible_memory(const struct analyse_visible *v);
/* visible_go.c */
int analyse_visible_go(struct analysis *a);
/* Why a module names less than all, NULL = nothing to say. */
const char *analyse_visible_trouble(const struct analyse_visible *v, uint32_t module);
const char *analyse_visible_base_name(const char *path);

/* visible.c, finding.c: fill the parts of their name. */
int analyse_visible_state(struct analysis *a, struct analyse_names *names, bool searches);
int analyse_findings_make(struct analysis *a, const struct analyse_options *options,
                          struct analyse_names *names);
void analyse_finding_free(struct analyse_finding *finding);
#define ANALYSE_FLAG_BLOCKS 16u /* fewer of them are no storm */
/* flag.c: which sites are a storm. Needs the codec and role of every site. */
int analyse_flags_set(struct analysis *a);
/* The direction of a site's blocks: also of those that were made outside a codec call and then
 * given to one. After analyse_flags_set. */
uint32_t analyse_flag_direction(const struct analysis *a, const struct analyse_site *site);

/* codec.c: the codec call that a site is in, as recorded; and by the names of its frames where the
 * shim had none, for the sites that will be listed and those that may be flagged. */
void analyse_codec_set(struct analyse_site *site, const struct profile_process *p);
int analyse_codec_complete(struct analysis *a, uint32_t top, struct analyse_names *names);
/* "zstd" for libzstd.so.1; NULL for what is no codec library. */
const char *analyse_codec_library(const char *path);

/* names.c */
const char *analyse_names_trouble(struct analyse_names *names, const struct profile_process *p,
                                  uint32_t module);
/* Bits of enum codec: what a module's file has in it, see symbol_contains. Of a dump's modules only
 * files that are certainly the same are looked into. */
uint32_t analyse_names_contains(struct analyse_names *names, const struct profile_process *p,
                                uint32_t module);
/* Whether any frame of a stack passes the test, which is asked once for each place in the code: it
 * must always be the same one. */
typedef bool analyse_names_test(const struct profile_process *p, const struct analyse_frame *frame);
bool analyse_names_any(struct analyse_names *names, const struct profile_process *p, uint32_t stack,
                       analyse_names_test *test);
/* profile_find_module, remembered; `names` may be NULL. */
uint32_t analyse_names_module(struct analyse_names *names, const struct profile_process *p,
                              const struct profile_stack *stack, uint64_t address);
/* Whether the dump itself names frames of this process. */
bool analyse_names_packed(const struct profile_process *p);

#endif
