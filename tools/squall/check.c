/* squall check: whether a recording keeps to bounds, for a pipeline: the exit status says it, the
 * lines on standard output say why. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compare/compare.h"
#include "render/render.h"

#define NAMES_MAX 32u

struct check {
    const char *folder;
    bool bounds_bytes, bounds_allocs, bounds_peak, any_finding;
    uint64_t bytes, allocs, peak;
    const char *rules[NAMES_MAX];
    uint32_t rule_count;
    bool failed;
    struct inputs inputs;
};

static const char usage[] =
    "usage: squall check [FILE|DIR|PID]... BOUND...\n"
    "\n"
    "Exit status 0 if all bounds are kept, 1 with the reasons if not, 2 if that cannot be told. "
    "All\n"
    "processes of the files count together. Without a file the newest one of the folder that the "
    "shim\n"
    "writes to.\n"
    "\n"
    "  --max-bytes-per-message SIZE   of workspaces and outputs, for each message compressed "
    "(64k)\n"
    "  --max-allocs-per-message N     blocks of them\n"
    "  --max-peak SIZE                live bytes, of each process: what is known of its peak\n"
    "  --no-finding NAME              no finding of this name; 'any': none at all; may be "
    "repeated\n"
    "  --dir DIR                      the folder to take the newest file of\n";

/* ---- options ---- */

static int complain(const char *option, const char *value) {
    message("check: --%s: bad value '%s'", option, value);
    return COMMAND_USAGE;
}

/* As many on a line as fit. */
static int list_rules(void) {
    char line[100] = "any";
    const char *rule;
    message("check: the names are:");
    for (unsigned i = 0; (rule = analyse_rule_at(i)); i++) {
        size_t used = strlen(line);
        if (used + strlen(rule) + 2 < 70) {
            snprintf(line + used, sizeof line - used, ", %s", rule);
        } else {
            message("  %s,", line);
            snprintf(line, sizeof line, "%s", rule);
        }
    }
    message("  %s", line);
    return COMMAND_USAGE;
}

static int parse_rule(struct check *c, const char *name) {
    const char *rule;
    if (strcmp(name, "any") == 0) {
        c->any_finding = true;
        return 0;
    }
    for (unsigned i = 0; (rule = analyse_rule_at(i)); i++)
        if (strcmp(rule, name) == 0 && c->rule_count < NAMES_MAX) {
            c->rules[c->rule_count++] = rule;
            return 0;
        }
    complain("no-finding", name); /* a name that is spelled wrong would never be found */
    return list_rules();
}

static int parse_option(struct check *c, int option, const char *value) {
    switch (option) {
    case 'b':
        c->bounds_bytes = true;
        return base_parse_size(value, strlen(value), &c->bytes)
                   ? complain("max-bytes-per-message", value)
                   : 0;
    case 'a':
        c->bounds_allocs = true;
        return base_parse_number(value, strlen(value), 10, &c->allocs)
                   ? complain("max-allocs-per-message", value)
                   : 0;
    case 'p':
        c->bounds_peak = true;
        return base_parse_size(value, strlen(value), &c->peak) ? complain("max-peak", value) : 0;
    case 'f':
        return parse_rule(c, value);
    case 'd':
        c->folder = value;
        return 0;
    default: /* 'h' */
        fputs(usage, stdout);
        return -1;
    }
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse_options(struct check *c, int argc, char **argv) {
    static const struct option options[] = {
        {"max-bytes-per-message", required_argument, NULL, 'b'},
        {"max-allocs-per-message", required_argument, NULL, 'a'},
        {"max-peak", required_argument, NULL, 'p'},
        {"no-finding", required_argument, NULL, 'f'},
        {"dir", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int status = 0, option;
    optind = opterr = 0;
    while (status == 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        status = option == '?' ? message_option("check", argv) : parse_option(c, option, optarg);
    if (status == 0 && !c->bounds_bytes && !c->bounds_allocs && !c->bounds_peak &&
        !c->any_finding && !c->rule_count) {
        message("check: no bound is given");
        status = message_usage("check");
    }
    return status;
}

/* ---- the bounds ---- */

static void fail(struct check *c, const char *bound) {
    printf("%s: ", bound);
    c->failed = true;
}

static bool is_unwanted(const struct check *c, const char *rule) {
    for (uint32_t i = 0; i < c->rule_count; i++)
        if (strcmp(c->rules[i], rule) == 0)
            return true;
    return c->any_finding;
}

/* It holds names of the watched process. */
static void print_clean(const char *text) {
    char clean[4096];
    puts(render_clean(clean, sizeof clean, text, 0));
}

static void check_process(struct check *c, const struct analysis *a) {
    char x[32], y[32];
    if (c->bounds_peak && a->totals.peak_live_bytes > c->peak) {
        fail(c, "--max-peak");
        printf("process %d had at least %s live, allowed are %s\n", a->process->pid,
               analyse_format_bytes(x, sizeof x, a->totals.peak_live_bytes),
               analyse_format_bytes(y, sizeof y, c->peak));
    }
    for (uint32_t i = 0; i < a->finding_count; i++)
        if (is_unwanted(c, a->findings[i].rule)) {
            fail(c, "--no-finding");
            printf("%s: ", a->findings[i].rule);
            print_clean(a->findings[i].summary);
        }
}

static int check_messages(struct check *c, const struct compare_side *side) {
    char x[32], y[32], z[32];
    if (!c->bounds_bytes && !c->bounds_allocs)
        return COMMAND_OK;
    if (side->messages == 0) {
        message("check: no message was seen to be compressed, so nothing can be said of one");
        return COMMAND_USAGE;
    }
    double messages = (double)side->messages;
    if (c->bounds_bytes && (double)side->codec_bytes / messages > (double)c->bytes) {
        fail(c, "--max-bytes-per-message");
        printf("%s of workspaces and outputs for each of %s messages, allowed are %s\n",
               analyse_format_bytes(x, sizeof x, analyse_whole((double)side->codec_bytes / messages)),
               analyse_format_count(y, sizeof y, side->messages),
               analyse_format_bytes(z, sizeof z, c->bytes));
    }
    if (c->bounds_allocs && (double)side->codec_allocs / messages > (double)c->allocs) {
        fail(c, "--max-allocs-per-message");
        printf("%.2f workspaces and outputs for each of %s messages, allowed are %" PRIu64 "\n",
               (double)side->codec_allocs / messages,
               analyse_format_count(y, sizeof y, side->messages), c->allocs);
    }
    return COMMAND_OK;
}

static int check_all(struct check *c) {
    static const struct analyse_options options = {.brief = true};
    struct symbols *symbols = symbol_open(NULL);
    struct analyse_names *names = symbols ? analyse_names_open(symbols) : NULL;
    struct compare sum;
    int error = compare_open(&sum), status = COMMAND_FAILED;
    if (!names)
        error = -ENOMEM;
    for (uint32_t i = 0; i < c->inputs.process_count && !error; i++) {
        struct analysis a;
        error = analyse_process(&a, c->inputs.processes[i], &options, names);
        if (error)
            break;
        check_process(c, &a);
        error = compare_add(&sum, COMPARE_AFTER, &a, names);
        analyse_free(&a);
    }
    if (error)
        message("check: %s", strerror(-error));
    else
        status = check_messages(c, &sum.sides[COMPARE_AFTER]);
    compare_free(&sum);
    analyse_names_close(names);
    symbol_close(symbols);
    return status;
}

int command_check(int argc, char **argv) {
    struct check c = {0};
    int status = parse_options(&c, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    status = inputs_load(&c.inputs, "check", c.folder, argv + optind);
    if (status == 0 && c.inputs.process_count == 0) {
        message("check: nothing recorded here");
        status = COMMAND_USAGE;
    }
    if (status == 0)
        status = check_all(&c);
    if (status == 0 && c.failed)
        status = COMMAND_FAILED;
    inputs_free(&c.inputs);
    return status;
}
