/* Between view.c, which keeps rows, and rows.c, which makes them. */
#ifndef SQUALL_WATCH_VIEW_H
#define SQUALL_WATCH_VIEW_H

#include "internal.h"

/* A new row, zeroed but for its name and text; NULL if the filter hides it (or there is no
 * memory: a row is missing then). id is the process or thread id that the row shows, 0 for none:
 * the filter finds it by its first digits, too. */
struct watch_row *view_add(struct watch_view *view, const char *name, const char *text, int32_t id);

void rows_of_watch(struct watch_view *view, struct watch *watch,
                   const struct watch_history *history);
void rows_of_list(struct watch_view *view, const struct watch_list *list);

#endif
