/* squall clean: removes what dead processes left. It touches nothing that is not ours by content
 * and by owner, and nothing that a process has mapped. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

static const char usage[] =
    "usage: squall clean --older TIME [options] [DIR]...\n"
    "\n"
    "Removes the regions of a folder (else the one that the shim writes to) whose processes are\n"
    "gone, and what a pack that was killed left half done.\n"
    "\n"
    "  --older TIME  only what gave its last sign of life longer ago (7d, 12h, 0 = all)\n"
    "  --dumps       packed dumps, too\n"
    "  --dry-run     only say what would be removed\n"
    "  --quiet       do not say what is removed\n";

struct job {
    uint64_t before_ns; /* what is younger stays */
    bool older_given, dumps, dry_run, quiet, failed;
    uint32_t removed;
    uint64_t bytes;
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static bool may_go(const struct job *job, const struct profile_file *file) {
    if (file->realtime_ns > job->before_ns)
        return false;
    if (file->unfinished)
        return !file->mapped;
    if (file->packed)
        return job->dumps;
    return !file->mapped && file->state != PROFILE_RUNNING && file->state != PROFILE_UNKNOWN;
}

static int consider(void *data, const struct profile_file *file) {
    struct job *job = data;
    char size[32];
    if (!may_go(job, file))
        return 0;
    int status = job->dry_run ? 0 : profile_remove(file);
    if (status == -ENOENT || status == -EBUSY)
        return 0;
    if (status) {
        message("%s: cannot be removed: %s", file->path,
                status == -EPERM ? "it belongs to somebody else" : strerror(-status));
        job->failed = true;
        return 0;
    }
    job->removed++;
    job->bytes += file->bytes;
    if (!job->quiet)
        message("%s %s (%s%s%s)", job->dry_run ? "would remove" : "removed", file->path, file->exe,
                file->exe[0] ? ", " : "", message_size(file->bytes, size, sizeof size));
    return 0;
}

static int parse_age(struct job *job, const char *text) {
    uint64_t age, now = now_ns();
    if (base_parse_duration(text, strlen(text), &age) != 0) {
        message("clean: --older: '%s' is not a time", text);
        return COMMAND_USAGE;
    }
    job->before_ns = age < now ? now - age : 0;
    job->older_given = true;
    return 0;
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct job *job, int argc, char **argv) {
    static const struct option options[] = {
        {"older", required_argument, NULL, 'a'}, {"dumps", no_argument, NULL, 'd'},
        {"dry-run", no_argument, NULL, 'n'},     {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    int option, status = 0;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "nqh", options, NULL)) != -1) {
        switch (option) {
        case 'a':
            status = parse_age(job, optarg);
            break;
        case 'd':
            job->dumps = true;
            break;
        case 'n':
            job->dry_run = true;
            break;
        case 'q':
            job->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            status = -1;
            break;
        default:
            status = message_option("clean", argv);
        }
    }
    if (status == 0 && !job->older_given) {
        message("clean: --older is missing");
        status = message_usage("clean");
    }
    return status;
}

static int clean(struct job *job, const char *folder) {
    int status = profile_list(folder, consider, job);
    if (status == 0)
        status = profile_list_unfinished(folder, consider, job);
    if (status == 0)
        return job->failed ? COMMAND_FAILED : COMMAND_OK;
    message("%s: offset 0: cannot be listed: %s", folder, strerror(-status));
    return COMMAND_USAGE;
}

int command_clean(int argc, char **argv) {
    struct job job = {0};
    char folder[PATH_MAX], size[32];
    int status = parse_options(&job, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    if (optind == argc) {
        status = command_default_folder("clean", folder, sizeof folder);
        if (status == COMMAND_OK && access(folder, F_OK) == 0) /* else nothing was ever recorded */
            status = clean(&job, folder);
    }
    for (int i = optind; i < argc && status == COMMAND_OK; i++)
        status = clean(&job, argv[i]);
    if (!job.quiet && status == COMMAND_OK)
        message("%s %u file%s, %s", job.dry_run ? "would remove" : "removed", job.removed,
                job.removed == 1 ? "" : "s", message_size(job.bytes, size, sizeof size));
    return status;
}
