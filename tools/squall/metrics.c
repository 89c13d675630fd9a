/* squall metrics: figures of all watched processes for Prometheus, until it is told to end.
 *
 * One thread looks, and writes down what it saw; the server's thread asks it to and gives away what
 * is written; a third waits for the signal to end. So a look that takes long (what it reads belongs
 * to the processes' owners) holds up neither. */
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
/* So long a scrape waits for fresh ones, and the signal to end for a look that is under way. */
#define PATIENCE_NS 2000000000ull

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

struct document {
    char *text;
    size_t size;
};

struct metrics {
    const char *listen, *textfile;
    bool once;
    uint64_t every_ns;
    struct fleet_options fleet_options;
    struct fleet *fleet; /* belongs to the thread that looks */
    sigset_t signals;    /* that end us */
    /* Of all threads, with the lock. */
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct document documents[2]; /* as text, as OpenMetrics */
    uint64_t looks, updated_ns;
    int status;             /* of the latest look */
    const char *unfinished; /* beside the file, not renamed yet */
    bool wanted;            /* somebody waits for a look */
    bool late;              /* who waited for this one gave up */
    bool ends, done;
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
        if (*value)
            return 0;
        message("metrics: --textfile: '' is no folder"); /* nor is it the root folder */
        return COMMAND_USAGE;
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

/* With the lock. False when the time is over. */
static bool wait_until(struct metrics *m, uint64_t ns) {
    const struct timespec t = {(time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull)};
    return pthread_cond_timedwait(&m->change, &m->lock, &t) != ETIMEDOUT;
}

static int render(const struct metrics *m, bool openmetrics, struct document *document) {
    FILE *out = open_memstream(&document->text, &document->size);
    int status = out ? render_metrics(out, fleet_metrics(m->fleet), openmetrics) : -ENOMEM;
    if (out && fclose(out) != 0 && status == 0)
        status = -ENOMEM;
    return status;
}

static int look(struct metrics *m, bool find) {
    struct document documents[2] = {0};
    int status = find ? fleet_find(m->fleet) : 0;
    if (status == 0)
        status = fleet_update(m->fleet);
    for (int i = 0; i < 2 && status == 0 && m->listen; i++)
        status = render(m, i, &documents[i]);
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < 2; i++) {
        free(m->documents[i].text);
        m->documents[i] = documents[i];
    }
    m->status = status;
    m->looks++;
    m->updated_ns = now();
    m->wanted = m->late = false;
    pthread_cond_broadcast(&m->change);
    pthread_mutex_unlock(&m->lock);
    return status;
}

/* The server's thread. */
static int write_fresh(void *data, FILE *out, bool openmetrics) {
    struct metrics *m = data;
    pthread_mutex_lock(&m->lock);
    uint64_t started = now(), before = m->looks;
    if (!m->late && started - m->updated_ns >= FRESH_NS) {
        m->wanted = true;
        pthread_cond_broadcast(&m->change);
        while (m->looks == before && !m->ends && wait_until(m, started + PATIENCE_NS))
            ;
        m->late = m->looks == before;
    }
    const struct document *document = &m->documents[openmetrics];
    int status = m->status;
    if (status == 0 && fwrite(document->text, 1, document->size, out) != document->size)
        status = -ENOMEM;
    pthread_mutex_unlock(&m->lock);
    return status;
}

/* From here to the renaming it is removed by whoever ends us. */
static int begin_beside(struct metrics *m, char *beside) {
    pthread_mutex_lock(&m->lock);
    int fd = mkstemp(beside);
    fd = fd < 0 ? -errno : fd;
    m->unfinished = fd < 0 ? NULL : beside;
    pthread_mutex_unlock(&m->lock);
    return fd;
}

static int end_beside(struct metrics *m, const char *path, int status) {
    pthread_mutex_lock(&m->lock);
    if (status == 0 && rename(m->unfinished, path) != 0)
        status = -errno;
    if (status)
        unlink(m->unfinished);
    m->unfinished = NULL;
    pthread_mutex_unlock(&m->lock);
    return status;
}

/* Beside the file and renamed, so that nobody reads half of it; the collector takes names that end
 * in .prom only. Returns 0 or a negative errno. */
static int write_textfile(struct metrics *m) {
    char path[PATH_MAX], beside[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/squall.prom", m->textfile);
    snprintf(beside, sizeof beside, "%.4000s/squall.prom.XXXXXX", m->textfile);
    int fd = begin_beside(m, beside), status = -ENOMEM;
    if (fd < 0)
        return fd;
    FILE *out = fdopen(fd, "w");
    if (!out) {
        close(fd);
    } else {
        status = render_metrics(out, fleet_metrics(m->fleet), false);
        if (status == 0 && fchmod(fd, 0644) != 0) /* the collector runs as somebody else */
            status = -errno;
        if (fclose(out) != 0 && status == 0)
            status = -errno;
    }
    return end_beside(m, path, status);
}

static int update(struct metrics *m) {
    int status = look(m, true);
    if (status)
        message("metrics: %s", strerror(-status));
    if (status == 0 && m->textfile) {
        status = write_textfile(m);
        if (status)
            message("metrics: %s/squall.prom: %s", m->textfile, strerror(-status));
    }
    return status;
}

/* Figures that nobody renews would look like those of now. */
static void remove_textfile(const struct metrics *m) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/squall.prom", m->textfile);
    unlink(path);
}

/* ---- the end ---- */

/* With the lock, for good. */
__attribute__((noreturn)) static void leave(struct metrics *m, int number) {
    if (m->unfinished)
        unlink(m->unfinished);
    if (m->once) { /* nothing was written that one could take for all */
        signal(number, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &m->signals, NULL);
        raise(number);
    } else if (m->textfile) {
        remove_textfile(m);
    }
    _exit(COMMAND_OK);
}

static void *await_end(void *data) {
    struct metrics *m = data;
    int number = SIGTERM;
    sigwait(&m->signals, &number);
    pthread_mutex_lock(&m->lock);
    m->ends = true;
    pthread_cond_broadcast(&m->change);
    uint64_t until = now() + PATIENCE_NS;
    while (!m->done && !m->once && wait_until(m, until))
        ;
    if (!m->done)
        leave(m, number);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static int prepare(struct metrics *m, pthread_t *waits) {
    pthread_condattr_t attributes;
    sigemptyset(&m->signals);
    sigaddset(&m->signals, SIGTERM);
    sigaddset(&m->signals, SIGINT);
    sigaddset(&m->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &m->signals, NULL); /* all threads inherit this */
    signal(SIGPIPE, SIG_IGN);
    if (pthread_condattr_init(&attributes))
        return -ENOMEM;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int status = pthread_cond_init(&m->change, &attributes);
    pthread_condattr_destroy(&attributes);
    return status ? -status : -pthread_create(waits, NULL, await_end, m);
}

static void finish(struct metrics *m, pthread_t waits) {
    pthread_mutex_lock(&m->lock);
    m->done = true;
    pthread_cond_broadcast(&m->change);
    pthread_mutex_unlock(&m->lock);
    pthread_kill(waits, SIGTERM); /* if none came: it may still wait for one */
    pthread_join(waits, NULL);
    pthread_cond_destroy(&m->change);
}

/* ---- running ---- */

static int run_once(struct metrics *m) {
    int status = update(m);
    if (status == 0 && !m->textfile) {
        status = render_metrics(stdout, fleet_metrics(m->fleet), false);
        if (status && status != -EPIPE) /* a reader that is gone has seen enough */
            message("metrics: %s", strerror(-status));
    }
    return status ? COMMAND_FAILED : COMMAND_OK;
}

static void look_until_end(struct metrics *m) {
    uint64_t next = now() + m->every_ns;
    pthread_mutex_lock(&m->lock);
    while (!m->ends) {
        bool due = now() >= next;
        if (!due && !m->wanted) {
            wait_until(m, next);
            continue;
        }
        pthread_mutex_unlock(&m->lock);
        if (due) {
            update(m);
            next = now() + m->every_ns;
        } else {
            look(m, false);
        }
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
}

static int run(struct metrics *m) {
    struct serve *serve = NULL;
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
    if (status == COMMAND_OK)
        look_until_end(m);
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
    pthread_t waits;
    status = prepare(&m, &waits);
    if (status) {
        message("metrics: %s", strerror(-status));
        status = COMMAND_FAILED;
    } else {
        status = run(&m);
        finish(&m, waits);
    }
    fleet_close(m.fleet);
    for (int i = 0; i < 2; i++)
        free(m.documents[i].text);
    return status;
}
