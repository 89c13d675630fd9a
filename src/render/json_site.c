/* One site in JSON. */
#include <math.h>

#include "json.h"

static void write_spread(struct render_json *json, const char *name,
                         const struct analyse_spread *spread) {
    bool known = spread->known, quantiles = known && spread->quantiles;
    json_open_map(json, name);
    json_integer_or_null(json, "min", known, spread->min);
    json_integer_or_null(json, "max", known, spread->max);
    REAL("mean", known ? spread->mean : NAN);
    json_integer_or_null(json, "p50", quantiles, spread->p50);
    json_integer_or_null(json, "p99", quantiles, spread->p99);
    json_close_map(json);
}

static void write_ratio(struct render_json *json, const char *name,
                        const struct analyse_ratio *ratio) {
    json_key(json, name);
    if (ratio->count == 0) {
        json_string_or_null(json, NULL);
        return;
    }
    json_open_map(json, NULL);
    REAL("min", ratio->min);
    REAL("max", ratio->max);
    REAL("mean", ratio->mean);
    json_close_map(json);
}

static void write_role(struct render_json *json, const char *name, uint64_t allocs,
                       uint64_t bytes) {
    json_open_map(json, name);
    INTEGER("allocs", allocs);
    INTEGER("bytes", bytes);
    json_close_map(json);
}

void json_write_stack(struct render_json *json, const struct profile_process *p, uint32_t number,
                      const struct analyse_stack *stack) {
    uint32_t end = number < p->stack_count ? p->stacks[number].end : REGION_END_UNKNOWN;
    json_open_array(json, "stack");
    for (uint32_t i = 0; i < stack->count; i++)
        json_write_frame(json, &stack->frames[i]);
    json_close_array(json);
    STRING("stack_end", analyse_stack_end_name(end));
}

static void write_sums(struct render_json *json, const struct analyse_sums *sums) {
    INTEGER("allocs", sums->allocs);
    INTEGER("frees", sums->frees);
    INTEGER("bytes", sums->bytes);
    INTEGER("freed_bytes", sums->freed_bytes);
    INTEGER("live_bytes", sums->live_bytes);
    INTEGER("live_blocks", sums->live_blocks);
    INTEGER("peak_live_bytes", sums->peak_bytes);
    BOOLEAN("peak_is_upper_bound", sums->peak_is_upper_bound);
    BOOLEAN("estimated", sums->estimated);
    BOOLEAN("torn", sums->torn);
    INTEGER("samples", sums->samples);
    INTEGER("remote_frees", sums->remote_frees);
    INTEGER("allocator_ns", sums->allocator_ns);
}

static void write_rows(struct render_json *json, const struct profile_process *p,
                       const struct analyse_site *site) {
    json_open_array(json, "threads");
    for (uint32_t i = 0; i < site->row_count; i++) {
        const struct analyse_row *row = &site->rows[i];
        const struct profile_thread *thread = &p->threads[row->thread];
        json_open_map(json, NULL);
        INTEGER("row", thread->row);
        json_key(json, "tid");
        json_number(json, "%d", thread->tid);
        STRING("name", thread->name);
        write_sums(json, &row->sums);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_large(struct render_json *json, const struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    json_open_map(json, "large");
    INTEGER("allocs", large->allocs);
    INTEGER("frees", large->frees);
    INTEGER("bytes", large->bytes);
    INTEGER("min", large->size_min);
    INTEGER("max", large->size_max);
    json_close_map(json);
    json_open_map(json, "roles");
    write_role(json, "workspace", large->workspace_allocs, large->workspace_bytes);
    write_role(json, "output", large->output_allocs, large->output_bytes);
    write_role(json, "input", large->input_allocs, large->input_bytes);
    json_close_map(json);
}

/* Of Go's sites only. */
static void write_go(struct render_json *json, const struct profile_go *go) {
    json_open_map(json, "go");
    INTEGER("entries", go->entries);
    INTEGER("exits", go->exits);
    INTEGER("goroutines_at_once", go->at_once_max);
    INTEGER("assist_ns", go->assist_ns);
    INTEGER("heap_ns", go->heap_ns);
    INTEGER("zero_ns", go->zero_ns);
    INTEGER("longest_ns", go->longest_ns);
    json_integer_or_null(json, "longest_goroutine", go->longest_goroutine, go->longest_goroutine);
    json_close_map(json);
}

void json_write_site(struct render_json *json, const struct profile_process *p,
                     const struct analyse_site *site, const struct analyse_stack *stack) {
    const struct profile_site *from = site->site;
    json_new_line(json);
    json_open_map(json, NULL);
    INTEGER("id", from->id);
    STRING("runtime", from->runtime == REGION_RUNTIME_GO ? "go" : "c");
    STRING("codec", site->codec);
    STRING("codec_function", site->codec_function);
    STRING("served_by", site->served_by);
    STRING("direction", analyse_direction_name(site->direction));
    STRING("role", analyse_role_name(site->role));
    BOOLEAN("flagged", site->flagged);
    BOOLEAN("reused", site->reused);
    write_sums(json, &site->sums);
    write_large(json, site);
    write_spread(json, "size", &site->size);
    write_spread(json, "lifetime_ns", &site->life);
    INTEGER("transient", site->large.transient);
    INTEGER("transient_bytes", site->large.transient_bytes);
    INTEGER("mmapped", site->large.mmapped);
    INTEGER("grown", site->large.grown);
    REAL("bytes_per_second", site->bytes_per_second);
    REAL("allocs_per_second", site->allocs_per_second);
    write_ratio(json, "source_ratio", &site->source_ratio);
    write_ratio(json, "produced_ratio", &site->produced_ratio);
    if (from->go)
        write_go(json, from->go);
    write_rows(json, p, site);
    json_write_stack(json, p, from->stack, stack);
    json_close_map(json);
}
