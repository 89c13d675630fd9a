/* A comparison for people: what was done, what it cost for each message, which findings came and
 * went, and which places in the code allocate more or less than chance explains. */
#include <math.h>
#include <string.h>

#include "internal.h"

#define INDENT 2u
#define BEFORE 34u /* columns */
#define AFTER 48u
#define CHANGE 62u
#define FRAMES 4u
#define COMMAND 60

static const char *unit_in_words(enum compare_unit unit) {
    static const char *const words[COMPARE_UNITS] = {
        [COMPARE_BEST] = "",
        [COMPARE_MESSAGE] = "a message",
        [COMPARE_SOURCE_BYTE] = "a MiB of source",
        [COMPARE_SECOND] = "a second",
        [COMPARE_RUN] = "a run",
    };
    return words[unit];
}

/* A source byte costs less than one of anything: people are told of a MiB. */
static double per_unit(const struct compare *c, double value) {
    return c->unit == COMPARE_SOURCE_BYTE ? value * 1048576 : value;
}

/* ---- numbers ---- */

enum form { BYTES, COUNT, TIME, RATIO };

static const char *number(char *out, size_t size, enum form form, double value) {
    if (form == RATIO || (value > 0 && value < 100 && form != TIME))
        snprintf(out, size, form == BYTES ? "%.3g B" : "%.3g", value);
    else if (form == BYTES)
        analyse_format_bytes(out, size, analyse_whole(value + 0.5));
    else if (form == TIME)
        analyse_format_time(out, size, value);
    else
        analyse_format_count(out, size, analyse_whole(value + 0.5));
    return out;
}

/* "+240 %", "×12"; what was nothing has no percentage. */
static const char *relation(char *out, size_t size, double before, double after) {
    if (before == after || (before > 0 && fabs(after / before - 1) < 0.0005))
        snprintf(out, size, "=");
    else if (before == 0 || after == 0)
        snprintf(out, size, "%s", before == 0 ? "new" : "gone");
    else if (after / before >= 10)
        snprintf(out, size, "\xc3\x97%.3g", after / before);
    else
        snprintf(out, size, "%+.3g %%", (after / before - 1) * 100);
    return out;
}

/* "± 3 %" of the larger side. */
static void add_error(struct line *line, const struct compare_change *change) {
    double larger = change->before > change->after ? change->before : change->after;
    if (change->error > 0 && larger > 0)
        line_add(line, DIM, " ± %.2g %%", change->error / larger * 100);
}

static enum style style_of(enum compare_verdict verdict) {
    return verdict == COMPARE_MORE || verdict == COMPARE_NEW ? WARN
           : verdict == COMPARE_SAME                         ? DIM
                                                             : ACCENT;
}

/* ---- the two sides ---- */

/* The argument in which a command differs from the other one; all of it, if it differs in none. */
static const char *find_difference(const char *command, const char *other) {
    const char *argument = command;
    size_t i = 0;
    for (; command[i] && command[i] == other[i]; i++)
        if (command[i] == ' ')
            argument = command + i + 1;
    return command[i] == other[i] ? command : argument;
}

/* Commands are long, and what tells two of them apart is often at the end: that is kept. */
static void add_command(struct line *line, const char *command, const char *other) {
    const char *rest = find_difference(command, other);
    if (strlen(command) <= COMMAND || rest - command < COMMAND / 2) {
        line_add_name(line, BOLD, command, COMMAND);
        return;
    }
    line_add_name(line, BOLD, command, COMMAND / 2);
    line_add(line, DIM, " ");
    line_add_name(line, BOLD, rest, COMMAND / 2);
}

static void add_side(struct line *line, const char *name, const struct compare_side *side,
                     const struct compare_side *other) {
    char x[32], y[32];
    line_add(line, TITLE, "%-7s", name);
    add_command(line, side->command ? side->command : "(nothing)",
                other->command ? other->command : "(nothing)");
    line_end(line);
    line_pad(line, 7);
    line_add(line, PLAIN, "%u %s · %.3g s · %s in %s blocks", side->processes,
             side->processes == 1 ? "process" : "processes", side->seconds,
             analyse_format_bytes(x, sizeof(x), side->bytes),
             analyse_format_count(y, sizeof(y), side->allocs));
    if (side->messages)
        line_add(line, PLAIN, " · %s messages", analyse_format_count(x, sizeof(x), side->messages));
    if (side->calls)
        line_add(line, PLAIN, " · %s → %s", analyse_format_bytes(x, sizeof(x), side->source_bytes),
                 analyse_format_bytes(y, sizeof(y), side->produced_bytes));
    line_end(line);
}

/* Where one side's calls are not visible, figures of a message cannot be had. */
static void add_missing(struct line *line, const struct compare *c) {
    bool before = c->sides[COMPARE_BEFORE].messages, after = c->sides[COMPARE_AFTER].messages;
    if (before == after || c->unit != COMPARE_RUN)
        return;
    line_pad(line, 7);
    line_add(line, WARN, "messages are not visible in %s: these are figures of the whole run",
             before ? "after" : "before");
    line_end(line);
}

/* Why figures are not those of a message, where there are messages. */
static void add_other_messages(struct line *line, const struct compare *c) {
    double ratio = compare_message_ratio(c);
    if (c->unit != COMPARE_SOURCE_BYTE || !compare_messages_are_others(c))
        return;
    line_pad(line, 7);
    line_add(line, WARN,
             "messages are %.3g times as large %s: these are figures of a MiB of source",
             ratio > 1 ? ratio : 1 / ratio, ratio > 1 ? "after" : "before");
    line_end(line);
}

/* ---- figures ---- */

static const struct {
    const char *name, *words;
    enum form form;
} figures[] = {
    {"codec_bytes", "workspaces and outputs", BYTES},
    {"codec_allocs", "  blocks of them", COUNT},
    {"bytes", "allocated in all", BYTES},
    {"allocs", "  blocks", COUNT},
    {"allocator_ns", "time in the allocator", TIME},
    {"codec_ns", "time in compressing calls", TIME},
    {"codec_cpu_ns", "  CPU time", TIME},
    {"page_faults", "  page faults", COUNT},
    {"source_bytes", "bytes to compress", BYTES},
    {"produced_bytes", "  bytes that came out", BYTES},
    {"produced_per_source_byte", "bytes out for each byte in", RATIO},
    {"peak_live_bytes", "peak of live bytes, at least", BYTES},
};

/* Why figures that differ are no change. */
static const char *excuse_of(const struct compare *c, const struct compare_change *change) {
    double larger = change->before > change->after ? change->before : change->after;
    double difference = fabs(change->after - change->before);
    return difference <= change->error           ? "within chance"
           : difference <= c->tolerance * larger ? "too little to count"
                                                 : "not so by the other units";
}

static void add_metric(struct line *line, const struct compare *c,
                       const struct compare_metric *metric) {
    const struct compare_change *change = &metric->change;
    double before = metric->per_unit ? per_unit(c, change->before) : change->before;
    double after = metric->per_unit ? per_unit(c, change->after) : change->after;
    unsigned i = 0;
    char text[32];
    while (i < ARRAY_SIZE(figures) && strcmp(figures[i].name, metric->name) != 0)
        i++;
    if (i == ARRAY_SIZE(figures) || (change->before == 0 && change->after == 0))
        return;
    line_pad(line, INDENT);
    line_add(line, PLAIN, "%s", figures[i].words);
    line_pad(line, BEFORE);
    line_add(line, PLAIN, "%11s", number(text, sizeof(text), figures[i].form, before));
    line_pad(line, AFTER);
    line_add(line, BOLD, "%11s", number(text, sizeof(text), figures[i].form, after));
    line_pad(line, CHANGE);
    line_add(line, style_of(change->verdict), "%s",
             relation(text, sizeof(text), change->before, change->after));
    if (change->error >= 0 && change->verdict == COMPARE_SAME && strcmp(text, "=") != 0)
        line_add(line, DIM, " (%s)", excuse_of(c, change));
    line_end(line);
}

static void add_metrics(struct line *line, const struct compare *c) {
    line_end(line);
    line_add(line, TITLE, c->unit == COMPARE_RUN ? "In all" : "For %s", unit_in_words(c->unit));
    line_pad(line, BEFORE);
    line_add(line, DIM, "%11s", "before");
    line_pad(line, AFTER);
    line_add(line, DIM, "%11s", "after");
    line_end(line);
    bool whole = false;
    for (uint32_t i = 0; i < c->metric_count; i++) {
        if (!c->metrics[i].per_unit && !whole && c->unit != COMPARE_RUN) {
            line_add(line, TITLE, "In all");
            line_end(line);
            whole = true;
        }
        add_metric(line, c, &c->metrics[i]);
    }
}

/* ---- findings, sites ---- */

static void add_finding(struct line *line, const struct compare_finding *finding) {
    line_pad(line, INDENT);
    line_add(line, finding->confirmed ? style_of(finding->verdict) : DIM, "%-5s",
             compare_verdict_name(finding->verdict));
    line_add(line, finding->confirmed ? BOLD : PLAIN, "%s", finding->rule);
    if (!finding->confirmed)
        line_add(line, DIM, "  perhaps by chance: no place that it is about changed");
    line_end(line);
    line_wrap(line, "", INDENT + 5, finding->summary);
}

static void add_findings(struct line *line, const struct compare *c) {
    uint32_t same = 0;
    line_end(line);
    line_add(line, TITLE, "Findings");
    line_end(line);
    for (uint32_t i = 0; i < c->finding_count; i++) {
        if (c->findings[i].verdict == COMPARE_SAME)
            same++;
        else
            add_finding(line, &c->findings[i]);
    }
    line_pad(line, INDENT);
    line_add(line, DIM, "%u in both", same);
    line_end(line);
}

static void add_site(struct line *line, const struct compare *c, const struct compare_site *site) {
    const struct compare_change *change = &site->bytes;
    char text[32];
    line_pad(line, INDENT);
    line_add(line, style_of(change->verdict), "%-5s", compare_verdict_name(change->verdict));
    line_add(line, BOLD, "%s", number(text, sizeof(text), BYTES, per_unit(c, change->before)));
    line_add(line, PLAIN, " → ");
    line_add(line, BOLD, "%s", number(text, sizeof(text), BYTES, per_unit(c, change->after)));
    if (c->unit != COMPARE_RUN)
        line_add(line, DIM, " %s", unit_in_words(c->unit));
    if (change->before > 0 && change->after > 0)
        line_add(line, style_of(change->verdict), "  %s",
                 relation(text, sizeof(text), change->before, change->after));
    add_error(line, change);
    line_add(line, DIM, "  %s → ",
             number(text, sizeof(text), COUNT, (double)site->sides[0].allocs));
    line_add(line, DIM, "%s blocks",
             number(text, sizeof(text), COUNT, (double)site->sides[1].allocs));
    if (site->codec)
        line_add(line, ACCENT, "  %s%s%s", site->codec, site->role ? " " : "",
                 site->role ? site->role : "");
    line_end(line);
    line_pad(line, INDENT + 5);
    text_stack_short(line, &site->stack, FRAMES);
    line_end(line);
}

static void add_sites(struct line *line, const struct compare *c) {
    unsigned most = line->text->sites;
    uint32_t shown = most && most < c->changed_count ? most : c->changed_count;
    line_end(line);
    line_add(line, TITLE, "Sites");
    line_add(line, DIM, "  %u of %u changed by more than chance and the tolerance",
             c->changed_count, c->site_count);
    line_end(line);
    for (uint32_t i = 0; i < shown; i++)
        add_site(line, c, &c->sites[i]);
    if (shown < c->changed_count) {
        line_pad(line, INDENT);
        line_add(line, DIM, "and %u more: --top 0", c->changed_count - shown);
        line_end(line);
    }
}

int render_diff_text(const struct render_text *text, const struct compare *c) {
    struct line line = {.text = text};
    add_side(&line, "before", &c->sides[COMPARE_BEFORE], &c->sides[COMPARE_AFTER]);
    add_side(&line, "after", &c->sides[COMPARE_AFTER], &c->sides[COMPARE_BEFORE]);
    add_missing(&line, c);
    add_other_messages(&line, c);
    add_metrics(&line, c);
    add_findings(&line, c);
    add_sites(&line, c);
    int error = line.error;
    line_free(&line);
    return error;
}
