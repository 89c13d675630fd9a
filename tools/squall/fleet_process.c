/* One process's growth, added to figures that never fall. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "fleet.h"

#define CLASSES_MAX 64u /* a process with more combinations has the rest in one */

void fleet_figures_free(struct fleet_figures *f) {
    free(f->classes);
    free(f->codecs);
    free(f->findings);
    memset(f, 0, sizeof *f);
}

/* What `now` has grown by beyond what was added; a torn read may be lower and adds nothing. */
static uint64_t grow(uint64_t *added, uint64_t now) {
    uint64_t by = now > *added ? now - *added : 0;
    *added += by;
    return by;
}

static double grow_real(double *added, double now) {
    double by = now > *added ? now - *added : 0;
    *added += by;
    return by;
}

/* One more element of an array that is doubled at each power of two. */
static void *add_element(void *array, uint32_t count, size_t size) {
    if (count & (count - 1))
        return array;
    return reallocarray(array, count ? (size_t)count * 2 : 1, size);
}

/* The region's clock, as the latest look has calibrated it; 0 = there was none. */
static double ticks_per_second(const struct fleet_process *p) {
    const struct analysis *a = watch_analysis(p->watch);
    return a ? a->process->ticks_per_ns * 1e9 : 0;
}

static double seconds(const struct fleet_process *p, uint64_t ticks) {
    double rate = ticks_per_second(p);
    return rate > 0 ? (double)ticks / rate : 0;
}

/* ---- classes: codec, role, finding ---- */

static bool is_class(const struct render_metrics_class *c, const char *codec, const char *role,
                     const char *finding) {
    return strcmp(c->codec, codec) == 0 && strcmp(c->role, role) == 0 &&
           strcmp(c->finding, finding) == 0;
}

/* The number of a class, or UINT32_MAX: no memory. */
static uint32_t find_class(struct fleet_figures *f, const char *codec, const char *role,
                           const char *finding) {
    struct render_metrics_process *p = &f->shown;
    for (uint32_t i = 0; i < p->class_count; i++)
        if (is_class(&f->classes[i], codec, role, finding))
            return i;
    if (p->class_count == CLASSES_MAX - 1)
        codec = role = finding = "other";
    else if (p->class_count == CLASSES_MAX)
        return CLASSES_MAX - 1;
    struct render_metrics_class *grown =
        add_element(f->classes, p->class_count, sizeof *f->classes);
    if (!grown)
        return UINT32_MAX;
    f->classes = grown;
    p->classes = grown;
    grown[p->class_count] =
        (struct render_metrics_class){.codec = codec, .role = role, .finding = finding};
    return p->class_count++;
}

/* The finding whose worst site this is; or, of a flagged site, one about its like. */
static const char *finding_of(const struct watch *w, const struct analyse_site *site) {
    const struct analysis *a = watch_analysis(w);
    const char *like = "none";
    for (uint32_t i = 0; i < a->finding_count; i++) {
        const struct analyse_finding *f = &a->findings[i];
        if (!f->has_site)
            continue;
        if (f->site == site->site->id)
            return f->rule;
        const struct analyse_site *worst = site->flagged ? watch_site(w, f->site) : NULL;
        if (worst && worst->role == site->role && worst->codec && site->codec &&
            strcmp(worst->codec, site->codec) == 0 && strcmp(like, "none") == 0)
            like = f->rule;
    }
    return like;
}

/* What the region itself says of a site that no look has met. */
static const char *codec_of(const struct fleet_process *p, uint32_t id) {
    const struct profile_counters *c = watch_counters(p->watch);
    uint32_t function = c->sites[id].codec_function;
    const char *name = function && function < c->function_count
                           ? codec_table_codec_name(c->functions[function].codec)
                           : NULL;
    return name ? name : "none";
}

/* What is known of a site; false: too little yet. */
static bool classify(const struct fleet_process *p, uint32_t id, const char **codec,
                     const char **role, const char **finding) {
    const struct analyse_site *site = watch_site(p->watch, id);
    *codec = *role = *finding = "none";
    if (!site) {
        *codec = codec_of(p, id);
        return false;
    }
    const char *name = analyse_role_name(site->role);
    if (site->codec)
        *codec = site->codec;
    if (name)
        *role = name;
    *finding = finding_of(p->watch, site);
    /* Small blocks have no roles, whatever they serve. */
    return site->codec || name || site->large.allocs == 0;
}

static int add_site(struct fleet_process *p, uint32_t id, const struct profile_count_site *now,
                    uint64_t now_ns, bool ends) {
    struct fleet_site *site = &p->sites[id];
    struct fleet_figures *f = p->figures;
    const char *codec, *role, *finding;
    if (now->allocs == 0 && now->bytes == 0)
        return 0;
    if (!site->first_seen_ns) {
        site->first_seen_ns = now_ns;
        site->class = UINT32_MAX;
    }
    if (!classify(p, id, &codec, &role, &finding) && !ends &&
        p->looked_ns < site->first_seen_ns + FLEET_SETTLE_NS)
        return 0;
    uint32_t class = find_class(f, codec, role, finding);
    if (class == UINT32_MAX)
        return -ENOMEM;
    f->classes[class].allocs += grow(&site->allocs, now->allocs);
    f->classes[class].bytes += grow(&site->bytes, now->bytes);
    if (site->class != UINT32_MAX)
        f->classes[site->class].live_bytes -= site->live_bytes;
    f->classes[class].live_bytes += now->live_bytes;
    site->class = class;
    site->live_bytes = now->live_bytes;
    return 0;
}

static int add_sites(struct fleet_process *p, const struct profile_counters *c, uint64_t now_ns,
                     bool ends) {
    int status = 0;
    if (c->site_count > p->site_count) {
        struct fleet_site *grown = reallocarray(p->sites, c->site_count, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        memset(grown + p->site_count, 0, (c->site_count - p->site_count) * sizeof *grown);
        p->sites = grown;
        p->site_count = c->site_count;
    }
    for (uint32_t i = 0; i < c->site_count && !status; i++)
        status = add_site(p, i, &c->sites[i], now_ns, ends);
    return status;
}

void fleet_process_leave(struct fleet_process *p) {
    for (uint32_t i = 0; i < p->site_count; i++) {
        struct fleet_site *site = &p->sites[i];
        if (site->first_seen_ns && site->class != UINT32_MAX)
            p->figures->classes[site->class].live_bytes -= site->live_bytes;
        site->class = UINT32_MAX;
    }
}

/* ---- codec calls ---- */

static const char *or_none(const char *word) {
    return word ? word : "none";
}

/* The element for a codec and direction in an array of `count`, NULL = there is none. */
static struct render_metrics_codec *find_codec(struct render_metrics_codec *codecs, uint32_t count,
                                               const char *codec, const char *direction) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(codecs[i].codec, codec) == 0 && strcmp(codecs[i].direction, direction) == 0)
            return &codecs[i];
    return NULL;
}

static struct render_metrics_codec *make_codec(struct fleet_figures *f, const char *codec,
                                               const char *direction) {
    struct render_metrics_process *p = &f->shown;
    struct render_metrics_codec *found = find_codec(f->codecs, p->codec_count, codec, direction);
    if (found)
        return found;
    struct render_metrics_codec *grown = add_element(f->codecs, p->codec_count, sizeof *grown);
    if (!grown)
        return NULL;
    f->codecs = grown;
    p->codecs = grown;
    grown[p->codec_count] = (struct render_metrics_codec){.codec = codec, .direction = direction};
    return &grown[p->codec_count++];
}

static int add_codecs(struct fleet_process *p, const struct profile_counters *c) {
    struct watch_codec all[WATCH_CODECS];
    uint32_t count = watch_codecs(c, all);
    for (uint32_t i = 0; i < count; i++) {
        const char *codec = or_none(all[i].codec);
        const char *direction = or_none(analyse_direction_name(all[i].direction));
        struct render_metrics_codec *to = make_codec(p->figures, codec, direction);
        struct render_metrics_codec *had = find_codec(p->codecs, p->codec_count, codec, direction);
        if (!to)
            return -ENOMEM;
        if (!had) {
            had = &p->codecs[p->codec_count++];
            had->codec = codec;
            had->direction = direction;
        }
        to->calls += grow(&had->calls, all[i].calls);
        to->failures += grow(&had->failures, all[i].failures);
        to->source_bytes += grow(&had->source_bytes, all[i].source_bytes);
        to->produced_bytes += grow(&had->produced_bytes, all[i].produced_bytes);
        to->seconds += grow_real(&had->seconds, seconds(p, all[i].ticks));
    }
    return 0;
}

/* ---- findings, and all together ---- */

static struct render_metrics_finding *make_finding(struct fleet_figures *f, const char *rule) {
    struct render_metrics_process *p = &f->shown;
    for (uint32_t i = 0; i < p->finding_count; i++)
        if (strcmp(f->findings[i].rule, rule) == 0)
            return &f->findings[i];
    struct render_metrics_finding *grown =
        add_element(f->findings, p->finding_count, sizeof *grown);
    if (!grown)
        return NULL;
    f->findings = grown;
    p->findings = grown;
    grown[p->finding_count] = (struct render_metrics_finding){.rule = rule};
    return &grown[p->finding_count++];
}

/* A level, not a sum: of the process's own figures only. One that is gone stays with 0. */
static int count_findings(struct fleet_process *p) {
    const struct analysis *a = watch_analysis(p->watch);
    struct fleet_figures *f = &p->own;
    if (!a || p->figures != f)
        return 0;
    for (uint32_t i = 0; i < f->shown.finding_count; i++)
        f->findings[i].count = 0;
    for (uint32_t i = 0; i < a->finding_count; i++) {
        struct render_metrics_finding *finding = make_finding(f, a->findings[i].rule);
        if (!finding)
            return -ENOMEM;
        finding->count++;
    }
    return 0;
}

int fleet_process_add(struct fleet_process *p, uint64_t now_ns, bool ends) {
    const struct profile_counters *c = watch_counters(p->watch);
    struct render_metrics_process *shown = &p->figures->shown;
    shown->allocs += grow(&p->allocs, c->allocs);
    shown->frees += grow(&p->frees, c->frees);
    shown->bytes += grow(&p->bytes, c->bytes);
    shown->allocator_seconds += grow_real(&p->allocator_seconds, seconds(p, c->allocator_ticks));
    for (unsigned i = 0; i < REGION_LOST_COUNT; i++)
        shown->lost[i] += grow(&p->lost[i], c->lost[i]);
    int status = add_sites(p, c, now_ns, ends);
    if (status == 0)
        status = add_codecs(p, c);
    return status ? status : count_findings(p);
}
