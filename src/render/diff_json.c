/* A comparison in JSON: fields are only added. Sites that did not change are counted, not listed.
 * What stands before the sites is in the page, too. */
#include <errno.h>

#include "json.h"

#define FORMAT 1

static void write_side(struct render_json *json, const struct compare *c, unsigned which,
                       const char *name) {
    const struct compare_side *side = &c->sides[which];
    json_open_map(json, name);
    INTEGER("processes", side->processes);
    TEXT("command", side->command);
    REAL("seconds", side->seconds);
    BOOLEAN("estimated", side->estimated);
    REAL("units", c->units[which]);
    INTEGER("allocs", side->allocs);
    INTEGER("bytes", side->bytes);
    INTEGER("allocator_ns", side->allocator_ns);
    INTEGER("codec_allocs", side->codec_allocs);
    INTEGER("codec_bytes", side->codec_bytes);
    INTEGER("calls", side->calls);
    INTEGER("messages", side->messages);
    INTEGER("source_bytes", side->source_bytes);
    INTEGER("produced_bytes", side->produced_bytes);
    json_close_map(json);
}

static void write_change(struct render_json *json, const struct compare_change *change) {
    STRING("verdict", change->error < 0 ? NULL : compare_verdict_name(change->verdict));
    REAL("before", change->before);
    REAL("after", change->after);
    json_key(json, "error");
    if (change->error < 0)
        json_string_or_null(json, NULL);
    else
        json_real(json, change->error);
}

static void write_metrics(struct render_json *json, const struct compare *c) {
    json_open_array(json, "figures");
    for (uint32_t i = 0; i < c->metric_count; i++) {
        json_open_map(json, NULL);
        STRING("name", c->metrics[i].name);
        BOOLEAN("per_unit", c->metrics[i].per_unit);
        write_change(json, &c->metrics[i].change);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_findings(struct render_json *json, const struct compare *c) {
    json_open_array(json, "findings");
    for (uint32_t i = 0; i < c->finding_count; i++) {
        json_open_map(json, NULL);
        STRING("verdict", compare_verdict_name(c->findings[i].verdict));
        BOOLEAN("confirmed", c->findings[i].confirmed);
        STRING("rule", c->findings[i].rule);
        TEXT("summary", c->findings[i].summary);
        TEXT("summary_before", c->findings[i].summary_before);
        TEXT("fix", c->findings[i].fix);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_sums(struct render_json *json, const char *name,
                       const struct compare_sums *sums) {
    json_open_map(json, name);
    INTEGER("allocs", sums->allocs);
    INTEGER("bytes", sums->bytes);
    INTEGER("live_bytes", sums->live_bytes);
    INTEGER("allocator_ns", sums->allocator_ns);
    json_close_map(json);
}

static void write_site(struct render_json *json, const struct compare_site *site) {
    json_new_line(json);
    json_open_map(json, NULL);
    write_change(json, &site->bytes);
    write_sums(json, "recorded_before", &site->sides[COMPARE_BEFORE]);
    write_sums(json, "recorded_after", &site->sides[COMPARE_AFTER]);
    STRING("codec", site->codec);
    STRING("codec_function", site->codec_function);
    STRING("role", site->role);
    json_open_array(json, "stack");
    for (uint32_t i = 0; i < site->stack.count; i++) {
        const struct analyse_frame *frame = &site->stack.frames[i];
        json_open_map(json, NULL);
        STRING("function", frame->function);
        STRING("module", frame->module);
        json_integer_or_null(json, "offset", !frame->function, frame->offset);
        json_close_map(json);
    }
    json_close_array(json);
    json_close_map(json);
}

void json_write_diff(struct render_json *json, const struct compare *c) {
    STRING("per", compare_unit_name(c->unit));
    REAL("tolerance", c->tolerance);
    write_side(json, c, COMPARE_BEFORE, "before");
    write_side(json, c, COMPARE_AFTER, "after");
    write_metrics(json, c);
    write_findings(json, c);
    INTEGER("sites_compared", c->site_count);
    INTEGER("sites_changed", c->changed_count);
}

int render_diff_json(FILE *out, const struct compare *c) {
    struct render_json *json = json_open(out);
    if (!json)
        return -ENOMEM;
    json_open_map(json, NULL);
    INTEGER("format", FORMAT);
    json_write_diff(json, c);
    json_open_array(json, "sites");
    for (uint32_t i = 0; i < c->changed_count && !json->error; i++)
        write_site(json, &c->sites[i]);
    json_close_array(json);
    json_close_map(json);
    json_new_line(json);
    return json_close(json);
}
