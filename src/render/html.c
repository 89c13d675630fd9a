/* The report as one page that needs nothing else: what tools/page/ was made into when squall was
 * built, with the data of the processes in the middle.
 *
 * Names are the watched process's, and may be chosen to break out of the page. Its data stands in a
 * script element that is not run, as JSON in which no "<" is left, so that no end of the element
 * and no comment can begin; the page itself turns names into text only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

#define FORMAT 1
#define DATA_HERE "@@SQUALL-DATA@@"

/* tools/page/page.S: empty where squall was built without npm. */
extern const char squall_page[], squall_page_end[];

bool render_has_page(void) {
    return squall_page_end - squall_page > 1;
}

/* In JSON a "<" is in a string, where it can also be written by its number. */
static void write_without_tags(void *json, const char *text, size_t length) {
    const char *tag;
    while ((tag = memchr(text, '<', length)) != NULL) {
        json_write_out(json, text, (size_t)(tag - text));
        json_write_out(json, "\\u003c", 6);
        length -= (size_t)(tag - text) + 1;
        text = tag + 1;
    }
    json_write_out(json, text, length);
}

/* A generator takes its callback once. */
static struct render_json *open_without_tags(FILE *out) {
    struct render_json *json = json_open(out);
    yajl_gen gen = json ? yajl_gen_alloc(NULL) : NULL;
    if (gen) {
        yajl_gen_config(gen, yajl_gen_print_callback, write_without_tags, json);
        yajl_gen_free(json->gen);
        json->gen = gen;
        return json;
    }
    if (json)
        json_close(json);
    return NULL;
}

struct render_html *html_open(FILE *out, const char *version) {
    size_t length = (size_t)(squall_page_end - squall_page);
    const char *data = memmem(squall_page, length, DATA_HERE, strlen(DATA_HERE));
    struct render_html *html = data ? calloc(1, sizeof(*html)) : NULL;
    if (!html)
        return NULL;
    html->json = open_without_tags(out);
    if (!html->json) {
        free(html);
        return NULL;
    }
    html->after = data + strlen(DATA_HERE);
    html->after_length = (size_t)(squall_page_end - html->after);
    json_write_out(html->json, squall_page, (size_t)(data - squall_page));
    struct render_json *json = html->json;
    json_open_map(json, NULL);
    INTEGER("format", FORMAT);
    STRING("version", version);
    return html;
}

int html_close(struct render_html *html, bool broken) {
    struct render_json *json = html->json;
    if (!broken && !json->error) {
        json_close_map(json);
        json_write_out(json, html->after, html->after_length);
    }
    free(html);
    return json_close(json);
}

struct render_html *render_html_begin(FILE *out, const char *version) {
    struct render_html *html = html_open(out, version);
    if (html)
        json_open_array(html->json, "processes");
    return html;
}

int render_html_process(struct render_html *html, const struct analysis *a,
                        struct analyse_names *names, bool lines) {
    struct render_json *json = html->json;
    struct html_tables *tables = html_tables_open();
    if (!tables)
        return -ENOMEM;
    json_new_line(json);
    json_open_map(json, NULL);
    json_write_process_head(json, a);
    REAL("ticks_per_ns", a->process->ticks_per_ns); /* classes of lives are of ticks */
    html_write_sites(json, a, names, tables, lines);
    html_tables_write(tables, json);
    json_write_codec(json, a, names, lines);
    json_write_process_tail(json, a);
    json_close_map(json);
    json_drop_frames(json);
    html_tables_close(tables);
    return json->error;
}

int render_html_end(struct render_html *html, bool broken) {
    if (!broken && !html->json->error)
        json_close_array(html->json);
    return html_close(html, broken);
}
