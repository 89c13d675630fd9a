/* Rows in order: sorted, filtered, one of them selected. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "view.h"

/* What is looked for first: what allocates most right now. */
static const uint32_t first_sort[WATCH_TAB_COUNT] = {
    [WATCH_FINDINGS] = 0, [WATCH_SITES] = 0,     [WATCH_THREADS] = 0,
    [WATCH_CALLS] = 0,    [WATCH_PROCESSES] = 4,
};

void watch_view_open(struct watch_view *v, enum watch_tab tab) {
    memset(v, 0, sizeof *v);
    v->tab = tab;
    v->sort = first_sort[tab];
    v->reversed = tab == WATCH_FINDINGS; /* the first is the worst */
}

static void clear(struct watch_view *v) {
    for (uint32_t i = 0; i < v->count; i++)
        free(v->rows[i].name);
    v->count = v->hidden = 0;
}

void watch_view_free(struct watch_view *v) {
    clear(v);
    free(v->rows);
    memset(v, 0, sizeof *v);
}

void watch_view_turn(struct watch_view *v, enum watch_tab tab) {
    if (v->tab == tab)
        return;
    clear(v);
    v->tab = tab;
    v->sort = first_sort[tab];
    v->reversed = tab == WATCH_FINDINGS;
    v->moved = false;
    v->selected = 0;
}

void watch_view_sort(struct watch_view *v, int by) {
    uint32_t columns;
    watch_columns(v->tab, &columns);
    v->sort = (v->sort + (by > 0 ? 1 : columns)) % (columns + 1);
}

void watch_view_move(struct watch_view *v, int64_t by) {
    int64_t to = (int64_t)v->selected + by;
    v->moved = true;
    v->selected = to < 0 || v->count == 0 ? 0 : to >= v->count ? v->count - 1 : (uint32_t)to;
}

const struct watch_row *watch_view_selected(const struct watch_view *v) {
    return v->selected < v->count ? &v->rows[v->selected] : NULL;
}

/* ---- order ---- */

struct order {
    uint32_t column, columns;
    bool is_text, ascending;
};

static int by_value(double a, double b) {
    bool x = isnan(a), y = isnan(b);
    if (x || y)
        return x == y ? 0 : x ? 1 : -1; /* what is not known comes last */
    return a > b ? -1 : a < b;
}

static int compare(const void *a, const void *b, void *data) {
    const struct watch_row *x = a, *y = b;
    const struct order *order = data;
    int result;
    if (order->column >= order->columns)
        result = strcmp(x->name, y->name);
    else if (order->is_text)
        result = strcmp(x->text ? x->text : "", y->text ? y->text : "");
    else
        result = by_value(x->value[order->column], y->value[order->column]);
    if (order->ascending)
        result = -result;
    if (result == 0) /* the same order every time */
        result = x->key < y->key ? -1 : x->key > y->key;
    return result;
}

static void sort(struct watch_view *v) {
    struct order order = {.column = v->sort, .ascending = v->reversed};
    const struct watch_column *columns = watch_columns(v->tab, &order.columns);
    order.is_text = v->sort < order.columns && columns[v->sort].unit == WATCH_TEXT;
    if (v->count)
        qsort_r(v->rows, v->count, sizeof *v->rows, compare, &order);
}

/* ---- filter ---- */

static bool holds(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; text && *text; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

static bool passes(const struct watch_view *v, const char *name, const char *text, int32_t id) {
    char number[16];
    if (v->filter[0] == 0 || holds(name, v->filter) || holds(text, v->filter))
        return true;
    snprintf(number, sizeof number, "%d", id);
    return id && strncmp(number, v->filter, strlen(v->filter)) == 0;
}

struct watch_row *view_add(struct watch_view *v, const char *name, const char *text, int32_t id) {
    if (!passes(v, name, text, id)) {
        v->hidden++;
        return NULL;
    }
    if (v->count == v->room) {
        uint32_t room = v->room ? v->room * 2 : 64;
        struct watch_row *rows = reallocarray(v->rows, room, sizeof *rows);
        if (!rows)
            return NULL;
        v->rows = rows;
        v->room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return NULL;
    struct watch_row *row = &v->rows[v->count++];
    memset(row, 0, sizeof *row);
    row->name = copy;
    row->text = text;
    return row;
}

/* ---- filling ---- */

void watch_view_fill(struct watch_view *v, struct watch *watch, const struct watch_history *history,
                     const struct watch_list *list) {
    const struct watch_row *selected = watch_view_selected(v);
    bool follows = v->moved && selected;
    uint64_t key = follows ? selected->key : 0;
    clear(v);
    if (v->tab == WATCH_PROCESSES)
        rows_of_list(v, list);
    else
        rows_of_watch(v, watch, history);
    sort(v);
    for (uint32_t i = 0; follows && i < v->count; i++)
        if (v->rows[i].key == key) {
            v->selected = i;
            return;
        }
    if (v->selected >= v->count)
        v->selected = v->count ? v->count - 1 : 0;
}
