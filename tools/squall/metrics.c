/* squall metrics: figures of all watched processes for Prometheus, until it is told to end. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"

#define DEFAULT_LISTEN "127.0.0.1:9788"
/* Scrapes that come closer together get the same figures. */
#define FRESH_NS 1000000000ull

static const char usage[] =
    "usage: squall metrics [options]\n"
    "\n"
    "Figures of all processes of this machine that run under squall, for Prometheus: allocations\n"
    "and bytes by codec, role and finding, live bytes, codec calls, time in the allocator, "
    "losses.\n"
    "Runs until SIGTERM or ^C.\n"
    "\n"
    "  --listen ADDR:PORT   serve them at http://ADDR:PORT/metrics (" DEFAULT_LISTEN ");\n"
    "                       [ADDR]:PORT for IPv6, :PORT for all addresses, PORT for this machine\n"
    "  --textfile DIR       write DIR/squall.prom, for the node exporter's textfile collector;\n"
    "                       alone it serves nothing\n"
    "  --every TIME         look for new processes, and write the file, so often (10s)\n"
    "  --max-processes N    processes with figures of their own; more are counted together as\n"
    "                       pid=\"other\" (200)\n"
    "  --keep TIME          how long the figures of a process that ended are kept (5m)\n"
    "  --once               write the figures to stdout (or, once, to the file), and end\n";

struct metrics {
    const char *listen, *textfile;
    bool once;
    uint64_t every_ns;
    struct fleet_options fleet_options;
    struct fleet *fleet;
    pthread_mutex_t lock; /* the figures: of the server's thread and of ours */
    uint64_t updated_ns;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- options ---- */

static int parse_time(const char *option, const char *text, uint64_t least, uint64_t *ns) {
    if (base_parse_duration(text, strlen(text), ns) == 0 && *ns >= least)
        return 0;
    message("metrics: --%s: '%s' is not a time, or too short", option, text);
    return COMMAND_USAGE;
}

static int parse_most(const char *text, uint32_t *most) {
    uint64_t number;
    if (base_parse_number(text, strlen(text), 10, &number) || number > 100000) {
        message("metrics: --max-processes: '%s' is not a number from 0 to 100000", text);
        return COMMAND_USAGE;
    }
    *most = (uint32_t)number;
    return 0;
}

static int take_option(struct metrics *m, int option, const char *value, char **argv) {
    switch (option) {
    case 'l':
        m->listen = value;
        return 0;
    case 't':
        m->textfile = value;
        return 0;
    case 'e':
        return parse_time("every", value, 100000000, &m->every_ns);
    case 'm':
        return parse_most(value, &m->fleet_options.most);
    case 'k':
        return parse_time("keep", value, 0, &m->fleet_options.keep_ns);
    case '1':
        m->once = true;
        return 0;
    case 'h':
        fputs(usage, stdout);
        return -1;
    default:
        return message_option("metrics", argv);
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct metrics *m, int argc, char **argv) {
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'}, {"textfile", required_argument, NULL, 't'},
        {"every", required_argument, NULL, 'e'},  {"max-processes", required_argument, NULL, 'm'},
        {"keep", required_argument, NULL, 'k'},   {"once", no_argument, NULL, '1'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int status = 0, option;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        status = take_option(m, option, option == '?' ? NULL : optarg, argv);
    if (status == 0 && optind < argc) {
        message("metrics: '%s' is not an option", argv[optind]);
        status = message_usage("metrics");
    }
    if (!m->listen && !m->textfile)
        m->listen = DEFAULT_LISTEN;
    return status;
}

/* ---- figures ---- */

/* Called with the lock. */
static int refresh(struct metrics *m, bool find) {
    int status = find ? fleet_find(m->fleet) : 0;
    if (status == 0 && (find || now() - m->updated_ns >= FRESH_NS)) {
        status = fleet_update(m->fleet);
        m->updated_ns = now();
    }
    return status;
}

static int write_fresh(void *data, FILE *out, bool openmetrics) {
    struct metrics *m = data;
    pthread_mutex_lock(&m->lock);
    int status = refresh(m, false);
    if (status == 0)
        status = render_metrics(out, fleet_metrics(m->fleet), openmetrics);
    pthread_mutex_unlock(&m->lock);
    return status;
}

/* Beside the file and renamed, so that nobody reads half of it; the collector takes names that end
 * in .prom only. Returns 0 or a negative errno. */
static int write_textfile(struct metrics *m) {
    char path[PATH_MAX], beside[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/squall.prom", m->textfile);
    snprintf(beside, sizeof beside, "%.4000s/squall.prom.XXXXXX", m->textfile);
    int fd = mkstemp(beside), status = fd < 0 ? -errno : 0;
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && !out) {
        close(fd);
        status = -ENOMEM;
    }
    if (out) {
        status = render_metrics(out, fleet_metrics(m->fleet), false);
        if (status == 0 && fchmod(fd, 0644) != 0) /* the collector runs as somebody else */
            status = -errno;
        if (fclose(out) != 0 && status == 0)
            status = -errno;
    }
    if (status == 0 && rename(beside, path) != 0)
        status = -errno;
    if (status && fd >= 0)
        unlink(beside);
    return status;
}

static int update(struct metrics *m) {
    pthread_mutex_lock(&m->lock);
    int status = refresh(m, true);
    if (status)
        message("metrics: %s", strerror(-status));
    if (status == 0 && m->textfile) {
        status = write_textfile(m);
        if (status)
            message("metrics: %s/squall.prom: %s", m->textfile, strerror(-status));
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}

/* Figures that nobody renews would look like those of now. */
static void remove_textfile(const struct metrics *m) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/squall.prom", m->textfile);
    unlink(path);
}

/* ---- running ---- */

static void block_signals(sigset_t *ends) {
    sigemptyset(ends);
    sigaddset(ends, SIGTERM);
    sigaddset(ends, SIGINT);
    sigaddset(ends, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ends, NULL); /* the server's thread inherits this */
    signal(SIGPIPE, SIG_IGN);
}

static int run_once(struct metrics *m) {
    int status = update(m);
    if (status == 0 && !m->textfile)
        status = render_metrics(stdout, fleet_metrics(m->fleet), false);
    return status ? COMMAND_FAILED : COMMAND_OK;
}

static int run(struct metrics *m) {
    struct serve *serve = NULL;
    sigset_t ends;
    block_signals(&ends);
    if (m->once)
        return run_once(m);
    /* First of all: however many processes there are, there is a descriptor for it. */
    int status = m->listen ? serve_open(m->listen, &serve) : COMMAND_OK;
    /* A folder that is not there is said at once, one that goes away later again and again. */
    if (status == COMMAND_OK && update(m) && m->textfile) {
        serve_stop(serve);
        return COMMAND_FAILED;
    }
    if (status == COMMAND_OK && serve)
        status = serve_start(serve, write_fresh, m);
    const struct timespec pause = {(time_t)(m->every_ns / 1000000000ull),
                                   (long)(m->every_ns % 1000000000ull)};
    while (status == COMMAND_OK) {
        if (sigtimedwait(&ends, NULL, &pause) > 0)
            break;
        if (errno == EAGAIN)
            update(m);
    }
    serve_stop(serve);
    if (m->textfile)
        remove_textfile(m);
    return status;
}

int command_metrics(int argc, char **argv) {
    struct metrics m = {
        .every_ns = 10000000000ull,
        .fleet_options = {.most = 200, .keep_ns = 300000000000ull, .version = SQUALL_VERSION},
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    int status = parse_options(&m, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    command_take_descriptors();
    m.fleet = fleet_open(&m.fleet_options);
    if (!m.fleet) {
        message("metrics: no memory");
        return COMMAND_FAILED;
    }
    status = run(&m);
    fleet_close(m.fleet);
    return status;
}
