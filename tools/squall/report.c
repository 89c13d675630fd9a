/* squall report: reads regions, dumps, folders of them and running processes, and shows what is in
 * them; and the summary that squall run ends with. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "render/render.h"

#define TEXT_SITES 10u
#define SUMMARY_SITES 5u
#define SUMMARY_PROCESSES 4u

struct report {
    struct analyse_options analyse;
    struct symbol_options symbols;
    struct render_text text;
    const char *folder;
    bool json, html, top_given, whole;
    const char *color;
    struct inputs inputs;
};

static const char usage[] =
    "usage: squall report [FILE|DIR|PID]... [options]\n"
    "\n"
    "Shows what was recorded: in a file, in every file of a folder, or in a running process.\n"
    "Without an argument the newest file of the folder that the shim writes to.\n"
    "\n"
    "  --json           everything, for programs\n"
    "  --html           everything, a page for a browser (what export gives as html)\n"
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
    case 'H':
        r->html = true;
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
        {"json", no_argument, NULL, 'j'},
        {"top", required_argument, NULL, 'n'},
        {"thread", required_argument, NULL, 't'},
        {"sort", required_argument, NULL, 's'},
        {"min", required_argument, NULL, 'm'},
        {"stack", required_argument, NULL, 'S'},
        {"color", required_argument, NULL, 'c'},
        {"dir", required_argument, NULL, 'd'},
        {"debuginfod", no_argument, NULL, 'D'},
        {"no-lines", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"html", no_argument, NULL, 'H'},
        {NULL, 0, NULL, 0},
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
    if (status == 0 && r->html) {
        status = command_need_page("report");
        if (status == 0 && isatty(STDOUT_FILENO)) {
            message("report: html is not for a terminal; write it to a file: > report.html");
            status = COMMAND_USAGE;
        }
    }
    if (!r->json && !r->top_given && !r->analyse.one_site)
        r->text.sites = TEXT_SITES;
    return status;
}

/* ---- showing ---- */

static int show_json(struct report *r, struct analyse_names *names) {
    struct render_json *json = render_json_begin(stdout);
    int error = json ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < r->inputs.process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, r->inputs.processes[i], &r->analyse, names);
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
    for (uint32_t i = 0; i < r->inputs.process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, r->inputs.processes[i], &r->analyse, names);
        if (error)
            break;
        if (i)
            fputs("\n\n", stdout);
        error = render_text_process(&r->text, &a, names);
        analyse_free(&a);
    }
    if (r->inputs.process_count == 0)
        message("nothing recorded here");
    return error;
}

int command_report(int argc, char **argv) {
    struct report r = {0};
    struct symbols *symbols = NULL;
    struct analyse_names *names = NULL;
    int status = parse_options(&r, argc, argv), error;
    if (status)
        goto cleanup;
    status = inputs_load(&r.inputs, "report", r.folder, argv + optind);
    if (status)
        goto cleanup;
    symbols = symbol_open(&r.symbols);
    names = symbols ? analyse_names_open(symbols) : NULL;
    error = !names   ? -ENOMEM
            : r.html ? command_write_page(stdout, &r.inputs, &r.analyse, names, r.text.lines)
            : r.json ? show_json(&r, names)
                     : show_text(&r, names);
    if (error) {
        if (error != -EPIPE) /* who reads us has seen enough: not news to anybody */
            message("report: %s", strerror(-error));
        status = COMMAND_FAILED;
    }
cleanup:
    analyse_names_close(names);
    symbol_close(symbols);
    inputs_free(&r.inputs);
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
