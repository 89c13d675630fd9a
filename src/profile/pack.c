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
    bool follow;        /* the one region is a link to what a process has mapped */
    struct stat *stats; /* of each region, as it was packed */
    bool *mapped;
};

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
    int status = source_open(&source, AT_FDCWD, job->regions[i], job->follow, error);
    if (status)
        return status;
    if (source_kind(&source) == SOURCE_DUMP) {
        status = profile_fail(error, -EINVAL, job->regions[i], 0, "is packed already");
        source_close(&source);
        return status;
    }
    status = decode_region(&source, job->maps, job->regions[i], &p, error);
    if (status == 0 && names_collect(&names, &p, job->namer, job->data) != 0)
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
static void remove_regions(const struct job *job) {
    for (uint32_t i = 0; i < job->count; i++) {
        struct stat now;
        if (!job->mapped[i] && lstat(job->regions[i], &now) == 0 && S_ISREG(now.st_mode) &&
            now.st_dev == job->stats[i].st_dev && now.st_ino == job->stats[i].st_ino)
            unlink(job->regions[i]);
    }
}

static int pack_job(struct job *job, const char *output, bool remove, struct profile_error *error) {
    struct writer w;
    job->maps = maps_open();
    job->stats = calloc((size_t)job->count + 1, sizeof *job->stats);
    job->mapped = calloc((size_t)job->count + 1, sizeof *job->mapped);
    int status = writer_open(&w, output, LEVEL, error);
    if (status == 0 && (!job->maps || !job->stats || !job->mapped))
        status = profile_fail(error, -ENOMEM, output, 0, "no memory");
    for (uint32_t i = 0; i < job->count && status == 0; i++)
        status = pack_region(&w, job, i);
    if (status == 0)
        status = writer_publish(&w);
    if (status == 0 && remove)
        remove_regions(job);
    writer_close(&w);
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
    struct job job = {
        .regions = &region, .count = 1, .follow = found->by_mapping, .namer = namer, .data = data};
    return pack_job(&job, output, false, error);
}
