/* Lines to read: what is known of a row (a site and its stack, a finding with its way out, a
 * thread, a codec function), what the keys do. */
#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

#define LIST_MOST 20u
#define CALLERS_MOST 8u
#define SENTENCE_MOST 100u /* columns: longer lines are hard to read */

void top_detail_close(struct top_detail *d) {
    for (uint32_t i = 0; i < d->count; i++)
        free(d->lines[i]);
    free(d->lines);
    memset(d, 0, sizeof *d);
}

static void begin(struct top_detail *d, const char *title) {
    top_detail_close(d);
    d->open = true;
    d->columns = COLS;
    base_copy(d->title, sizeof d->title, title);
}

static void add(struct top_detail *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct top_detail *d, const char *format, ...) {
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (d->count == d->room) {
        uint32_t room = d->room ? d->room * 2 : 64;
        char **lines = reallocarray(d->lines, room, sizeof *lines);
        if (!lines)
            return;
        d->lines = lines;
        d->room = room;
    }
    char *copy = strdup(text);
    if (copy)
        d->lines[d->count++] = copy;
}

/* A sentence in lines of the screen's width at most, broken between words. */
static void add_wrapped(struct top_detail *d, const char *first, const char *sentence) {
    unsigned width = COLS > 24 ? (unsigned)COLS - 14 : 20;
    width = width < SENTENCE_MOST ? width : SENTENCE_MOST;
    const char *label = first;
    while (*sentence) {
        size_t length = strlen(sentence), cut = 0;
        if (length > width) {
            for (size_t i = 0; i <= width; i++)
                if (sentence[i] == ' ')
                    cut = i;
            /* Never in the middle of a character. */
            for (length = cut ? cut : width; (sentence[length] & 0xc0) == 0x80; length--)
                ;
        }
        add(d, "  %-10s%.*s", label, (int)length, sentence);
        label = "";
        sentence += length;
        sentence += strspn(sentence, " ");
    }
}

/* ---- stacks ---- */

/* The name of a frame in at most `columns`, and how many columns it takes. */
static unsigned name_frame(char *name, size_t size, const struct analyse_frame *f,
                           unsigned columns) {
    if (f->function)
        render_clean(name, size, f->function, columns);
    else
        snprintf(name, size, "+0x%llx", (unsigned long long)f->offset);
    unsigned used = 0;
    for (const char *c = name; *c; c++)
        used += ((unsigned char)*c & 0xc0) != 0x80;
    return used;
}

static void add_frame(struct top_detail *d, const struct analyse_frame *f, unsigned columns) {
    char place[300] = "", name[600];
    const char *module = f->module ? render_name_of(f->module) : "outside every module";
    unsigned used = name_frame(name, sizeof name, f, columns);
    if (f->file)
        snprintf(place, sizeof place, "%.200s:%u", render_name_of(f->file), f->line);
    add(d, "  %s%*s %-22s %s%s", name, (int)(columns - used), "", place, module,
        f->inlined ? " (inlined)" : "");
}

/* Names stand as far left as the longest of them allows. */
static void add_stack(struct top *top, struct top_detail *d, uint32_t stack) {
    const struct analysis *a = watch_analysis(top->watch);
    const struct profile_process *p = a->process;
    struct analyse_stack frames =
        analyse_name_stack(watch_names(top->watch), p, stack, d == &top->detail);
    unsigned most = COLS > 60 ? (unsigned)COLS - 46 : 30, columns = 0;
    char name[600];
    for (uint32_t i = 0; i < frames.count; i++) {
        unsigned used = name_frame(name, sizeof name, &frames.frames[i], most);
        columns = used > columns ? used : columns;
    }
    for (uint32_t i = 0; i < frames.count; i++)
        add_frame(d, &frames.frames[i], columns);
    if (frames.count == 0)
        add(d, "  no stack");
    else if (stack < p->stack_count && p->stacks[stack].end != REGION_END_OUTERMOST)
        add(d, "  cut short: %s", analyse_stack_end_name(p->stacks[stack].end));
}

static void add_sums(struct top_detail *d, const struct analyse_site *site) {
    char total[32], live[32], peak[32], count[32], mean[32];
    add(d, "  %s in %s blocks, live %s%s, peak %s%s",
        analyse_format_bytes(total, sizeof total, site->sums.bytes),
        analyse_format_count(count, sizeof count, site->sums.allocs),
        site->sums.estimated ? "~" : "",
        analyse_format_bytes(live, sizeof live, site->sums.live_bytes),
        site->sums.peak_is_upper_bound ? "<= " : "",
        analyse_format_bytes(peak, sizeof peak, site->sums.peak_bytes));
    if (site->size.known)
        add(d, "  blocks of %s to %s, %s on average",
            analyse_format_bytes(total, sizeof total, site->size.min),
            analyse_format_bytes(live, sizeof live, site->size.max),
            analyse_format_bytes(mean, sizeof mean, analyse_whole(site->size.mean)));
    if (site->life.known)
        add(d, "  they live %s to %s, %s on average",
            analyse_format_time(total, sizeof total, (double)site->life.min),
            analyse_format_time(live, sizeof live, (double)site->life.max),
            analyse_format_time(mean, sizeof mean, site->life.mean));
    if (site->codec || site->flagged)
        add(d, "  %s%s%s%s%s", site->codec ? site->codec : "", site->codec_function ? " in " : "",
            site->codec_function ? site->codec_function : "", site->served_by ? " for " : "",
            site->served_by ? site->served_by : "");
}

static void add_threads(struct top_detail *d, const struct analysis *a,
                        const struct analyse_site *site) {
    add(d, "%s", "");
    for (uint32_t i = 0; i < site->row_count && i < LIST_MOST; i++) {
        char bytes[32];
        add(d, "  thread %-16s %s", a->process->threads[site->rows[i].thread].name,
            analyse_format_bytes(bytes, sizeof bytes, site->rows[i].sums.bytes));
    }
}

static void make_site(struct top *top, struct top_detail *d, uint32_t id) {
    char title[160], name[128];
    const struct analyse_site *site = watch_site(top->watch, id);
    render_clean(name, sizeof name, watch_site_name(top->watch, id), 60);
    snprintf(title, sizeof title, "Site %u  %s", id, name);
    begin(d, title);
    if (!site) {
        add(d, "  this site is newer than the names that are known: F5 takes another look");
        return;
    }
    add_sums(d, site);
    add(d, "%s", "");
    add_stack(top, d, site->site->stack);
    add_threads(d, watch_analysis(top->watch), site);
}

/* ---- findings ---- */

static void make_finding(struct top *top, struct top_detail *d, uint32_t number) {
    const struct analysis *a = watch_analysis(top->watch);
    char title[160];
    if (!a || number >= a->finding_count)
        return;
    const struct analyse_finding *f = &a->findings[number];
    snprintf(title, sizeof title, "Finding %u  %s", number + 1, f->rule);
    begin(d, title);
    add_wrapped(d, "", f->summary);
    if (f->fix)
        add_wrapped(d, "fix", f->fix);
    for (uint32_t i = 0; i < f->remedy_count; i++)
        add_wrapped(d, "way", f->remedies[i].text);
    if (f->caution)
        add_wrapped(d, "caution", f->caution);
    const struct analyse_site *site = f->has_site ? watch_site(top->watch, f->site) : NULL;
    if (site) {
        add(d, "%s", "");
        add_sums(d, site);
        add_stack(top, d, site->site->stack);
    }
}

/* ---- threads ---- */

/* Where it allocates: its sites in the order of all, which is by bytes. */
static void make_thread(struct top *top, struct top_detail *d, const struct watch_row *row) {
    const struct analysis *a = watch_analysis(top->watch);
    char title[160];
    uint32_t shown = 0;
    snprintf(title, sizeof title, "Thread  %.100s", row->name);
    begin(d, title);
    for (uint32_t i = 0; a && i < a->site_count; i++) {
        const struct analyse_site *site = &a->sites[i];
        for (uint32_t k = 0; k < site->row_count && shown < LIST_MOST; k++) {
            char bytes[32], count[32];
            if (site->rows[k].thread != row->id)
                continue;
            add(d, "  %11s in %13s blocks  %s",
                analyse_format_bytes(bytes, sizeof bytes, site->rows[k].sums.bytes),
                analyse_format_count(count, sizeof count, site->rows[k].sums.allocs),
                watch_site_name(top->watch, site->site->id));
            shown++;
        }
    }
    if (!shown)
        add(d, "  no block of it is recorded so far");
}

/* ---- codec calls ---- */

static void make_call(struct top *top, struct top_detail *d, const struct watch_row *row) {
    const struct analysis *a = watch_analysis(top->watch);
    char title[160];
    uint32_t shown = 0;
    snprintf(title, sizeof title, "Codec call  %.100s", row->name);
    begin(d, title);
    for (uint32_t i = 0; a && i < a->codec_call_count && shown < CALLERS_MOST; i++) {
        const struct profile_codec_call *c = a->codec_calls[i];
        char calls[32], source[32], produced[32], took[32];
        if (c->function != row->id)
            continue;
        add(d, "  %s call%s by %u thread%s", analyse_format_count(calls, sizeof calls, c->calls),
            c->calls == 1 ? "" : "s", c->threads, c->threads == 1 ? "" : "s");
        if (c->source_bytes || c->produced_bytes)
            add(d, "  %s → %s in %s", analyse_format_bytes(source, sizeof source, c->source_bytes),
                analyse_format_bytes(produced, sizeof produced, c->produced_bytes),
                analyse_format_time(took, sizeof took, (double)c->ns));
        add_stack(top, d, c->stack);
        add(d, "%s", "");
        shown++;
    }
    if (!shown)
        add(d, "  newer than the names that are known: F5 takes another look");
}

/* ---- of a row ---- */

static void make(struct top *top, struct top_detail *d, const struct watch_row *row) {
    switch (top->view.tab) {
    case WATCH_SITES:
        make_site(top, d, row->id);
        break;
    case WATCH_FINDINGS:
        make_finding(top, d, row->id);
        break;
    case WATCH_THREADS:
        make_thread(top, d, row);
        break;
    case WATCH_CALLS:
        make_call(top, d, row);
        break;
    default:
        return;
    }
    d->key = row->key;
    d->tab = top->view.tab;
    d->generation = watch_generation(top->watch);
}

void top_detail_row(struct top *top, const struct watch_row *row) {
    make(top, &top->detail, row);
}

static bool is_current(const struct top *top, const struct top_detail *d) {
    return d->generation == watch_generation(top->watch) && d->columns == COLS;
}

/* A row that is gone, or that the filter hides now, is shown as it was. */
void top_detail_renew(struct top *top) {
    struct top_detail *d = &top->detail;
    uint32_t first = d->first;
    if (!d->open || d->is_help || !top->watch || is_current(top, d))
        return;
    for (uint32_t i = 0; i < top->view.count; i++)
        if (top->view.rows[i].key == d->key) {
            make(top, d, &top->view.rows[i]);
            d->first = first;
            return;
        }
}

const struct top_detail *top_detail_preview(struct top *top) {
    const struct watch_row *row = watch_view_selected(&top->view);
    struct top_detail *d = &top->preview;
    if (!row || !top->watch)
        top_detail_close(d);
    else if (!d->open || d->key != row->key || d->tab != top->view.tab || !is_current(top, d))
        make(top, d, row);
    return d;
}

/* ---- help ---- */

void top_detail_help(struct top *top) {
    static const char *const lines[] = {
        "",
        "  1 f        findings           2 s        sites",
        "  3 t        threads            4 c        codec calls      Tab  the next",
        "",
        "  Up Down PgUp PgDn Home End    select (also k j)",
        "  Enter      the stack of a site, a finding in full, where a thread allocates, who",
        "             makes a codec call, a process of the list",
        "  Esc        back; shows what the filter hides",
        "  / F3 F4 \\  filter: a part of the name or a PID; Enter keeps it, Esc drops it",
        "  > < F6 o   sort by the next column, the one before, the next",
        "  i I        the other way round",
        "  r          rates: of the last seconds, or since the start",
        "  space      pause: the screen stands still, the process does not",
        "  F5         names and findings anew, now",
        "  p          the processes of this machine",
        "  ? h F1     this                       Ctrl-L  the screen anew",
        "  q F10      quit",
        "  Marked names: flagged sites, threads in a codec call, the worst finding.",
        "  ~ is an estimate from samples, ≥ a lower bound. Large are blocks from 64 KiB up",
        "  (large: in SQUALL_CONF). The process is not stopped, signalled or written to.",
    };
    begin(&top->detail, "Help");
    top->detail.is_help = true;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        add(&top->detail, "%s", lines[i]);
}
