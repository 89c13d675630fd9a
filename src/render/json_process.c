/* One process in JSON. */
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t json_least_bytes_for_lines(const struct analysis *a) {
    if (a->site_count <= JSON_LINES_MAX)
        return 0;
    uint64_t *bytes = calloc(a->site_count, sizeof(*bytes));
    if (!bytes)
        return UINT64_MAX;
    for (uint32_t i = 0; i < a->site_count; i++)
        bytes[i] = a->sites[i].sums.bytes;
    qsort(bytes, a->site_count, sizeof(*bytes), ascending);
    uint64_t least = bytes[a->site_count - JSON_LINES_MAX];
    free(bytes);
    return least;
}

static void write_sites(struct render_json *json, const struct analysis *a,
                        struct analyse_names *names, bool lines) {
    uint64_t least = lines ? json_least_bytes_for_lines(a) : 0;
    json_open_array(json, "sites");
    for (uint32_t i = 0; i < a->site_count && !json->error; i++) {
        const struct analyse_site *site = &a->sites[i];
        struct analyse_stack stack = analyse_name_stack(names, a->process, site->site->stack,
                                                        lines && site->sums.bytes >= least);
        json_write_site(json, a->process, site, &stack);
    }
    json_close_array(json);
}

static void write_configuration(struct render_json *json, const struct profile_process *p) {
    const struct region_configuration *c = &p->configuration;
    char perm[16];
    snprintf(perm, sizeof(perm), "%04o", c->perm);
    json_open_map(json, "configuration");
    STRING("mode", c->mode == REGION_MODE_EXACT ? "exact" : "default");
    INTEGER("large", c->large);
    INTEGER("sample", c->sample);
    INTEGER("transient_ns", c->transient_ns);
    BOOLEAN("children", c->children);
    BOOLEAN("args", c->args);
    TEXT("codec", p->codec_patterns);
    STRING("unwind", c->unwind ? "libunwind" : "own");
    INTEGER("region", c->region);
    INTEGER("tick_ns", c->tick_ns);
    STRING("perm", perm);
    BOOLEAN("go", c->go);
    json_close_map(json);
}

static void write_head(struct render_json *json, const struct analysis *a) {
    const struct profile_process *p = a->process;
    json_key(json, "pid");
    json_number(json, "%d", p->pid);
    json_key(json, "parent");
    json_number(json, "%d", p->parent);
    INTEGER("uid", p->uid);
    STRING("dump", p->file);
    STRING("exe", p->exe);
    json_open_array(json, "argv");
    for (uint32_t i = 0; i < p->argument_count; i++)
        json_text_or_null(json, p->arguments[i]);
    json_close_array(json);
    json_key(json, "start"); /* seconds since 1970 */
    json_number(json, "%" PRIu64 ".%09" PRIu64, p->start_realtime_ns / 1000000000u,
                p->start_realtime_ns % 1000000000u);
    STRING("mode", p->configuration.mode == REGION_MODE_EXACT ? "exact" : "default");
    write_configuration(json, p);
    REAL("seconds", a->seconds);
    STRING("state", analyse_state_of(p));
    STRING("ended_by", p->ended_by);
    if (p->state == PROFILE_ENDED || p->state == PROFILE_DIED)
        BOOLEAN("exit_handlers", p->state == PROFILE_ENDED);
    else
        STRING("exit_handlers", NULL);
}

static void write_totals(struct render_json *json, const struct analysis *a) {
    const struct profile_process *p = a->process;
    const struct analyse_totals *totals = &a->totals;
    json_open_map(json, "totals");
    INTEGER("allocs", totals->allocs);
    INTEGER("frees", totals->frees);
    INTEGER("bytes", totals->bytes);
    INTEGER("freed_bytes", totals->freed_bytes);
    INTEGER("live_bytes", totals->live_bytes);
    INTEGER("peak_live_bytes", totals->peak_live_bytes);
    BOOLEAN("peak_is_lower_bound", totals->peak_is_lower_bound);
    BOOLEAN("estimated", totals->estimated);
    INTEGER("allocator_ns", totals->allocator_ns);
    INTEGER("inherited_frees", p->inherited_frees);
    INTEGER("untracked_frees", p->untracked_frees);
    INTEGER("codec_bytes", p->codec_bytes);
    json_open_map(json, "large"); /* blocks from `large` up, exact */
    INTEGER("allocs", p->large_allocs);
    INTEGER("bytes", p->large_bytes);
    INTEGER("live_bytes", p->large_live);
    INTEGER("peak_live_bytes", p->large_peak);
    json_close_map(json);
    json_open_map(json, "lost");
    for (unsigned i = 0; i < REGION_LOST_COUNT; i++)
        INTEGER(analyse_lost_name(i), p->lost[i]);
    json_close_map(json);
    json_close_map(json);
}

/* Of Go programs only. */
static void write_go(struct render_json *json, const struct profile_go_runtime *go) {
    static const char *const states[] = {
        [REGION_GO_HOOKED] = "hooked",
        [REGION_GO_OFF] = "off",
        [REGION_GO_DECLINED] = "declined",
        [REGION_GO_DETACHED] = "detached",
    };
    if (go->state >= ARRAY_SIZE(states) || !states[go->state])
        return;
    json_open_map(json, "go");
    STRING("version", go->version);
    STRING("state", states[go->state]);
    STRING("reason", go->reason && *go->reason ? go->reason : NULL);
    INTEGER("threshold", go->threshold);
    INTEGER("entries", go->entries);
    INTEGER("exits", go->exits);
    INTEGER("goroutines_at_once", go->at_once_max);
    INTEGER("collections", go->cycles);
    INTEGER("stopped_ns", go->stop_ns);
    json_close_map(json);
}

static void write_threads(struct render_json *json, const struct profile_process *p) {
    json_open_array(json, "threads");
    for (uint32_t i = 0; i < p->thread_count; i++) {
        const struct profile_thread *thread = &p->threads[i];
        if (i == 0 && !thread->allocs && !thread->frees)
            continue; /* nobody shares the overflow row */
        json_open_map(json, NULL);
        INTEGER("row", thread->row);
        json_key(json, "tid");
        json_number(json, "%d", thread->tid);
        STRING("name", thread->name);
        REAL("start", (double)thread->start_ns / 1e9); /* seconds since the process's */
        INTEGER("generations", thread->generations);
        INTEGER("allocs", thread->allocs);
        INTEGER("frees", thread->frees);
        INTEGER("bytes", thread->bytes);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_modules(struct render_json *json, const struct profile_process *p) {
    json_open_array(json, "modules");
    for (uint32_t i = 1; i < p->module_count; i++) {
        const struct profile_module *module = &p->modules[i];
        char id[2 * sizeof(module->build_id) + 1] = "";
        for (uint32_t b = 0; b < module->build_id_size && b < sizeof(module->build_id); b++)
            snprintf(id + 2 * b, 3, "%02x", module->build_id[b]);
        json_open_map(json, NULL);
        STRING("path", module->path);
        STRING("build_id", *id ? id : NULL);
        INTEGER("base", module->base);
        BOOLEAN("unloaded", module->unloaded);
        STRING("allocator", analyse_allocator_name(module->allocator));
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_timeline(struct render_json *json, const struct profile_process *p) {
    json_open_array(json, "timeline");
    for (uint32_t i = 0; i < p->tick_count; i++) {
        const struct profile_tick *tick = &p->ticks[i];
        json_open_map(json, NULL);
        REAL("t", (double)tick->ns / 1e9);
        INTEGER("live_bytes", tick->live_bytes);
        INTEGER("allocated_bytes", tick->allocated_bytes);
        INTEGER("codec_bytes", tick->codec_bytes);
        INTEGER("in_allocator", tick->in_allocator);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_visibility(struct render_json *json, const struct analysis *a) {
    json_open_array(json, "visibility");
    for (uint32_t i = 0; i < a->statement_count; i++) {
        json_open_map(json, NULL);
        STRING("subject", a->statements[i].subject);
        TEXT("statement", a->statements[i].statement);
        json_close_map(json);
    }
    json_close_array(json);
}

void json_write_process_head(struct render_json *json, const struct analysis *a) {
    write_head(json, a);
    write_totals(json, a);
    write_go(json, &a->process->go);
    write_threads(json, a->process);
}

void json_write_process_tail(struct render_json *json, const struct analysis *a) {
    write_timeline(json, a->process);
    json_write_findings(json, a);
    write_visibility(json, a);
}

void json_write_process(struct render_json *json, const struct analysis *a,
                        struct analyse_names *names, bool lines) {
    json_new_line(json);
    json_open_map(json, NULL);
    json_write_process_head(json, a);
    write_modules(json, a->process);
    write_sites(json, a, names, lines);
    json_write_codec(json, a, names, lines);
    json_write_process_tail(json, a);
    json_close_map(json);
}
