/* The inside of the page: html.c is its door, html_tables.c what is written once and named by
 * number, html_site.c the sites, diff_html.c what a comparison has in their place. What the page
 * does with it is in tools/page/.
 *
 * Why another JSON than the report's: a page of 100,000 sites has to open in a browser at once. So
 * stacks are paths in one tree of frames, and a site is an array. Figures are the report's. */
#ifndef SQUALL_RENDER_HTML_H
#define SQUALL_RENDER_HTML_H

#include "json.h"

struct html_tables;

struct render_html {
    struct render_json *json;
    const char *after; /* of the page, behind its data */
    size_t after_length;
};

/* ---- html.c ---- */

/* The page up to its data, in which a map is open. NULL: no memory. */
struct render_html *html_open(FILE *out, const char *version);
/* Closes the map and writes the rest of the page; with `broken` nothing more. */
int html_close(struct render_html *html, bool broken);

/* ---- html_tables.c: of one process; number 0 is "none" in each ---- */

struct html_tables *html_tables_open(void); /* NULL: no memory */
void html_tables_close(struct html_tables *t);
/* NULL is 0. UINT32_MAX: no memory, also below. */
uint32_t html_tables_text(struct html_tables *t, const char *text);
/* The place in the tree of frames that a stack ends at. */
uint32_t html_tables_node(struct html_tables *t, const struct analyse_stack *stack);
void html_tables_write(struct html_tables *t, struct render_json *json);

/* ---- html_site.c ---- */

/* "site_columns" and "sites". */
void html_write_sites(struct render_json *json, const struct analysis *a,
                      struct analyse_names *names, struct html_tables *t, bool lines);

#endif
