/* Messages too small to shrink: their compression costs time and blocks and spares nothing. */
#include <stdlib.h>
#include <string.h>

#include "finding.h"

#define HARDLY 0.95 /* produced to source, at least */
#define MESSAGES 16u
#define MESSAGES_SHARE 0.05

struct small {
    uint64_t below; /* bytes: messages under it hardly shrink */
    uint64_t messages, all, source_bytes, produced_bytes, ns, all_source;
};

/* The classes of one function, over all places that call it. */
static void add_sizes(const struct profile_process *p, uint32_t function,
                      struct profile_codec_size *sizes) {
    for (uint32_t i = 1; i < p->codec_call_count; i++) {
        const struct profile_codec_call *call = &p->codec_calls[i];
        for (uint32_t s = 0; s < call->size_count && call->function == function; s++) {
            struct profile_codec_size *to = &sizes[finding_size_class(call->sizes[s].from)];
            to->from = call->sizes[s].from;
            to->to = call->sizes[s].to;
            to->messages += call->sizes[s].messages;
            to->source_bytes += call->sizes[s].source_bytes;
            to->produced_bytes += call->sizes[s].produced_bytes;
            to->ns += call->sizes[s].ns;
            to->cpu_ns += call->sizes[s].cpu_ns;
        }
    }
}

/* From the smallest class up, as long as they hardly shrink. Empty messages say nothing. */
static bool find_small(const struct profile_codec_size *sizes, struct small *small) {
    bool going = true;
    *small = (struct small){0};
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++) {
        const struct profile_codec_size *size = &sizes[i];
        if (!size->messages || !size->source_bytes)
            continue;
        small->all += size->messages;
        small->all_source += size->source_bytes;
        going &= (double)size->produced_bytes >= HARDLY * (double)size->source_bytes;
        if (!going)
            continue;
        small->below = size->to;
        small->messages += size->messages;
        small->source_bytes += size->source_bytes;
        small->produced_bytes += size->produced_bytes;
        small->ns += size->ns;
    }
    return small->messages >= MESSAGES &&
           (double)small->messages >= MESSAGES_SHARE * (double)small->all;
}

/* What the function's storms allocated, for the rank: by share of the bytes compressed. */
static uint64_t bytes_of(const struct finding_work *work, uint32_t function,
                         const struct analyse_site **worst) {
    const struct profile_process *p = work->a->process;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < work->site_count; i++) {
        const struct analyse_site *site = work->sites[i].site;
        uint32_t call =
            site->role == ANALYSE_OUTPUT ? site->large.served_call : site->site->codec_call;
        if (!call || call >= p->codec_call_count || p->codec_calls[call].function != function)
            continue;
        bytes += site->sums.bytes;
        if (!*worst || site->sums.bytes > (*worst)->sums.bytes)
            *worst = site;
    }
    return bytes;
}

static void say(struct finding_work *work, struct analyse_finding *f, const char *function,
                const struct small *small, const struct profile_codec_size *sizes) {
    char *table = NULL;
    char a[32], b[32], c[32], d[32];
    double ratio =
        small->produced_bytes ? (double)small->source_bytes / (double)small->produced_bytes : 0;
    analyse_format_bytes(a, sizeof(a), small->below);
    analyse_format_count(b, sizeof(b), small->messages);
    analyse_format_count(c, sizeof(c), small->all);
    bool all = small->messages == small->all;
    finding_say(work, &f->summary, "%s hardly shrinks ", function);
    if (all)
        finding_say(work, &f->summary, "any message");
    else
        finding_say(work, &f->summary, "messages under %s", a);
    finding_say(work, &f->summary, ": %s of %s, %.2f : 1, %s each", b, c, ratio,
                analyse_format_time(d, sizeof(d), (double)small->ns / (double)small->messages));
    if (all)
        finding_say(work, &f->fix,
                    "Send them as they are, or look what they are: they may be compressed or "
                    "encrypted already.");
    else
        finding_say(work, &f->fix,
                    "Send messages under %s as they are, put several into one before compressing, "
                    "or compress them with another setting (a dictionary, if the codec has them).",
                    a);
    finding_say(work, &f->caution,
                "The receiver has to know which messages are compressed; most formats have a flag "
                "for that.");
    finding_integer(work, f, "below_bytes", small->below);
    finding_integer(work, f, "messages", small->messages);
    finding_integer(work, f, "messages_of_function", small->all);
    finding_number(work, f, "messages_share", (double)small->messages / (double)small->all);
    finding_integer(work, f, "source_bytes", small->source_bytes);
    finding_integer(work, f, "produced_bytes", small->produced_bytes);
    finding_number(work, f, "ratio", ratio);
    finding_number(work, f, "seconds", (double)small->ns / 1e9);
    finding_say_sizes(work, &table, sizes);
    if (table)
        finding_text(work, f, "classes", table);
    struct analyse_remedy *remedy = table ? finding_remedy(work, f, "sizes") : NULL;
    if (remedy) {
        finding_say(work, &remedy->text, "by size of message (ratio is source to produced): %s",
                    table);
    }
    free(table);
}

void finding_sizes(struct finding_work *work) {
    const struct profile_process *p = work->a->process;
    for (uint32_t function = 1; function < p->codec_function_count && !work->error; function++) {
        struct profile_codec_size sizes[REGION_SIZE_CLASSES] = {0};
        const struct analyse_site *worst = NULL;
        struct small small;
        if (p->codec_functions[function].direction != REGION_COMPRESS)
            continue;
        add_sizes(p, function, sizes);
        if (!find_small(sizes, &small))
            continue;
        double share = (double)small.source_bytes / (double)small.all_source;
        uint64_t bytes = analyse_whole((double)bytes_of(work, function, &worst) * share);
        struct analyse_finding *f =
            finding_begin(work, "small-messages-hardly-shrink", worst, bytes);
        if (f)
            say(work, f, p->codec_functions[function].name, &small, sizes);
    }
}
