/* The rows of each tab, from the counters of now and the names of the last look. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

static const struct watch_column findings[] = {
    {"#", 2, WATCH_PLAIN},
    {"BYTES/S", 8, WATCH_BYTES},
    {"RULE", 27, WATCH_TEXT},
};
static const struct watch_column sites[] = {
    {"BYTES/S", 8, WATCH_BYTES}, {"ALLOC/S", 7, WATCH_NUMBER}, {"TOTAL", 8, WATCH_BYTES},
    {"LIVE", 8, WATCH_BYTES},    {"ROLE", 9, WATCH_TEXT},
};
static const struct watch_column threads[] = {
    {"BYTES/S", 8, WATCH_BYTES}, {"ALLOC/S", 7, WATCH_NUMBER}, {"TOTAL", 8, WATCH_BYTES},
    {"ALLOCS", 6, WATCH_COUNT},  {"FREES", 6, WATCH_COUNT},    {"TID", 8, WATCH_PLAIN},
};
static const struct watch_column calls[] = {
    {"SOURCE/S", 8, WATCH_BYTES}, {"OUT/S", 8, WATCH_BYTES}, {"CALLS/S", 7, WATCH_NUMBER},
    {"SOURCE", 8, WATCH_BYTES},   {"RATIO", 5, WATCH_RATIO}, {"CALLS", 5, WATCH_COUNT},
    {"FAILED", 6, WATCH_COUNT},
};
static const struct watch_column processes[] = {
    {"PID", 7, WATCH_PLAIN},      {"MODE", 7, WATCH_TEXT},     {"AGE", 7, WATCH_AGE},
    {"LIVE", 8, WATCH_BYTES},     {"BYTES/S", 8, WATCH_BYTES}, {"ALLOC/S", 7, WATCH_NUMBER},
    {"FINDINGS", 8, WATCH_PLAIN},
};

const struct watch_column *watch_columns(enum watch_tab tab, uint32_t *count) {
    static const struct {
        const struct watch_column *columns;
        uint32_t count;
    } tabs[WATCH_TAB_COUNT] = {
        [WATCH_FINDINGS] = {findings, ARRAY_SIZE(findings)},
        [WATCH_SITES] = {sites, ARRAY_SIZE(sites)},
        [WATCH_THREADS] = {threads, ARRAY_SIZE(threads)},
        [WATCH_CALLS] = {calls, ARRAY_SIZE(calls)},
        [WATCH_PROCESSES] = {processes, ARRAY_SIZE(processes)},
    };
    _Static_assert(ARRAY_SIZE(calls) <= WATCH_COLUMNS && ARRAY_SIZE(processes) <= WATCH_COLUMNS,
                   "a row has room for them");
    *count = tabs[tab].count;
    return tabs[tab].columns;
}

/* What rates are made of: the sums of a span and its length. */
struct span {
    const struct profile_counters *sums;
    double seconds;
};

static struct span span_of(const struct watch_view *v, struct watch *w,
                           const struct watch_history *history) {
    if (v->since_start || history->change.seconds <= 0)
        return (struct span){watch_counters(w), watch_seconds(w)};
    return (struct span){&history->change.grew, history->change.seconds};
}

static double rate(uint64_t sum, double seconds) {
    return seconds > 0 ? (double)sum / seconds : NAN;
}

static double site_rate(const struct span *span, uint32_t row) {
    return row < span->sums->site_count ? rate(span->sums->sites[row].bytes, span->seconds) : 0;
}

static void site_rows(struct watch_view *v, struct watch *w, const struct span *span) {
    const struct profile_counters *c = watch_counters(w);
    for (uint32_t i = 0; i < c->site_count; i++) {
        const struct profile_count_site *total = &c->sites[i];
        const struct analyse_site *site = watch_site(w, i);
        const char *role = site ? analyse_role_name(site->role) : NULL;
        const char *name = watch_site_name(w, i);
        char number[32];
        if (total->allocs == 0 && total->bytes == 0)
            continue;
        snprintf(number, sizeof number, "site %u", i);
        struct watch_row *row = view_add(v, *name ? name : number, role, 0);
        if (!row)
            continue;
        row->key = row->id = i;
        row->marked = site && site->flagged;
        row->value[0] = site_rate(span, i);
        row->value[1] =
            i < span->sums->site_count ? rate(span->sums->sites[i].allocs, span->seconds) : 0;
        row->value[2] = (double)total->bytes;
        row->value[3] = (double)total->live_bytes;
    }
}

static void thread_rows(struct watch_view *v, struct watch *w, const struct span *span) {
    const struct profile_counters *c = watch_counters(w);
    for (uint32_t i = 0; i < c->thread_count; i++) {
        const struct profile_count_thread *total = &c->threads[i];
        const struct profile_count_thread *grew =
            i < span->sums->thread_count ? &span->sums->threads[i] : total;
        char name[64];
        if (total->tid == 0 && total->allocs == 0)
            continue;
        snprintf(name, sizeof name, "%s%s", i == 0 ? "(threads without a row)" : total->name,
                 total->codec_call ? " · in a codec call" : "");
        struct watch_row *row = view_add(v, name, NULL, i ? total->tid : 0);
        if (!row)
            continue;
        row->key = row->id = i;
        row->marked = total->codec_call != 0;
        row->value[0] = rate(grew->bytes, span->seconds);
        row->value[1] = rate(grew->allocs, span->seconds);
        row->value[2] = (double)total->bytes;
        row->value[3] = (double)total->allocs;
        row->value[4] = (double)total->frees;
        row->value[5] = i ? (double)total->tid : NAN;
    }
}

static void call_rows(struct watch_view *v, struct watch *w, const struct span *span) {
    const struct profile_counters *c = watch_counters(w);
    const struct analysis *a = watch_analysis(w);
    for (uint32_t i = 0; i < c->function_count; i++) {
        const struct profile_count_function *total = &c->functions[i];
        const struct profile_count_function *grew =
            i < span->sums->function_count ? &span->sums->functions[i] : total;
        const char *function =
            a && i < a->process->codec_function_count ? a->process->codec_functions[i].name : "";
        const char *direction = analyse_direction_name(total->direction);
        char name[300];
        if (total->calls == 0)
            continue;
        snprintf(name, sizeof name, "%.200s%s%s", *function ? function : "?",
                 direction ? " · " : "", direction ? direction : "");
        struct watch_row *row = view_add(v, name, NULL, 0);
        if (!row)
            continue;
        row->key = row->id = i;
        row->value[0] = rate(grew->source_bytes, span->seconds);
        row->value[1] = rate(grew->produced_bytes, span->seconds);
        row->value[2] = rate(grew->calls, span->seconds);
        row->value[3] = (double)total->source_bytes;
        row->value[4] = total->produced_bytes
                            ? (double)total->source_bytes / (double)total->produced_bytes
                            : NAN;
        row->value[5] = (double)total->calls;
        row->value[6] = (double)total->failures;
    }
}

static uint64_t key_of(const struct analyse_finding *f) {
    uint64_t key = base_mix(f->has_site ? f->site + 1u : 0);
    for (const char *c = f->rule; *c; c++)
        key = base_mix(key + (unsigned char)*c);
    return key;
}

static void finding_rows(struct watch_view *v, struct watch *w, const struct span *span) {
    const struct analysis *a = watch_analysis(w);
    for (uint32_t i = 0; a && i < a->finding_count; i++) {
        const struct analyse_finding *f = &a->findings[i];
        struct watch_row *row = view_add(v, f->summary, f->rule, 0);
        if (!row)
            continue;
        row->key = key_of(f);
        row->id = i;
        row->marked = i == 0;
        row->value[0] = i + 1;
        row->value[1] = f->has_site ? site_rate(span, f->site) : NAN;
    }
}

void rows_of_watch(struct watch_view *v, struct watch *w, const struct watch_history *history) {
    struct span span = span_of(v, w, history);
    if (v->tab == WATCH_SITES)
        site_rows(v, w, &span);
    else if (v->tab == WATCH_THREADS)
        thread_rows(v, w, &span);
    else if (v->tab == WATCH_CALLS)
        call_rows(v, w, &span);
    else
        finding_rows(v, w, &span);
}

void rows_of_list(struct watch_view *v, const struct watch_list *list) {
    for (uint32_t i = 0; list && i < list->count; i++) {
        struct watch *w = list->watches[i];
        const struct profile_found *found = watch_found(w);
        const struct profile_counters *c = watch_counters(w);
        const struct watch_change *change = watch_change(w);
        const struct analysis *a = watch_analysis(w);
        const char *slash = strrchr(found->exe, '/');
        bool total = v->since_start || change->seconds <= 0;
        double seconds = total ? watch_seconds(w) : change->seconds;
        struct watch_row *row = view_add(v,
                                         slash         ? slash + 1
                                         : *found->exe ? found->exe
                                                       : "?",
                                         watch_state(w) == PROFILE_UNKNOWN  ? "unknown"
                                         : found->mode == REGION_MODE_EXACT ? "exact"
                                                                            : "default",
                                         found->pid);
        if (!row)
            continue;
        row->key = profile_region_number(found);
        row->id = i;
        row->value[0] = found->pid ? (double)found->pid : NAN;
        row->value[2] = watch_seconds(w);
        row->value[3] = (double)c->live_bytes;
        row->value[4] = rate(total ? c->bytes : change->grew.bytes, seconds);
        row->value[5] = rate(total ? c->allocs : change->grew.allocs, seconds);
        row->value[6] = a ? (double)a->finding_count : NAN;
        row->marked = a && a->finding_count;
    }
}
