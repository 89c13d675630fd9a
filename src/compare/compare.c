/* Two sides, added up process by process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int compare_open(struct compare *c) {
    *c = (struct compare){0};
    c->memory = calloc(1, sizeof(struct memory));
    return c->memory ? 0 : -ENOMEM;
}

void compare_free(struct compare *c) {
    struct memory *memory = c->memory;
    struct finding *finding, *next;
    if (memory) {
        stacks_free(&memory->stacks);
        HASH_ITER(hh, memory->findings, finding, next) {
            HASH_DEL(memory->findings, finding);
            for (unsigned i = 0; i < 2; i++) {
                free(finding->summaries[i]);
                free(finding->fixes[i]);
            }
            free(finding);
        }
        free(memory->frames);
    }
    free(memory);
    free(c->sides[0].command);
    free(c->sides[1].command);
    free(c->sites);
    free(c->metrics);
    free(c->findings);
    *c = (struct compare){0};
}

/* ---- how far off a sum may be ---- */

/* By chance: blocks come as they come, so their number varies as that of any events does, by its
 * root; where their sizes vary, the sum does so more. Of n samples the same holds for n. */
static double variance_of(const struct profile_cell *cell) {
    uint64_t events = cell->sampled ? cell->samples : cell->allocs;
    double bytes = (double)cell->bytes, spread = cell->size_min == cell->size_max ? 1 : 2;
    return events ? spread * bytes * bytes / (double)events : 0;
}

static double variance_of_site(const struct profile_process *p, const struct profile_site *site) {
    double variance = 0;
    for (uint32_t i = 0; i < site->cell_count; i++)
        variance += variance_of(&p->cells[site->first_cell + i]);
    return variance;
}

/* ---- one process ---- */

static char *command_of(const struct profile_process *p) {
    size_t length = 1, at = 0;
    for (uint32_t i = 0; i < p->argument_count; i++)
        length += strlen(p->arguments[i]) + 1;
    char *text = p->argument_count ? calloc(1, length) : strdup(p->exe);
    for (uint32_t i = 0; text && i < p->argument_count; i++) {
        if (i)
            text[at++] = ' ';
        size_t part = strlen(p->arguments[i]);
        memcpy(text + at, p->arguments[i], part);
        at += part;
    }
    return text;
}

/* A stream counts messages, a one-shot call is one. */
static void add_calls(struct compare_side *side, const struct profile_process *p) {
    for (uint32_t i = 0; i < p->codec_call_count; i++) {
        const struct profile_codec_call *call = &p->codec_calls[i];
        const struct profile_codec_function *f =
            call->function && call->function < p->codec_function_count
                ? &p->codec_functions[call->function]
                : NULL;
        if (!f || f->direction != REGION_COMPRESS)
            continue;
        side->calls += call->calls;
        side->messages += call->messages;
        side->source_bytes += call->source_bytes;
        side->produced_bytes += call->produced_bytes;
        side->ns += call->ns;
        /* Of calls that take a microsecond, measuring takes as long: never more than their time. */
        side->cpu_ns += call->cpu_ns < call->ns ? call->cpu_ns : call->ns;
        side->page_faults += call->page_faults;
    }
}

/* Workspaces and outputs of compressing calls; small blocks have no role but where they were made.
 */
static void add_codec(struct compare_side *side, const struct analyse_site *site, double variance) {
    const struct profile_large *large = &site->large;
    uint64_t allocs = large->workspace_allocs + large->output_allocs;
    uint64_t bytes = large->workspace_bytes + large->output_bytes;
    if (site->direction == REGION_DECOMPRESS)
        return;
    if (site->direction == REGION_COMPRESS) {
        allocs += site->sums.allocs > large->allocs ? site->sums.allocs - large->allocs : 0;
        bytes += site->sums.bytes > large->bytes ? site->sums.bytes - large->bytes : 0;
    }
    side->codec_allocs += allocs;
    side->codec_bytes += bytes;
    double share = site->sums.bytes ? (double)bytes / (double)site->sums.bytes : 0;
    side->codec_variance += variance * (share < 1 ? share * share : 1);
}

static int add_site(struct compare *c, enum compare_which which, const struct analysis *a,
                    const struct analyse_site *site, struct analyse_names *names) {
    struct memory *memory = c->memory;
    struct analyse_stack stack = analyse_name_stack(names, a->process, site->site->stack, false);
    struct place *place = stacks_find(&memory->stacks, &stack);
    double variance = variance_of_site(a->process, site->site);
    if (!place)
        return -ENOMEM;
    struct compare_sums *sums = &place->sides[which];
    sums->allocs += site->sums.allocs;
    sums->bytes += site->sums.bytes;
    sums->live_bytes += site->sums.live_bytes;
    sums->allocator_ns += site->sums.allocator_ns;
    sums->variance += variance;
    place->serves |= site->role != ANALYSE_ROLE_NONE;
    if (site->codec)
        place->codec = site->codec;
    if (analyse_role_name(site->role))
        place->role = analyse_role_name(site->role);
    const char *function = site->codec_function ? site->codec_function : site->served_by;
    if (function && !place->codec_function && !(place->codec_function = strdup(function)))
        return -ENOMEM;
    c->sides[which].variance += variance;
    add_codec(&c->sides[which], site, variance);
    return 0;
}

/* ---- findings: the same rule about the same codec function is the same finding ---- */

static const struct analyse_site *site_of(const struct analysis *a,
                                          const struct analyse_finding *finding) {
    for (uint32_t i = 0; finding->has_site && i < a->sites_before_top; i++)
        if (a->sites[i].site->id == finding->site)
            return &a->sites[i];
    return NULL;
}

static const char *function_of(const struct analyse_site *site) {
    if (!site)
        return "";
    return site->codec_function ? site->codec_function : site->served_by ? site->served_by : "";
}

static int add_finding(struct compare *c, enum compare_which which, const struct analysis *a,
                       const struct analyse_finding *from, struct analyse_names *names) {
    struct memory *memory = c->memory;
    const struct analyse_site *site = site_of(a, from);
    const char *function = function_of(site);
    size_t length = strlen(from->rule) + 1 + strlen(function);
    struct finding *fresh = calloc(1, sizeof(*fresh) + length + 1), *known;
    if (!fresh)
        return -ENOMEM;
    snprintf(fresh->key, length + 1, "%s %s", from->rule, function);
    HASH_FIND_STR(memory->findings, fresh->key, known);
    if (known) {
        free(fresh);
    } else {
        known = fresh;
        known->rule = from->rule;
        HASH_ADD_KEYPTR(hh, memory->findings, known->key, length, known);
        if (!known->hh.tbl) {
            free(known);
            return -ENOMEM;
        }
    }
    if (!known->seen[which]) {
        known->summaries[which] = strdup(from->summary);
        known->fixes[which] = strdup(from->fix);
    }
    known->seen[which] = true;
    if (site) {
        struct analyse_stack stack =
            analyse_name_stack(names, a->process, site->site->stack, false);
        known->places[which] = stacks_find(&memory->stacks, &stack);
    }
    return known->summaries[which] && known->fixes[which] ? 0 : -ENOMEM;
}

int compare_add(struct compare *c, enum compare_which which, const struct analysis *a,
                struct analyse_names *names) {
    struct compare_side *side = &c->sides[which];
    int error = 0;
    if (side->processes++ == 0 && !(side->command = command_of(a->process)))
        return -ENOMEM;
    side->seconds += a->seconds;
    side->estimated |= a->totals.estimated;
    side->allocs += a->totals.allocs;
    side->bytes += a->totals.bytes;
    side->allocator_ns += a->totals.allocator_ns;
    side->peak_bytes += a->totals.peak_live_bytes;
    add_calls(side, a->process);
    for (uint32_t i = 0; i < a->sites_before_top && !error; i++)
        error = add_site(c, which, a, &a->sites[i], names);
    for (uint32_t i = 0; i < a->finding_count && !error; i++)
        error = add_finding(c, which, a, &a->findings[i], names);
    stacks_forget(&((struct memory *)c->memory)->stacks);
    return error;
}

/* ---- the answer ---- */

static double units_of(const struct compare_side *side, enum compare_unit unit) {
    switch (unit) {
    case COMPARE_MESSAGE:
        return (double)side->messages;
    case COMPARE_SOURCE_BYTE:
        return (double)side->source_bytes;
    case COMPARE_SECOND:
        return side->seconds;
    default:
        return 1;
    }
}

double compare_message_ratio(const struct compare *c) {
    const struct compare_side *a = &c->sides[COMPARE_BEFORE], *b = &c->sides[COMPARE_AFTER];
    if (!a->messages || !b->messages || !a->source_bytes || !b->source_bytes)
        return 0;
    return ((double)b->source_bytes / (double)b->messages) /
           ((double)a->source_bytes / (double)a->messages);
}

/* How many lines fall into a batch is a matter of time, too: so messages are others only where one
 * is worth two. */
bool compare_messages_are_others(const struct compare *c) {
    double ratio = compare_message_ratio(c);
    return ratio > 0 && (ratio > 2 || ratio < 0.5);
}

/* Of messages that became others, larger batches above all, one before and one after are not the
 * same work; a byte of source is. */
static enum compare_unit best_unit(const struct compare *c) {
    if (!c->sides[COMPARE_BEFORE].messages || !c->sides[COMPARE_AFTER].messages)
        return COMPARE_RUN;
    return compare_messages_are_others(c) ? COMPARE_SOURCE_BYTE : COMPARE_MESSAGE;
}

static int set_units(struct compare *c, enum compare_unit unit) {
    c->unit = unit != COMPARE_BEST ? unit : best_unit(c);
    for (unsigned i = 0; i < 2; i++) {
        c->units[i] = units_of(&c->sides[i], c->unit);
        if (!(c->units[i] > 0))
            return -ENODATA;
    }
    return 0;
}

static int by_verdict(const void *a, const void *b) {
    static const uint8_t place[] = {[COMPARE_NEW] = 0, [COMPARE_GONE] = 1, [COMPARE_SAME] = 2};
    const struct compare_finding *x = a, *y = b;
    if (place[x->verdict] != place[y->verdict])
        return place[x->verdict] < place[y->verdict] ? -1 : 1;
    int order = strcmp(x->rule, y->rule);
    return order ? order : strcmp(x->summary, y->summary);
}

/* One that came or went is believed where the figures of its place did so, too: what lies beside a
 * bound of its rule may be on either side of it by chance, and so may all that is about time. */
static bool is_confirmed(const struct finding *finding) {
    for (unsigned i = 0; i < 2; i++)
        if (finding->places[i] && finding->places[i]->verdict != COMPARE_SAME)
            return true;
    return false;
}

static int list_findings(struct compare *c) {
    struct memory *memory = c->memory;
    struct finding *finding, *next;
    c->findings = calloc(HASH_COUNT(memory->findings) + 1u, sizeof(*c->findings));
    if (!c->findings)
        return -ENOMEM;
    HASH_ITER(hh, memory->findings, finding, next) {
        unsigned last = finding->seen[COMPARE_AFTER] ? COMPARE_AFTER : COMPARE_BEFORE;
        c->findings[c->finding_count++] = (struct compare_finding){
            .verdict = finding->seen[0] && finding->seen[1] ? COMPARE_SAME
                       : finding->seen[1]                   ? COMPARE_NEW
                                                            : COMPARE_GONE,
            .confirmed = is_confirmed(finding),
            .rule = finding->rule,
            .summary = finding->summaries[last],
            .summary_before = finding->summaries[COMPARE_BEFORE],
            .fix = finding->fixes[last],
        };
    }
    qsort(c->findings, c->finding_count, sizeof(*c->findings), by_verdict);
    return 0;
}

int compare_finish(struct compare *c, const struct compare_options *options) {
    int error = set_units(c, options->unit);
    c->tolerance = options->tolerance;
    if (!error)
        error = judge_metrics(c, options);
    if (!error)
        error = judge_sites(c, options);
    return error ? error : list_findings(c);
}

const char *compare_unit_name(enum compare_unit unit) {
    static const char *const names[COMPARE_UNITS] = {
        [COMPARE_BEST] = "best",
        [COMPARE_MESSAGE] = "message",
        [COMPARE_SOURCE_BYTE] = "source-byte",
        [COMPARE_SECOND] = "second",
        [COMPARE_RUN] = "run",
    };
    return names[unit];
}

const char *compare_verdict_name(enum compare_verdict verdict) {
    static const char *const names[] = {
        [COMPARE_SAME] = "same", [COMPARE_NEW] = "new",   [COMPARE_GONE] = "gone",
        [COMPARE_MORE] = "more", [COMPARE_LESS] = "less",
    };
    return names[verdict];
}
