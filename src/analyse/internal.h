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

/* visible.c, finding.c: fill the parts of their name. */
int analyse_visible_state(struct analysis *a, struct analyse_names *names);
int analyse_findings_make(struct analysis *a, struct analyse_names *names);

/* codec.c: the codec call that a site is in, as recorded; and, for those that are kept, by the
 * names of their frames where the shim had none. */
void analyse_codec_set(struct analyse_site *site, const struct profile_process *p);
void analyse_codec_complete(struct analysis *a, struct analyse_names *names);
/* "zstd" for libzstd.so.1; NULL for what is no codec library. */
const char *analyse_codec_library(const char *path);

/* names.c */
const char *analyse_names_trouble(struct analyse_names *names, const struct profile_process *p,
                                  uint32_t module);
/* Whether the dump itself names frames of this process. */
bool analyse_names_packed(const struct profile_process *p);

#endif
