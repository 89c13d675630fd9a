/* squall report: reads regions, dumps, folders of them and running processes, and shows what is in
 * them; and the summary that squall run ends with. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "render/render.h"

#define TEXT_SITES 10u
#define SUMMARY_SITES 5u
#define SUMMARY_PROCESSES 4u
#define BAR_WIDTH 40
#define BAR_AFTER_NS 300000000u /* a shorter load needs no bar */
#define BAR_EVERY_NS 50000000u

struct report {
    struct analyse_options analyse;
    struct symbol_options symbols;
    struct render_text text;
    const char *folder;
    bool json, top_given, whole;
    const char *color;
    struct profile *profiles; /* one for each argument */
    uint32_t profile_count;
    const struct profile_process **processes; /* of all of them, oldest first */
    uint32_t process_count;
};

static const char usage[] =
    "usage: squall report [FILE|DIR|PID]... [options]\n"
    "\n"
    "Shows what was recorded: in a file, in every file of a folder, or in a running process.\n"
    "Without an argument the newest file of the folder that the shim writes to.\n"
    "\n"
    "  --json           everything, for programs\n"
    "  --top N          at most N sites (text: 10; 0 = all)\n"
    "  --sort KEY       bytes (default), allocs, peak, lifetime or time (in the allocator)\n"
    "  --thread TID     only what this thread allocated\n"
    "  --min SIZE       only sites whose largest block has at least SIZE bytes (64k, 1m)\n"
    "  --stack N        only site N, its stack with every frame\n"
    "  --dir DIR        the folder to take the newest file of\n"
    "  --debuginfod     ask the servers of DEBUGINFOD_URLS for symbols\n"
    "  --no-lines       functions only: no files, lines and inlined frames\n"
    "  --color WHEN     auto (default), always or never\n";

/* ---- options ---- */

static int complain(const char *option, const char *value) {
    message("report: --%s: bad value '%s'", option, value);
    return COMMAND_USAGE;
}

static int parse_u32(const char *option, const char *text, uint32_t *value) {
    uint64_t v;
    if (base_parse_number(text, strlen(text), 10, &v) || v > INT32_MAX)
        return complain(option, text);
    *value = (uint32_t)v;
    return 0;
}

static int parse_sort(const char *text, enum analyse_sort *sort) {
    static const char *const names[] = {
        [ANALYSE_BY_BYTES] = "bytes", [ANALYSE_BY_ALLOCS] = "allocs",
        [ANALYSE_BY_PEAK] = "peak",   [ANALYSE_BY_LIFETIME] = "lifetime",
        [ANALYSE_BY_TIME] = "time",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *sort = i;
            return 0;
        }
    return complain("sort", text);
}

static int parse_option(struct report *r, int option, const char *value) {
    uint32_t number = 0;
    int status = 0;
    switch (option) {
    case 'j':
        r->json = true;
        break;
    case 'n':
        status = parse_u32("top", value, &r->analyse.top);
        r->top_given = true;
        break;
    case 't':
        status = parse_u32("thread", value, &number);
        r->analyse.one_thread = true;
        r->analyse.tid = (int32_t)number;
        break;
    case 's':
        status = parse_sort(value, &r->analyse.sort);
        break;
    case 'm':
        if (base_parse_size(value, strlen(value), &r->analyse.min_size))
            status = complain("min", value);
        break;
    case 'S':
        status = parse_u32("stack", value, &r->analyse.site);
        r->analyse.one_site = r->text.whole_stacks = true;
        break;
    case 'c':
        if (strcmp(value, "auto") && strcmp(value, "always") && strcmp(value, "never"))
            status = complain("color", value);
        r->color = value;
        break;
    case 'd':
        r->folder = value;
        break;
    case 'D':
        r->symbols.debuginfod = true;
        break;
    case 'l':
        r->text.lines = false;
        break;
    default: /* 'h' */
        fputs(usage, stdout);
        status = -1;
    }
    return status;
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct report *r, int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},         {"top", required_argument, NULL, 'n'},
        {"thread", required_argument, NULL, 't'}, {"sort", required_argument, NULL, 's'},
        {"min", required_argument, NULL, 'm'},    {"stack", required_argument, NULL, 'S'},
        {"color", required_argument, NULL, 'c'},  {"dir", required_argument, NULL, 'd'},
        {"debuginfod", no_argument, NULL, 'D'},   {"no-lines", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int status = 0, option;
    r->color = "auto";
    r->text = (struct render_text){.out = stdout, .lines = true};
    optind = 0; /* main has used getopt before */
    opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        status = option == '?' ? message_option("report", argv) : parse_option(r, option, optarg);
    }
    bool automatic = strcmp(r->color, "auto") == 0;
    r->text.color = automatic ? render_color(stdout) : strcmp(r->color, "always") == 0;
    r->text.width = render_width(stdout);
    if (!r->json && !r->top_given && !r->analyse.one_site)
        r->text.sites = TEXT_SITES;
    return status;
}

/* ---- loading ---- */

struct bar {
    uint64_t started, drawn;
    bool shown;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool bar_is_wanted(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static void draw(void *data, uint64_t done, uint64_t total) {
    struct bar *bar = data;
    uint64_t time = now();
    if (total == 0 || time - bar->started < BAR_AFTER_NS || time - bar->drawn < BAR_EVERY_NS)
        return;
    int full = (int)((double)done / (double)total * BAR_WIDTH);
    full = full > BAR_WIDTH ? BAR_WIDTH : full;
    fprintf(stderr, "\rloading [%.*s%*s] %3.0f %%", full,
            "########################################", BAR_WIDTH - full, "",
            100.0 * (double)done / (double)total);
    bar->drawn = time;
    bar->shown = true;
}

static void warn(const char *text) {
    message("%s", text);
}

static bool is_pid(const char *text, int *pid) {
    struct stat status;
    uint64_t value;
    if (stat(text, &status) == 0 || base_parse_number(text, strlen(text), 10, &value) ||
        value == 0 || value > INT32_MAX)
        return false;
    *pid = (int)value;
    return true;
}

static int load(struct report *r, const char *path) {
    struct profile *profiles = reallocarray(r->profiles, r->profile_count + 1u, sizeof(*profiles));
    struct profile_error failure = {0};
    struct bar bar = {.started = now()};
    int pid, error;
    if (!profiles) {
        warn("out of memory");
        return COMMAND_FAILED;
    }
    r->profiles = profiles;
    struct profile *profile = &profiles[r->profile_count];
    *profile = (struct profile){0};
    if (is_pid(path, &pid))
        error = profile_load_pid(pid, profile, &failure);
    else
        error = profile_load(path, profile, bar_is_wanted() ? draw : NULL, &bar, warn, &failure);
    if (bar.shown)
        fprintf(stderr, "\r\033[K");
    if (error) {
        warn(failure.text[0] ? failure.text : strerror(-error));
        return error == -ENOMEM ? COMMAND_FAILED : COMMAND_USAGE;
    }
    r->profile_count++;
    return 0;
}

static int load_newest(struct report *r) {
    char folder[4096], path[4096];
    int error;
    if (r->folder)
        snprintf(folder, sizeof(folder), "%s", r->folder);
    else if (command_default_folder("report", folder, sizeof(folder)))
        return COMMAND_USAGE;
    error = profile_newest(folder, path, sizeof(path));
    if (error == -ENOENT)
        message("%s: nothing recorded here", folder);
    else if (error)
        message("%s: %s", folder, strerror(-error));
    return error ? COMMAND_USAGE : load(r, path);
}

static int by_start(const void *a, const void *b) {
    const struct profile_process *x = *(const struct profile_process *const *)a;
    const struct profile_process *y = *(const struct profile_process *const *)b;
    if (x->start_realtime_ns != y->start_realtime_ns)
        return x->start_realtime_ns < y->start_realtime_ns ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* One list of all processes; the same region given twice (a file and its folder) counts once. */
static int merge(struct report *r) {
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < r->profile_count; i++)
        count += r->profiles[i].count;
    r->processes = calloc(count + 1u, sizeof(*r->processes));
    if (!r->processes) {
        warn("out of memory");
        return COMMAND_FAILED;
    }
    for (uint32_t i = 0; i < r->profile_count; i++)
        for (uint32_t k = 0; k < r->profiles[i].count; k++)
            r->processes[r->process_count++] = &r->profiles[i].processes[k];
    if (count)
        qsort(r->processes, count, sizeof(*r->processes), by_start);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || by_start(&r->processes[kept - 1], &r->processes[i]) != 0)
            r->processes[kept++] = r->processes[i];
    r->process_count = kept;
    return 0;
}

static int load_all(struct report *r, char **paths) {
    int status = 0;
    if (!*paths)
        status = load_newest(r);
    for (; *paths && !status; paths++)
        status = load(r, *paths);
    return status ? status : merge(r);
}

/* ---- showing ---- */

static int show_json(struct report *r, struct analyse_names *names) {
    struct render_json *json = render_json_begin(stdout);
    int error = json ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < r->process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, r->processes[i], &r->analyse, names);
        if (error)
            break;
        error = render_json_process(json, &a, names, r->text.lines);
        analyse_free(&a);
    }
    if (json) {
        int ended = render_json_end(json, error != 0);
        error = error ? error : ended;
    }
    return error;
}

static int show_text(struct report *r, struct analyse_names *names) {
    int error = 0;
    for (uint32_t i = 0; i < r->process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, r->processes[i], &r->analyse, names);
        if (error)
            break;
        if (i)
            fputs("\n\n", stdout);
        error = render_text_process(&r->text, &a, names);
        analyse_free(&a);
    }
    if (r->process_count == 0)
        warn("nothing recorded here");
    return error;
}

int command_report(int argc, char **argv) {
    struct report r = {0};
    struct symbols *symbols = NULL;
    struct analyse_names *names = NULL;
    int status = parse_options(&r, argc, argv), error;
    if (status)
        goto cleanup;
    status = load_all(&r, argv + optind);
    if (status)
        goto cleanup;
    symbols = symbol_open(&r.symbols);
    names = symbols ? analyse_names_open(symbols) : NULL;
    error = !names ? -ENOMEM : r.json ? show_json(&r, names) : show_text(&r, names);
    if (error) {
        if (error != -EPIPE) /* who reads us has seen enough: not news to anybody */
            message("report: %s", strerror(-error));
        status = COMMAND_FAILED;
    }
cleanup:
    analyse_names_close(names);
    symbol_close(symbols);
    for (uint32_t i = 0; i < r.profile_count; i++)
        profile_free(&r.profiles[i]);
    free(r.profiles);
    free(r.processes);
    return status < 0 ? 0 : status;
}

/* ---- the summary ---- */

static int by_bytes(const void *a, const void *b) {
    const struct analysis *x = a, *y = b;
    if (x->totals.bytes != y->totals.bytes)
        return x->totals.bytes > y->totals.bytes ? -1 : 1;
    return x->process->start_realtime_ns < y->process->start_realtime_ns ? -1 : 1;
}

/* The processes that allocated most; a shell script may have had hundreds. */
static int show_summary(const struct render_text *text, struct analysis *all, uint32_t count,
                        struct analyse_names *names) {
    int error = 0;
    qsort(all, count, sizeof(*all), by_bytes);
    for (uint32_t i = 0; i < count && i < SUMMARY_PROCESSES && !error; i++) {
        struct render_text part = *text;
        part.sites = count == 1 ? SUMMARY_SITES : i == 0 ? 3 : 1;
        error = render_text_summary(&part, &all[i], names);
    }
    if (count > SUMMARY_PROCESSES)
        fprintf(text->out, "and %u more processes\n", count - SUMMARY_PROCESSES);
    return error;
}

int command_summary(const struct profile *profile, FILE *out) {
    struct render_text text = {
        .out = out, .width = render_width(out), .color = render_color(out), .lines = false};
    struct analyse_options options = {.top = SUMMARY_SITES, .brief = true};
    struct symbols *symbols = symbol_open(NULL);
    struct analyse_names *names = symbols ? analyse_names_open(symbols) : NULL;
    struct analysis *all = calloc(profile->count + 1u, sizeof(*all));
    int error = names && all ? 0 : -ENOMEM;
    uint32_t count = 0;
    if (error)
        goto cleanup;
    for (; count < profile->count && !error; count++)
        error = analyse_process(&all[count], &profile->processes[count], &options, names);
    if (!error && count)
        error = show_summary(&text, all, count, names);
cleanup:
    for (uint32_t i = 0; all && i < count; i++)
        analyse_free(&all[i]);
    free(all);
    analyse_names_close(names);
    symbol_close(symbols);
    return error;
}
