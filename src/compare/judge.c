/* What is a change: larger than chance would make it, than the tolerance, and worth a word. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

#define CHANCE 0.05 /* that a comparison of equal runs names any change at all */
#define METRICS_MAX 16
#define WORTH 0.001 /* of all bytes per unit; a site that has less is not worth a word */

/* How many standard errors one of `count` differences of equal runs stays within, all together with
 * probability 1 - CHANCE: the tail of the normal distribution is below exp(-z²/2), twice. */
static double errors_of(uint32_t count) {
    return sqrt(2 * log(2.0 * (count ? count : 1) / CHANCE));
}

static enum compare_verdict judge(double before, double after, double error, double tolerance) {
    double change = fabs(after - before), larger = after > before ? after : before;
    if (change <= error || change <= tolerance * larger)
        return COMPARE_SAME;
    if (before == 0)
        return COMPARE_NEW;
    if (after == 0)
        return COMPARE_GONE;
    return after > before ? COMPARE_MORE : COMPARE_LESS;
}

static double error_of(double z, double before, double units_before, double after,
                       double units_after) {
    return z * sqrt(before / (units_before * units_before) + after / (units_after * units_after));
}

/* What has nothing to do with messages may be made once a process; or for each line or record, of
 * which a message has now more and now fewer, as time has it. Such a thing changed only if it did
 * so by these units, too. Returns how many of them there are. */
#define OTHERS 2
static unsigned list_others(const struct compare *c, double (*others)[2]) {
    for (unsigned i = 0; i < 2; i++) {
        others[0][i] = c->sides[i].processes;
        others[1][i] = (double)c->sides[i].source_bytes;
    }
    return others[1][0] > 0 && others[1][1] > 0 ? 2 : 1;
}

/* ---- figures of the whole ---- */

enum how {
    TOLD,             /* only */
    JUDGED,           /* by the unit */
    JUDGED_BY_OTHERS, /* and by each other unit */
    AS_IT_IS          /* told, and not divided */
};

static void add(struct compare *c, const char *name, enum how how, double before, double after,
                double error, const struct compare_options *options) {
    bool per_unit = how != AS_IT_IS;
    struct compare_change change = {.before = per_unit ? before / c->units[0] : before,
                                    .after = per_unit ? after / c->units[1] : after,
                                    .error = how == JUDGED || how == JUDGED_BY_OTHERS ? error : -1};
    if (change.error >= 0)
        change.verdict = judge(change.before, change.after, error, options->tolerance);
    double others[OTHERS][2];
    for (unsigned i = how == JUDGED_BY_OTHERS ? list_others(c, others) : 0; i-- > 0;)
        if (judge(before / others[i][0], after / others[i][1], 0, options->tolerance) !=
            change.verdict)
            change.verdict = COMPARE_SAME;
    c->metrics[c->metric_count++] = (struct compare_metric){name, per_unit, change};
}

static double part(uint64_t of, uint64_t all) {
    return all ? (double)of / (double)all : 0;
}

/* Time varies from run to run by what nobody here knows, so it is told and not judged. */
int judge_metrics(struct compare *c, const struct compare_options *o) {
    const struct compare_side *a = &c->sides[0], *b = &c->sides[1];
    const double z = errors_of(4), *u = c->units;
    enum how whole = c->unit == COMPARE_SECOND ? TOLD : JUDGED_BY_OTHERS;
    c->metrics = calloc(METRICS_MAX, sizeof(*c->metrics));
    if (!c->metrics)
        return -ENOMEM;
    /* Calls that one side does not show may have been made all the same. */
    bool calls = a->calls && b->calls;
    if (calls || (a->codec_bytes && b->codec_bytes)) {
        add(c, "codec_bytes", JUDGED, (double)a->codec_bytes, (double)b->codec_bytes,
            error_of(z, a->codec_variance, u[0], b->codec_variance, u[1]), o);
        add(c, "codec_allocs", a->estimated || b->estimated ? TOLD : JUDGED,
            (double)a->codec_allocs, (double)b->codec_allocs,
            error_of(z, (double)a->codec_allocs, u[0], (double)b->codec_allocs, u[1]), o);
    }
    add(c, "bytes", whole, (double)a->bytes, (double)b->bytes,
        error_of(z, a->variance, u[0], b->variance, u[1]), o);
    add(c, "allocs", whole, (double)a->allocs, (double)b->allocs,
        error_of(z, (double)a->allocs, u[0], (double)b->allocs, u[1]), o);
    add(c, "allocator_ns", TOLD, (double)a->allocator_ns, (double)b->allocator_ns, 0, o);
    if (calls) {
        add(c, "codec_ns", TOLD, (double)a->ns, (double)b->ns, 0, o);
        add(c, "codec_cpu_ns", TOLD, (double)a->cpu_ns, (double)b->cpu_ns, 0, o);
        add(c, "page_faults", TOLD, (double)a->page_faults, (double)b->page_faults, 0, o);
        add(c, "source_bytes", TOLD, (double)a->source_bytes, (double)b->source_bytes, 0, o);
        add(c, "produced_bytes", TOLD, (double)a->produced_bytes, (double)b->produced_bytes, 0, o);
        add(c, "produced_per_source_byte", AS_IT_IS, part(a->produced_bytes, a->source_bytes),
            part(b->produced_bytes, b->source_bytes), 0, o);
    }
    add(c, "peak_live_bytes", AS_IT_IS, (double)a->peak_bytes, (double)b->peak_bytes, 0, o);
    return 0;
}

/* ---- sites ---- */

struct judging {
    struct compare *c;
    double tolerance, errors, worth;
};

static struct compare_change change_of(const struct judging *j, const struct place *place,
                                       const double *units) {
    const struct compare_sums *a = &place->sides[0], *b = &place->sides[1];
    struct compare_change change = {
        .before = (double)a->bytes / units[0],
        .after = (double)b->bytes / units[1],
        .error = error_of(j->errors, a->variance, units[0], b->variance, units[1]),
    };
    change.verdict = judge(change.before, change.after, change.error, j->tolerance);
    return change;
}

/* What has to do with messages is judged by message, all else by the other units, too. */
static struct compare_change judge_site(const struct judging *j, const struct place *place) {
    double others[OTHERS][2];
    struct compare_change change = change_of(j, place, j->c->units);
    if (change.before < j->worth && change.after < j->worth)
        change.verdict = COMPARE_SAME;
    for (unsigned i = place->serves ? 0 : list_others(j->c, others); i-- > 0;)
        if (change_of(j, place, others[i]).verdict != change.verdict)
            change.verdict = COMPARE_SAME;
    return change;
}

static double size_of(const struct compare_site *site) {
    return fabs(site->bytes.after - site->bytes.before);
}

static int by_change(const void *a, const void *b) {
    const struct compare_site *x = a, *y = b;
    bool x_same = x->bytes.verdict == COMPARE_SAME, y_same = y->bytes.verdict == COMPARE_SAME;
    if (x_same != y_same)
        return x_same ? 1 : -1;
    double s = size_of(x), t = size_of(y);
    if (s != t)
        return s > t ? -1 : 1;
    if (x->sides[1].bytes != y->sides[1].bytes)
        return x->sides[1].bytes > y->sides[1].bytes ? -1 : 1;
    return x->stack.frames < y->stack.frames ? -1 : x->stack.frames > y->stack.frames;
}

static void set_stack(struct compare_site *site, const struct place *place,
                      const struct stacks *stacks, struct analyse_frame *frames) {
    for (uint32_t i = 0; i < place->count; i++) {
        const struct frame *frame = stacks->numbers[place->frames[i]];
        frames[i] = (struct analyse_frame){
            .function = frame->function, .module = frame->module, .offset = frame->offset};
    }
    site->stack = (struct analyse_stack){frames, place->count};
}

int judge_sites(struct compare *c, const struct compare_options *options) {
    struct memory *memory = c->memory;
    uint32_t count = HASH_COUNT(memory->stacks.places);
    uint64_t total = 0;
    size_t at = 0;
    for (struct place *p = memory->stacks.places; p; p = p->hh.next)
        total += p->count;
    c->sites = calloc(count + 1u, sizeof(*c->sites));
    memory->frames = calloc(total + 1u, sizeof(*memory->frames));
    if (!c->sites || !memory->frames)
        return -ENOMEM;
    double before = (double)c->sides[0].bytes / c->units[0];
    double after = (double)c->sides[1].bytes / c->units[1];
    struct judging j = {c, options->tolerance, errors_of(count),
                        WORTH * (before > after ? before : after)};
    for (struct place *p = memory->stacks.places; p; p = p->hh.next) {
        struct compare_site *site = &c->sites[c->site_count++];
        *site = (struct compare_site){.bytes = judge_site(&j, p),
                                      .sides = {p->sides[0], p->sides[1]},
                                      .codec = p->codec,
                                      .codec_function = p->codec_function,
                                      .role = p->role};
        p->verdict = site->bytes.verdict;
        set_stack(site, p, &memory->stacks, memory->frames + at);
        at += p->count;
        c->changed_count += site->bytes.verdict != COMPARE_SAME;
    }
    if (count)
        qsort(c->sites, count, sizeof(*c->sites), by_change);
    return 0;
}
