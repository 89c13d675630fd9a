/* Putting a finding together: text, evidence, rank. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"

#define MUCH_WAITING 0.2 /* of the calls' time: a word about it is due */

/* Bytes times rate: the rate at which the cause allocates, weighed by its share of all bytes that
 * the process allocated. Time spent waiting has no part in it: where threads wait is often not
 * what makes them wait. */
static double rank_of(const struct analysis *a, uint64_t bytes) {
    double total = (double)a->totals.bytes, rate = (double)bytes;
    if (a->seconds > 0)
        rate /= a->seconds;
    if (total < (double)bytes)
        total = (double)bytes;
    return total > 0 ? rate * ((double)bytes / total) : 0;
}

struct analyse_finding *finding_begin(struct finding_work *work, const char *rule,
                                      const struct analyse_site *site, uint64_t bytes) {
    struct analysis *a = work->a;
    if (work->error)
        return NULL;
    struct analyse_finding *findings =
        reallocarray(a->findings, a->finding_count + 1u, sizeof(*findings));
    if (!findings) {
        work->error = -ENOMEM;
        return NULL;
    }
    a->findings = findings;
    struct analyse_finding *f = &findings[a->finding_count++];
    *f = (struct analyse_finding){.rule = rule,
                                  .site = site ? site->site->id : 0,
                                  .has_site = site != NULL,
                                  .rank = rank_of(a, bytes)};
    finding_say(work, &f->summary, "%s", "");
    finding_say(work, &f->fix, "%s", "");
    return f;
}

struct analyse_finding *finding_begin_blocks(struct finding_work *work, const char *rule,
                                             uint32_t group, const struct finding_sum *sum) {
    struct finding_group *about = &work->groups[group];
    if (!sum->sites || !finding_matters(work, sum, &about->calls))
        return NULL;
    struct analyse_finding *f = finding_begin(work, rule, sum->worst, sum->bytes);
    if (f && !about->finding)
        about->finding = work->a->finding_count;
    return f;
}

void finding_say(struct finding_work *work, char **text, const char *format, ...) {
    char *more = NULL, *both = NULL;
    va_list list;
    if (work->error)
        return;
    va_start(list, format);
    int length = vasprintf(&more, format, list);
    va_end(list);
    if (length < 0) {
        work->error = -ENOMEM;
        return;
    }
    if (!*text) {
        *text = more;
        return;
    }
    if (asprintf(&both, "%s%s", *text, more) < 0) {
        work->error = -ENOMEM;
    } else {
        free(*text);
        *text = both;
    }
    free(more);
}

void analyse_finding_free(struct analyse_finding *f) {
    for (uint32_t i = 0; i < f->evidence_count; i++)
        free(f->evidence[i].text);
    for (uint32_t i = 0; i < f->remedy_count; i++)
        free(f->remedies[i].text);
    free(f->summary);
    free(f->fix);
    free(f->caution);
    free(f->evidence);
    free(f->remedies);
}

/* ---- evidence ---- */

static struct analyse_evidence *add(struct finding_work *work, struct analyse_finding *f,
                                    const char *name) {
    static struct analyse_evidence nowhere;
    struct analyse_evidence *evidence;
    if (work->error)
        return &nowhere;
    evidence = reallocarray(f->evidence, f->evidence_count + 1u, sizeof(*evidence));
    if (!evidence) {
        work->error = -ENOMEM;
        return &nowhere;
    }
    f->evidence = evidence;
    evidence = &f->evidence[f->evidence_count++];
    *evidence = (struct analyse_evidence){.name = name};
    return evidence;
}

void finding_integer(struct finding_work *work, struct analyse_finding *f, const char *name,
                     uint64_t value) {
    struct analyse_evidence *evidence = add(work, f, name);
    evidence->kind = ANALYSE_INTEGER;
    evidence->integer = value;
}

void finding_number(struct finding_work *work, struct analyse_finding *f, const char *name,
                    double value) {
    struct analyse_evidence *evidence = add(work, f, name);
    evidence->kind = ANALYSE_NUMBER;
    evidence->number = value;
}

void finding_text(struct finding_work *work, struct analyse_finding *f, const char *name,
                  const char *value) {
    char *copy = strdup(value);
    if (!copy)
        work->error = -ENOMEM;
    if (work->error) {
        free(copy);
        return;
    }
    struct analyse_evidence *evidence = add(work, f, name);
    evidence->kind = ANALYSE_TEXT;
    if (work->error)
        free(copy);
    else
        evidence->text = copy;
}

struct analyse_remedy *finding_remedy(struct finding_work *work, struct analyse_finding *f,
                                      const char *name) {
    struct analyse_remedy *remedies;
    if (work->error)
        return NULL;
    remedies = reallocarray(f->remedies, f->remedy_count + 1u, sizeof(*remedies));
    if (!remedies) {
        work->error = -ENOMEM;
        return NULL;
    }
    f->remedies = remedies;
    remedies[f->remedy_count] = (struct analyse_remedy){.name = name};
    return &remedies[f->remedy_count++];
}

static uint64_t most_in_allocator(const struct profile_process *p) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->tick_count; i++)
        if (p->ticks[i].in_allocator > most)
            most = p->ticks[i].in_allocator;
    return most;
}

/* The part of the calls' time in which they had no processor. */
static double waiting_of(const struct finding_calls *calls) {
    if (!calls->cpu_ns || calls->cpu_ns >= calls->ns)
        return 0;
    return 1 - (double)calls->cpu_ns / (double)calls->ns;
}

static void add_calls(struct finding_work *work, struct analyse_finding *f,
                      const struct finding_sum *sum, const struct finding_calls *calls) {
    finding_integer(work, f, "calls", calls->calls);
    finding_integer(work, f, "messages", calls->messages);
    finding_integer(work, f, "source_bytes", calls->source_bytes);
    if (calls->source_bytes)
        finding_number(work, f, "bytes_per_source_byte",
                       (double)sum->bytes / (double)calls->source_bytes);
    finding_integer(work, f, "page_faults", calls->page_faults);
    if (calls->level)
        finding_integer(work, f, "calls_at_once", calls->level);
    if (calls->ns && calls->cpu_ns)
        finding_number(work, f, "waiting_share", waiting_of(calls));
}

/* The allocator's time beside that of the calls, or, where those were not seen, of the run. */
static void add_share(struct finding_work *work, struct analyse_finding *f,
                      const struct finding_sum *sum, const struct finding_calls *calls) {
    double of = calls->ns ? (double)calls->ns : work->a->seconds * 1e9;
    if (!sum->allocator_ns || of <= 0 || (calls->ns && finding_cost_share(work, sum, calls) < 0))
        return;
    finding_number(work, f, "allocator_share", (double)sum->allocator_ns / of);
    finding_text(work, f, "allocator_share_of", calls->ns ? "calls" : "run");
}

static void add_cost(struct finding_work *work, struct analyse_finding *f,
                     const struct finding_sum *sum, const struct finding_calls *calls) {
    double share = finding_cost_share(work, sum, calls);
    if (share >= 0)
        finding_number(work, f, "allocation_cost_share", share);
}

void finding_evidence(struct finding_work *work, struct analyse_finding *f,
                      const struct finding_sum *sum, const struct finding_group *group) {
    const struct finding_contexts *contexts = &group->contexts;
    finding_integer(work, f, "sites", sum->sites);
    finding_integer(work, f, "allocs", sum->allocs);
    finding_integer(work, f, "bytes", sum->bytes);
    if (sum->estimated)
        finding_text(work, f, "estimated", "allocs and bytes, from samples");
    if (work->a->seconds > 0)
        finding_number(work, f, "bytes_per_second", (double)sum->bytes / work->a->seconds);
    if (sum->workspace_allocs && sum->output_allocs) {
        finding_integer(work, f, "workspace_allocs", sum->workspace_allocs);
        finding_integer(work, f, "workspace_bytes", sum->workspace_bytes);
        finding_integer(work, f, "output_allocs", sum->output_allocs);
        finding_integer(work, f, "output_bytes", sum->output_bytes);
    }
    finding_integer(work, f, "largest", sum->largest);
    finding_integer(work, f, "peak_bytes", sum->peak_bytes);
    finding_integer(work, f, "mmapped", sum->mmapped);
    finding_integer(work, f, "threads", sum->threads);
    finding_integer(work, f, "threads_in_allocator", most_in_allocator(work->a->process));
    add_share(work, f, sum, &group->calls);
    add_cost(work, f, sum, &group->calls);
    if (sum->ratio_count)
        finding_number(work, f, "source_ratio_mean", sum->ratio_sum / (double)sum->ratio_count);
    if (group->calls.known)
        add_calls(work, f, sum, &group->calls);
    if (contexts->created) {
        finding_integer(work, f, "contexts_created", contexts->created);
        finding_integer(work, f, "contexts_ended", contexts->ended);
        finding_number(work, f, "messages_per_context",
                       (double)contexts->messages / (double)contexts->created);
    }
    if (group->host)
        finding_text(work, f, "through", group->host->name);
    finding_go(work, f, sum);
    if (waiting_of(&group->calls) >= MUCH_WAITING)
        finding_say(work, &f->caution,
                    "%sWhere threads wait is not always what makes them wait: waiting is shown, "
                    "but the order of findings is by bytes and rate.",
                    f->caution ? " " : "");
}

/* ---- words ---- */

void finding_blocks(char *out, size_t size, const struct finding_sum *sum) {
    char count[32], small[32], large[32];
    analyse_format_count(count, sizeof(count), sum->allocs);
    analyse_format_bytes(small, sizeof(small), sum->smallest);
    analyse_format_bytes(large, sizeof(large), sum->largest);
    if (strcmp(small, large) == 0)
        snprintf(out, size, "%s%s blocks of %s", sum->estimated ? "about " : "", count, large);
    else
        snprintf(out, size, "%s%s blocks of %s to %s", sum->estimated ? "about " : "", count, small,
                 large);
}

void finding_amount(char *out, size_t size, const struct finding_work *work, uint64_t bytes) {
    char amount[32], time[32];
    analyse_format_bytes(amount, sizeof(amount), bytes);
    if (work->a->seconds > 0)
        snprintf(out, size, "%s in %s", amount,
                 analyse_format_time(time, sizeof(time), work->a->seconds * 1e9));
    else
        snprintf(out, size, "%s", amount);
}
