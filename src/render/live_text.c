/* Running processes for people: a line a moment, a line a process. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"

static int written(FILE *out) {
    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    return errno ? -errno : -EIO;
}

static double per_second(uint64_t sum, double seconds) {
    return seconds > 0 ? (double)sum / seconds : 0;
}

static uint64_t rate(uint64_t sum, double seconds) {
    return analyse_whole(per_second(sum, seconds));
}

/* ---- a line a moment ---- */

static void add_codec(FILE *out, const struct watch_codec *c, double seconds) {
    char x[32], y[32];
    fprintf(out, "  %s %s/s → %s/s", c->codec ? c->codec : "marked",
            analyse_format_bytes(x, sizeof x, rate(c->source_bytes, seconds)),
            analyse_format_bytes(y, sizeof y, rate(c->produced_bytes, seconds)));
}

int render_live_text(FILE *out, struct watch *watch) {
    const struct watch_change *change = watch_change(watch);
    const struct profile_counters *c = watch_counters(watch);
    const struct analysis *a = watch_analysis(watch);
    struct watch_codec codecs[WATCH_CODECS];
    char clock[16] = "", x[32], y[32], z[32];
    time_t seconds = (time_t)(c->realtime_ns / 1000000000u);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    /* The first line has no interval yet: it tells what was since the start. */
    bool first = change->seconds <= 0;
    const struct profile_counters *sums = first ? c : &change->grew;
    double span = first ? watch_seconds(watch) : change->seconds;
    fprintf(out, "%s %9s/s %7s blocks/s  live %s%s", clock,
            analyse_format_bytes(x, sizeof x, rate(sums->bytes, span)),
            render_short_count(y, sizeof y, per_second(sums->allocs, span)),
            a && a->totals.estimated ? "~" : "", analyse_format_bytes(z, sizeof z, c->live_bytes));
    uint32_t count = watch_codecs(sums, codecs);
    for (uint32_t i = 0; i < count && i < 2; i++)
        add_codec(out, &codecs[i], span);
    if (a && a->finding_count)
        fprintf(out, "  %u finding%s", a->finding_count, a->finding_count == 1 ? "" : "s");
    fprintf(out, "%s\n", first ? "  (since its start)" : "");
    return written(out);
}

/* ---- a line a process ---- */

static double span_of(const struct watch *w, bool since_start) {
    return since_start ? watch_seconds(w) : watch_change(w)->seconds;
}

static const struct profile_counters *sums_of(const struct watch *w, bool since_start) {
    return since_start ? watch_counters(w) : &watch_change(w)->grew;
}

static void list_line(FILE *out, const struct watch *w, unsigned width, bool since_start) {
    const struct profile_found *found = watch_found(w);
    const struct profile_counters *sums = sums_of(w, since_start);
    const struct analysis *a = watch_analysis(w);
    double span = span_of(w, since_start);
    char pid[16] = "?", findings[16] = "-", live[32], bytes[32], count[32], age[32], name[300];
    if (found->pid)
        snprintf(pid, sizeof pid, "%d", found->pid);
    if (a)
        snprintf(findings, sizeof findings, "%u", a->finding_count);
    fprintf(out, "%7s  %-7s %7s %10s %8s/s %7s %8s  %s\n", pid,
            watch_state(w) == PROFILE_UNKNOWN  ? "unknown"
            : found->mode == REGION_MODE_EXACT ? "exact"
                                               : "default",
            render_age(age, sizeof age, watch_seconds(w)),
            analyse_format_bytes(live, sizeof live, watch_counters(w)->live_bytes),
            analyse_format_bytes(bytes, sizeof bytes, rate(sums->bytes, span)),
            render_short_count(count, sizeof count, per_second(sums->allocs, span)), findings,
            render_clean(name, sizeof name, *found->exe ? render_base_name(found->exe) : "?",
                         width > 66 ? width - 65
                         : width    ? 14
                                    : 0));
}

int render_list_text(FILE *out, const struct watch_list *list, unsigned width, bool since_start) {
    if (list->count)
        fprintf(out, "%7s  %-7s %7s %10s %10s %7s %8s  %s\n", "PID", "MODE", "AGE", "LIVE",
                "BYTES/S", "ALLOC/S", "FINDINGS", "NAME");
    for (uint32_t i = 0; i < list->count; i++)
        list_line(out, list->watches[i], width, since_start);
    return written(out);
}

static void write_process(struct render_json *json, const struct watch *w, bool since_start) {
    const struct profile_found *found = watch_found(w);
    const struct profile_counters *c = watch_counters(w), *sums = sums_of(w, since_start);
    const struct analysis *a = watch_analysis(w);
    double span = span_of(w, since_start);
    json_open_map(json, NULL);
    json_integer_or_null(json, "pid", found->pid != 0, (uint64_t)found->pid);
    json_key(json, "inner_pid");
    json_number(json, "%d", found->inner_pid);
    INTEGER("uid", found->uid);
    STRING("name", render_base_name(found->exe));
    STRING("exe", found->exe);
    STRING("mode", found->mode == REGION_MODE_EXACT ? "exact" : "default");
    STRING("state", analyse_state_name(watch_state(w)));
    json_key(json, "start");
    json_number(json, "%" PRIu64 ".%09" PRIu64, found->start_realtime_ns / 1000000000u,
                found->start_realtime_ns % 1000000000u);
    REAL("seconds", watch_seconds(w));
    INTEGER("allocs", c->allocs);
    INTEGER("frees", c->frees);
    INTEGER("bytes", c->bytes);
    INTEGER("live_bytes", c->live_bytes);
    REAL("interval", span);
    REAL("allocs_per_second", per_second(sums->allocs, span));
    REAL("bytes_per_second", per_second(sums->bytes, span));
    json_integer_or_null(json, "findings", a != NULL, a ? a->finding_count : 0);
    STRING("region", found->file);
    STRING("root", found->root[0] ? found->root : NULL);
    json_close_map(json);
}

int render_list_json(FILE *out, const struct watch_list *list, bool since_start) {
    struct render_json *json = json_open(out);
    const struct profile_unseen *u = &list->unseen;
    char why[1024];
    if (!json)
        return -ENOMEM;
    json_open_map(json, NULL);
    INTEGER("format", 1);
    json_open_array(json, "processes");
    for (uint32_t i = 0; i < list->count; i++)
        write_process(json, list->watches[i], since_start);
    json_close_array(json);
    json_open_map(json, "unseen");
    INTEGER("closed", u->closed);
    INTEGER("out_of_reach", u->out_of_reach);
    INTEGER("folders", u->folders);
    INTEGER("left_out", u->left_out);
    watch_unseen(u, why, sizeof why);
    STRING("why", *why ? why : NULL);
    json_close_map(json);
    json_close_map(json);
    json_new_line(json);
    return json_close(json);
}
