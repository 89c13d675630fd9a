/* Codec calls for people: what was compressed, by whom, how well and how fast; and for the busiest
 * of them what messages of each size cost. */
#include <string.h>

#include "internal.h"

#define INDENT 4u
#define CALLS_MAX 10u

static const char *bytes(char *out, uint64_t value) {
    return analyse_format_bytes(out, 32, value);
}

static const char *count(char *out, uint64_t value) {
    return analyse_format_count(out, 32, value);
}

static const char *duration(char *out, uint64_t ns) {
    return analyse_format_time(out, 32, (double)ns);
}

static const struct profile_codec_function *function_of(const struct profile_process *p,
                                                        const struct profile_codec_call *call) {
    static const struct profile_codec_function none = {.name = ""};
    bool known = call->function && call->function < p->codec_function_count;
    return known ? &p->codec_functions[call->function] : &none;
}

/* Calls that another call made alone: the outer one has their bytes. */
static bool is_nested_only(const struct profile_codec_call *call) {
    return call->nested >= call->calls;
}

/* "3.78 : 1" of what was compressed, "1 : 3.78" of what was decompressed. */
static const char *ratio(char *out, size_t size, uint32_t direction, uint64_t source,
                         uint64_t produced) {
    if (source == 0 || produced == 0)
        return NULL;
    if (direction == REGION_DECOMPRESS)
        snprintf(out, size, "1 : %.2f", (double)produced / (double)source);
    else
        snprintf(out, size, "%.2f : 1", (double)source / (double)produced);
    return out;
}

static void add_title(struct line *line, const struct profile_codec_function *f) {
    const char *codec = analyse_codec_name(f), *direction = analyse_direction_name(f->direction);
    line_pad(line, INDENT);
    if (codec)
        line_add(line, ACCENT, "%s ", codec);
    line_add_name(line, BOLD, *f->name ? f->name : "(calls without a row)", 40);
    if (direction)
        line_add(line, ACCENT, "  %s", direction);
}

/* CPU time that was taken of some of the calls only is an estimate. */
static void add_times(struct line *line, const struct profile_codec_call *call) {
    char x[32];
    line_add(line, PLAIN, "  %s", duration(x, call->ns));
    if (call->timed)
        line_add(line, PLAIN, " CPU %s%s", call->timed < call->calls ? "~" : "",
                 duration(x, call->cpu_ns));
    if (call->threads)
        line_add(line, PLAIN, "  by %u %s", call->threads,
                 call->threads == 1 ? "thread" : "threads");
}

static void add_call(struct line *line, const struct analysis *a,
                     const struct profile_codec_call *call, struct analyse_names *names) {
    const struct profile_codec_function *f = function_of(a->process, call);
    char x[32], y[32], z[48];
    add_title(line, f);
    line_add(line, PLAIN, "  %s %s", count(x, call->calls), call->calls == 1 ? "call" : "calls");
    line_add(line, BOLD, "  %s → %s", bytes(x, call->source_bytes), bytes(y, call->produced_bytes));
    if (ratio(z, sizeof(z), f->direction, call->source_bytes, call->produced_bytes))
        line_add(line, PLAIN, " (%s)", z);
    add_times(line, call);
    if (call->failures)
        line_add(line, WARN, "  %s failed", count(x, call->failures));
    if (call->left)
        line_add(line, WARN, "  %s left without returning", count(x, call->left));
    line_end(line);
    struct analyse_stack stack =
        analyse_name_stack(names, a->process, call->stack, line->text->lines);
    line_pad(line, INDENT + 2);
    text_stack_short(line, &stack, 4);
    line_end(line);
}

/* ---- messages by size ---- */

/* The call with most messages, of those that have several sizes of them; or NULL. */
static const struct profile_codec_call *find_busiest(const struct analysis *a) {
    const struct profile_codec_call *busiest = NULL;
    for (uint32_t i = 0; i < a->codec_call_count; i++) {
        const struct profile_codec_call *call = a->codec_calls[i];
        if (call->size_count >= 2 && !is_nested_only(call) &&
            (!busiest || call->messages > busiest->messages))
            busiest = call;
    }
    return busiest;
}

/* Ends at a column: the spaces stand outside of the text, where a line may be broken. */
static void add_right(struct line *line, enum style style, unsigned end, const char *text) {
    unsigned columns = utf8_columns(text);
    line_pad(line, end > columns ? end - columns : 0);
    line_add(line, style, "%s", text);
}

static const char *quotient(char *out, double value, uint64_t by) {
    if (by == 0)
        return "-";
    snprintf(out, 32, "%.1f", value / (double)by);
    return out;
}

enum { MESSAGES_END = 40, RATIO_END = 56, SPEED_END = 68, TIME_END = 82 };

static void add_size(struct line *line, const struct profile_codec_size *size, uint32_t direction) {
    char x[32], y[32], z[48];
    const char *rate = ratio(z, sizeof(z), direction, size->source_bytes, size->produced_bytes);
    line_pad(line, INDENT + 2);
    if (size->from == 0)
        line_add(line, PLAIN, "empty");
    else
        line_add(line, PLAIN, "%s…%s", bytes(x, size->from), bytes(y, size->to));
    add_right(line, BOLD, MESSAGES_END, count(x, size->messages));
    add_right(line, PLAIN, RATIO_END, rate ? rate : "-");
    add_right(line, PLAIN, SPEED_END, quotient(x, (double)size->source_bytes * 1e3, size->ns));
    add_right(line, PLAIN, TIME_END, quotient(x, (double)size->ns / 1e3, size->messages));
    line_end(line);
}

static void add_sizes(struct line *line, const struct profile_process *p,
                      const struct profile_codec_call *call) {
    const struct profile_codec_function *f = function_of(p, call);
    line_end(line);
    line_pad(line, INDENT);
    line_add(line, PLAIN, "messages of ");
    line_add_name(line, PLAIN, *f->name ? f->name : "calls without a row", 40);
    line_add(line, PLAIN, " by size");
    line_end(line);
    line_pad(line, INDENT + 2);
    line_add(line, DIM, "source");
    add_right(line, DIM, MESSAGES_END, "messages");
    add_right(line, DIM, RATIO_END, "ratio");
    add_right(line, DIM, SPEED_END, "MB/s");
    add_right(line, DIM, TIME_END, "µs/message");
    line_end(line);
    for (uint32_t i = 0; i < call->size_count; i++)
        add_size(line, &call->sizes[i], f->direction);
}

void text_codec_calls(struct line *line, const struct analysis *a, struct analyse_names *names) {
    const struct profile_codec_call *busiest = find_busiest(a);
    uint32_t shown = 0, more = 0;
    for (uint32_t i = 0; i < a->codec_call_count; i++) {
        if (is_nested_only(a->codec_calls[i]))
            continue;
        if (shown == CALLS_MAX) {
            more++;
            continue;
        }
        if (shown++ == 0) {
            line_end(line);
            line_add(line, TITLE, "Codec calls");
            line_end(line);
        }
        add_call(line, a, a->codec_calls[i], names);
    }
    if (more) {
        line_pad(line, INDENT);
        line_add(line, DIM, "and %u more", more);
        line_end(line);
    }
    if (busiest)
        add_sizes(line, a->process, busiest);
}
