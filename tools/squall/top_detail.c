/* Lines to read: the stack of a site, a finding with its way out, what the keys do. */
#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

void top_detail_close(struct top_detail *d) {
    for (uint32_t i = 0; i < d->count; i++)
        free(d->lines[i]);
    free(d->lines);
    memset(d, 0, sizeof *d);
}

static void begin(struct top_detail *d, const char *title) {
    top_detail_close(d);
    d->open = true;
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

/* A sentence in lines of the screen's width, broken between words. */
static void add_wrapped(struct top_detail *d, const char *first, const char *sentence) {
    unsigned width = COLS > 24 ? (unsigned)COLS - 14 : 20;
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

static void add_frame(struct top_detail *d, const struct analyse_frame *f) {
    char place[300] = "", name[600];
    const char *module = f->module ? render_name_of(f->module) : "outside every module";
    if (f->file)
        snprintf(place, sizeof place, "%.200s:%u", render_name_of(f->file), f->line);
    if (f->function)
        render_clean(name, sizeof name, f->function, COLS > 60 ? (unsigned)COLS - 46 : 30);
    else
        snprintf(name, sizeof name, "+0x%llx", (unsigned long long)f->offset);
    add(d, "  %-*s %-22s %s%s", COLS > 60 ? COLS - 46 : 30, name, place, module,
        f->inlined ? " (inlined)" : "");
}

static void add_stack(struct top *top, uint32_t stack) {
    const struct analysis *a = watch_analysis(top->watch);
    const struct profile_process *p = a->process;
    struct analyse_stack frames = analyse_name_stack(watch_names(top->watch), p, stack, true);
    for (uint32_t i = 0; i < frames.count; i++)
        add_frame(&top->detail, &frames.frames[i]);
    if (frames.count == 0)
        add(&top->detail, "  no stack");
    else if (stack < p->stack_count && p->stacks[stack].end != REGION_END_OUTERMOST)
        add(&top->detail, "  cut short: %s", analyse_stack_end_name(p->stacks[stack].end));
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

void top_detail_site(struct top *top, uint32_t id) {
    char title[160], name[128];
    const struct analyse_site *site = watch_site(top->watch, id);
    render_clean(name, sizeof name, watch_site_name(top->watch, id), 60);
    snprintf(title, sizeof title, "Site %u  %s", id, name);
    begin(&top->detail, title);
    if (!site) {
        add(&top->detail, "  this site is newer than the names that are known: look again");
        return;
    }
    add_sums(&top->detail, site);
    add(&top->detail, "%s", "");
    add_stack(top, site->site->stack);
    add(&top->detail, "%s", "");
    for (uint32_t i = 0; i < site->row_count && i < 20; i++) {
        const struct profile_process *p = watch_analysis(top->watch)->process;
        char bytes[32];
        add(&top->detail, "  thread %-16s %s", p->threads[site->rows[i].thread].name,
            analyse_format_bytes(bytes, sizeof bytes, site->rows[i].sums.bytes));
    }
}

void top_detail_finding(struct top *top, uint32_t number) {
    const struct analysis *a = watch_analysis(top->watch);
    char title[160];
    if (!a || number >= a->finding_count)
        return;
    const struct analyse_finding *f = &a->findings[number];
    snprintf(title, sizeof title, "Finding %u  %s", number + 1, f->rule);
    begin(&top->detail, title);
    add_wrapped(&top->detail, "", f->summary);
    if (f->fix)
        add_wrapped(&top->detail, "fix", f->fix);
    for (uint32_t i = 0; i < f->remedy_count; i++)
        add_wrapped(&top->detail, "way", f->remedies[i].text);
    if (f->caution)
        add_wrapped(&top->detail, "caution", f->caution);
    const struct analyse_site *site = f->has_site ? watch_site(top->watch, f->site) : NULL;
    if (site) {
        add(&top->detail, "%s", "");
        add_sums(&top->detail, site);
        add_stack(top, site->site->stack);
    }
}

/* ---- help ---- */

void top_detail_help(struct top *top) {
    static const char *const lines[] = {
        "",
        "  1 f        findings           2 s        sites",
        "  3 t        threads            4 c        codec calls      Tab  the next",
        "",
        "  Up Down PgUp PgDn Home End    select (also k j)",
        "  Enter      the stack of a site, a finding in full, a process of the list",
        "  Esc        back; shows what the filter hides",
        "  / F3 F4    filter: type a part of the name, Enter keeps it, Esc drops it",
        "  > < F6 o   sort by the next column, the one before, the next",
        "  i I        the other way round",
        "  r          rates: of the last seconds, or since the start",
        "  space      pause: the screen stands still, the process does not",
        "  F5         names and findings anew, now",
        "  p          the processes of this machine",
        "  ? h F1     this",
        "  q F10      quit",
        "  Marked names: flagged sites, threads in a codec call, the worst finding.",
        "  ~ is an estimate from samples, ≥ a lower bound. Large are blocks from 64 KiB up",
        "  (large: in SQUALL_CONF). The process is not stopped, signalled or written to.",
    };
    begin(&top->detail, "Help");
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        add(&top->detail, "%s", lines[i]);
}
