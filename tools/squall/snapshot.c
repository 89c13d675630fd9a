/* squall snapshot: a packed dump of a running process as it is at this moment. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "live.h"

static const char usage[] =
    "usage: squall snapshot PID [-o FILE]\n"
    "\n"
    "Packs what a running process has recorded so far into a dump that can be kept and carried\n"
    "away, with the names of all functions. The process is not stopped and does not notice.\n"
    "\n"
    "  -o FILE    the dump; squall.PID.TIME.squall in this folder by default\n"
    "  --quiet    nothing on stderr but errors\n";

struct job {
    int pid;
    const char *output;
    bool quiet;
};

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
            return message_option("snapshot", argv);
        }
    }
    if (optind + 1 != argc) {
        message("snapshot: give the number of one process; squall ps tells them");
        return message_usage("snapshot");
    }
    return live_parse_pid("snapshot", argv[optind], &job->pid);
}

/* A name that nothing has yet: of two snapshots in a second neither is lost. */
static void choose_name(int pid, char *name, size_t size) {
    char at[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    struct stat s;
    if (gmtime_r(&now, &utc))
        strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(name, size, "squall.%d.%s.squall", pid, at);
    for (unsigned i = 1; i < 100 && lstat(name, &s) == 0; i++)
        snprintf(name, size, "squall.%d.%s-%u.squall", pid, at, i);
}

int command_snapshot(int argc, char **argv) {
    struct job job = {0};
    struct profile_error error;
    struct namer *namer = NULL;
    char name[PATH_MAX], size[32];
    struct stat s;
    int status = parse_options(&job, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    struct profile_found *found = malloc(sizeof *found);
    if (!found) {
        message("snapshot: %s", strerror(ENOMEM));
        return COMMAND_FAILED;
    }
    status = profile_find_pid(job.pid, found, &error);
    if (status) {
        message("%s", error.text);
        status = COMMAND_USAGE;
        goto cleanup;
    }
    choose_name(job.pid, name, sizeof name);
    if (!job.output)
        job.output = name;
    namer = namer_open_below(found->root);
    status = profile_pack_found(found, job.output, namer ? namer_name : NULL, namer, &error);
    if (status) {
        message("%s", error.text);
        status = COMMAND_FAILED;
    } else if (!job.quiet && stat(job.output, &s) == 0) {
        message("process %d at this moment: %s (%s)", job.pid, job.output,
                message_size((uint64_t)s.st_size, size, sizeof size));
    }
cleanup:
    namer_close(namer);
    free(found);
    return status;
}
