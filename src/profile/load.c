/* The door: loads what a path leads to, whatever it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct profile_process *profile_add(struct profile *profile) {
    /* Doubled at each power of two: no field for the room there is. */
    if ((profile->count & (profile->count - 1)) == 0) {
        size_t room = profile->count ? (size_t)profile->count * 2 : 1;
        struct profile_process *grown =
            reallocarray(profile->processes, room, sizeof *profile->processes);
        if (!grown)
            return NULL;
        profile->processes = grown;
    }
    struct profile_process *p = &profile->processes[profile->count++];
    memset(p, 0, sizeof *p);
    return p;
}

void profile_free(struct profile *profile) {
    for (uint32_t i = 0; i < profile->count; i++)
        profile_process_free(&profile->processes[i]);
    free(profile->processes);
    memset(profile, 0, sizeof *profile);
}

/* Adds what an open source holds; `path` is where neighbours of a region are looked for. */
static int load_source(struct source *source, struct maps *maps, const char *path,
                       struct profile *profile, struct profile_error *error) {
    switch (source_kind(source)) {
    case SOURCE_DUMP:
        return dump_load(source, profile, error);
    case SOURCE_REGION: {
        struct profile_process *p = profile_add(profile);
        return p ? decode_region(source, maps, path, p, error)
                 : profile_fail(error, -ENOMEM, source->name, 0, "no memory");
    }
    case SOURCE_EMPTY:
        return profile_fail(error, -EINVAL, source->name, 0,
                            source->size == 0 ? "is empty"
                                              : "not a squall file, or a region that was never "
                                                "finished: its process died at once");
    default:
        return profile_fail(error, -EINVAL, source->name, 0, "not a squall region or dump");
    }
}

static int by_age(const void *a, const void *b) {
    const struct profile_process *x = a, *y = b;
    if (x->start_realtime_ns != y->start_realtime_ns)
        return x->start_realtime_ns < y->start_realtime_ns ? -1 : 1;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static uint64_t weight(const struct stat *file) {
    return (uint64_t)file->st_blocks * 512;
}

struct folder_load {
    const char *path;
    struct dirent **names;
    int count;
    struct maps *maps;
    struct profile *profile;
    profile_progress *progress;
    void *data;
    void (*warn)(const char *line);
    uint64_t done, total;
};

static int load_entry(struct folder_load *l, const char *name, struct profile_error *error) {
    char path[4096];
    struct source source;
    struct profile_error why;
    int length = snprintf(path, sizeof path, "%s/%s", l->path, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return profile_fail(error, -ENAMETOOLONG, l->path, 0, "the name is too long: %s", name);
    int status = source_open(&source, AT_FDCWD, path, false, &why);
    if (status == -ENOENT)
        return 0; /* packed or removed in the meantime */
    if (status) {
        if (l->warn && status != -EISDIR)
            l->warn(why.text);
        return 0;
    }
    enum source_kind kind = source_kind(&source);
    source.progress = l->progress;
    source.progress_data = l->data;
    source.done = l->done;
    source.total = l->total;
    if (kind == SOURCE_REGION || kind == SOURCE_DUMP ||
        (kind == SOURCE_OTHER && folder_is_our_name(name)))
        status = load_source(&source, l->maps, path, l->profile, error);
    else if (l->warn) {
        profile_fail(&why, 0, path, 0, "skipped: %s",
                     kind == SOURCE_EMPTY ? "empty, or just being made"
                                          : "not a squall region or dump");
        l->warn(why.text);
    }
    l->done += weight(&source.stat);
    source_close(&source);
    return status;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* A packed region that was not removed is there twice: the dump, which knows more, counts. */
static void drop_twins(struct profile *profile) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < profile->count; i++) {
        struct profile_process *p = &profile->processes[i];
        bool twin = false;
        for (uint32_t k = kept; k-- > 0 && !twin;) {
            struct profile_process *q = &profile->processes[k];
            if (q->start_realtime_ns != p->start_realtime_ns)
                break; /* sorted by it */
            twin = q->key == p->key && q->pid == p->pid && p->key != 0;
            if (twin && p->symbol_count > q->symbol_count) {
                struct profile_process better = *p;
                *p = *q;
                *q = better;
            }
        }
        if (twin)
            profile_process_free(p);
        else
            profile->processes[kept++] = *p;
    }
    profile->count = kept;
}

static int load_folder(const char *path, struct profile *profile, profile_progress *progress,
                       void *data, void (*warn)(const char *line), struct profile_error *error) {
    struct folder_load l = {
        .path = path, .profile = profile, .progress = progress, .data = data, .warn = warn};
    int status = 0;
    l.count = scandir(path, &l.names, visible, alphasort);
    if (l.count < 0) {
        status = -errno;
        return profile_fail(error, status, path, 0, "cannot be listed: %s", strerror(-status));
    }
    l.maps = maps_open();
    for (int i = 0; i < l.count; i++) {
        char file[4096];
        struct stat s;
        snprintf(file, sizeof file, "%s/%s", path, l.names[i]->d_name);
        if (lstat(file, &s) == 0 && S_ISREG(s.st_mode))
            l.total += weight(&s);
    }
    for (int i = 0; i < l.count && status == 0; i++)
        status = load_entry(&l, l.names[i]->d_name, error);
    if (status == 0 && profile->count > 0) {
        qsort(profile->processes, profile->count, sizeof *profile->processes, by_age);
        drop_twins(profile);
    }
    maps_close(l.maps);
    for (int i = 0; i < l.count; i++)
        free(l.names[i]);
    free(l.names);
    return status;
}

int profile_load(const char *path, struct profile *profile, profile_progress *progress, void *data,
                 void (*warn)(const char *line), struct profile_error *error) {
    struct stat s;
    struct source source = {.fd = -1};
    struct maps *maps = NULL;
    int status;
    memset(profile, 0, sizeof *profile);
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        status = load_folder(path, profile, progress, data, warn, error);
        goto cleanup;
    }
    status = source_open(&source, AT_FDCWD, path, true, error);
    if (status)
        goto cleanup;
    source.progress = progress;
    source.progress_data = data;
    source.total = weight(&source.stat);
    maps = maps_open();
    status = load_source(&source, maps, path, profile, error);
    if (status == 0 && profile->count > 1)
        qsort(profile->processes, profile->count, sizeof *profile->processes, by_age);
cleanup:
    maps_close(maps);
    source_close(&source);
    if (status)
        profile_free(profile);
    return status;
}

int profile_load_memory(const void *image, size_t size, const char *name, struct profile *profile,
                        struct profile_error *error) {
    struct source source;
    memset(profile, 0, sizeof *profile);
    source_memory(&source, image, size, name);
    int status = load_source(&source, NULL, NULL, profile, error);
    if (status)
        profile_free(profile);
    return status;
}
