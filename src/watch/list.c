/* All processes of the machine that run under squall. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "watch.h"

struct search {
    struct watch_list *list;
    bool *seen; /* of the watches that were there before */
    uint32_t before;
};

/* A watch holds its region and its process, and for a moment files with symbols. */
#define DESCRIPTORS_OF_WATCH 3u
#define DESCRIPTORS_OF_OTHERS 128u

uint32_t watch_most(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 256;
    if (limit.rlim_cur <= 2 * DESCRIPTORS_OF_OTHERS)
        return (uint32_t)limit.rlim_cur / (2 * DESCRIPTORS_OF_WATCH);
    uint64_t most = (limit.rlim_cur - DESCRIPTORS_OF_OTHERS) / DESCRIPTORS_OF_WATCH;
    return most < WATCH_MOST ? (uint32_t)most : WATCH_MOST;
}

struct watch *watch_open_one_more(const struct profile_found *found, uint32_t open,
                                  struct profile_unseen *unseen) {
    struct profile_error ignored;
    struct watch *watch = NULL;
    /* A file is soon made; of the room for processes that are seen themselves it takes none. */
    uint32_t most = found->pid ? watch_most() : watch_most() / 2;
    int status = open < most ? watch_open_found(found, &watch, &ignored) : -EMFILE;
    unseen->left_out += status == -EMFILE || status == -ENFILE;
    return watch;
}

static int add(struct watch_list *list, const struct profile_found *found) {
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 16;
        struct watch **grown = reallocarray(list->watches, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        list->watches = grown;
        list->room = room;
    }
    list->watches[list->count] = watch_open_one_more(found, list->count, &list->unseen);
    list->count += list->watches[list->count] != NULL;
    return 0;
}

static int consider(void *data, const struct profile_found *found) {
    struct search *s = data;
    struct profile_region region = profile_region_of(found);
    for (uint32_t i = 0; i < s->before; i++) {
        struct profile_region known = profile_region_of(watch_found(s->list->watches[i]));
        if (profile_region_same(&known, &region)) {
            s->seen[i] = true;
            return 0;
        }
    }
    return add(s->list, found);
}

static int by_age(const void *a, const void *b) {
    const struct profile_found *x = watch_found(*(struct watch *const *)a);
    const struct profile_found *y = watch_found(*(struct watch *const *)b);
    if (x->start_realtime_ns != y->start_realtime_ns)
        return x->start_realtime_ns < y->start_realtime_ns ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

int watch_list_find(struct watch_list *list) {
    struct search s = {.list = list, .before = list->count};
    s.seen = calloc(list->count + 1u, sizeof *s.seen);
    if (!s.seen)
        return -ENOMEM;
    int status = profile_find(consider, &s, &list->unseen);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (i >= s.before || s.seen[i] || status)
            list->watches[kept++] = list->watches[i];
        else
            watch_close(list->watches[i]);
    }
    list->count = kept;
    if (kept)
        qsort(list->watches, kept, sizeof *list->watches, by_age);
    free(s.seen);
    return status;
}

void watch_list_read(struct watch_list *list) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct profile_error ignored;
        enum watch_event event;
        if (watch_read(list->watches[i], &event, &ignored) == 0 && event != WATCH_ENDED)
            list->watches[kept++] = list->watches[i];
        else
            watch_close(list->watches[i]);
    }
    list->count = kept;
}

void watch_list_free(struct watch_list *list) {
    for (uint32_t i = 0; i < list->count; i++)
        watch_close(list->watches[i]);
    free(list->watches);
    memset(list, 0, sizeof *list);
}

static void append(char *out, size_t size, const char *text) {
    size_t at = strlen(out);
    snprintf(out + at, size - at, "%s%s", at ? "; " : "", text);
}

const char *watch_unseen(const struct profile_unseen *u, char *out, size_t size) {
    char text[1024];
    out[0] = 0;
    if (u->no_proc)
        append(out, size, "/proc cannot be read: only the folders were looked at");
    if (u->closed) {
        snprintf(text, sizeof text, "%u process%s not looked at: permission denied%s", u->closed,
                 u->closed == 1 ? "" : "es", geteuid() ? " (root sees them)" : "");
        append(out, size, text);
    }
    if (u->no_descriptors)
        append(out, size, "file descriptors ran out: not every process was looked at");
    if (u->left_out) {
        snprintf(text, sizeof text,
                 "%u region%s left out: more than one process has, or than can be watched at once",
                 u->left_out, u->left_out == 1 ? "" : "s");
        append(out, size, text);
    }
    if (u->out_of_reach) {
        snprintf(text, sizeof text, "%s%.*s", u->out_of_reach > 1 ? "among others, " : "",
                 (int)sizeof u->why, u->why);
        append(out, size, text);
    }
    if (u->folders) {
        snprintf(text, sizeof text, "%s%s cannot be listed", u->folder,
                 u->folders > 1 ? " and other folders" : "");
        append(out, size, text);
    }
    return out;
}
