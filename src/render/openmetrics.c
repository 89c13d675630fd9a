/* Figures of many processes in the text formats of Prometheus.
 *
 * Each family is one row of a table and one loop over the processes: the formats want all samples
 * of a family together. OpenMetrics names a counter's family without its _total; the older format
 * names it as its samples. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "internal.h"

struct writer {
    FILE *out;
    bool openmetrics;
    struct buffer name; /* one label's value */
    const char *family, *suffix;
};

/* What the process wrote, cleaned, then escaped. */
static void write_value(struct writer *w, const char *value) {
    buffer_clear(&w->name);
    buffer_add_name(&w->name, value, true);
    for (const char *s = buffer_text(&w->name); *s; s++) {
        if (*s == '\\' || *s == '"')
            fputc('\\', w->out);
        fputc(*s, w->out);
    }
}

static void write_label(struct writer *w, const char *key, const char *value, bool first) {
    fprintf(w->out, "%s%s=\"", first ? "{" : ",", key);
    write_value(w, value);
    fputc('"', w->out);
}

enum kind { COUNTER, GAUGE, INFO };

static void begin(struct writer *w, enum kind kind, const char *family, const char *unit,
                  const char *help) {
    static const char *const types[] = {"counter", "gauge", "info"};
    const char *type = kind == INFO && !w->openmetrics ? "gauge" : types[kind];
    w->family = family;
    w->suffix = kind == COUNTER ? "_total" : kind == INFO ? "_info" : "";
    const char *shown = w->openmetrics ? "" : w->suffix;
    fprintf(w->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family, shown, help, family, shown, type);
    if (unit && w->openmetrics)
        fprintf(w->out, "# UNIT %s %s\n", family, unit);
}

static void open_sample(struct writer *w, const struct render_metrics_process *p) {
    fprintf(w->out, "%s%s", w->family, w->suffix);
    write_label(w, "pid", p->pid, true);
    write_label(w, "program", p->program, false);
}

static void close_integer(struct writer *w, uint64_t value) {
    fprintf(w->out, "} %" PRIu64 "\n", value);
}

static void close_real(struct writer *w, double value) {
    fprintf(w->out, "} %.9f\n", value);
}

/* ---- of processes ---- */

static void write_info(struct writer *w, const struct render_metrics *m) {
    char uid[16];
    begin(w, INFO, "squall_process", NULL, "A process that runs, or ran, under squall.");
    for (uint32_t i = 0; i < m->count; i++) {
        const struct render_metrics_process *p = &m->processes[i];
        if (!p->mode)
            continue;
        snprintf(uid, sizeof(uid), "%u", p->uid);
        open_sample(w, p);
        write_label(w, "exe", p->exe, false);
        write_label(w, "mode", p->mode, false);
        write_label(w, "uid", uid, false);
        fputs("} 1\n", w->out);
    }
    begin(w, GAUGE, "squall_process_running", NULL, "1 while the process runs, 0 once it ended.");
    for (uint32_t i = 0; i < m->count; i++)
        if (m->processes[i].mode) {
            open_sample(w, &m->processes[i]);
            close_integer(w, m->processes[i].running);
        }
    begin(w, GAUGE, "squall_process_start_time_seconds", "seconds",
          "When recording began, since 1970.");
    for (uint32_t i = 0; i < m->count; i++)
        if (m->processes[i].mode) {
            open_sample(w, &m->processes[i]);
            close_real(w, m->processes[i].start_seconds);
        }
}

/* One number of a struct, by its offset. */
struct number {
    size_t offset;
    const char *family, *unit, *help;
};
#define AT(type, field) offsetof(struct render_metrics_##type, field)

static uint64_t number_at(const void *base, size_t offset) {
    uint64_t value;
    memcpy(&value, (const char *)base + offset, sizeof(value));
    return value;
}

static void write_totals(struct writer *w, const struct render_metrics *m) {
    static const struct number numbers[] = {
        {AT(process, allocs), "squall_allocations", NULL, "Blocks allocated; exact."},
        {AT(process, frees), "squall_frees", NULL, "Blocks freed; exact."},
        {AT(process, bytes), "squall_allocated_bytes", "bytes",
         "Bytes asked for in all allocations; exact."},
    };
    for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
        begin(w, COUNTER, numbers[n].family, numbers[n].unit, numbers[n].help);
        for (uint32_t i = 0; i < m->count; i++) {
            open_sample(w, &m->processes[i]);
            close_integer(w, number_at(&m->processes[i], numbers[n].offset));
        }
    }
    begin(w, COUNTER, "squall_allocator_seconds", "seconds",
          "Time in the allocator, scaled up from the blocks that were timed.");
    for (uint32_t i = 0; i < m->count; i++) {
        open_sample(w, &m->processes[i]);
        close_real(w, m->processes[i].allocator_seconds);
    }
}

static void write_lost(struct writer *w, const struct render_metrics *m) {
    begin(w, COUNTER, "squall_lost_events", NULL,
          "What could not be recorded, by reason; reasons that never occurred are left out.");
    for (uint32_t i = 0; i < m->count; i++)
        for (unsigned k = 0; k < REGION_LOST_COUNT; k++) {
            if (m->processes[i].lost[k] == 0)
                continue;
            open_sample(w, &m->processes[i]);
            write_label(w, "reason", analyse_lost_name(k), false);
            close_integer(w, m->processes[i].lost[k]);
        }
}

/* ---- of what blocks were for, of codec calls, of findings ---- */

static void write_classes(struct writer *w, const struct render_metrics *m) {
    static const struct number numbers[] = {
        {AT(class, allocs), "squall_recorded_allocations", NULL,
         "Blocks recorded with their stacks, by codec, role and finding; small ones estimated."},
        {AT(class, bytes), "squall_recorded_bytes", "bytes",
         "Bytes of the blocks recorded with their stacks, by codec, role and finding."},
        {AT(class, live_bytes), "squall_live_bytes", "bytes",
         "Bytes of recorded blocks that are allocated now."},
    };
    for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
        begin(w, n < 2 ? COUNTER : GAUGE, numbers[n].family, numbers[n].unit, numbers[n].help);
        for (uint32_t i = 0; i < m->count; i++)
            for (uint32_t k = 0; k < m->processes[i].class_count; k++) {
                const struct render_metrics_class *c = &m->processes[i].classes[k];
                open_sample(w, &m->processes[i]);
                write_label(w, "codec", c->codec, false);
                write_label(w, "role", c->role, false);
                write_label(w, "finding", c->finding, false);
                close_integer(w, number_at(c, numbers[n].offset));
            }
    }
}

static void open_codec(struct writer *w, const struct render_metrics_process *p,
                       const struct render_metrics_codec *c) {
    open_sample(w, p);
    write_label(w, "codec", c->codec, false);
    write_label(w, "direction", c->direction, false);
}

static void write_codecs(struct writer *w, const struct render_metrics *m) {
    static const struct number numbers[] = {
        {AT(codec, calls), "squall_codec_calls", NULL, "Calls of codec functions."},
        {AT(codec, failures), "squall_codec_failures", NULL, "Codec calls that failed."},
        {AT(codec, source_bytes), "squall_codec_source_bytes", "bytes",
         "Bytes that codec calls took in."},
        {AT(codec, produced_bytes), "squall_codec_produced_bytes", "bytes",
         "Bytes that codec calls gave out."},
    };
    for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
        begin(w, COUNTER, numbers[n].family, numbers[n].unit, numbers[n].help);
        for (uint32_t i = 0; i < m->count; i++)
            for (uint32_t k = 0; k < m->processes[i].codec_count; k++) {
                open_codec(w, &m->processes[i], &m->processes[i].codecs[k]);
                close_integer(w, number_at(&m->processes[i].codecs[k], numbers[n].offset));
            }
    }
    begin(w, COUNTER, "squall_codec_seconds", "seconds",
          "Wall time in codec calls, of all threads.");
    for (uint32_t i = 0; i < m->count; i++)
        for (uint32_t k = 0; k < m->processes[i].codec_count; k++) {
            open_codec(w, &m->processes[i], &m->processes[i].codecs[k]);
            close_real(w, m->processes[i].codecs[k].seconds);
        }
}

static void write_findings(struct writer *w, const struct render_metrics *m) {
    begin(w, GAUGE, "squall_findings", NULL, "Findings of the latest analysis, by rule.");
    for (uint32_t i = 0; i < m->count; i++)
        for (uint32_t k = 0; k < m->processes[i].finding_count; k++) {
            open_sample(w, &m->processes[i]);
            write_label(w, "finding", m->processes[i].findings[k].rule, false);
            close_integer(w, m->processes[i].findings[k].count);
        }
}

/* ---- of squall itself ---- */

static void write_single(struct writer *w, enum kind kind, const char *family, const char *unit,
                         const char *help, double value) {
    begin(w, kind, family, unit, help);
    fprintf(w->out, "%s%s %.*f\n", family, w->suffix, unit ? 6 : 0, value);
}

static void write_self(struct writer *w, const struct render_metrics *m) {
    begin(w, INFO, "squall_build", NULL, "The squall that gives these figures.");
    fputs("squall_build_info", w->out);
    write_label(w, "version", m->version, true);
    fputs("} 1\n", w->out);
    write_single(w, GAUGE, "squall_processes", NULL, "Processes that run under squall.",
                 m->running);
    write_single(w, GAUGE, "squall_processes_aggregated", NULL,
                 "Processes counted together as pid=\"other\": more than --max-processes.",
                 m->aggregated);
    write_single(w, GAUGE, "squall_processes_unseen", NULL,
                 "Processes that could not be looked at: not ours to read, or too many.", m->unseen);
    write_single(w, COUNTER, "squall_updates", NULL, "Times that the figures were read.",
                 (double)m->updates);
    write_single(w, COUNTER, "squall_update_failures", NULL,
                 "Times that a process could not be read.", (double)m->failures);
    write_single(w, GAUGE, "squall_update_duration_seconds", "seconds",
                 "What reading the figures took the last time.", m->update_seconds);
}

int render_metrics(FILE *out, const struct render_metrics *metrics, bool openmetrics) {
    struct writer w = {.out = out, .openmetrics = openmetrics};
    write_info(&w, metrics);
    write_totals(&w, metrics);
    write_classes(&w, metrics);
    write_codecs(&w, metrics);
    write_findings(&w, metrics);
    write_lost(&w, metrics);
    write_self(&w, metrics);
    if (openmetrics)
        fputs("# EOF\n", out);
    int error = w.name.failed ? -ENOMEM : 0;
    buffer_free(&w.name);
    errno = 0;
    if (!error && (fflush(out) || ferror(out)))
        error = errno ? -errno : -EIO;
    return error;
}
