/* squall live: what a running process allocates, an object or a line an interval. */
#include "live.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "render/render.h"

#define EVERY_MIN_NS 10000000ull
#define SITES 10u

static const char usage[] =
    "usage: squall live PID [options]\n"
    "\n"
    "Tells what a running process allocates and compresses: a line for every interval, until it\n"
    "ends. It is not stopped and does not notice. After an exec its successor is followed.\n"
    "\n"
    "  --every TIME     between two reads (1s by default, 100ms)\n"
    "  --count N        end after N lines\n"
    "  --json           an object a line: differences and totals, sites, codecs, findings\n"
    "  --top N          at most N sites in each object (10; 0 = none)\n";

struct job {
    int pid;
    uint64_t every_ns, count;
    uint32_t sites;
    bool json;
};

uint64_t live_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int live_parse_every(const char *command, const char *text, uint64_t *every_ns) {
    if (base_parse_duration(text, strlen(text), every_ns) == 0 && *every_ns >= EVERY_MIN_NS &&
        *every_ns < 86400ull * 1000000000u)
        return 0;
    message("%s: --every: '%s' is not a time from 10ms to a day", command, text);
    return COMMAND_USAGE;
}

int live_parse_pid(const char *command, const char *text, int *pid) {
    uint64_t value;
    if (base_parse_number(text, strlen(text), 10, &value) == 0 && value > 0 && value <= INT32_MAX) {
        *pid = (int)value;
        return 0;
    }
    message("%s: '%s' is not the number of a process", command, text);
    return COMMAND_USAGE;
}

static int parse_number(const char *option, const char *text, uint64_t *value) {
    if (base_parse_number(text, strlen(text), 10, value) == 0)
        return 0;
    message("live: --%s: bad value '%s'", option, text);
    return COMMAND_USAGE;
}

static int parse_option(struct job *job, int option, const char *value, char **argv) {
    uint64_t number = 0;
    int status = 0;
    switch (option) {
    case 'e':
        return live_parse_every("live", value, &job->every_ns);
    case 'n':
        return parse_number("count", value, &job->count);
    case 't':
        status = parse_number("top", value, &number);
        job->sites = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
        return status;
    case 'j':
        job->json = true;
        return 0;
    case 'h':
        fputs(usage, stdout);
        return -1;
    default:
        return message_option("live", argv);
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct job *job, int argc, char **argv) {
    static const struct option options[] = {
        {"every", required_argument, NULL, 'e'}, {"count", required_argument, NULL, 'n'},
        {"top", required_argument, NULL, 't'},   {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    int option, status = 0;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        status = parse_option(job, option, optarg, argv);
    if (status)
        return status;
    if (optind + 1 != argc) {
        message("live: give the number of one process; squall ps tells them");
        return message_usage("live");
    }
    return live_parse_pid("live", argv[optind], &job->pid);
}

static const char *name_of(enum watch_event event) {
    switch (event) {
    case WATCH_ENDED:
        return "ended";
    case WATCH_REPLACED:
        return "replaced";
    case WATCH_FOLLOWED:
        return "followed";
    case WATCH_ALONE:
        return "alone";
    case WATCH_NOTHING:
        break;
    }
    return NULL;
}

static void tell(const struct watch *watch, enum watch_event event) {
    char exe[300];
    const struct profile_found *found = watch_found(watch);
    render_clean(exe, sizeof exe, render_name_of(found->exe), 60);
    if (event == WATCH_ENDED)
        message("process %d (%s) has ended%s", found->pid, exe,
                watch_state(watch) == PROFILE_DIED ? " without its exit handlers" : "");
    else if (event == WATCH_FOLLOWED)
        message("process %d is %s now (exec): counted from zero", found->pid, exe);
    else if (event == WATCH_ALONE)
        message("process %d called exec and runs on without squall", found->pid);
}

/* Waits for the next moment, or for the end of the process. */
static void wait_until(const struct watch *watch, uint64_t due) {
    struct pollfd end = {.fd = watch_descriptor(watch), .events = POLLIN};
    for (uint64_t at = live_now(); at < due; at = live_now()) {
        uint64_t left = due - at;
        struct timespec pause = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        if (ppoll(&end, end.fd >= 0, &pause, NULL) > 0)
            return;
    }
}

static void tell_children(struct watch *watch) {
    int last;
    uint32_t count = watch_children(watch, &last);
    if (count == 1 && last)
        message("process %d started process %d under squall, too", watch_found(watch)->pid, last);
    else if (count)
        message("process %d started %u process%s under squall, too", watch_found(watch)->pid, count,
                count == 1 ? "" : "es");
}

static int show(struct job *job, struct render_json *json, struct watch *watch,
                enum watch_event event) {
    struct render_live live = {.event = name_of(event), .sites = job->sites, .findings = true};
    struct profile_error ignored;
    /* Names and findings of what is over are those of its last moment. */
    bool last = event == WATCH_ENDED || event == WATCH_REPLACED;
    watch_look(watch, last && watch_counters(watch)->bytes > 0, &ignored);
    if (json)
        return render_live_line(json, watch, &live);
    int error = render_live_text(stdout, watch);
    tell_children(watch);
    tell(watch, event);
    return error;
}

static int follow(struct job *job, struct watch *watch, struct render_json *json) {
    struct profile_error failure;
    uint64_t due = live_now();
    for (uint64_t n = 0; job->count == 0 || n < job->count; n++) {
        enum watch_event event;
        if (watch_read(watch, &event, &failure)) {
            message("%s", failure.text);
            return -EIO;
        }
        int error = show(job, json, watch, event);
        if (error)
            return error;
        if (event == WATCH_ENDED || n + 1 == job->count)
            break;
        due += job->every_ns;
        if (due < live_now()) /* what was missed is not made up for */
            due = live_now();
        wait_until(watch, due);
    }
    return 0;
}

int command_live(int argc, char **argv) {
    struct job job = {.every_ns = 1000000000u, .sites = SITES};
    struct profile_error failure;
    struct watch *watch = NULL;
    struct render_json *json = NULL;
    int status = parse_options(&job, argc, argv), error;
    if (status)
        return status < 0 ? COMMAND_OK : status;
    if (watch_open(job.pid, &watch, &failure)) {
        message("%s", failure.text);
        return COMMAND_USAGE;
    }
    if (job.json)
        json = render_lines_begin(stdout);
    error = job.json && !json ? -ENOMEM : follow(&job, watch, json);
    if (error && error != -EPIPE && error != -EIO)
        message("live: %s", strerror(-error));
    render_lines_end(json);
    watch_close(watch);
    return error ? COMMAND_FAILED : COMMAND_OK;
}
