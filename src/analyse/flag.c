/* Which sites are a storm: large blocks, made in a compressing call or as its output, that serve
 * one message and die, over and over. A buffer that is used again is the cure, not the disease,
 * and inputs are the program's data: neither is ever flagged. */
#include "base/codec_table.h"
#include "internal.h"

#define BLOCKS_A_MESSAGE 4u /* one for every so many messages */

uint32_t analyse_flag_direction(const struct profile_process *p, const struct analyse_site *site) {
    if (site->direction)
        return site->direction;
    if (site->role == ANALYSE_OUTPUT || site->role == ANALYSE_INPUT)
        return REGION_COMPRESS; /* only of compressing calls are these known */
    if (site->role != ANALYSE_WORKSPACE || !site->large.handed_over)
        return REGION_DIRECTION_NONE;
    uint32_t call = site->large.served_call ? site->large.served_call : site->site->codec_call;
    if (call && call < p->codec_call_count) {
        uint32_t function = p->codec_calls[call].function;
        return function < p->codec_function_count ? p->codec_functions[function].direction
                                                  : (uint32_t)REGION_DIRECTION_NONE;
    }
    /* Given to a context, which nobody tells apart here: certain only if all contexts compress. */
    uint32_t direction = REGION_DIRECTION_NONE;
    for (uint32_t i = 0; i < p->context_count; i++) {
        const struct profile_context *context = &p->contexts[i];
        if (!context->created || context->function >= p->codec_function_count)
            continue;
        uint32_t here = p->codec_functions[context->function].direction;
        if (direction && here != direction)
            return REGION_DIRECTION_NONE;
        direction = here;
    }
    return direction;
}

/* The call whose messages a site's blocks serve; 0 = not seen. */
static uint32_t call_of(const struct profile_process *p, const struct analyse_site *site) {
    uint32_t call = site->role == ANALYSE_OUTPUT ? site->large.served_call : site->site->codec_call;
    return call < p->codec_call_count ? call : 0;
}

/* A message of several stream calls is counted at one of them: of those that have none, calls say
 * nothing. */
static uint64_t messages_or_calls(const struct profile_process *p, uint32_t function,
                                  uint64_t messages, uint64_t calls) {
    bool stream =
        function < p->codec_function_count && p->codec_functions[function].kind == CODEC_STREAM;
    return messages || stream ? messages : calls;
}

static uint64_t messages_of_function(const struct profile_process *p, uint32_t function) {
    uint64_t messages = 0, calls = 0;
    for (uint32_t i = 1; i < p->codec_call_count; i++) {
        if (p->codec_calls[i].function != function)
            continue;
        messages += p->codec_calls[i].messages;
        calls += p->codec_calls[i].calls;
    }
    return messages_or_calls(p, function, messages, calls);
}

/* Many, gone after one message, and not for the most part reused. */
static bool is_candidate(const struct profile_process *p, const struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    uint64_t served = site->role == ANALYSE_OUTPUT ? large->output_allocs : large->workspace_allocs;
    return (site->role == ANALYSE_OUTPUT || site->role == ANALYSE_WORKSPACE) &&
           analyse_flag_direction(p, site) == REGION_COMPRESS &&
           large->transient >= ANALYSE_FLAG_BLOCKS && large->reused * 2 < served;
}

/* Enough of them beside the messages that came from the same caller; or together with its like,
 * beside all messages of the function: outputs may be made in many places and used in one. */
static bool is_frequent(const struct analysis *a, const struct analyse_site *site) {
    const struct profile_process *p = a->process;
    uint32_t call = call_of(p, site);
    if (!call)
        return true;
    const struct profile_codec_call *row = &p->codec_calls[call];
    uint32_t function = row->function;
    if (site->large.transient * BLOCKS_A_MESSAGE >=
        messages_or_calls(p, function, row->messages, row->calls))
        return true;
    uint64_t together = 0;
    for (uint32_t i = 0; i < a->site_count; i++) {
        const struct analyse_site *other = &a->sites[i];
        uint32_t others = call_of(p, other);
        if (others && other->role == site->role && p->codec_calls[others].function == function &&
            is_candidate(p, other))
            together += other->large.transient;
    }
    return together * BLOCKS_A_MESSAGE >= messages_of_function(p, function);
}

void analyse_flags_set(struct analysis *a) {
    for (uint32_t i = 0; i < a->site_count; i++)
        a->sites[i].flagged =
            is_candidate(a->process, &a->sites[i]) && is_frequent(a, &a->sites[i]);
}
