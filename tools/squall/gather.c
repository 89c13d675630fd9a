/* Finds what a run left: the regions that bear its id, wherever the shim could put them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

struct search {
    uint64_t run_id;
    const char *given; /* the folder that was asked for, or NULL */
    bool is_ours;      /* the one that is looked at */
    struct gathered *found;
};

/* What the library, or we, would have made: what runs may lay anything else there. */
static bool is_region_name(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name), end = strlen(".region");
    return strncmp(name, "squall.", 7) == 0 && length > 7 + end &&
           strcmp(name + length - end, ".region") == 0;
}

static int add(struct gathered_region **list, uint32_t *count, bool is_ours,
               const struct profile_file *file) {
    struct gathered_region *grown = reallocarray(*list, *count + 1u, sizeof **list);
    if (!grown)
        return -ENOMEM;
    *list = grown;
    struct gathered_region *r = &grown[*count];
    *r = (struct gathered_region){strdup(file->path), file->pid,         file->start_ticks,
                                  file->realtime_ns,  strdup(file->exe), is_ours};
    if (!r->path || !r->exe) {
        free(r->path);
        free(r->exe);
        return -ENOMEM;
    }
    ++*count;
    return 0;
}

static int consider(void *data, const struct profile_file *file) {
    struct search *s = data;
    struct gathered *g = s->found;
    if (file->packed || file->run_id != s->run_id || !is_region_name(file->path))
        return 0;
    /* Where it cannot be known it may be running: left alone. */
    if (file->mapped || file->state == PROFILE_RUNNING || file->state == PROFILE_UNKNOWN)
        return add(&g->alive, &g->alive_count, s->is_ours, file);
    return add(&g->ended, &g->ended_count, s->is_ours, file);
}

static int search_folder(void *data, const char *path) {
    struct search *s = data;
    struct stat folder;
    s->is_ours = (s->given && strcmp(path, s->given) == 0) ||
                 (lstat(path, &folder) == 0 && folder.st_uid == geteuid());
    int status = profile_list(path, consider, data);
    return status == -ENOMEM ? status : 0; /* a folder that is closed to us holds nothing of ours */
}

int gather_regions(const char *folder, uint64_t run_id, struct gathered *found) {
    struct search s = {.run_id = run_id, .given = folder, .found = found};
    memset(found, 0, sizeof *found);
    return profile_places(folder, search_folder, &s);
}

static void free_list(struct gathered_region *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        free(list[i].path);
        free(list[i].exe);
    }
    free(list);
}

void gather_free(struct gathered *found) {
    free_list(found->ended, found->ended_count);
    free_list(found->alive, found->alive_count);
    memset(found, 0, sizeof *found);
}
