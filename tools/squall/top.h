/* What the files of squall top share: top.c (options, the loop), top_screen.c (the terminal),
 * top_draw.c (what stands on it), top_detail.c (stacks, findings, help in lines), top_keys.c.
 *
 * What is shown is made by src/watch (struct watch_view) and can be tested without a terminal; here
 * it is only laid out. */
#ifndef SQUALL_TOP_H
#define SQUALL_TOP_H

#include "live.h"
#include "render/render.h"

#define TOP_COLUMNS 80
#define TOP_LINES 24
#define TOP_HEAD 6 /* lines above the table's titles */

/* Lines that are read, not a table: what is known of a row, or the help. */
struct top_detail {
    bool open;
    bool is_help;
    enum watch_tab tab;
    uint64_t key;        /* of the row */
    uint64_t generation; /* of the look that it was made from */
    int columns;         /* of the screen that it was made for */
    char title[160];
    char **lines;
    uint32_t count, room;
    uint32_t first; /* shown at the top */
};

struct top {
    uint64_t every_ns;
    struct watch_list list;
    struct watch *watch; /* NULL: the list is shown */
    struct watch_history history;
    struct watch_view view;
    enum watch_tab tab; /* of a process, kept while the list is shown */
    struct top_detail detail;
    struct top_detail preview; /* the selected row's, below the table where there is room */
    uint32_t first;            /* row at the top of the table */
    bool typing;               /* the filter */
    bool paused;
    bool over; /* the process has ended */
    bool quit;
    char status[400]; /* what happened, until a key is pressed or something else happens */
    uint64_t listed;  /* when processes were looked for */
};

/* ---- top_screen.c ---- */

enum top_style { TOP_PLAIN, TOP_BOLD, TOP_DIM, TOP_REVERSE, TOP_TITLE, TOP_MARK, TOP_WARN };

/* Returns 0, or a negative errno: no terminal that can be used. */
int top_screen_open(void);
/* Leaves the terminal as it was found. */
void top_screen_close(void);
/* A signal that ends us has come. */
bool top_screen_is_over(void);
/* Text of ours or of a process, cleaned, at most `width` columns of the line, with a mark where it
 * is cut; returns how many were used. With `width` below 0, as many as there are. */
int top_put(int line, int column, int width, enum top_style style, const char *text);
/* The whole line in a style. */
void top_fill(int line, enum top_style style);
/* One of eight heights, for a sparkline; "" of nothing. */
const char *top_bar(double part);

/* ---- top_draw.c ---- */

void top_draw(struct top *top);
/* Rows that the table has room for. */
uint32_t top_page(const struct top *top);

/* ---- top_detail.c ---- */

void top_detail_close(struct top_detail *detail);
void top_detail_help(struct top *top);
/* The stack of a site, a finding in full, where a thread allocates, who makes a codec call. */
void top_detail_row(struct top *top, const struct watch_row *row);
/* Anew, if there was another look since, or the screen is of another width. */
void top_detail_renew(struct top *top);
/* What is known of the selected row, without lines of files, which are dear. */
const struct top_detail *top_detail_preview(struct top *top);

/* ---- top_keys.c ---- */

void top_key(struct top *top, int key);

/* ---- top.c ---- */

void top_choose(struct top *top, const struct profile_found *found);
void top_show_list(struct top *top);
void top_refresh(struct top *top);  /* reads everything anew, unless paused */
void top_refill(struct top *top);   /* the rows alone */
void top_look_now(struct top *top); /* names and findings, whatever that takes */

#endif
