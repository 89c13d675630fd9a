/* squall export: what was recorded, in formats that other programs open. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "render/render.h"

#ifndef SQUALL_VERSION
#define SQUALL_VERSION "unknown"
#endif

struct export {
    struct symbol_options symbols;
    struct analyse_options analyse;
    enum render_format format;
    enum render_value value;
    bool has_format, html, no_lines;
    const char *folder, *output;
    struct inputs inputs;
};

static const char usage[] =
    "usage: squall export --format FORMAT [FILE|DIR|PID]... [-o OUT]\n"
    "\n"
    "Writes what was recorded in a format of other programs, every process and thread of it.\n"
    "Without a file the newest one of the folder that the shim writes to.\n"
    "\n"
    "  --format html        a page for a browser, which needs nothing else\n"
    "           pprof       go tool pprof, Pyroscope, Parca (gzip)\n"
    "           heap        google-pprof (the text of gperftools)\n"
    "           folded      flamegraph.pl, inferno, speedscope\n"
    "           speedscope  www.speedscope.app\n"
    "           dhat        Valgrind's dh_view.html\n"
    "           csv, jsonl  SQL engines, spreadsheets: a row for each thread at each site\n"
    "  -o OUT               write to this file, not to standard output\n"
    "  --value VALUE        folded and speedscope: bytes (default), allocs, live-bytes,\n"
    "                       live-blocks or time (nanoseconds in the allocator)\n"
    "  --thread TID         only what this thread allocated\n"
    "  --dir DIR            the folder to take the newest file of\n"
    "  --debuginfod         ask the servers of DEBUGINFOD_URLS for symbols\n"
    "  --no-lines           functions only: no files, lines and inlined frames\n";

/* ---- options ---- */

static int complain(const char *option, const char *value) {
    message("export: --%s: bad value '%s'", option, value);
    return COMMAND_USAGE;
}

static int parse_format(struct export *e, const char *text) {
    e->html = strcmp(text, "html") == 0;
    if (e->html) {
        e->has_format = true;
        return 0;
    }
    for (unsigned i = 0; i < RENDER_FORMATS; i++)
        if (strcmp(text, render_format_name(i)) == 0) {
            e->format = i;
            e->has_format = true;
            return 0;
        }
    return complain("format", text);
}

static int parse_value(struct export *e, const char *text) {
    for (unsigned i = 0; i < RENDER_VALUES; i++)
        if (strcmp(text, render_value_name(i)) == 0) {
            e->value = i;
            return 0;
        }
    return complain("value", text);
}

static int parse_option(struct export *e, int option, const char *value) {
    uint64_t number;
    switch (option) {
    case 'f':
        return parse_format(e, value);
    case 'v':
        return parse_value(e, value);
    case 't':
        if (base_parse_number(value, strlen(value), 10, &number) || number > INT32_MAX)
            return complain("thread", value);
        e->analyse.one_thread = true;
        e->analyse.tid = (int32_t)number;
        return 0;
    case 'o':
        e->output = value;
        return 0;
    case 'd':
        e->folder = value;
        return 0;
    case 'D':
        e->symbols.debuginfod = true;
        return 0;
    case 'l':
        e->no_lines = true;
        return 0;
    default: /* 'h' */
        fputs(usage, stdout);
        return -1;
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct export *e, int argc, char **argv) {
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"value", required_argument, NULL, 'v'},
        {"thread", required_argument, NULL, 't'},
        {"dir", required_argument, NULL, 'd'},
        {"debuginfod", no_argument, NULL, 'D'},
        {"no-lines", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int status = 0, option;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
        status = option == '?' ? message_option("export", argv) : parse_option(e, option, optarg);
    if (status == 0 && !e->has_format) {
        message("export: --format is missing");
        status = message_usage("export");
    }
    bool for_terminals = !e->html && e->format != RENDER_PPROF;
    if (status == 0 && !e->output && !for_terminals && isatty(STDOUT_FILENO)) {
        message("export: %s is not for a terminal; give a file with -o",
                e->html ? "html" : "pprof");
        status = COMMAND_USAGE;
    }
    if (status == 0 && e->html)
        status = command_need_page("export");
    return status;
}

/* ---- writing ---- */

int command_need_page(const char *command) {
    if (render_has_page())
        return COMMAND_OK;
    message("%s: this squall was built without the page (npm was missing); see docs/export.md",
            command);
    return COMMAND_FAILED;
}

int command_write_page(FILE *out, const struct inputs *in, const struct analyse_options *options,
                       struct analyse_names *names, bool lines) {
    struct render_html *html = render_html_begin(out, SQUALL_VERSION);
    int error = html ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < in->process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, in->processes[i], options, names);
        if (error)
            break;
        error = render_html_process(html, &a, names, lines);
        analyse_free(&a);
    }
    if (html) {
        int ended = render_html_end(html, error != 0);
        error = error ? error : ended;
    }
    return error;
}

static int write_format(struct export *e, FILE *out, struct analyse_names *names) {
    struct render_export *x = render_export_begin(out, e->format, e->value, !e->no_lines);
    int error = x ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < e->inputs.process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, e->inputs.processes[i], &e->analyse, names);
        if (error)
            break;
        error = render_export_process(x, &a, names);
        analyse_free(&a);
    }
    if (x) {
        int ended = render_export_end(x, error != 0);
        error = error ? error : ended;
    }
    return error;
}

static int write_all(void *data, FILE *out) {
    struct export *e = data;
    struct symbols *symbols = symbol_open(&e->symbols);
    struct analyse_names *names = symbols ? analyse_names_open(symbols) : NULL;
    int error = !names    ? -ENOMEM
                : e->html ? command_write_page(out, &e->inputs, &e->analyse, names, !e->no_lines)
                          : write_format(e, out, names);
    analyse_names_close(names);
    symbol_close(symbols);
    return error;
}

int command_export(int argc, char **argv) {
    struct export e = {0};
    int status = parse_options(&e, argc, argv), error;
    if (status)
        return status < 0 ? COMMAND_OK : status;
    status = inputs_load(&e.inputs, "export", e.folder, argv + optind);
    if (status)
        goto cleanup;
    error = e.output ? command_write_file(e.output, write_all, &e) : write_all(&e, stdout);
    if (error) {
        if (error != -EPIPE) /* who reads us has seen enough */
            message("export: %s%s%s", e.output ? e.output : "", e.output ? ": " : "",
                    strerror(-error));
        status = COMMAND_FAILED;
    } else if (e.inputs.process_count == 0) {
        message("nothing recorded here");
    }
cleanup:
    inputs_free(&e.inputs);
    return status;
}
