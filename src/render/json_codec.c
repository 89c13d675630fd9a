/* What codec calls left, in JSON: calls, contexts, functions; and mappings past malloc. */
#include "base/codec_table.h"
#include "json.h"

/* What is named in every table: codec, function, direction. */
static void write_function(struct render_json *json, const struct profile_process *p,
                           uint32_t number) {
    static const struct profile_codec_function none = {.name = ""};
    const struct profile_codec_function *f =
        number && number < p->codec_function_count ? &p->codec_functions[number] : &none;
    STRING("codec", analyse_codec_name(f));
    STRING("function", *f->name ? f->name : NULL);
    STRING("direction", analyse_direction_name(f->direction));
}

static void write_stack(struct render_json *json, const struct profile_process *p,
                        struct analyse_names *names, uint32_t number, bool lines) {
    struct analyse_stack stack = analyse_name_stack(names, p, number, lines);
    json_write_stack(json, p, number, &stack);
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void write_sizes(struct render_json *json, const struct profile_codec_call *call) {
    json_open_array(json, "size_histogram");
    for (uint32_t i = 0; i < call->size_count; i++) {
        const struct profile_codec_size *size = &call->sizes[i];
        json_open_map(json, NULL);
        INTEGER("from", size->from);
        INTEGER("to", size->to);
        INTEGER("calls", size->messages); /* of a one-shot call they are the same */
        INTEGER("source_bytes", size->source_bytes);
        INTEGER("produced_bytes", size->produced_bytes);
        REAL("seconds", seconds(size->ns));
        REAL("cpu_seconds", seconds(size->cpu_ns));
        INTEGER("page_faults", size->page_faults);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_levels(struct render_json *json, const struct profile_concurrency *levels,
                         uint32_t count) {
    json_open_array(json, "concurrency");
    for (uint32_t i = 0; i < count; i++) {
        json_open_map(json, NULL);
        INTEGER("level", levels[i].level);
        INTEGER("calls", levels[i].calls);
        INTEGER("source_bytes", levels[i].source_bytes);
        REAL("seconds", seconds(levels[i].ns));
        REAL("cpu_seconds", seconds(levels[i].cpu_ns));
        if (levels[i].wall_ns) { /* of the process: how long so many were under way */
            REAL("wall_seconds", seconds(levels[i].wall_ns));
            REAL("bytes_per_second",
                 (double)levels[i].flow_bytes * 1e9 / (double)levels[i].wall_ns);
        }
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_call(struct render_json *json, const struct profile_process *p,
                       const struct profile_codec_call *call, struct analyse_names *names,
                       bool lines) {
    json_new_line(json);
    json_open_map(json, NULL);
    write_function(json, p, call->function);
    INTEGER("calls", call->calls);
    INTEGER("nested", call->nested);
    INTEGER("failures", call->failures);
    INTEGER("left", call->left);
    INTEGER("timed", call->timed);
    INTEGER("messages", call->messages);
    INTEGER("source_bytes", call->source_bytes);
    INTEGER("produced_bytes", call->produced_bytes);
    INTEGER("output_capacity", call->output_capacity);
    REAL("seconds", seconds(call->ns));
    REAL("cpu_seconds", seconds(call->cpu_ns));
    INTEGER("page_faults", call->page_faults);
    INTEGER("context_switches", call->context_switches);
    INTEGER("threads", call->threads);
    write_sizes(json, call);
    write_levels(json, call->levels, call->level_count);
    write_stack(json, p, names, call->stack, lines);
    json_close_map(json);
}

static void write_contexts(struct render_json *json, const struct profile_process *p,
                           struct analyse_names *names, bool lines) {
    json_open_array(json, "contexts");
    for (uint32_t i = 0; i < p->context_count && !json->error; i++) {
        const struct profile_context *context = &p->contexts[i];
        if (!context->created && !context->ended && !context->calls && !context->messages)
            continue;
        json_new_line(json);
        json_open_map(json, NULL);
        write_function(json, p, context->function);
        INTEGER("created", context->created);
        INTEGER("ended", context->ended);
        INTEGER("single", context->single);
        INTEGER("messages", context->messages);
        INTEGER("calls", context->calls);
        INTEGER("source_bytes", context->source_bytes);
        write_stack(json, p, names, context->stack, lines && i < JSON_LINES_MAX);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_functions(struct render_json *json, const struct profile_process *p) {
    json_open_array(json, "codec_functions");
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        const struct profile_codec_function *f = &p->codec_functions[i];
        json_open_map(json, NULL);
        STRING("name", f->name);
        STRING("codec", analyse_codec_name(f));
        STRING("direction", analyse_direction_name(f->direction));
        STRING("kind", codec_table_kind_name(f->kind));
        STRING("module",
               f->module && f->module < p->module_count ? p->modules[f->module].path : NULL);
        STRING("found", analyse_found_name(f->found));
        BOOLEAN("arguments", f->patched);
        STRING("refused", analyse_refused_name(f->refused));
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_mappings(struct render_json *json, const struct profile_process *p,
                           struct analyse_names *names, bool lines) {
    json_open_array(json, "anonymous_mappings");
    for (uint32_t i = 0; i < p->anon_count && !json->error; i++) {
        const struct profile_anon *anon = &p->anons[i];
        if (!anon->maps && !anon->unmaps)
            continue;
        json_new_line(json);
        json_open_map(json, NULL);
        INTEGER("maps", anon->maps);
        INTEGER("unmaps", anon->unmaps);
        INTEGER("bytes", anon->bytes);
        INTEGER("unmapped_bytes", anon->unmapped_bytes);
        write_stack(json, p, names, anon->stack, lines && i < JSON_LINES_MAX);
        json_close_map(json);
    }
    json_close_array(json);
}

void json_write_codec(struct render_json *json, const struct analysis *a,
                      struct analyse_names *names, bool lines) {
    const struct profile_process *p = a->process;
    json_open_array(json, "codec_calls");
    for (uint32_t i = 0; i < a->codec_call_count && !json->error; i++)
        write_call(json, p, a->codec_calls[i], names, lines && i < JSON_LINES_MAX);
    json_close_array(json);
    write_levels(json, p->levels, p->level_count); /* of the whole process */
    write_contexts(json, p, names, lines);
    write_functions(json, p);
    write_mappings(json, p, names, lines);
}
