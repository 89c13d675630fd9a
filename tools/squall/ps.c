/* squall ps: every process on the machine that runs under squall. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "live.h"
#include "render/render.h"

static const char usage[] =
    "usage: squall ps [options]\n"
    "\n"
    "Lists every process on this machine that runs under squall, in whatever container, as far as\n"
    "permissions go; a line on stderr says what could not be looked at. None is stopped or asked.\n"
    "\n"
    "  --every TIME     rates over so long (1s, 200ms); without it, since each one's start\n"
    "  --no-findings    do not count findings, which needs the programs' symbols\n"
    "  --json           for programs\n";

struct job {
    uint64_t every_ns;
    bool json, no_findings;
};

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct job *job, int argc, char **argv) {
    static const struct option options[] = {
        {"every", required_argument, NULL, 'e'},
        {"no-findings", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, status = 0;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'e':
            status = live_parse_every("ps", optarg, &job->every_ns);
            break;
        case 'n':
            job->no_findings = true;
            break;
        case 'j':
            job->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            status = -1;
            break;
        default:
            status = message_option("ps", argv);
        }
    }
    if (status == 0 && optind < argc) {
        message("ps: '%s': takes no argument", argv[optind]);
        status = message_usage("ps");
    }
    return status;
}

static void count_findings(struct watch_list *list) {
    struct profile_error ignored;
    for (uint32_t i = 0; i < list->count; i++)
        watch_look(list->watches[i], false, &ignored);
}

int command_ps(int argc, char **argv) {
    struct job job = {0};
    struct watch_list list = {0};
    char why[1024];
    int status = parse_options(&job, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    command_take_descriptors();
    int error = watch_list_find(&list);
    if (error)
        goto cleanup;
    watch_list_read(&list);
    if (job.every_ns) {
        struct timespec pause = {(time_t)(job.every_ns / 1000000000u),
                                 (long)(job.every_ns % 1000000000u)};
        nanosleep(&pause, NULL);
        watch_list_read(&list);
    }
    if (!job.no_findings)
        count_findings(&list);
    unsigned width = render_width(stdout);
    error = job.json ? render_list_json(stdout, &list, job.every_ns == 0)
                     : render_list_text(stdout, &list, width, job.every_ns == 0);
    if (list.count == 0 && !job.json)
        message("no process that can be seen from here runs under squall");
    if (*watch_unseen(&list.unseen, why, sizeof why))
        message("ps: %s", why);
cleanup:
    watch_list_free(&list);
    if (error && error != -EPIPE)
        message("ps: %s", strerror(-error));
    return error ? COMMAND_FAILED : COMMAND_OK;
}
