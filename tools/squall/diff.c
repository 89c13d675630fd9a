/* squall diff: what became of a program's allocations between two recordings. */
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

#define SITES 20u

struct diff {
    struct compare_options options;
    struct symbol_options symbols;
    struct render_text text;
    enum { TEXT, JSON, HTML } format;
    const char *page; /* the file for it; NULL = none */
    struct inputs inputs[2];
};

static const char usage[] =
    "usage: squall diff BEFORE AFTER [options]\n"
    "\n"
    "Compares two recordings: files, or folders of them, whose processes are added up. Figures "
    "are\n"
    "those of a message where codec calls were seen, or of a source byte where those of one side "
    "are\n"
    "more than twice as large; a change is one that chance does not explain.\n"
    "\n"
    "  --per UNIT       message, source-byte, second or run (the default without messages)\n"
    "  --tolerance N    percent; less is no change (5)\n"
    "  --top N          at most N changed sites (20; 0 = all)\n"
    "  --html FILE      a page for a browser, beside the text\n"
    "  --format FORMAT  text, json or html, on standard output\n"
    "  --json           for programs, the same as --format json\n"
    "  --debuginfod     ask the servers of DEBUGINFOD_URLS for symbols\n"
    "  --color WHEN     auto (default), always or never\n";

static int complain(const char *option, const char *value) {
    message("diff: --%s: bad value '%s'", option, value);
    return COMMAND_USAGE;
}

static int parse_unit(struct diff *d, const char *text) {
    for (unsigned i = COMPARE_BEST + 1; i < COMPARE_UNITS; i++)
        if (strcmp(text, compare_unit_name(i)) == 0) {
            d->options.unit = i;
            return 0;
        }
    return complain("per", text);
}

static int parse_format(struct diff *d, const char *text) {
    static const char *const names[] = {[TEXT] = "text", [JSON] = "json", [HTML] = "html"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            d->format = i;
            return 0;
        }
    return complain("format", text);
}

static int parse_color(struct diff *d, const char *text) {
    if (strcmp(text, "auto") == 0)
        return 0;
    d->text.color = strcmp(text, "always") == 0;
    return d->text.color || strcmp(text, "never") == 0 ? 0 : complain("color", text);
}

static int parse_option(struct diff *d, int option, const char *value) {
    uint64_t number;
    switch (option) {
    case 'p':
        return parse_unit(d, value);
    case 't':
        if (base_parse_number(value, strlen(value), 10, &number) || number > 100)
            return complain("tolerance", value);
        d->options.tolerance = (double)number / 100;
        return 0;
    case 'n':
        if (base_parse_number(value, strlen(value), 10, &number) || number > INT32_MAX)
            return complain("top", value);
        d->text.sites = (unsigned)number;
        return 0;
    case 'j':
        d->format = JSON;
        return 0;
    case 'f':
        return parse_format(d, value);
    case 'H':
        d->page = value;
        return 0;
    case 'D':
        d->symbols.debuginfod = true;
        return 0;
    case 'c':
        return parse_color(d, value);
    default: /* 'h' */
        fputs(usage, stdout);
        return -1;
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct diff *d, int argc, char **argv) {
    static const struct option options[] = {
        {"per", required_argument, NULL, 'p'},    {"tolerance", required_argument, NULL, 't'},
        {"top", required_argument, NULL, 'n'},    {"json", no_argument, NULL, 'j'},
        {"format", required_argument, NULL, 'f'}, {"html", required_argument, NULL, 'H'},
        {"debuginfod", no_argument, NULL, 'D'},   {"color", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int status = 0, option;
    d->options.tolerance = 0.05;
    d->text = (struct render_text){.out = stdout,
                                   .width = render_width(stdout),
                                   .color = render_color(stdout),
                                   .sites = SITES};
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        status = option == '?' ? message_option("diff", argv) : parse_option(d, option, optarg);
    if (status == 0 && argc - optind != 2) {
        message("diff: two recordings are needed");
        status = message_usage("diff");
    }
    if (status == 0 && (d->format == HTML || d->page))
        status = command_need_page("diff");
    if (status == 0 && d->format == HTML && isatty(STDOUT_FILENO)) {
        message("diff: html is not for a terminal; give a file with --html");
        status = COMMAND_USAGE;
    }
    return status;
}

static int write_page(void *data, FILE *out) {
    return render_diff_html(out, data, SQUALL_VERSION);
}

static int show(const struct diff *d, struct compare *c, const char **file) {
    int error = d->page ? command_write_file(d->page, write_page, c) : 0;
    *file = error ? d->page : NULL;
    if (error)
        return error;
    return d->format == JSON   ? render_diff_json(stdout, c)
           : d->format == HTML ? write_page(c, stdout)
                               : render_diff_text(&d->text, c);
}

static int compare(struct diff *d) {
    struct symbols *symbols = symbol_open(&d->symbols);
    struct analyse_names *names = symbols ? analyse_names_open(symbols) : NULL;
    const char *file = NULL; /* that could not be written */
    struct compare c;
    int error = compare_open(&c), status = COMMAND_FAILED;
    if (!names)
        error = -ENOMEM;
    for (unsigned side = 0; side < 2 && !error; side++)
        error = command_compare(&c, side, &d->inputs[side], names);
    if (!error)
        error = compare_finish(&c, &d->options);
    if (error == -ENODATA)
        message("diff: one of the recordings has no %s to compare by; try --per run",
                compare_unit_name(c.unit));
    else if (!error)
        error = show(d, &c, &file);
    if (!error)
        status = COMMAND_OK;
    else if (error != -ENODATA && error != -EPIPE)
        message("diff: %s%s%s", file ? file : "", file ? ": " : "", strerror(-error));
    compare_free(&c);
    analyse_names_close(names);
    symbol_close(symbols);
    return status;
}

int command_compare(struct compare *c, enum compare_which which, const struct inputs *in,
                    struct analyse_names *names) {
    static const struct analyse_options options = {.brief = true};
    int error = 0;
    for (uint32_t i = 0; i < in->process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, in->processes[i], &options, names);
        if (error)
            break;
        error = compare_add(c, which, &a, names);
        analyse_free(&a);
    }
    return error;
}

int command_diff(int argc, char **argv) {
    struct diff d = {0};
    int status = parse_options(&d, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    for (unsigned side = 0; side < 2 && status == 0; side++) {
        char *paths[] = {argv[optind + (int)side], NULL};
        status = inputs_load(&d.inputs[side], "diff", NULL, paths);
        if (status == 0 && d.inputs[side].process_count == 0) {
            message("diff: %s: nothing recorded here", paths[0]);
            status = COMMAND_USAGE;
        }
    }
    if (status == 0)
        status = compare(&d);
    inputs_free(&d.inputs[0]);
    inputs_free(&d.inputs[1]);
    return status;
}
