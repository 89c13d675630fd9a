/* A comparison as a page: the figures and findings of its JSON, and all sites, those that did not
 * change, too: a page has room to show that noise is noise. */
#include <errno.h>

#include "html.h"

static const char *const columns[] = {
    "id",           "node",        "verdict",       "before",
    "after",        "error",       "allocs_before", "allocs_after",
    "bytes_before", "bytes_after", "live_before",   "live_after",
    "time_before",  "time_after",  "codec",         "codec_function",
    "role",
};

static void write_text(struct render_json *json, struct html_tables *t, const char *text) {
    uint32_t number = html_tables_text(t, text);
    if (number == UINT32_MAX && !json->error)
        json->error = -ENOMEM;
    json_integer(json, number);
}

static void write_site(struct render_json *json, struct html_tables *t,
                       const struct compare_site *site, uint32_t id) {
    const struct compare_sums *before = &site->sides[0], *after = &site->sides[1];
    uint32_t node = html_tables_node(t, &site->stack);
    if (node == UINT32_MAX) {
        json->error = -ENOMEM;
        return;
    }
    json_new_line(json);
    yajl_gen_array_open(json->gen);
    json_integer(json, id);
    json_integer(json, node);
    write_text(json, t, compare_verdict_name(site->bytes.verdict));
    json_real(json, site->bytes.before);
    json_real(json, site->bytes.after);
    json_real(json, site->bytes.error);
    json_integer(json, before->allocs);
    json_integer(json, after->allocs);
    json_integer(json, before->bytes);
    json_integer(json, after->bytes);
    json_integer(json, before->live_bytes);
    json_integer(json, after->live_bytes);
    json_integer(json, before->allocator_ns);
    json_integer(json, after->allocator_ns);
    write_text(json, t, site->codec);
    write_text(json, t, site->codec_function);
    write_text(json, t, site->role);
    json_close_array(json);
}

int render_diff_html(FILE *out, const struct compare *c, const char *version) {
    struct render_html *html = html_open(out, version);
    struct html_tables *t = html_tables_open();
    if (html && t) {
        struct render_json *json = html->json;
        json_open_map(json, "diff");
        json_write_diff(json, c);
        json_open_array(json, "site_columns");
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
            json_string(json, columns[i]);
        json_close_array(json);
        json_open_array(json, "sites");
        for (uint32_t i = 0; i < c->site_count && !json->error; i++)
            write_site(json, t, &c->sites[i], i + 1);
        json_close_array(json);
        html_tables_write(t, json);
        json_close_map(json);
    }
    int error = html && t ? 0 : -ENOMEM;
    if (html) {
        int ended = html_close(html, error != 0);
        error = error ? error : ended;
    }
    html_tables_close(t);
    return error;
}
