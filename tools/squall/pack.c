/* squall pack: what LD_PRELOAD alone left behind becomes dumps that can be kept and carried away.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

static const char usage[] =
    "usage: squall pack [options] [DIR|FILE]...\n"
    "\n"
    "Packs the regions of a folder (else the one that the shim writes to) whose processes are "
    "gone,\n"
    "each into a file of its own beside it, with the names of all functions, and removes them.\n"
    "\n"
    "  -o FILE    all of them into one file\n"
    "  --keep     do not remove the regions\n"
    "  --quiet    nothing on stderr but errors\n";

struct job {
    char **paths;
    uint32_t count;
    uint32_t running;
    bool keep, quiet;
    const char *output;
    struct namer *namer;
};

static int add_path(struct job *job, const char *path) {
    char **grown = reallocarray(job->paths, job->count + 1u, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    job->paths = grown;
    grown[job->count] = strdup(path);
    return grown[job->count] ? (job->count++, 0) : -ENOMEM;
}

static int consider(void *data, const struct profile_file *file) {
    struct job *job = data;
    if (file->packed)
        return 0;
    if (!file->mapped && file->state != PROFILE_RUNNING && file->state != PROFILE_UNKNOWN)
        return add_path(job, file->path);
    job->running++;
    if (!job->quiet)
        message("%s, left: process %d (%s), %s",
                file->state == PROFILE_UNKNOWN ? "not known whether it runs" : "still running",
                file->pid, file->exe[0] ? file->exe : "?", file->path);
    return 0;
}

/* What is broken is told of, and stays. */
static int consider_refused(void *data, const char *path, const char *why) {
    return why ? 0 : add_path(data, path);
}

static int collect(struct job *job, const char *path) {
    struct stat s = {0};
    int status;
    if (stat(path, &s) == 0 && S_ISREG(s.st_mode))
        status = add_path(job, path);
    else
        status = profile_list(path, consider, job);
    if (status == 0 && !S_ISREG(s.st_mode))
        status = profile_list_refused(path, consider_refused, job);
    if (status == 0)
        return COMMAND_OK;
    message("%s: offset 0: cannot be listed: %s", path, strerror(-status));
    return COMMAND_USAGE;
}

static int pack_into(struct job *job, char *const *paths, uint32_t count, const char *output) {
    struct profile_error error;
    struct stat s;
    char size[32];
    int status = profile_pack((const char *const *)paths, count, output, NULL, 0,
                              job->namer ? namer_name : NULL, job->namer, !job->keep, &error);
    if (status) {
        message("%s", error.text);
        return status == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
    }
    if (!job->quiet && stat(output, &s) == 0)
        message("packed %u process%s into %s (%s)", count, count == 1 ? "" : "es", output,
                message_size((uint64_t)s.st_size, size, sizeof size));
    return COMMAND_OK;
}

/* A dump of that name may hold more than this region: that of `squall run --keep` has the children
 * and how it ended. */
static int pack_beside(struct job *job, char **path) {
    char output[PATH_MAX];
    struct stat s;
    size_t length = strlen(*path), end = strlen(".region");
    if (length > end && strcmp(*path + length - end, ".region") == 0)
        length -= end;
    snprintf(output, sizeof output, "%.*s.squall", (int)length, *path);
    if (lstat(output, &s) != 0)
        return pack_into(job, path, 1, output);
    message("%s: is packed already, as %s", *path, output);
    return COMMAND_FAILED;
}

static int pack_all(struct job *job) {
    int worst = COMMAND_OK;
    if (job->count == 0 && !job->quiet)
        message("nothing to pack");
    if (job->count == 0)
        return COMMAND_OK;
    if (job->output)
        return pack_into(job, job->paths, job->count, job->output);
    for (uint32_t i = 0; i < job->count; i++) {
        /* One that is broken does not keep the others. */
        int status = pack_beside(job, &job->paths[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct job *job, int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"keep", no_argument, NULL, 'k'},
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
        case 'k':
            job->keep = true;
            break;
        case 'q':
            job->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return -1;
        default:
            return message_option("pack", argv);
        }
    }
    return 0;
}

int command_pack(int argc, char **argv) {
    struct job job = {0};
    char folder[PATH_MAX];
    int status = parse_options(&job, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    if (optind == argc) {
        status = command_default_folder("pack", folder, sizeof folder);
        if (status == COMMAND_OK && access(folder, F_OK) == 0) /* else nothing was ever recorded */
            status = collect(&job, folder);
    }
    for (int i = optind; i < argc && status == 0; i++)
        status = collect(&job, argv[i]);
    job.namer = namer_open();
    if (status == 0)
        status = pack_all(&job);
    namer_close(job.namer);
    for (uint32_t i = 0; i < job.count; i++)
        free(job.paths[i]);
    free(job.paths);
    return status;
}
