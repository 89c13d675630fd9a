/* What each key does; those of htop do here what they do there. */
#include <curses.h>
#include <string.h>

#include "top.h"

#define ESCAPE 27
#define CONTROL(letter) ((letter)&0x1f)

/* ---- typing a filter ---- */

static void type(struct top *top, int key) {
    char *filter = top->view.filter;
    size_t length = strlen(filter);
    switch (key) {
    case '\r':
    case '\n':
    case KEY_ENTER:
        top->typing = false;
        return;
    case ESCAPE:
        top->typing = false;
        filter[0] = 0;
        break;
    case KEY_BACKSPACE:
    case 127:
    case 8:
        /* A character may be several bytes. */
        while (length > 0 && (filter[--length] & 0xc0) == 0x80)
            ;
        filter[length] = 0;
        break;
    default:
        if (key < ' ' || key > 255 || length + 1 >= sizeof top->view.filter)
            return;
        filter[length] = (char)key;
        filter[length + 1] = 0;
    }
    top_refill(top);
}

/* ---- reading ---- */

static bool scroll_detail(struct top *top, int key) {
    struct top_detail *d = &top->detail;
    uint32_t page = top_page(top);
    switch (key) {
    case KEY_UP:
    case 'k':
        d->first -= d->first > 0;
        return true;
    case KEY_DOWN:
    case 'j':
        d->first++;
        return true;
    case KEY_PPAGE:
        d->first = d->first > page ? d->first - page : 0;
        return true;
    case KEY_NPAGE:
        d->first += page;
        return true;
    case KEY_HOME:
        d->first = 0;
        return true;
    case KEY_END:
        d->first = d->count;
        return true;
    default:
        return false;
    }
}

static void read_key(struct top *top, int key) {
    if (scroll_detail(top, key))
        return;
    if (key == KEY_F(10) || key == 'q')
        top->quit = true;
    else
        top_detail_close(&top->detail);
}

/* ---- the table ---- */

static bool move_selection(struct top *top, int key) {
    int64_t page = top_page(top);
    switch (key) {
    case KEY_UP:
    case 'k':
        watch_view_move(&top->view, -1);
        return true;
    case KEY_DOWN:
    case 'j':
        watch_view_move(&top->view, 1);
        return true;
    case KEY_PPAGE:
        watch_view_move(&top->view, -page);
        return true;
    case KEY_NPAGE:
        watch_view_move(&top->view, page);
        return true;
    case KEY_HOME:
        watch_view_move(&top->view, -(int64_t)top->view.count);
        return true;
    case KEY_END:
        watch_view_move(&top->view, top->view.count);
        return true;
    default:
        return false;
    }
}

static void look(struct top *top) {
    const struct watch_row *row = watch_view_selected(&top->view);
    if (!row)
        return;
    if (top->view.tab != WATCH_PROCESSES)
        top_detail_row(top, row);
    else if (row->id < top->list.count)
        top_choose(top, watch_found(top->list.watches[row->id]));
}

static void turn(struct top *top, enum watch_tab tab) {
    if (!top->watch)
        return;
    top->tab = tab;
    watch_view_turn(&top->view, tab);
    top->first = 0;
    top_refill(top);
}

static bool choose_tab(struct top *top, int key) {
    static const char digits[] = "1234", letters[] = "fstc";
    const char *at = key > 0 && key < 128 ? strchr(digits, key) : NULL;
    if (!at || !*at)
        at = key > 0 && key < 128 ? strchr(letters, key) : NULL;
    if (key == '\t' || key == KEY_RIGHT)
        turn(top, (top->tab + 1) % WATCH_PROCESSES);
    else if (key == KEY_LEFT || key == KEY_BTAB)
        turn(top, (top->tab + WATCH_PROCESSES - 1) % WATCH_PROCESSES);
    else if (at && *at)
        turn(top, (enum watch_tab)(at - (at >= letters && at < letters + 4 ? letters : digits)));
    else
        return false;
    return true;
}

static bool change_order(struct top *top, int key) {
    if (key == '>' || key == '.' || key == 'o' || key == KEY_F(6))
        watch_view_sort(&top->view, 1);
    else if (key == '<' || key == ',')
        watch_view_sort(&top->view, -1);
    else if (key == 'i' || key == 'I')
        top->view.reversed = !top->view.reversed;
    else if (key == 'r')
        top->view.since_start = !top->view.since_start;
    else
        return false;
    top_refill(top);
    return true;
}

static void escape(struct top *top) {
    if (top->view.filter[0]) {
        top->view.filter[0] = 0;
        top_refill(top);
    } else if (top->watch) {
        top_show_list(top);
    }
}

static void table_key(struct top *top, int key) {
    switch (key) {
    case 'q':
    case KEY_F(10):
        top->quit = true;
        break;
    case '?':
    case 'h':
    case KEY_F(1):
        top_detail_help(top);
        break;
    case '/':
    case '\\':
    case KEY_F(3):
    case KEY_F(4):
        top->typing = true;
        break;
    case '\r':
    case '\n':
    case KEY_ENTER:
        look(top);
        break;
    case ESCAPE:
        escape(top);
        break;
    case 'p':
        top_show_list(top);
        break;
    case ' ':
        top->paused = !top->paused;
        break;
    case KEY_F(5):
        top_look_now(top);
        break;
    default:
        break;
    }
}

void top_key(struct top *top, int key) {
    if (key == CONTROL('L'))
        clearok(curscr, TRUE);
    if (key == KEY_RESIZE)
        top_detail_renew(top);
    if (key == KEY_RESIZE || key == CONTROL('L'))
        return; /* drawn anew anyway */
    if (!top->over)
        top->status[0] = 0;
    if (COLS < TOP_COLUMNS || LINES < TOP_LINES)
        top->quit |= key == 'q' || key == KEY_F(10);
    else if (top->typing)
        type(top, key);
    else if (top->detail.open)
        read_key(top, key);
    else if (!move_selection(top, key) && !choose_tab(top, key) && !change_order(top, key))
        table_key(top, key);
}
