/* Rules about contexts and what they hold: made for every message, kept in too great a number,
 * kept and yet allocating, never closed. */
#include <stdio.h>
#include <string.h>

#include "base/codec_table.h"
#include "finding.h"

#define CONTEXTS 16u             /* fewer are no pattern */
#define MESSAGES_A_CONTEXT 4u    /* more, and contexts are being kept */
#define BLOCKS_A_CONTEXT 4u      /* more, and a kept context allocates again and again */
#define MANY_BYTES (64ull << 20) /* of kept contexts */
#define LONG_RUN 60              /* seconds, after which a running process may be judged */

static const char *count(char *out, uint64_t value) {
    return analyse_format_count(out, 32, value);
}

static const char *bytes(char *out, uint64_t value) {
    return analyse_format_bytes(out, 32, value);
}

static const char *name_of(const struct finding_group *group) {
    return group->codec ? group->codec : "codec";
}

/* Kind of the codec function that a site's blocks are made in, and whether it is given a context.
 */
static uint32_t kind_of(const struct profile_process *p, const struct analyse_site *site,
                        bool *takes_context) {
    const struct codec_entry *entry =
        site->codec_function ? codec_table_find_readable(site->codec_function) : NULL;
    uint32_t number = site->site->codec_function;
    const struct codec_shape *shape = entry ? codec_table_shape(entry) : NULL;
    *takes_context = shape && shape->context.where != CODEC_NOWHERE;
    if (entry)
        return entry->kind;
    return number && number < p->codec_function_count ? p->codec_functions[number].kind
                                                      : (uint32_t)CODEC_KIND_NONE;
}

/* ---- batches of librdkafka ---- */

void finding_batches(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    struct finding_sum sum = {0};
    char blocks[FINDING_WORDS], amount[FINDING_WORDS], a[32], b[32], c[32];
    if (!group->host || group->host->kind != ADVICE_KAFKA)
        return;
    for (uint32_t i = 0; i < work->site_count; i++)
        if (work->sites[i].group == number && !work->sites[i].done && work->sites[i].site->flagged)
            finding_add(work, &sum, &work->sites[i], false);
    struct analyse_finding *f = finding_begin_blocks(work, "batch-buffers", number, &sum);
    if (!f)
        return;
    finding_blocks(blocks, sizeof(blocks), &sum);
    finding_amount(amount, sizeof(amount), work, sum.bytes);
    finding_say(work, &f->summary,
                "%s allocates anew for every batch that it compresses with %s: %s, %s",
                group->host->name, name_of(group), blocks, amount);
    if (sum.workspace_allocs && sum.output_allocs)
        finding_say(work, &f->summary, " (%s workspaces of %s, %s outputs of %s on average)",
                    count(a, sum.workspace_allocs),
                    bytes(b, sum.workspace_bytes / sum.workspace_allocs),
                    count(c, sum.output_allocs),
                    bytes((char[32]){0}, sum.output_bytes / sum.output_allocs));
    if (group->calls.messages && group->calls.source_bytes)
        finding_say(work, &f->summary, ", for %s batches of %s on average",
                    count(a, group->calls.messages),
                    bytes(b, group->calls.source_bytes / group->calls.messages));
    finding_say(work, &f->fix,
                "Send larger batches: raise linger.ms and batch.size (and batch.num.messages), as "
                "every batch costs one context and one output, however small it is. One context "
                "and one output buffer per broker thread would end it, but need a change in "
                "librdkafka; there is no setting for that.");
    finding_say(work, &f->caution,
                "Larger batches wait longer before they are sent. Fewer bytes is not always less "
                "time: compare two runs.");
    finding_evidence(work, f, &sum, group);
    finding_remedies(work, f, &sum, group, FINDING_KEEP_CONTEXT);
}

/* ---- one for every message ---- */

static bool is_per_message(const struct finding_contexts *c) {
    return c->created >= CONTEXTS && c->ended * 2 >= c->created && c->single * 2 >= c->ended &&
           c->created * MESSAGES_A_CONTEXT >= c->messages;
}

static const char *rule_of(const struct finding_work *work, const struct finding_group *group,
                           const struct analyse_site *worst) {
    bool takes_context;
    if (!group->host || group->host->kind == ADVICE_PROGRAM)
        return "context-per-call";
    if (group->host->kind != ADVICE_JVM || advice_find_codec(group->codec)->no_context ||
        kind_of(work->a->process, worst, &takes_context) == CODEC_ONE_SHOT)
        return "context-per-call-binding";
    return "stream-without-pool";
}

static void say_contexts(struct finding_work *work, struct analyse_finding *f,
                         const struct finding_group *group, const struct finding_sum *sum) {
    const struct finding_contexts *c = &group->contexts;
    char caller[FINDING_NAME], blocks[FINDING_WORDS], amount[FINDING_WORDS], a[32], b[32];
    finding_caller(work, caller, sizeof(caller), sum->worst->site->stack);
    finding_blocks(blocks, sizeof(blocks), sum);
    finding_amount(amount, sizeof(amount), work, sum->bytes);
    finding_say(work, &f->summary, "%s", caller);
    if (group->host && strcmp(caller, group->host->name) != 0)
        finding_say(work, &f->summary, " (%s)", group->host->name);
    if (group->codec && strcmp(group->codec, "user") == 0) /* of which nothing more is known */
        finding_say(work, &f->summary, " allocates its workspace anew in every call");
    else if (advice_find_codec(group->codec)->no_context)
        finding_say(work, &f->summary, " has %s take its tables anew in every call",
                    name_of(group));
    else
        finding_say(work, &f->summary, " makes a new %s context for %s", name_of(group),
                    is_per_message(c) && c->messages > c->created ? "every few messages"
                                                                  : "every message");
    if (is_per_message(c))
        finding_say(work, &f->summary, ", %s contexts for %s messages", count(a, c->created),
                    count(b, c->messages));
    finding_say(work, &f->summary, ": %s, %s, freed soon after", blocks, amount);
    if (sum->worst->codec_function)
        finding_say(work, &f->summary, ", made in %s", sum->worst->codec_function);
    else if (sum->handed_over)
        finding_say(work, &f->summary, ", taken by the program and handed to the codec");
    if (!group->calls.known)
        finding_say(
            work, &f->summary,
            "; arguments of these calls were not seen, so this is known by stacks and lives "
            "alone and the number of messages is not known");
}

/* What a binding allocates for its result is the binding's: it is told, not accused. */
static void add_outputs_of_binding(struct finding_work *work, struct analyse_finding *f,
                                   uint32_t number) {
    struct finding_sum outputs = {0};
    char blocks[FINDING_WORDS], a[32];
    if (!work->groups[number].host || work->groups[number].host->kind == ADVICE_PROGRAM)
        return;
    for (uint32_t i = 0; i < work->site_count; i++)
        if (work->sites[i].group == number && finding_is_flagged(&work->sites[i], ANALYSE_OUTPUT))
            finding_add(work, &outputs, &work->sites[i], false);
    if (!outputs.sites)
        return;
    finding_blocks(blocks, sizeof(blocks), &outputs);
    finding_say(work, &f->summary, "; it also allocates every output: %s, %s", blocks,
                bytes(a, outputs.bytes));
    finding_integer(work, f, "output_allocs", outputs.output_allocs);
    finding_integer(work, f, "output_bytes", outputs.output_bytes);
    if (outputs.ratio_count)
        finding_number(work, f, "source_ratio_mean",
                       outputs.ratio_sum / (double)outputs.ratio_count);
    if (work->groups[number].host->output)
        finding_say(work, &f->fix, " %s.", work->groups[number].host->output);
}

static void per_message(struct finding_work *work, uint32_t number, struct finding_sum *sum) {
    const struct finding_group *group = &work->groups[number];
    const char *fix = group->host ? group->host->context : NULL;
    struct analyse_finding *f =
        finding_begin_blocks(work, rule_of(work, group, sum->worst), number, sum);
    if (!f)
        return;
    if (!fix)
        fix = advice_find_codec(group->codec)->context;
    say_contexts(work, f, group, sum);
    finding_say(work, &f->fix, "%s.", fix);
    if (sum->mmapped * 2 >= sum->allocs)
        finding_say(work, &f->fix,
                    " Until then GLIBC_TUNABLES=glibc.malloc.mmap_threshold (M_MMAP_THRESHOLD) and "
                    "glibc.malloc.trim_threshold above the size of these blocks spare the mmap, "
                    "munmap and page faults of each.");
    finding_say(work, &f->caution,
                "A context that is kept helps small messages most; beside large ones its cost is "
                "little. Fewer bytes is not always less time: compare two runs.");
    finding_evidence(work, f, sum, group);
    add_outputs_of_binding(work, f, number);
    finding_remedies(work, f, sum, group, FINDING_KEEP_CONTEXT);
}

/* Whether some other group has large workspaces of the same codec: then the small blocks are parts
 * of the same contexts, only that their stacks do not show through which library. */
static bool is_told_elsewhere(const struct finding_work *work, uint32_t number) {
    const char *codec = work->groups[number].codec;
    for (uint32_t i = 0; i < work->site_count; i++) {
        const struct finding_site *site = &work->sites[i];
        const char *other = work->groups[site->group].codec;
        if (site->group != number && site->site->flagged && codec && other &&
            site->site->role == ANALYSE_WORKSPACE && strcmp(codec, other) == 0)
            return true;
    }
    return false;
}

/* Blocks of contexts, most of them below `large` and so not flagged, that no finding names yet. */
static void add_small(struct finding_work *work, uint32_t number, struct finding_sum *sum,
                      bool claim) {
    for (uint32_t i = 0; i < work->site_count; i++) {
        struct finding_site *site = &work->sites[i];
        if (site->group != number || site->done || site->site->role != ANALYSE_WORKSPACE ||
            site->site->reused)
            continue;
        finding_add(work, sum, site, true);
        site->done = claim;
    }
}

/* What is told already gets them as evidence: the small blocks of a context are no other pattern
 * than its large ones, or than the output that is made together with it. */
static void tell_small(struct finding_work *work, uint32_t number, const struct finding_sum *sum) {
    const struct finding_group *group = &work->groups[number];
    struct analyse_finding *f = &work->a->findings[group->finding - 1];
    const char *fix = group->host && group->host->context
                          ? group->host->context
                          : advice_find_codec(group->codec)->context;
    char blocks[FINDING_WORDS], a[32];
    finding_blocks(blocks, sizeof(blocks), sum);
    finding_say(work, &f->summary, "; beside these, the contexts take %s, %s", blocks,
                bytes(a, sum->bytes));
    finding_integer(work, f, "context_allocs", sum->allocs);
    finding_integer(work, f, "context_bytes", sum->bytes);
    if (sum->estimated)
        finding_text(work, f, "context_estimated", "from samples");
    if (strstr(f->rule, "output") || strstr(f->rule, "block") || strstr(f->rule, "mmap"))
        finding_say(work, &f->fix, " And the context: %s.", fix);
}

/* Small contexts are not flagged: what tells is their number. */
void finding_small(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    struct finding_sum trial = {0}, sum = {0};
    if (!is_per_message(&group->contexts) || group->is_borrowed || is_told_elsewhere(work, number))
        return;
    add_small(work, number, &trial, false);
    bool much = trial.bytes >= ANALYSE_FLAG_BLOCKS * work->a->process->configuration.large &&
                trial.allocs * 2 >= group->contexts.created;
    if (work->error || !trial.sites || (!group->finding && !much))
        return;
    add_small(work, number, &sum, true);
    if (group->finding)
        tell_small(work, number, &sum);
    else
        per_message(work, number, &sum);
}

/* ---- kept, and yet allocating ---- */

static bool reallocates(const struct finding_work *work, const struct finding_site *from) {
    const struct analyse_site *site = from->site;
    const struct finding_contexts *c = &work->groups[from->group].contexts;
    bool takes_context;
    kind_of(work->a->process, site, &takes_context);
    return !from->done && site->role == ANALYSE_WORKSPACE && takes_context && c->created &&
           !is_per_message(c) && site->large.workspace_allocs >= ANALYSE_FLAG_BLOCKS &&
           c->created * BLOCKS_A_CONTEXT <= site->large.workspace_allocs;
}

static void find_reallocating(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    struct finding_sum sum = {0};
    char caller[FINDING_NAME], blocks[FINDING_WORDS], amount[FINDING_WORDS], a[32];
    for (uint32_t i = 0; i < work->site_count; i++)
        if (work->sites[i].group == number && reallocates(work, &work->sites[i]))
            finding_add(work, &sum, &work->sites[i], false);
    struct analyse_finding *f = finding_begin_blocks(work, "context-reallocates", number, &sum);
    if (!f)
        return;
    finding_blocks(blocks, sizeof(blocks), &sum);
    finding_amount(amount, sizeof(amount), work, sum.bytes);
    finding_say(work, &f->summary,
                "%s keeps its %s contexts (%s made), yet they allocate their workspace again and "
                "again: %s, %s, made in %s",
                finding_caller(work, caller, sizeof(caller), sum.worst->site->stack),
                name_of(group), count(a, group->contexts.created), blocks, amount,
                sum.worst->codec_function ? sum.worst->codec_function : "the codec");
    finding_say(work, &f->fix, "Use each context for one setting and one class of sizes.");
    if (group->codec && strcmp(group->codec, "zstd") == 0)
        finding_say(
            work, &f->fix,
            " zstd gives a workspace back after 128 calls that needed less than a third of "
            "it, and takes a larger one when the level, the window or the source grows: "
            "ZSTD_initStaticCCtx with memory for the largest, or contexts by class of size, "
            "keep it still.");
    finding_say(work, &f->caution, "Fewer bytes is not always less time: compare two runs.");
    finding_evidence(work, f, &sum, group);
    finding_remedies(work, f, &sum, group, FINDING_KEEP_CONTEXT);
}

/* ---- too many at once ---- */

static void find_crowd(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    uint64_t useful = work->knee.known ? work->knee.level : group->calls.level;
    struct finding_sum sum = {0};
    char a[32], b[32], c[32], d[32];
    for (uint32_t i = 0; i < work->site_count; i++) {
        struct finding_site *site = &work->sites[i];
        if (site->group != number || site->done || site->site->flagged ||
            site->site->role != ANALYSE_WORKSPACE || !site->site->large.allocs)
            continue;
        finding_add(work, &sum, site, false);
        site->done = false;
    }
    uint64_t each = group->contexts.created ? sum.bytes / group->contexts.created : 0;
    uint64_t at_once = each ? (sum.peak_bytes + each / 2) / each : 0;
    if (at_once > group->contexts.created)
        at_once = group->contexts.created;
    if (!useful || sum.peak_bytes < MANY_BYTES || at_once <= useful)
        return;
    struct analyse_finding *f = finding_begin(work, "contexts-times-cores", sum.worst, sum.bytes);
    if (!f)
        return;
    uint64_t spared = (at_once - useful) * each;
    finding_say(work, &f->summary,
                "%s %s contexts of %s each were alive at once, %s together, but no more than %s "
                "calls at once are of use",
                count(a, at_once), name_of(group), bytes(b, each), bytes(c, sum.peak_bytes),
                count(d, useful));
    finding_say(work, &f->fix,
                "Share %s contexts among all threads (a pool, or a limit on the encoders) instead "
                "of one for each, which would have spared %s of the peak; or make each smaller: %s",
                count(a, useful), bytes(b, spared), advice_find_codec(group->codec)->low_memory);
    finding_say_go(work, &f->fix, group);
    finding_evidence(work, f, &sum, group);
    finding_integer(work, f, "contexts_at_once", at_once);
    finding_integer(work, f, "contexts_of_use", useful);
    struct analyse_remedy *remedy = finding_remedy(work, f, "cap_concurrency");
    if (!remedy)
        return;
    remedy->saves = true;
    remedy->saved_peak_bytes = spared;
    finding_integer(work, f, "saved_peak_bytes", spared);
    finding_say(work, &remedy->text, "cap the concurrency: %s contexts in place of %s take %s less",
                count(a, useful), count(b, at_once), bytes(c, spared));
}

/* ---- never closed ---- */

/* An end, or enough time in which what is live has grown. */
static bool may_judge(const struct analysis *a) {
    const struct profile_process *p = a->process;
    if (p->state != PROFILE_RUNNING && p->state != PROFILE_UNKNOWN)
        return true;
    if (a->seconds < LONG_RUN || p->tick_count < 4)
        return false;
    return p->ticks[p->tick_count - 1].live_bytes > p->ticks[p->tick_count / 2].live_bytes;
}

/* Contexts that are still open at the end are a pool if each served many, or if each thread has
 * its own; a leak serves few and is many, and its blocks are still there. */
static void find_unclosed(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    const struct finding_contexts *c = &group->contexts;
    uint64_t open = c->created > c->ended ? c->created - c->ended : 0;
    struct finding_sum sum = {0};
    char caller[FINDING_NAME], a[32], b[32], d[32];
    if (open < CONTEXTS || open * 2 < c->created || open <= group->calls.threads ||
        c->messages >= c->created * MESSAGES_A_CONTEXT || !may_judge(work->a))
        return;
    for (uint32_t i = 0; i < work->site_count; i++) {
        struct finding_site *site = &work->sites[i];
        if (site->group == number && !site->done && site->site->role == ANALYSE_WORKSPACE &&
            site->site->sums.live_bytes)
            finding_add(work, &sum, site, true);
    }
    if (sum.live_blocks * 2 < open)
        return;
    struct analyse_finding *f = finding_begin(work, "never-closed", sum.worst, sum.live_bytes);
    if (!f)
        return;
    finding_say(work, &f->summary,
                "%s makes %s contexts and does not close them: %s of %s were never ended, and %s "
                "that they hold was never freed",
                finding_caller(work, caller, sizeof(caller), sum.worst->site->stack),
                name_of(group), count(a, open), count(b, c->created), bytes(d, sum.live_bytes));
    finding_say(
        work, &f->fix, "End each context on every path, errors too: %s",
        group->host && group->host->kind != ADVICE_PROGRAM
            ? "close() or end() of the stream or compressor, in a finally block or its like; "
              "do not leave it to the garbage collector, which does not feel native memory."
            : "the codec's free or end function (ZSTD_freeCCtx, deflateEnd, lzma_end, ...).");
    finding_evidence(work, f, &sum, group);
    finding_integer(work, f, "contexts_open", open);
    finding_integer(work, f, "live_bytes", sum.live_bytes);
}

void finding_context(struct finding_work *work, uint32_t number) {
    struct finding_sum sum = {0};
    find_reallocating(work, number);
    for (uint32_t i = 0; i < work->site_count; i++)
        if (work->sites[i].group == number &&
            finding_is_flagged(&work->sites[i], ANALYSE_WORKSPACE))
            finding_add(work, &sum, &work->sites[i], false);
    if (sum.sites)
        per_message(work, number, &sum);
}

void finding_kept(struct finding_work *work, uint32_t number) {
    find_unclosed(work, number);
    find_crowd(work, number);
}
