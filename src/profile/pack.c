/* Packs regions into a dump. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "writer.h"

#define LEVEL 6

struct job {
    const char *const *regions;
    uint32_t count;
    const struct profile_end *ends;
    uint32_t end_count;
    profile_namer *namer;
    void *data;
    struct maps *maps;
    const struct profile_found *found; /* the one region is what a process has mapped */
    struct stat *stats;                /* of each region, as it was packed */
    bool *mapped;
    struct held *folders; /* that regions and output lie in */
    uint32_t folder_count;
};

/* The folder of a file, opened once, or a negative errno. */
static int folder_of(struct job *job, const char *path, const struct held **folder) {
    for (uint32_t i = 0; i < job->folder_count; i++)
        if (held_is_beside(job->folders[i].path, path)) {
            *folder = &job->folders[i];
            return 0;
        }
    struct held *fresh = &job->folders[job->folder_count];
    int status = held_open(fresh, path);
    job->folder_count += status == 0;
    *folder = fresh;
    return status;
}

static int open_region(struct job *job, uint32_t i, struct source *source,
                       struct profile_error *error) {
    const char *path = job->regions[i];
    const struct held *folder;
    if (job->found)
        return found_open(job->found, source, error);
    int status = folder_of(job, path, &folder);
    if (status)
        return profile_fail(error, status, path, 0, "cannot be opened: %s", strerror(-status));
    return source_open_in(source, folder->fd, path, error);
}

/* `source` is open where this succeeds, and `p` to be freed in any case. */
static int load_region(struct job *job, uint32_t i, struct source *source,
                       struct profile_process *p, struct profile_error *error) {
    int status = open_region(job, i, source, error);
    if (status)
        return status;
    if (source_kind(source) == SOURCE_DUMP)
        status = profile_fail(error, -EINVAL, job->regions[i], 0, "is packed already");
    else
        status = decode_region(source, job->maps, job->regions[i], p, error);
    if (status)
        source_close(source);
    return status;
}

/* An exec'd-away image of a process did not end with it. */
static const struct profile_end *end_of(const struct job *job, const struct profile_process *p) {
    for (uint32_t i = 0; i < job->end_count; i++) {
        const struct profile_end *e = &job->ends[i];
        if (e->pid == p->pid && p->state != PROFILE_REPLACED &&
            (e->start_ticks == 0 || p->start_ticks == 0 || e->start_ticks == p->start_ticks))
            return e;
    }
    return NULL;
}

static int pack_region(struct writer *w, struct job *job, uint32_t i) {
    struct profile_error *error = w->error;
    struct profile_process p = {0};
    struct names names = {0};
    struct source source;
    int status = load_region(job, i, &source, &p, error);
    if (status) {
        profile_process_free(&p);
        return status;
    }
    if (names_collect(&names, &p, job->namer, job->data) != 0)
        status = profile_fail(error, -ENOMEM, job->regions[i], 0, "no memory");
    if (status == 0)
        status = writer_put(w, &p, end_of(job, &p), &names);
    job->stats[i] = source.stat;
    job->mapped[i] = p.mapped;
    names_free(&names);
    profile_process_free(&p);
    source_close(&source);
    return status;
}

/* Only what was packed, and nothing that goes on being written. */
static void remove_regions(struct job *job) {
    const struct held *folder;
    for (uint32_t i = 0; i < job->count; i++)
        if (!job->mapped[i] && folder_of(job, job->regions[i], &folder) == 0)
            held_remove(folder, held_name(job->regions[i]), &job->stats[i]);
}

/* A dump beside its region goes to the folder that the region was found in: not before it was. */
static int open_output(struct job *job, struct writer *w, const char *output,
                       struct profile_error *error) {
    struct profile_process p = {0};
    const struct held *folder;
    struct source source;
    if (job->count == 0 || job->found || !held_is_beside(job->regions[0], output))
        return writer_open(w, -1, output, LEVEL, error);
    int status = open_region(job, 0, &source, error);
    if (status)
        return status;
    bool is_region = source_kind(&source) == SOURCE_REGION;
    source_close(&source);
    if (!is_region) { /* to say what is wrong with it */
        status = load_region(job, 0, &source, &p, error);
        profile_process_free(&p);
        if (status)
            return status;
        source_close(&source);
    }
    status = folder_of(job, job->regions[0], &folder);
    return status ? profile_fail(error, status, output, 0, "cannot be made")
                  : writer_open(w, folder->fd, output, LEVEL, error);
}

static int pack_job(struct job *job, const char *output, bool remove, struct profile_error *error) {
    struct writer w = {.fd = -1, .folder = -1, .error = error};
    int status = 0;
    job->maps = maps_open();
    job->stats = calloc((size_t)job->count + 1, sizeof *job->stats);
    job->mapped = calloc((size_t)job->count + 1, sizeof *job->mapped);
    job->folders = calloc((size_t)job->count + 1, sizeof *job->folders);
    if (!job->maps || !job->stats || !job->mapped || !job->folders)
        status = profile_fail(error, -ENOMEM, output, 0, "no memory");
    if (status == 0)
        status = open_output(job, &w, output, error);
    for (uint32_t i = 0; i < job->count && status == 0; i++)
        status = pack_region(&w, job, i);
    if (status == 0)
        status = writer_publish(&w);
    if (status == 0 && remove)
        remove_regions(job);
    writer_close(&w);
    while (job->folder_count > 0)
        held_close(&job->folders[--job->folder_count]);
    free(job->folders);
    free(job->stats);
    free(job->mapped);
    maps_close(job->maps);
    return status;
}

int profile_pack(const char *const *regions, uint32_t count, const char *output,
                 const struct profile_end *ends, uint32_t end_count, profile_namer *namer,
                 void *data, bool remove, struct profile_error *error) {
    struct job job = {.regions = regions,
                      .count = count,
                      .ends = ends,
                      .end_count = end_count,
                      .namer = namer,
                      .data = data};
    return pack_job(&job, output, remove, error);
}

int profile_pack_found(const struct profile_found *found, const char *output, profile_namer *namer,
                       void *data, struct profile_error *error) {
    const char *region = found->path;
    struct job job = {.regions = &region, .count = 1, .found = found, .namer = namer, .data = data};
    return pack_job(&job, output, false, error);
}
