/* squall merge: many dumps become one that can be kept, carried away and compared. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"

static const char usage[] =
    "usage: squall merge FILE|DIR... -o OUT\n"
    "\n"
    "Puts the processes of many dumps and regions into one dump, each with its own figures. The "
    "same\n"
    "process counts once, and the files stay. Of a folder, all that is in it.\n"
    "\n"
    "  -o OUT     the dump to write\n"
    "  --quiet    nothing on stderr but errors\n";

struct job {
    char **paths;
    uint32_t count, room;
    const char *output;
    bool quiet;
};

static int add_path(struct job *job, const char *path) {
    if (job->count == job->room) {
        uint32_t room = job->room ? job->room * 2 : 64;
        char **grown = reallocarray(job->paths, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        job->paths = grown;
        job->room = room;
    }
    job->paths[job->count] = strdup(path);
    return job->paths[job->count] ? (job->count++, 0) : -ENOMEM;
}

/* A dump before the region that it was made of: it knows more. */
static int take_packed(void *job, const struct profile_file *file) {
    return file->packed ? add_path(job, file->path) : 0;
}

static int take_region(void *job, const struct profile_file *file) {
    return file->packed ? 0 : add_path(job, file->path);
}

/* "All that is in it": one that is broken fails the merge, as it does a report. */
static int take_refused(void *job, const char *path, const char *why) {
    if (!why)
        return add_path(job, path);
    message("%s", why);
    return 0;
}

static int collect(struct job *job, const char *path) {
    struct stat s;
    int status = stat(path, &s) == 0 ? 0 : -errno;
    if (status == 0 && !S_ISDIR(s.st_mode))
        status = add_path(job, path);
    else if (status == 0)
        status = profile_list(path, take_packed, job);
    if (status == 0 && S_ISDIR(s.st_mode))
        status = profile_list(path, take_region, job);
    if (status == 0 && S_ISDIR(s.st_mode))
        status = profile_list_refused(path, take_refused, job);
    if (status == 0)
        return COMMAND_OK;
    message("%s: %s", path, strerror(-status));
    return status == -ENOMEM ? COMMAND_FAILED : COMMAND_USAGE;
}

static int merge(struct job *job) {
    struct profile_error error;
    struct profile_merged merged;
    struct namer *namer = namer_open();
    int status = profile_merge((const char *const *)job->paths, job->count, job->output,
                               namer ? namer_name : NULL, namer, &merged, &error);
    namer_close(namer);
    if (status) {
        message("%s", error.text);
        return status == -EINVAL || status == -EFBIG ? COMMAND_USAGE : COMMAND_FAILED;
    }
    if (!job->quiet)
        message("%llu process%s of %u file%s in %s%s", (unsigned long long)merged.processes,
                merged.processes == 1 ? "" : "es", job->count, job->count == 1 ? "" : "s",
                job->output, merged.twice ? "; those that came twice count once" : "");
    return COMMAND_OK;
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct job *job, int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    optind = opterr = 0;
    while ((option = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            job->output = optarg;
            break;
        case 'q':
            job->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return -1;
        default:
            return message_option("merge", argv);
        }
    }
    if (job->output && optind < argc)
        return 0;
    message("merge: %s", job->output ? "no file is given" : "-o is missing");
    return message_usage("merge");
}

int command_merge(int argc, char **argv) {
    struct job job = {0};
    int status = parse_options(&job, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    for (int i = optind; i < argc && status == 0; i++)
        status = collect(&job, argv[i]);
    if (status == 0)
        status = merge(&job);
    for (uint32_t i = 0; i < job.count; i++)
        free(job.paths[i]);
    free(job.paths);
    return status;
}
