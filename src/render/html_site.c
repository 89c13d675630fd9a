/* Sites of the page, an array each. */
#include <errno.h>
#include <stdlib.h>

#include "html.h"

static const char *const columns[] = {
    "id",          "node",           "end",          "codec",        "function",
    "served_by",   "direction",      "role",         "flagged",      "reused",
    "estimated",   "allocs",         "frees",        "bytes",        "freed_bytes",
    "live_bytes",  "live_blocks",    "peak",         "remote_frees", "allocator_ns",
    "transient",   "mmapped",        "grown",        "large_allocs", "source_ratio",
    "size_spread", "life_spread_ns", "size_classes", "life_classes", "threads",
};

static void open_array(struct render_json *json) {
    yajl_gen_array_open(json->gen);
}

static void write_text(struct render_json *json, struct html_tables *t, const char *text) {
    uint32_t number = html_tables_text(t, text);
    if (number == UINT32_MAX && !json->error)
        json->error = -ENOMEM;
    json_integer(json, number);
}

/* min, max, mean and, where they are known, p50 and p99. */
static void write_spread(struct render_json *json, const struct analyse_spread *spread) {
    open_array(json);
    if (spread->known) {
        json_integer(json, spread->min);
        json_integer(json, spread->max);
        json_real(json, spread->mean);
    }
    if (spread->known && spread->quantiles) {
        json_integer(json, spread->p50);
        json_integer(json, spread->p99);
    }
    json_close_array(json);
}

/* The first class that has something, and what it and those behind it have. */
static void write_classes(struct render_json *json, const uint32_t *classes) {
    uint32_t first = 0, end = REGION_CLASSES;
    open_array(json);
    while (classes && end > 0 && !classes[end - 1])
        end--;
    while (classes && first < end && !classes[first])
        first++;
    if (classes && first < end)
        json_integer(json, first);
    for (uint32_t i = first; classes && i < end; i++)
        json_integer(json, classes[i]);
    json_close_array(json);
}

/* thread (its row), allocs, bytes, live_bytes, allocator_ns; of a single one, which has all, its
 * row alone */
static void write_rows(struct render_json *json, const struct profile_process *p,
                       const struct analyse_site *site) {
    open_array(json);
    for (uint32_t i = 0; i < site->row_count; i++) {
        const struct analyse_row *row = &site->rows[i];
        json_integer(json, row->shared ? 0 : p->threads[row->thread].row);
        if (site->row_count == 1)
            break;
        json_integer(json, row->sums.allocs);
        json_integer(json, row->sums.bytes);
        json_integer(json, row->sums.live_bytes);
        json_integer(json, row->sums.allocator_ns);
    }
    json_close_array(json);
}

static void write_sums(struct render_json *json, const struct analyse_sums *sums) {
    json_integer(json, sums->estimated);
    json_integer(json, sums->allocs);
    json_integer(json, sums->frees);
    json_integer(json, sums->bytes);
    json_integer(json, sums->freed_bytes);
    json_integer(json, sums->live_bytes);
    json_integer(json, sums->live_blocks);
    json_integer(json, sums->peak_bytes);
    json_integer(json, sums->remote_frees);
    json_integer(json, sums->allocator_ns);
}

static void write_site(struct render_json *json, const struct analysis *a,
                       const struct analyse_site *site, struct html_tables *t, uint32_t node) {
    const struct profile_process *p = a->process;
    uint32_t stack = site->site->stack;
    uint32_t end = stack < p->stack_count ? p->stacks[stack].end : REGION_END_UNKNOWN;
    open_array(json);
    json_integer(json, site->site->id);
    json_integer(json, node);
    write_text(json, t, analyse_stack_end_name(end));
    write_text(json, t, site->codec);
    write_text(json, t, site->codec_function);
    write_text(json, t, site->served_by);
    write_text(json, t, analyse_direction_name(site->direction));
    write_text(json, t, analyse_role_name(site->role));
    json_integer(json, site->flagged);
    json_integer(json, site->reused);
    write_sums(json, &site->sums);
    json_integer(json, site->large.transient);
    json_integer(json, site->large.mmapped);
    json_integer(json, site->large.grown);
    json_integer(json, site->large.allocs);
    json_real(json, site->source_ratio.count ? site->source_ratio.mean : 0);
    write_spread(json, &site->size);
    write_spread(json, &site->life);
    write_classes(json, site->site->size_classes);
    write_classes(json, site->site->life_classes);
    write_rows(json, p, site);
    json_close_array(json);
}

void html_write_sites(struct render_json *json, const struct analysis *a,
                      struct analyse_names *names, struct html_tables *t, bool lines) {
    uint64_t least = lines ? json_least_bytes_for_lines(a) : 0;
    json_open_array(json, "site_columns");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        json_string(json, columns[i]);
    json_close_array(json);
    json_open_array(json, "sites");
    for (uint32_t i = 0; i < a->site_count && !json->error; i++) {
        const struct analyse_site *site = &a->sites[i];
        struct analyse_stack stack = analyse_name_stack(names, a->process, site->site->stack,
                                                        lines && site->sums.bytes >= least);
        uint32_t node = html_tables_node(t, &stack);
        if (node == UINT32_MAX) {
            json->error = -ENOMEM;
            break;
        }
        json_new_line(json);
        write_site(json, a, site, t, node);
    }
    json_close_array(json);
}
