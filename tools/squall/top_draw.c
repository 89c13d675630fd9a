/* What stands on the screen: six lines of sums, a table or lines to read, what the keys do. */
#include <curses.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "top.h"

/* The sparkline goes back so many seconds, less where the process is younger. */
#define SPARK_LEAST 10.0
#define SPARK_MOST 60.0
/* Lines below the table that are worth a preview. */
#define PREVIEW_LEAST 4

uint32_t top_page(const struct top *top) {
    int head = top->watch ? TOP_HEAD : 2;
    int rows = LINES - head - 2 - (top->detail.open ? 0 : 1); /* titles; status and keys */
    return rows > 0 ? (uint32_t)rows : 1;
}

/* ---- the sums ---- */

static const char *bytes_rate(char *out, size_t size, uint64_t bytes, double seconds) {
    char text[32];
    snprintf(out, size, "%s/s",
             analyse_format_bytes(text, sizeof text,
                                  seconds > 0 ? analyse_whole((double)bytes / seconds) : 0));
    return out;
}

static void draw_title(struct top *top) {
    const struct profile_found *found = watch_found(top->watch);
    char text[512], age[32], name[128];
    render_clean(name, sizeof name, *found->exe ? render_name_of(found->exe) : "?", 30);
    snprintf(text, sizeof text, " squall  %s  pid %d  %s mode  %s  %s%s", name, found->pid,
             found->mode == REGION_MODE_EXACT ? "exact" : "default",
             render_age(age, sizeof age, watch_seconds(top->watch)),
             analyse_state_name(watch_state(top->watch)), top->paused ? "  PAUSED" : "");
    top_fill(0, TOP_TITLE);
    top_put(0, 0, -1, TOP_TITLE, text);
}

static void draw_rates(struct top *top) {
    const struct profile_counters *c = watch_counters(top->watch);
    const struct watch_change *change = &top->history.change;
    char now[40], start[40], count[32], text[256], span[32], all[32];
    double seconds = watch_seconds(top->watch);
    snprintf(span, sizeof span, "last %.0f s", change->seconds);
    snprintf(
        text, sizeof text, "Allocates %12s %8s/s  (%s)   %s, %s/s since start",
        bytes_rate(now, sizeof now, change->grew.bytes, change->seconds),
        render_short_count(count, sizeof count,
                           change->seconds > 0 ? (double)change->grew.allocs / change->seconds : 0),
        span, bytes_rate(start, sizeof start, c->bytes, seconds),
        render_short_count(all, sizeof all, seconds > 0 ? (double)c->allocs / seconds : 0));
    top_put(1, 0, -1, TOP_PLAIN, text);
}

static void draw_live(struct top *top) {
    const struct profile_counters *c = watch_counters(top->watch);
    const struct analysis *a = watch_analysis(top->watch);
    char live[32], peak[32], all[32], text[256];
    /* That of the last look may be behind. */
    uint64_t highest = a ? a->totals.peak_live_bytes : c->large_peak, lost = 0;
    for (unsigned i = 0; i < REGION_LOST_COUNT; i++)
        lost += c->lost[i];
    int used = snprintf(
        text, sizeof text, "Live      %s%-11s peak %s%s   of %s in all",
        a && a->totals.estimated ? "~" : " ",
        analyse_format_bytes(live, sizeof live, c->live_bytes),
        a && a->totals.peak_is_lower_bound ? "≥" : "",
        analyse_format_bytes(peak, sizeof peak, highest > c->live_bytes ? highest : c->live_bytes),
        analyse_format_bytes(all, sizeof all, c->bytes));
    if (lost && used > 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, "   lost %s events",
                 render_short_count(live, sizeof live, (double)lost));
    top_put(2, 0, -1, TOP_PLAIN, text);
}

static void draw_codecs(struct top *top) {
    struct watch_codec codecs[WATCH_CODECS];
    uint32_t count = watch_codecs(&top->history.change.grew, codecs);
    double seconds = top->history.change.seconds;
    int column = top_put(3, 0, -1, TOP_PLAIN, "Codecs    ");
    if (count == 0 || seconds <= 0)
        top_put(3, column, -1, TOP_DIM, "no calls whose arguments are seen");
    for (uint32_t i = 0; i < count && seconds > 0; i++) {
        const struct watch_codec *k = &codecs[i];
        char from[40], to[40], text[160], calls[32];
        snprintf(text, sizeof text, "%s%s%s %s → %s %s calls/s", i ? "   " : "",
                 k->codec ? k->codec : "marked",
                 k->direction == REGION_DECOMPRESS ? " (decompress)" : "",
                 bytes_rate(from, sizeof from, k->source_bytes, seconds),
                 bytes_rate(to, sizeof to, k->produced_bytes, seconds),
                 render_short_count(calls, sizeof calls, (double)k->calls / seconds));
        column += top_put(3, column, -1, TOP_PLAIN, text);
    }
}

static void draw_spark(struct top *top) {
    uint64_t bins[512];
    uint32_t count = COLS > 40 ? (uint32_t)COLS - 34 : 8;
    char text[64], most[32];
    count = count < ARRAY_SIZE(bins) ? count : ARRAY_SIZE(bins);
    double age = watch_seconds(top->watch);
    double span = age < SPARK_LEAST ? SPARK_LEAST : age < SPARK_MOST ? age : SPARK_MOST;
    uint64_t top_bin = watch_history_bins(&top->history, span, bins, count);
    int column = top_put(4, 0, -1, TOP_PLAIN, "Large     ");
    for (uint32_t i = 0; i < count; i++)
        column += top_put(4, column, 1, TOP_MARK,
                          top_bar(top_bin ? (double)bins[i] / (double)top_bin : 0));
    snprintf(text, sizeof text, " %.0f s, to %s", span,
             bytes_rate(most, sizeof most, top_bin, span / count));
    top_put(4, column, -1, TOP_DIM, text);
}

static void draw_tabs(struct top *top, int line) {
    static const char *const names[] = {"1 Findings", "2 Sites", "3 Threads", "4 Codec calls"};
    const struct analysis *a = watch_analysis(top->watch);
    int column = 0;
    for (int i = 0; i < 4; i++) {
        char text[48];
        if (i == 0 && a)
            snprintf(text, sizeof text, " %s (%u) ", names[i], a->finding_count);
        else
            snprintf(text, sizeof text, " %s ", names[i]);
        bool here = top->view.tab == (enum watch_tab)i;
        column += top_put(line, column, -1, here ? TOP_TITLE : TOP_PLAIN, text) + 1;
    }
    const struct watch_change *change = &top->history.change;
    char text[32] = "rates: since start";
    if (!top->view.since_start && change->seconds > 0)
        snprintf(text, sizeof text, "rates: last %.0f s", change->seconds);
    top_put(line, column + 1, -1, TOP_DIM, text);
}

/* ---- the table ---- */

static const char *value_text(char *out, size_t size, enum watch_unit unit, double value) {
    if (isnan(value))
        return "-";
    switch (unit) {
    case WATCH_BYTES:
        return analyse_format_bytes(out, size, analyse_whole(value));
    case WATCH_NUMBER:
        return render_short_count(out, size, value);
    case WATCH_COUNT:
        return value < 999.5 ? (snprintf(out, size, "%.0f", value), out)
                             : render_short_count(out, size, value);
    case WATCH_AGE:
        return render_age(out, size, value);
    case WATCH_RATIO:
        snprintf(out, size, "%.2f", value);
        return out;
    default:
        snprintf(out, size, "%.0f", value);
        return out;
    }
}

/* Texts stand left, numbers right. */
static int put_field(int line, int column, const struct watch_column *c, enum top_style style,
                     const char *text) {
    int width = (int)c->width, length = (int)strlen(text);
    int at = c->unit == WATCH_TEXT || length >= width ? column : column + width - length;
    top_put(line, at, width, style, text);
    return column + width + 1;
}

/* The column that rows are sorted by has an arrow: down, the first is the largest. Names, which
 * begin with the first of the alphabet, the other way round. */
static void put_arrow(const struct top *top, int line, int column, bool of_names) {
    top_put(line, column, 1, TOP_REVERSE, top->view.reversed == of_names ? "↓" : "↑");
}

static void draw_titles(const struct top *top, int line) {
    uint32_t count;
    const struct watch_column *columns = watch_columns(top->view.tab, &count);
    int column = 0;
    top_fill(line, TOP_TITLE);
    for (uint32_t i = 0; i < count; i++) {
        const struct watch_column *c = &columns[i];
        bool sorts = top->view.sort == i, is_text = c->unit == WATCH_TEXT;
        int end = column + (int)(is_text ? strlen(c->title) : c->width);
        column = put_field(line, column, c, sorts ? TOP_REVERSE : TOP_TITLE, c->title);
        if (sorts)
            put_arrow(top, line, end, is_text);
    }
    const char *name = top->view.tab == WATCH_FINDINGS ? "WHAT"
                       : top->view.tab == WATCH_CALLS  ? "FUNCTION"
                                                       : "NAME";
    bool sorts = top->view.sort == count;
    column += top_put(line, column, -1, sorts ? TOP_REVERSE : TOP_TITLE, name);
    if (sorts)
        put_arrow(top, line, column, true);
}

static void draw_row(const struct top *top, int line, const struct watch_row *row, bool selected) {
    uint32_t count;
    const struct watch_column *columns = watch_columns(top->view.tab, &count);
    enum top_style style = selected ? TOP_REVERSE : TOP_PLAIN;
    int column = 0;
    if (selected)
        top_fill(line, TOP_REVERSE);
    for (uint32_t i = 0; i < count; i++) {
        char text[64];
        const char *value = columns[i].unit == WATCH_TEXT
                                ? (row->text ? row->text : "-")
                                : value_text(text, sizeof text, columns[i].unit, row->value[i]);
        column = put_field(line, column, &columns[i], style, value);
    }
    top_put(line, column, -1, selected ? style : row->marked ? TOP_MARK : TOP_PLAIN, row->name);
}

static const char *nothing(const struct top *top) {
    if (top->view.hidden)
        return "nothing passes the filter";
    switch (top->view.tab) {
    case WATCH_FINDINGS:
        return "no findings: no known pattern of allocation around compression so far";
    case WATCH_CALLS:
        return "no codec call whose arguments are seen (docs/limits.md)";
    case WATCH_PROCESSES:
        return "no process that can be seen from here runs under squall";
    default:
        return "nothing recorded yet";
    }
}

/* The selected row in full below the table, where that leaves room. */
static void draw_preview(struct top *top, int line, int room) {
    const struct top_detail *d = room >= PREVIEW_LEAST ? top_detail_preview(top) : NULL;
    if (!d || !d->open)
        return;
    top_put(line++, 0, -1, TOP_BOLD, d->title);
    uint32_t fit = (uint32_t)room - 1, shown = d->count < fit ? d->count : fit;
    for (uint32_t i = 0; i < shown; i++)
        top_put(line + (int)i, 0, -1, TOP_PLAIN,
                shown < d->count && i + 1 == shown ? "  … Enter shows all" : d->lines[i]);
}

static void draw_table(struct top *top, int line) {
    uint32_t page = top_page(top), selected = top->view.selected;
    if (selected < top->first)
        top->first = selected;
    if (selected >= top->first + page)
        top->first = selected - page + 1;
    if (top->first + page > top->view.count)
        top->first = top->view.count > page ? top->view.count - page : 0;
    draw_titles(top, line++);
    if (top->view.count == 0)
        top_put(line, 2, -1, TOP_DIM, nothing(top));
    for (uint32_t i = 0; i < page && top->first + i < top->view.count; i++)
        draw_row(top, line + (int)i, &top->view.rows[top->first + i], top->first + i == selected);
    if (top->view.count && top->view.count < page) /* a line stays free */
        draw_preview(top, line + (int)top->view.count + 1, (int)(page - top->view.count) - 1);
}

static void draw_detail(struct top *top, int line) {
    struct top_detail *d = &top->detail;
    uint32_t page = top_page(top);
    if (d->first + page > d->count)
        d->first = d->count > page ? d->count - page : 0;
    char part[64] = "";
    if (d->count > page)
        snprintf(part, sizeof part, "  %u to %u of %u lines ", d->first + 1, d->first + page,
                 d->count);
    int at = COLS - (int)strlen(part);
    top_fill(line, TOP_TITLE);
    top_put(line, 0, at, TOP_TITLE, d->title);
    top_put(line++, at, -1, TOP_TITLE, part);
    for (uint32_t i = 0; i < page && d->first + i < d->count; i++)
        top_put(line + (int)i, 0, -1, TOP_PLAIN, d->lines[d->first + i]);
}

/* ---- below ---- */

static void draw_status(struct top *top) {
    char text[512];
    int line = LINES - 2;
    if (top->typing) {
        snprintf(text, sizeof text, "Filter: %s_", top->view.filter);
        top_put(line, 0, -1, TOP_BOLD, text);
    } else if (top->status[0]) {
        top_put(line, 0, -1, TOP_WARN, top->status);
    } else if (top->view.filter[0]) {
        snprintf(text, sizeof text, "Filter: %s  (%u hidden, Esc shows them)", top->view.filter,
                 top->view.hidden);
        top_put(line, 0, -1, TOP_DIM, text);
    } else if (top->view.tab == WATCH_PROCESSES) {
        top_put(line, 0, -1, TOP_DIM, watch_unseen(&top->list.unseen, text, sizeof text));
    }
}

static void draw_keys(const struct top *top) {
    static const char *const table[][2] = {{"F1", "Help"},    {"F3/", "Filter"}, {"F6>", "Sort"},
                                           {"Enter", "Look"}, {"r", "Rates"},    {"p", "Processes"},
                                           {"Spc", "Pause"},  {"q", "Quit"}};
    static const char *const read[][2] = {{"Esc", "Back"}, {"↑↓", "Scroll"}, {"q", "Quit"}};
    bool reading = top->detail.open;
    size_t count = reading ? ARRAY_SIZE(read) : ARRAY_SIZE(table);
    int column = 0;
    for (size_t i = 0; i < count; i++) {
        const char *const *key = reading ? read[i] : table[i];
        column += top_put(LINES - 1, column, -1, TOP_BOLD, key[0]);
        column += top_put(LINES - 1, column, -1, TOP_REVERSE, key[1]) + 1;
    }
}

static void draw_process_head(struct top *top) {
    draw_title(top);
    draw_rates(top);
    draw_live(top);
    draw_codecs(top);
    draw_spark(top);
    draw_tabs(top, 5);
}

static void draw_list_head(struct top *top) {
    char text[128];
    snprintf(text, sizeof text, " squall  %u process%s  Enter chooses one%s", top->list.count,
             top->list.count == 1 ? "" : "es", top->paused ? "  PAUSED" : "");
    top_fill(0, TOP_TITLE);
    top_put(0, 0, -1, TOP_TITLE, text);
}

void top_draw(struct top *top) {
    char text[96];
    erase();
    if (COLS < TOP_COLUMNS || LINES < TOP_LINES) {
        snprintf(text, sizeof text, "too small: %dx%d, %dx%d is needed", COLS, LINES, TOP_COLUMNS,
                 TOP_LINES);
        top_put(0, 0, -1, TOP_BOLD, text);
        top_put(1, 0, -1, TOP_PLAIN, "q quits");
        refresh();
        return;
    }
    if (top->watch)
        draw_process_head(top);
    else
        draw_list_head(top);
    int line = top->watch ? TOP_HEAD : 2;
    if (top->detail.open)
        draw_detail(top, line);
    else
        draw_table(top, line);
    draw_status(top);
    draw_keys(top);
    refresh();
}
