/* The regions and dumps of a folder: what is there, what may go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

void folder_region_name(const struct region_header *h, char *name, size_t size) {
    snprintf(name, size, "squall.%d.%" PRIu64 ".%016" PRIx64 ".region", h->pid, h->start_ticks,
             h->random);
}

/* What snprintf returned: did it fit? */
static int fits(int length, size_t size) {
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static uint64_t file_time(const struct stat *s) {
    return (uint64_t)s->st_mtim.tv_sec * 1000000000ull + (uint64_t)s->st_mtim.tv_nsec;
}

/* The last sign of life that the header tells: stores through a mapping do not touch the time of
 * a file on tmpfs. */
static uint64_t region_time(const struct region_header *h, const struct stat *s) {
    uint64_t at = h->start_realtime_ns;
    if (!(h->pair_sequence & 1) && h->end_raw_ns > h->start_raw_ns)
        at += h->end_raw_ns - h->start_raw_ns;
    return at > file_time(s) ? at : file_time(s);
}

static void copy_exe(struct source *source, const struct region_header *h,
                     const struct region_view *view, char *exe, size_t size) {
    uint64_t base = (uint64_t)(view->rows[REGION_STRINGS] - view->image);
    uint64_t used = view->row_size[REGION_STRINGS] == 1 ? view->used[REGION_STRINGS] : 0;
    exe[0] = 0;
    if (h->exe == 0 || h->exe >= used)
        return;
    uint64_t room = used - h->exe < size - 1 ? used - h->exe : size - 1;
    if (source_read(source, base + h->exe, exe, room, NULL) != 0)
        room = 0;
    exe[room] = 0;
}

/* The name that writer.c gives a dump until it is whole. */
static bool is_unfinished(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    return name[0] == '.' && length > 5 && strcmp(name + length - 5, ".part") == 0;
}

/* `head`: its first 64 KiB, to be freed whatever this returns. */
static int read_head(struct source *source, uint8_t **head, struct region_view *view) {
    struct region_error why;
    *head = aligned_alloc(64, 64u * 1024u);
    if (!*head)
        return -ENOMEM;
    memset(*head, 0, 64u * 1024u);
    uint64_t size = source->size < 64u * 1024u ? source->size : 64u * 1024u;
    int status = source_read(source, 0, *head, size, NULL);
    return status ? status : region_validate(*head, source->size, view, &why);
}

int folder_exe(struct source *source, char *exe, size_t size) {
    struct region_view view;
    uint8_t *head;
    int status = read_head(source, &head, &view);
    if (status == 0)
        copy_exe(source, view.header, &view, exe, size);
    free(head);
    return status;
}

int folder_inspect(struct source *source, struct maps *maps, const char *path, bool beside,
                   struct profile_file *file) {
    struct region_view view;
    uint8_t *head;
    memset(file, 0, sizeof *file);
    int status = fits(snprintf(file->path, sizeof file->path, "%s", path), sizeof file->path);
    file->uid = source->stat.st_uid;
    file->device = source->stat.st_dev;
    file->inode = source->stat.st_ino;
    file->bytes = (uint64_t)source->stat.st_blocks * 512;
    file->realtime_ns = file_time(&source->stat);
    file->packed = source_kind(source) == SOURCE_DUMP;
    file->unfinished = file->packed && is_unfinished(path);
    /* Who writes it holds a lock, which the kernel lets go when that process is gone. */
    if (file->unfinished && flock(source->fd, LOCK_SH | LOCK_NB) != 0)
        file->mapped = true;
    if (status || file->packed)
        return status;
    status = read_head(source, &head, &view);
    if (status == 0) {
        const struct region_header *h = view.header;
        struct state state = state_of(maps, h, &source->stat, beside ? path : NULL);
        file->key = h->random;
        file->run_id = h->run_id;
        file->start_ticks = h->start_ticks;
        file->pid = h->pid;
        file->state = state.state;
        file->mapped = state.mapped;
        file->crowded = state.crowded;
        file->pid_namespace = h->pid_namespace;
        file->realtime_ns = region_time(h, &source->stat);
        copy_exe(source, h, &view, file->exe, sizeof file->exe);
    }
    free(head);
    return status;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int unfinished(const struct dirent *entry) {
    return is_unfinished(entry->d_name);
}

bool folder_is_our_name(const char *name) {
    size_t length = strlen(name);
    return strncmp(name, "squall.", 7) == 0 &&
           ((length > 7 && strcmp(name + length - 7, ".region") == 0) ||
            (length > 7 && strcmp(name + length - 7, ".squall") == 0));
}

/* ---- going through a folder ---- */

struct walk {
    const char *folder;
    int fd;
    struct maps *maps;
    struct profile_file *file; /* room for one */
    int (*each)(void *data, const struct profile_file *file);
    int (*each_refused)(void *data, const char *path, const char *why);
    void *data;
};

/* Calls `look` for each name that is `wanted`, in their order, until it returns other than 0. */
static int go_through(struct walk *w, int (*wanted)(const struct dirent *entry),
                      int (*look)(struct walk *w, const char *name)) {
    struct dirent **names;
    w->file = malloc(sizeof *w->file);
    w->maps = maps_open();
    w->fd = held_folder(w->folder);
    int status = w->fd < 0 ? w->fd : 0;
    int count = status ? -1 : scandirat(w->fd, ".", &names, wanted, alphasort);
    if (count < 0) {
        status = status ? status : -errno;
        goto cleanup;
    }
    if (!w->file || !w->maps)
        status = -ENOMEM;
    for (int i = 0; i < count; i++) {
        if (status == 0)
            status = look(w, names[i]->d_name);
        free(names[i]);
    }
    free(names);
cleanup:
    if (w->fd >= 0)
        close(w->fd);
    maps_close(w->maps);
    free(w->file);
    return status;
}

/* A file that is ours. */
static int look_at_sound(struct walk *w, const char *name) {
    char path[4096];
    struct source source;
    int status = fits(snprintf(path, sizeof path, "%s/%s", w->folder, name), sizeof path);
    if (status || source_open(&source, w->fd, name, false, NULL) != 0)
        return 0;
    enum source_kind kind = source_kind(&source);
    status = -EINVAL;
    if (kind == SOURCE_REGION || kind == SOURCE_DUMP)
        status = folder_inspect(&source, w->maps, path, true, w->file);
    source_close(&source);
    return status ? 0 : w->each(w->data, w->file);
}

int profile_list(const char *folder, int (*each)(void *data, const struct profile_file *file),
                 void *data) {
    struct walk w = {.folder = folder, .each = each, .data = data};
    return go_through(&w, visible, look_at_sound);
}

int profile_list_unfinished(const char *folder,
                            int (*each)(void *data, const struct profile_file *file), void *data) {
    struct walk w = {.folder = folder, .each = each, .data = data};
    return go_through(&w, unfinished, look_at_sound);
}

/* As `report` has it (load.c): what cannot be opened is left out with a word, what can and is no
 * region though it is named as one is broken. */
static int look_at_refused(struct walk *w, const char *name) {
    char path[4096];
    struct source source;
    struct profile_error why = {.text = ""};
    int status = fits(snprintf(path, sizeof path, "%s/%s", w->folder, name), sizeof path);
    if (status || !folder_is_our_name(name))
        return 0;
    status = source_open(&source, w->fd, name, false, &why);
    if (status)
        return status == -ENOENT || status == -EISDIR ? 0
                                                      : w->each_refused(w->data, path, why.text);
    enum source_kind kind = source_kind(&source);
    bool is_broken = kind == SOURCE_OTHER ||
                     (kind == SOURCE_REGION &&
                      folder_inspect(&source, w->maps, path, true, w->file) == -EINVAL);
    source_close(&source);
    return is_broken ? w->each_refused(w->data, path, NULL) : 0;
}

int profile_list_refused(const char *folder,
                         int (*each)(void *data, const char *path, const char *why), void *data) {
    struct walk w = {.folder = folder, .each_refused = each, .data = data};
    return go_through(&w, visible, look_at_refused);
}

/* ---- one file ---- */

int profile_remove(const struct profile_file *file) {
    struct profile_file now;
    struct source source = {.fd = -1};
    struct held held;
    struct maps *maps = maps_open();
    const char *name = held_name(file->path);
    int status = held_open(&held, file->path);
    if (status == 0)
        status = source_open(&source, held.fd, name, false, NULL);
    if (status)
        goto cleanup;
    enum source_kind kind = source_kind(&source);
    status = -EINVAL;
    if (kind != SOURCE_REGION && kind != SOURCE_DUMP)
        goto cleanup;
    status = folder_inspect(&source, maps, file->path, false, &now);
    if (status)
        goto cleanup;
    if (now.packed != file->packed || now.key != file->key)
        status = -ESTALE;
    else if (now.uid != geteuid() && now.uid != 0)
        status = -EPERM;
    else if (now.mapped)
        status = -EBUSY;
    else
        status = held_remove(&held, name, &source.stat);
cleanup:
    source_close(&source);
    held_close(&held);
    maps_close(maps);
    return status;
}

struct newest {
    uint64_t time;
    char path[4096];
};

static int is_newer(void *data, const struct profile_file *file) {
    struct newest *best = data;
    if (best->path[0] && file->realtime_ns < best->time)
        return 0;
    /* Of a region and the dump made of it in the same instant the dump knows more. */
    if (best->path[0] && file->realtime_ns == best->time && !file->packed)
        return 0;
    best->time = file->realtime_ns;
    memcpy(best->path, file->path, sizeof best->path);
    return 0;
}

int profile_newest(const char *folder, char *path, size_t size) {
    struct newest *best = calloc(1, sizeof *best);
    if (!best)
        return -ENOMEM;
    int status = profile_list(folder, is_newer, best);
    if (status == 0 && best->path[0] == 0)
        status = -ENOENT;
    if (status == 0)
        status = fits(snprintf(path, size, "%s", best->path), size);
    free(best);
    return status;
}
