/* Many dumps and regions into one dump: every process as it is, so that what the one tells is the
 * sum of what the many told. One process at a time is in memory, however many there are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "writer.h"

#define LEVEL 3 /* of thousands of dumps: twice as fast as that of a pack, a tenth longer */

/* What tells a process apart: that of its region. */
struct seen {
    UT_hash_handle hh;
    struct seen_key {
        uint64_t key, start_ns;
        int64_t pid;
    } id;
};

struct job {
    struct writer writer;
    struct maps *maps;
    struct seen *seen;
    profile_namer *namer;
    void *data;
    struct profile_merged *merged;
    struct profile_error *error;
};

/* 1: it was there already; or -ENOMEM. */
static int remember(struct job *job, const struct profile_process *p) {
    struct seen_key key = {p->key, p->start_realtime_ns, p->pid};
    struct seen *seen;
    HASH_FIND(hh, job->seen, &key, sizeof key, seen);
    if (seen)
        return 1;
    seen = calloc(1, sizeof *seen);
    if (!seen)
        return -ENOMEM;
    seen->id = key;
    HASH_ADD(hh, job->seen, id, sizeof seen->id, seen);
    if (seen->hh.tbl)
        return 0;
    free(seen);
    return -ENOMEM;
}

static int add(struct job *job, const struct profile_process *p, bool packed) {
    struct profile_end end = {.pid = p->pid};
    struct names names;
    int status = remember(job, p);
    if (status > 0) {
        job->merged->twice++;
        return 0;
    }
    if (status == 0)
        status = packed ? names_keep(&names, p) : names_collect(&names, p, job->namer, job->data);
    if (status)
        return profile_fail(job->error, status, p->file, 0, "no memory");
    base_copy(end.ended_by, sizeof end.ended_by, p->ended_by ? p->ended_by : "");
    status = writer_put(&job->writer, p, &end, &names);
    names_free(&names);
    return status;
}

static int add_packed(void *job, const struct profile_process *p) {
    return add(job, p, true);
}

static int add_region(struct job *job, struct source *source, const char *path) {
    struct profile_process p = {0};
    int status = decode_region(source, job->maps, path, &p, job->error);
    if (status == 0)
        status = add(job, &p, false);
    profile_process_free(&p);
    return status;
}

static int add_file(struct job *job, const char *path) {
    struct source source;
    int status = source_open(&source, AT_FDCWD, path, true, job->error);
    if (status)
        return status;
    switch (source_kind(&source)) {
    case SOURCE_DUMP:
        status = dump_walk(&source, add_packed, job, job->error);
        break;
    case SOURCE_REGION:
        status = add_region(job, &source, path);
        break;
    default:
        status = profile_fail(job->error, -EINVAL, path, 0, "not a squall region or dump");
    }
    source_close(&source);
    return status;
}

int profile_merge(const char *const *files, uint32_t count, const char *output,
                  profile_namer *namer, void *data, struct profile_merged *merged,
                  struct profile_error *error) {
    struct job job = {
        .maps = maps_open(), .namer = namer, .data = data, .merged = merged, .error = error};
    struct seen *seen, *next;
    *merged = (struct profile_merged){0};
    int status = writer_open(&job.writer, -1, output, LEVEL, error);
    for (uint32_t i = 0; i < count && status == 0; i++)
        status = add_file(&job, files[i]);
    merged->processes = job.writer.processes;
    if (status == 0)
        status = writer_publish(&job.writer);
    writer_close(&job.writer);
    HASH_ITER(hh, job.seen, seen, next) {
        HASH_DEL(job.seen, seen);
        free(seen);
    }
    maps_close(job.maps);
    return status;
}
