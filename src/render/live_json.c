/* Moments of a running process in JSON, an object a line (docs/live.md): names and units are a
 * promise to scripts, fields are only added. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define FORMAT 1

struct render_json *render_lines_begin(FILE *out) {
    return json_open(out);
}

void render_lines_end(struct render_json *json) {
    if (json)
        json_close(json);
}

static void signed_integer(struct render_json *json, const char *name, int64_t value) {
    json_key(json, name);
    json_number(json, "%" PRId64, value);
}

static uint64_t to_ns(struct watch *watch, uint64_t ticks) {
    const struct analysis *a = watch_analysis(watch);
    return a ? analyse_whole((double)ticks / a->process->ticks_per_ns) : 0;
}

static void write_lost(struct render_json *json, const struct profile_counters *c) {
    json_open_map(json, "lost");
    for (unsigned i = 0; i < REGION_LOST_COUNT; i++)
        INTEGER(analyse_lost_name(i), c->lost[i]);
    json_close_map(json);
}

static void write_sums(struct render_json *json, struct watch *watch, const char *name,
                       const struct profile_counters *c, const struct watch_change *change) {
    json_open_map(json, name);
    INTEGER("allocs", c->allocs);
    INTEGER("frees", c->frees);
    INTEGER("bytes", c->bytes);
    INTEGER("freed_bytes", c->freed_bytes);
    if (change)
        signed_integer(json, "live_bytes", change->live_bytes);
    else
        INTEGER("live_bytes", c->live_bytes);
    INTEGER("allocator_ns", to_ns(watch, c->allocator_ticks));
    INTEGER("codec_bytes", c->codec_bytes);
    json_open_map(json, "large");
    INTEGER("allocs", c->large_allocs);
    INTEGER("bytes", c->large_bytes);
    if (!change) {
        INTEGER("live_bytes", c->large_live);
        INTEGER("peak_live_bytes", c->large_peak);
    }
    json_close_map(json);
    INTEGER("inherited_frees", c->inherited_frees);
    INTEGER("untracked_frees", c->untracked_frees);
    write_lost(json, c);
    json_close_map(json);
}

/* ---- codecs ---- */

static void write_calls(struct render_json *json, const char *name, const struct watch_codec *c) {
    static const struct watch_codec none;
    if (!c)
        c = &none;
    json_open_map(json, name);
    INTEGER("calls", c->calls);
    INTEGER("failures", c->failures);
    INTEGER("source_bytes", c->source_bytes);
    INTEGER("produced_bytes", c->produced_bytes);
    json_close_map(json);
}

static bool is_same(const struct watch_codec *a, const struct watch_codec *b) {
    return a->direction == b->direction &&
           (a->codec == b->codec || (a->codec && b->codec && strcmp(a->codec, b->codec) == 0));
}

static void write_codecs(struct render_json *json, struct watch *watch) {
    struct watch_codec total[WATCH_CODECS], grew[WATCH_CODECS];
    uint32_t count = watch_codecs(watch_counters(watch), total);
    uint32_t grown = watch_codecs(&watch_change(watch)->grew, grew);
    json_open_array(json, "codecs");
    for (uint32_t i = 0; i < count; i++) {
        const struct watch_codec *change = NULL;
        for (uint32_t k = 0; k < grown && !change; k++)
            change = is_same(&total[i], &grew[k]) ? &grew[k] : NULL;
        json_open_map(json, NULL);
        STRING("codec", total[i].codec);
        STRING("direction", analyse_direction_name(total[i].direction));
        write_calls(json, "difference", change);
        write_calls(json, "totals", &total[i]);
        json_close_map(json);
    }
    json_close_array(json);
}

/* ---- sites ---- */

struct grown {
    uint32_t row;
    uint64_t bytes, total;
};

static int most_first(const void *a, const void *b) {
    const struct grown *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void write_site_sums(struct render_json *json, const char *name,
                            const struct profile_count_site *s, bool with_live, int64_t live) {
    json_open_map(json, name);
    INTEGER("allocs", s->allocs);
    INTEGER("frees", s->frees);
    INTEGER("bytes", s->bytes);
    INTEGER("freed_bytes", s->freed_bytes);
    if (with_live)
        signed_integer(json, "live_bytes", live);
    json_close_map(json);
}

static void write_site(struct render_json *json, struct watch *watch, uint32_t row) {
    const struct profile_count_site *total = &watch_counters(watch)->sites[row];
    const struct profile_count_site *grew = &watch_change(watch)->grew.sites[row];
    const struct analyse_site *site = watch_site(watch, row);
    const char *name = watch_site_name(watch, row);
    json_open_map(json, NULL);
    INTEGER("id", row);
    STRING("name", *name ? name : NULL);
    STRING("codec", site ? site->codec : NULL);
    STRING("codec_function", site ? site->codec_function : NULL);
    STRING("direction", analyse_direction_name(total->direction));
    STRING("role", site ? analyse_role_name(site->role) : NULL);
    BOOLEAN("flagged", site && site->flagged);
    BOOLEAN("estimated", total->estimated);
    write_site_sums(json, "difference", grew, true, (int64_t)(grew->bytes - grew->freed_bytes));
    write_site_sums(json, "totals", total, true, (int64_t)total->live_bytes);
    json_close_map(json);
}

static void write_sites(struct render_json *json, struct watch *watch, uint32_t most) {
    const struct profile_counters *c = watch_counters(watch), *grew = &watch_change(watch)->grew;
    struct grown *order = calloc(c->site_count + 1u, sizeof(*order));
    uint32_t count = 0;
    json_open_array(json, "sites");
    for (uint32_t i = 0; order && i < c->site_count && i < grew->site_count; i++)
        if (c->sites[i].allocs || c->sites[i].bytes)
            order[count++] = (struct grown){i, grew->sites[i].bytes, c->sites[i].bytes};
    if (count)
        qsort(order, count, sizeof(*order), most_first);
    for (uint32_t i = 0; i < count && i < most; i++)
        write_site(json, watch, order[i].row);
    json_close_array(json);
    if (!order && !json->error)
        json->error = -ENOMEM;
    free(order);
}

/* ---- the line ---- */

static void write_findings(struct render_json *json, const struct analysis *a) {
    json_open_array(json, "findings");
    for (uint32_t i = 0; a && i < a->finding_count; i++) {
        const struct analyse_finding *f = &a->findings[i];
        json_open_map(json, NULL);
        STRING("rule", f->rule);
        json_integer_or_null(json, "site", f->has_site, f->site);
        REAL("rank", f->rank);
        TEXT("summary", f->summary);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_head(struct render_json *json, struct watch *watch, const char *event) {
    const struct profile_found *found = watch_found(watch);
    const struct profile_counters *c = watch_counters(watch);
    INTEGER("format", FORMAT);
    json_key(json, "time");
    json_number(json, "%" PRIu64 ".%09" PRIu64, c->realtime_ns / 1000000000u,
                c->realtime_ns % 1000000000u);
    json_integer_or_null(json, "pid", found->pid != 0, (uint64_t)found->pid);
    STRING("exe", found->exe);
    STRING("mode", found->mode == REGION_MODE_EXACT ? "exact" : "default");
    STRING("state", analyse_state_name(watch_state(watch)));
    STRING("event", event);
    REAL("seconds", watch_seconds(watch));
    REAL("interval", watch_change(watch)->seconds);
}

int render_live_line(struct render_json *json, struct watch *watch,
                     const struct render_live *live) {
    const struct profile_counters *c = watch_counters(watch);
    const struct watch_change *change = watch_change(watch);
    uint32_t threads = 0;
    for (uint32_t i = 1; i < c->thread_count; i++)
        threads += c->threads[i].tid != 0;
    json_open_map(json, NULL);
    write_head(json, watch, live->event);
    BOOLEAN("estimated",
            c->bytes > c->large_bytes && watch_found(watch)->mode != REGION_MODE_EXACT);
    write_sums(json, watch, "difference", &change->grew, change);
    write_sums(json, watch, "totals", c, NULL);
    write_codecs(json, watch);
    INTEGER("threads", threads);
    if (live->sites)
        write_sites(json, watch, live->sites);
    if (live->findings)
        write_findings(json, watch_analysis(watch));
    json_close_map(json);
    json_begin_line(json);
    json_new_line(json);
    json_flush(json);
    errno = 0;
    if ((fflush(json->out) || ferror(json->out)) && !json->error)
        json->error = errno ? -errno : -EIO;
    return json->error;
}
