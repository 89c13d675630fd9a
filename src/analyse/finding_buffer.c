/* Rules about outputs that are made for a call: as large as the source, larger than any result,
 * grown on the way, or mapped and unmapped every time. */
#include <stdio.h>
#include <string.h>

#include "finding.h"

#define AS_LARGE 0.95           /* of the source, at least */
#define WORST_CASE 2.0          /* times the source: as if nothing were known of the result */
#define CONTIGUOUS (4ull << 20) /* bytes that are hard to find in one piece */
#define GROWN_SHARE 4u          /* one in so many blocks made by growing another */

static const char *const caution =
    "Fewer bytes is not always less time: one project that pooled its destinations saved 39 % of "
    "the bytes and 15 % of the time, another saved bytes and no time. Compare two runs.";

static const char *time_of(char *out, double ns) {
    return analyse_format_time(out, 32, ns);
}

static const char *bytes(char *out, uint64_t value) {
    return analyse_format_bytes(out, 32, value);
}

/* NULL: the buffer is small beside what it serves, and nothing is known against it. */
static const char *rule_of(const struct analyse_site *site, const struct finding_calls *calls) {
    const struct profile_large *large = &site->large;
    const struct analyse_ratio *ratio = &site->source_ratio;
    if (large->grown * GROWN_SHARE >= large->output_allocs && large->grown)
        return "output-grown";
    if (calls->messages && large->output_allocs >= 2 * calls->messages)
        return "output-grown";
    if (ratio->count && ratio->mean <= WORST_CASE && ratio->mean >= AS_LARGE &&
        (ratio->min >= AS_LARGE ||
         (double)large->output_bytes >= AS_LARGE * (double)large->served_source_bytes))
        return "output-as-large-as-source";
    /* The destination that EncodeAll makes is as long as its source: that needs no argument. */
    if (site->site->go && !ratio->count && site->codec_function &&
        strstr(site->codec_function, ".EncodeAll"))
        return "output-as-large-as-source";
    if ((ratio->count && ratio->mean > WORST_CASE) || large->size_max >= CONTIGUOUS)
        return "worst-case-block";
    return NULL;
}

/* "rdbSaveLzfStringObject allocates WHAT for every call of lzf_compress ..." */
static void say_output(struct finding_work *work, struct analyse_finding *f, const char *what,
                       const struct finding_group *group, const struct finding_sum *sum) {
    bool is_go = sum->worst->site->runtime == REGION_RUNTIME_GO;
    const char *function = sum->worst->served_by;
    if (!function && is_go) /* whose arguments are not seen: attached to, or a stream */
        function = sum->worst->codec_function;
    char caller[FINDING_NAME], blocks[FINDING_WORDS], amount[FINDING_WORDS], a[32];
    finding_caller(work, caller, sizeof(caller), sum->worst->site->stack);
    finding_blocks(blocks, sizeof(blocks), sum);
    finding_amount(amount, sizeof(amount), work, sum->bytes);
    finding_say(work, &f->summary, "%s", caller);
    if (group->host && strcmp(caller, group->host->name) != 0)
        finding_say(work, &f->summary, " (%s)", group->host->name);
    finding_say(work, &f->summary, " %s", what);
    if (function && *function)
        finding_say(work, &f->summary, " of %s", function);
    finding_say(work, &f->summary, " and %s it after: %s, %s", is_go ? "drops" : "frees", blocks,
                amount);
    if (sum->ratio_count)
        finding_say(work, &f->summary, ", %.2f times the source on average",
                    sum->ratio_sum / (double)sum->ratio_count);
    if (sum->worst->life.known)
        finding_say(work, &f->summary,
                    is_go ? "; the collector swept them %s later on average"
                          : "; they live %s on average",
                    time_of(a, sum->worst->life.mean));
}

static void say_keep(struct finding_work *work, struct analyse_finding *f,
                     const struct finding_group *group, const struct finding_sum *sum) {
    const char *output = group->host ? group->host->output : NULL;
    if (sum->worst->is_sinks)
        finding_say(work, &f->fix,
                    "What the codec writes into grows anew for every message: keep it beside the "
                    "Writer, as a bytes.Buffer whose Reset() leaves it its memory, or write to "
                    "where it goes.");
    else if (output)
        finding_say(work, &f->fix, "%s.", output);
    else
        finding_say(work, &f->fix,
                    "Keep the destination: one buffer per thread, or a pool, passed to every call "
                    "instead of a new one: %s.%s",
                    advice_find_codec(group->codec)->output,
                    sum->worst->site->runtime == REGION_RUNTIME_GO
                        ? " In Go: EncodeAll(source, buffer[:0])."
                        : "");
    if (sum->mmapped * 2 >= sum->allocs)
        finding_say(
            work, &f->fix,
            " Until then GLIBC_TUNABLES=glibc.malloc.mmap_threshold (M_MMAP_THRESHOLD) above "
            "the size of these blocks spares the mmap, munmap and page faults of each.");
}

static void say_fix(struct finding_work *work, struct analyse_finding *f,
                    const struct finding_group *group, const struct finding_sum *sum) {
    char a[32];
    if (strcmp(f->rule, "output-grown") == 0 && !sum->worst->is_sinks)
        finding_say(
            work, &f->fix,
            "Size the output once, before the first call (the codec's bound of the source's "
            "length), then keep it: growing copies what is there and leaves a block behind "
            "each time. ");
    if (strcmp(f->rule, "worst-case-block") == 0)
        finding_say(work, &f->fix,
                    "Compress through the streaming functions into a fixed chunk (64 KiB to 256 "
                    "KiB) instead of one block for the worst case (the largest here %s); or ",
                    bytes(a, sum->largest));
    if (strcmp(f->rule, "worst-case-block") == 0)
        finding_say(work, &f->fix, "keep that block: one per thread, or a pool.");
    else
        say_keep(work, f, group, sum);
}

static void find_outputs(struct finding_work *work, uint32_t number, const char *rule,
                         const char *what) {
    const struct finding_group *group = &work->groups[number];
    struct finding_sum sum = {0};
    for (uint32_t i = 0; i < work->site_count; i++) {
        struct finding_site *site = &work->sites[i];
        if (site->group != number || !finding_is_flagged(site, ANALYSE_OUTPUT))
            continue;
        const char *here = rule_of(site->site, &group->calls);
        if (here && strcmp(here, rule) == 0)
            finding_add(work, &sum, site, false);
    }
    struct analyse_finding *f = finding_begin_blocks(work, rule, number, &sum);
    if (!f)
        return;
    say_output(work, f, what, group, &sum);
    say_fix(work, f, group, &sum);
    finding_say(work, &f->caution, "%s", caution);
    finding_evidence(work, f, &sum, group);
    if (sum.grown)
        finding_integer(work, f, "grown", sum.grown);
    if (sum.ratio_count)
        finding_number(work, f, "source_ratio_min", sum.ratio_min);
    finding_remedies(work, f, &sum, group, FINDING_KEEP_OUTPUT);
}

void finding_outputs(struct finding_work *work, uint32_t number) {
    find_outputs(work, number, "output-as-large-as-source",
                 "allocates an output as large as the source for every call");
    find_outputs(work, number, "output-grown", "grows a new output for every call");
    find_outputs(work, number, "worst-case-block",
                 "allocates an output for the worst case for every call");
}

/* What no other rule names, and yet goes to the kernel and back every time. */
void finding_mapped(struct finding_work *work, uint32_t number) {
    const struct finding_group *group = &work->groups[number];
    struct finding_sum sum = {0};
    for (uint32_t i = 0; i < work->site_count; i++) {
        struct finding_site *site = &work->sites[i];
        if (site->group == number && !site->done && site->site->flagged &&
            site->site->large.mmapped * 2 >= site->site->large.allocs)
            finding_add(work, &sum, site, false);
    }
    struct analyse_finding *f = finding_begin_blocks(work, "mmap-per-call", number, &sum);
    if (!f)
        return;
    say_output(work, f, "has a block mapped and unmapped by the kernel for every call", group,
               &sum);
    say_keep(work, f, group, &sum);
    finding_say(work, &f->caution, "%s", caution);
    finding_evidence(work, f, &sum, group);
    finding_remedies(work, f, &sum, group,
                     sum.output_bytes ? FINDING_KEEP_OUTPUT : FINDING_KEEP_CONTEXT);
}
