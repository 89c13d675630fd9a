/* The four ways out of a storm, each with what it would have spared in this run, or with why that
 * cannot be told. */
#include <stdio.h>

#include "finding.h"

#define CLASS_SHARE 0.02 /* of the messages: rarer sizes are not told */

static const char *count(char *out, uint64_t value) {
    return analyse_format_count(out, 32, value);
}

static const char *bytes(char *out, uint64_t value) {
    return analyse_format_bytes(out, 32, value);
}

/* Sites of one kind may take turns (git writes its objects from many places) or each give a part to
 * every call (the four blocks of a deflateInit): what a message takes tells. */
static void bound_pool(struct finding_sum *sum, const struct finding_calls *calls) {
    uint64_t messages = calls->messages;
    if (sum->waits || !calls->level || !messages || sum->sites < 2)
        return;
    uint64_t bound = calls->level * ((sum->allocs + messages - 1) / messages);
    if (bound == 0 || bound >= sum->pool)
        return;
    /* Blocks of one message may differ: a context of megabytes and its output of some KiB. */
    uint64_t scaled = analyse_whole((double)sum->pool_bytes * (double)bound / (double)sum->pool);
    uint64_t least = calls->level * sum->largest;
    if (least > sum->pool_bytes)
        least = sum->pool_bytes;
    sum->pool_bytes = scaled > least ? scaled : least;
    sum->pool = bound;
}

/* (1) With a pool of as many blocks as were in use at once, all others need not be made. */
static void keep(struct finding_work *work, struct analyse_finding *f, struct finding_sum *sum,
                 enum finding_keep what) {
    bool output = what == FINDING_KEEP_OUTPUT;
    struct analyse_remedy *remedy =
        finding_remedy(work, f, output ? "keep_destination" : "keep_context");
    uint64_t allocs = sum->allocs > sum->pool ? sum->allocs - sum->pool : 0;
    uint64_t spared = sum->bytes > sum->pool_bytes ? sum->bytes - sum->pool_bytes : 0;
    char a[32], b[32], c[32], d[32], e[32];
    if (!remedy)
        return;
    remedy->saves = true;
    remedy->saved_allocs = allocs;
    remedy->saved_bytes = spared;
    finding_say(
        work, &remedy->text,
        "keep %s: %s %s in use at once would take %s; %s of %s allocations and %s would "
        "not have been made",
        output ? "the destination" : "the context", count(a, sum->pool),
        output ? (sum->pool == 1 ? "buffer" : "buffers") : (sum->pool == 1 ? "block" : "blocks"),
        bytes(b, sum->pool_bytes), count(c, allocs), count(d, sum->allocs), bytes(e, spared));
    finding_integer(work, f, "pool_size", sum->pool);
    finding_integer(work, f, "pool_bytes", sum->pool_bytes);
    finding_integer(work, f, "saved_allocs", allocs);
    finding_integer(work, f, "saved_bytes", spared);
}

bool finding_has_go(const struct finding_work *work) {
    const struct profile_process *p = work->a->process;
    for (uint32_t i = 0; i < p->site_count; i++)
        if (p->sites[i].runtime == REGION_RUNTIME_GO)
            return true;
    return false;
}

void finding_say_go(struct finding_work *work, char **text, const struct finding_group *group) {
    const char *go = advice_find_codec(group->codec)->low_memory_go;
    if (go && finding_has_go(work))
        finding_say(work, text, "; in Go, %s", go);
    finding_say(work, text, ".");
}

/* (2) What a smaller context costs in ratio and time is not in any record: only its inputs are. */
static void low_memory(struct finding_work *work, struct analyse_finding *f,
                       const struct finding_sum *sum, const struct finding_group *group) {
    struct analyse_remedy *remedy = finding_remedy(work, f, "low_memory");
    uint64_t largest = 0, message = 0;
    char a[32], b[32];
    if (!remedy)
        return;
    for (uint32_t i = 0; i < work->site_count; i++) {
        const struct finding_site *site = &work->sites[i];
        if (&work->groups[site->group] == group && site->site->role == ANALYSE_WORKSPACE &&
            site->site->size.max > largest)
            largest = site->site->size.max;
    }
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++)
        if (group->calls.sizes[i].source_bytes)
            message = group->calls.sizes[i].to;
    const struct advice_codec *advice = advice_find_codec(group->codec);
    bool is_go = sum->worst && sum->worst->site->runtime == REGION_RUNTIME_GO;
    if (is_go && advice->low_memory_go) {
        finding_say(work, &remedy->text, "low-memory mode: %s.", advice->low_memory_go);
    } else {
        finding_say(work, &remedy->text, "low-memory mode: %s", advice->low_memory);
        finding_say_go(work, &remedy->text, group);
    }
    if (largest)
        finding_say(work, &remedy->text, " The largest block of a context was %s%s",
                    bytes(a, largest), message ? "," : ".");
    if (message)
        finding_say(work, &remedy->text, "%s the largest message under %s.",
                    largest ? "" : " In this run,", bytes(b, message));
    finding_say(work, &remedy->text,
                " What it costs in ratio and time only a trial can tell: compare two runs");
}

/* Why no number of calls at once is known beyond which more are of no use. */
static void say_why_no_cap(struct finding_work *work, char **text,
                           const struct finding_calls *calls) {
    const struct finding_knee *knee = &work->knee;
    char level[32];
    const char *why = "no level was seen above which throughput stops growing, so a cap would cost "
                      "throughput";
    if (!calls->level)
        why = "how many calls ran at once was not seen";
    else if (calls->level == 1)
        why = "no two calls ran at once, there is nothing to cap";
    else if (knee->levels < 2)
        why = "too little concurrency was seen to tell where throughput stops growing";
    else if (knee->is_lowest)
        why = "throughput did not grow with the levels that were seen, and lower ones were not, so "
              "where it stops growing cannot be told";
    else if (knee->level < knee->max)
        why = NULL;
    if (why)
        finding_say(work, text, "cap the concurrency: %s", why);
    else
        finding_say(work, text,
                    "cap the concurrency: throughput stopped growing at %s at once, but little ran "
                    "beyond that, so a cap would spare little",
                    count(level, knee->level));
}

/* (3) */
static void cap(struct finding_work *work, struct analyse_finding *f, const struct finding_sum *sum,
                const struct finding_calls *calls) {
    const struct finding_knee *knee = &work->knee;
    struct analyse_remedy *remedy = finding_remedy(work, f, "cap_concurrency");
    char a[32], b[32], c[32], d[32], e[32];
    if (!remedy)
        return;
    if (!knee->known) {
        say_why_no_cap(work, &remedy->text, calls);
        return;
    }
    uint64_t spared = sum->peak_bytes > sum->capped_bytes ? sum->peak_bytes - sum->capped_bytes : 0;
    remedy->saves = true;
    remedy->saved_peak_bytes = spared;
    finding_say(work, &remedy->text,
                "cap the concurrency: more than %s at once gave no more throughput%s, up to %s "
                "often were; with %s the peak of these blocks would be %s in place of %s, %s less",
                knee->level == 1 ? "one" : count(a, knee->level),
                knee->from_cpu ? " (estimated from CPU time)" : "", count(b, knee->max),
                knee->level == 1 ? "one" : count(a, knee->level), bytes(e, sum->capped_bytes),
                bytes(c, sum->peak_bytes), bytes(d, spared));
    finding_integer(work, f, "knee", knee->level);
    finding_integer(work, f, "capped_peak_bytes", sum->capped_bytes);
    finding_integer(work, f, "saved_peak_bytes", spared);
}

/* (4) */
void finding_say_sizes(struct finding_work *work, char **text,
                       const struct profile_codec_size *sizes) {
    uint64_t all = 0;
    bool first = true;
    char a[32], b[32], c[32], d[32];
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++)
        all += sizes[i].messages;
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++) {
        const struct profile_codec_size *size = &sizes[i];
        if (!size->messages || !size->source_bytes ||
            (double)size->messages < CLASS_SHARE * (double)all)
            continue;
        finding_say(work, text, "%s%s to %s: %s %s", first ? "" : "; ", bytes(a, size->from),
                    bytes(b, size->to), count(c, size->messages),
                    size->messages == 1 ? "message" : "messages");
        if (size->produced_bytes)
            finding_say(work, text, ", %.2f : 1",
                        (double)size->source_bytes / (double)size->produced_bytes);
        if (size->ns)
            finding_say(
                work, text, ", %s each",
                analyse_format_time(d, sizeof(d), (double)size->ns / (double)size->messages));
        first = false;
    }
}

static void sizes(struct finding_work *work, struct analyse_finding *f,
                  const struct finding_calls *calls) {
    struct analyse_remedy *remedy = finding_remedy(work, f, "sizes");
    bool seen = false;
    if (!remedy)
        return;
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++)
        seen |= calls->sizes[i].source_bytes > 0;
    if (!seen) {
        finding_say(work, &remedy->text,
                    "compress fewer, larger messages: their sizes were not seen");
        return;
    }
    finding_say(work, &remedy->text,
                "compress fewer, larger messages: each one costs an allocation, whatever its size. "
                "By size of message (ratio is source to produced): ");
    finding_say_sizes(work, &remedy->text, calls->sizes);
}

void finding_remedies(struct finding_work *work, struct analyse_finding *f, struct finding_sum *sum,
                      const struct finding_group *group, enum finding_keep what) {
    bound_pool(sum, &group->calls);
    keep(work, f, sum, what);
    low_memory(work, f, sum, group);
    cap(work, f, sum, &group->calls);
    sizes(work, f, &group->calls);
}
