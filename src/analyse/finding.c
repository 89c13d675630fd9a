/* Findings: known patterns in what was recorded, each with its evidence, what to do about it, and
 * what that would have spared. Nothing is accused that was not seen: a rule that needs arguments of
 * codec calls is silent without them. */
#include <stdlib.h>
#include <string.h>

#include "finding.h"

/* The order of rules among findings of the same rank: causes before what follows from them. */
static const char *const rules[] = {
    "batch-buffers",
    "context-per-call",
    "context-per-call-binding",
    "stream-without-pool",
    "output-as-large-as-source",
    "output-grown",
    "worst-case-block",
    "context-reallocates",
    "contexts-times-cores",
    "never-closed",
    "mmap-per-call",
    "concurrency-past-throughput",
    "small-messages-hardly-shrink",
};

const char *analyse_rule_at(unsigned i) {
    return i < ARRAY_SIZE(rules) ? rules[i] : NULL;
}

static unsigned place_of(const char *rule) {
    unsigned i = 0;
    while (i < ARRAY_SIZE(rules) && strcmp(rules[i], rule) != 0)
        i++;
    return i;
}

static int worst_first(const void *a, const void *b) {
    const struct analyse_finding *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    unsigned i = place_of(x->rule), j = place_of(y->rule);
    if (i != j)
        return i < j ? -1 : 1;
    return x->site < y->site ? -1 : x->site > y->site;
}

int analyse_findings_make(struct analysis *a, const struct analyse_options *options,
                          struct analyse_names *names) {
    struct finding_work work = {
        .a = a,
        .names = names,
        .whole = !options->one_site && !options->one_thread && !options->min_size,
    };
    finding_gather(&work);
    if (!work.error)
        finding_find_knee(&work);
    for (uint32_t i = 0; i < work.group_count && !work.error; i++) {
        finding_batches(&work, i);
        finding_context(&work, i);
        finding_outputs(&work, i);
        finding_mapped(&work, i);
        finding_small(&work, i);
        finding_kept(&work, i);
    }
    if (work.whole && !work.error) {
        finding_concurrency(&work);
        finding_sizes(&work);
    }
    finding_gather_free(&work);
    if (a->finding_count)
        qsort(a->findings, a->finding_count, sizeof(*a->findings), worst_first);
    return work.error;
}
