/* The report for people: who ran, findings, sites, threads, codec calls, and what was not visible.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define THREADS_MAX 20u

/* By the name it was called by; what it really is stands beside it where that differs. */
static void add_title(struct line *line, const struct analysis *a) {
    const struct profile_process *p = a->process;
    const char *exe = *p->exe ? render_base_name(p->exe) : "(unknown program)";
    const char *called = p->argument_count && *p->arguments[0] ? p->arguments[0] : exe;
    char time[32], end[96];
    called = render_base_name(called);
    line_add_name(line, TITLE, called, 40);
    if (strcmp(called, exe) != 0) {
        line_add(line, DIM, " (");
        line_add_name(line, DIM, exe, 40);
        line_add(line, DIM, ")");
    }
    line_add(line, PLAIN, "  pid %d · %s mode · %s · %s", p->pid,
             p->configuration.mode == REGION_MODE_EXACT ? "exact" : "default",
             a->seconds > 0 ? analyse_format_time(time, sizeof(time), a->seconds * 1e9)
                            : "duration not known",
             analyse_format_end(end, sizeof(end), p));
    line_end(line);
}

static void add_arguments(struct line *line, const struct profile_process *p) {
    unsigned width = line->text->width ? line->text->width : 0;
    for (uint32_t i = 0; i < p->argument_count; i++) {
        if (i)
            line_add(line, DIM, " ");
        unsigned left = width > line->columns ? width - line->columns : 1;
        line_add_name(line, DIM, p->arguments[i], width ? left : 0);
        if (width && line->columns >= width)
            break;
    }
    if (p->argument_count)
        line_end(line);
}

static void add_totals(struct line *line, const struct analysis *a) {
    const struct analyse_totals *totals = &a->totals;
    char x[32], y[32];
    line_add(line, BOLD, "%s", analyse_format_bytes(x, sizeof(x), totals->bytes));
    line_add(line, PLAIN, " in %s blocks", analyse_format_count(x, sizeof(x), totals->allocs));
    if (a->seconds > 0)
        line_add(
            line, PLAIN, " · %s/s",
            analyse_format_bytes(x, sizeof(x), analyse_whole((double)totals->bytes / a->seconds)));
    line_add(line, PLAIN, " · live %s%s · peak %s%s", totals->estimated ? "~" : "",
             analyse_format_bytes(x, sizeof(x), totals->live_bytes),
             totals->peak_is_lower_bound ? "≥ " : "",
             analyse_format_bytes(y, sizeof(y), totals->peak_live_bytes));
    if (totals->allocator_ns)
        line_add(line, PLAIN, " · %s in the allocator",
                 analyse_format_time(x, sizeof(x), (double)totals->allocator_ns));
    line_end(line);
}

static void add_sites(struct line *line, const struct analysis *a, struct analyse_names *names) {
    unsigned most = line->text->sites;
    uint32_t shown = most && most < a->site_count ? most : a->site_count;
    line_end(line);
    line_add(line, TITLE, "Sites");
    if (shown < a->sites_recorded)
        line_add(line, DIM, "  %u of %u", shown, a->sites_recorded);
    line_end(line);
    if (shown == 0) {
        line_add(line, PLAIN, "    no site %s",
                 a->sites_recorded ? "is left by these filters" : "was recorded");
        line_end(line);
    }
    for (uint32_t i = 0; i < shown; i++) {
        text_site_head(line, a, &a->sites[i], i + 1);
        text_site_details(line, a, &a->sites[i]);
        text_stack(line, a, &a->sites[i], names);
        if (i + 1 < shown)
            line_end(line);
    }
}

static int by_bytes(const void *a, const void *b) {
    const struct profile_thread *x = *(const struct profile_thread *const *)a;
    const struct profile_thread *y = *(const struct profile_thread *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void add_thread(struct line *line, const struct profile_thread *thread) {
    char text[32];
    if (thread->row == 0) {
        line_add(line, PLAIN, "%9s  %-16s", "", "(threads without a row)");
    } else {
        line_add(line, DIM, "%9d  ", thread->tid);
        line_add_name(line, PLAIN, *thread->name ? thread->name : "(no name)", 20);
        if (thread->generations)
            line_add(line, DIM, " +%u before", thread->generations);
    }
    line_pad(line, 38);
    line_add(line, BOLD, "%10s", analyse_format_bytes(text, sizeof(text), thread->bytes));
    line_add(line, PLAIN, "  %14s", analyse_format_count(text, sizeof(text), thread->allocs));
    line_add(line, PLAIN, "  %14s", analyse_format_count(text, sizeof(text), thread->frees));
    line_end(line);
}

static int add_threads(struct line *line, const struct profile_process *p) {
    uint32_t count = 0;
    const struct profile_thread **threads = calloc(p->thread_count + 1u, sizeof(*threads));
    if (!threads)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->thread_count; i++)
        if (p->threads[i].allocs || p->threads[i].frees)
            threads[count++] = &p->threads[i];
    if (count)
        qsort(threads, count, sizeof(*threads), by_bytes);
    line_end(line);
    line_add(line, TITLE, "Threads");
    line_pad(line, 38);
    line_add(line, DIM, "%10s  %14s  %14s", "bytes", "allocs", "frees");
    line_end(line);
    for (uint32_t i = 0; i < count && i < THREADS_MAX; i++)
        add_thread(line, threads[i]);
    if (count > THREADS_MAX) {
        line_add(line, DIM, "           and %u more", count - THREADS_MAX);
        line_end(line);
    }
    free(threads);
    return 0;
}

static void add_visibility(struct line *line, const struct analysis *a) {
    if (a->statement_count == 0)
        return;
    line_end(line);
    line_add(line, TITLE, "Visibility");
    line_end(line);
    for (uint32_t i = 0; i < a->statement_count; i++) {
        char subject[32];
        snprintf(subject, sizeof(subject), "    %s", a->statements[i].subject);
        line_wrap(line, subject, 18, a->statements[i].statement);
    }
}

static int finish(struct line *line, int error) {
    FILE *out = line->text->out;
    if (!error && (line->buffer.failed || line->scratch.failed))
        error = -ENOMEM;
    if (!error)
        error = line->error;
    line_free(line);
    errno = 0;
    if (!error && (fflush(out) || ferror(out)))
        error = errno ? -errno : -EIO;
    return error;
}

int render_text_process(const struct render_text *text, const struct analysis *a,
                        struct analyse_names *names) {
    struct line line = {.text = text};
    int error = 0;
    add_title(&line, a);
    add_arguments(&line, a->process);
    add_totals(&line, a);
    text_findings(&line, a);
    add_sites(&line, a, names);
    if (!text->whole_stacks) {
        error = add_threads(&line, a->process);
        text_codec_calls(&line, a, names);
    }
    add_visibility(&line, a);
    return finish(&line, error);
}

/* ---- the summary ---- */

static void add_short_site(struct line *line, const struct analysis *a,
                           const struct analyse_site *site, unsigned rank,
                           struct analyse_names *names) {
    struct analyse_stack stack =
        analyse_name_stack(names, a->process, site->site->stack, line->text->lines);
    const struct profile_process *p = a->process;
    text_site_head(line, a, site, rank);
    line_pad(line, 4);
    text_stack_short(line, &stack, 4);
    if (site->site->go) {
        line_add(line, DIM, "  on %s%llu goroutine%s",
                 site->site->go->at_once_max > 1 ? "up to " : "",
                 (unsigned long long)site->site->go->at_once_max,
                 site->site->go->at_once_max > 1 ? "s" : "");
    } else if (site->row_count) {
        const char *name = p->threads[site->rows[0].thread].name;
        line_add(line, DIM, "  on ");
        line_add_name(line, DIM, *name ? name : "(no name)", 16);
        if (site->row_count > 1)
            line_add(line, DIM, " and %u more", site->row_count - 1);
    }
    line_end(line);
}

/* The subjects, each once: the sentences are for the report. */
static void add_short_visibility(struct line *line, const struct analysis *a) {
    struct buffer list = {0};
    for (uint32_t i = 0; i < a->statement_count; i++) {
        const char *subject = a->statements[i].subject;
        uint32_t before = 0;
        while (before < i && strcmp(a->statements[before].subject, subject) != 0)
            before++;
        if (before < i)
            continue;
        if (list.length)
            buffer_add(&list, ", ", 2);
        buffer_add(&list, subject, strlen(subject));
    }
    if (list.length)
        line_wrap(line, "    limits of what is visible:", 31, buffer_text(&list));
    buffer_free(&list);
}

int render_text_summary(const struct render_text *text, const struct analysis *a,
                        struct analyse_names *names) {
    struct line line = {.text = text};
    uint32_t shown = text->sites < a->site_count ? text->sites : a->site_count;
    add_title(&line, a);
    add_totals(&line, a);
    text_findings_short(&line, a);
    for (uint32_t i = 0; i < shown; i++)
        add_short_site(&line, a, &a->sites[i], i + 1, names);
    add_short_visibility(&line, a);
    return finish(&line, 0);
}
