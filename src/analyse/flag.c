/* Which sites are a storm: large blocks, made in a compressing call or as its output, that serve
 * one message and die, over and over. A buffer that is used again is the cure, not the disease,
 * and inputs are the program's data: neither is ever flagged. */
#include <errno.h>
#include <stdlib.h>

#include "base/codec_table.h"
#include "internal.h"

#define BLOCKS_A_MESSAGE 4u /* one for every so many messages */

/* The direction of all contexts that were made; none if there are several. */
static uint32_t contexts_direction(const struct profile_process *p) {
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

uint32_t analyse_flag_direction(const struct analysis *a, const struct analyse_site *site) {
    const struct profile_process *p = a->process;
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
    return a->contexts_direction;
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

/* Many, gone after one message, and not for the most part reused. */
static bool is_candidate(const struct analysis *a, const struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    uint64_t served = site->role == ANALYSE_OUTPUT ? large->output_allocs : large->workspace_allocs;
    return (site->role == ANALYSE_OUTPUT || site->role == ANALYSE_WORKSPACE) &&
           analyse_flag_direction(a, site) == REGION_COMPRESS &&
           large->transient >= ANALYSE_FLAG_BLOCKS && large->reused * 2 < served;
}

/* What is told of one codec function by all its calls, and by all candidates that served it. */
struct served {
    uint64_t messages, calls;
    uint64_t workspaces, outputs; /* blocks gone after one message */
};

static uint64_t *blocks_of(struct served *served, const struct analyse_site *site) {
    return site->role == ANALYSE_OUTPUT ? &served->outputs : &served->workspaces;
}

/* NULL: no memory. */
static struct served *add_up(const struct analysis *a) {
    const struct profile_process *p = a->process;
    struct served *served = calloc(p->codec_function_count + 1u, sizeof(*served));
    for (uint32_t i = 1; served && i < p->codec_call_count; i++) {
        const struct profile_codec_call *call = &p->codec_calls[i];
        if (call->function >= p->codec_function_count)
            continue;
        served[call->function].messages += call->messages;
        served[call->function].calls += call->calls;
    }
    for (uint32_t i = 0; served && i < a->site_count; i++) {
        const struct analyse_site *site = &a->sites[i];
        uint32_t call = call_of(p, site);
        if (call && site->flagged && p->codec_calls[call].function < p->codec_function_count)
            *blocks_of(&served[p->codec_calls[call].function], site) += site->large.transient;
    }
    return served;
}

/* Enough of them beside the messages that came from the same caller; or together with its like,
 * beside all messages of the function: outputs may be made in many places and used in one. */
static bool is_frequent(const struct analysis *a, const struct analyse_site *site,
                        struct served *served) {
    const struct profile_process *p = a->process;
    uint32_t call = call_of(p, site);
    if (!call)
        return true;
    const struct profile_codec_call *row = &p->codec_calls[call];
    uint32_t function = row->function;
    if (site->large.transient * BLOCKS_A_MESSAGE >=
        messages_or_calls(p, function, row->messages, row->calls))
        return true;
    if (function >= p->codec_function_count)
        return false;
    served += function;
    return *blocks_of(served, site) * BLOCKS_A_MESSAGE >=
           messages_or_calls(p, function, served->messages, served->calls);
}

int analyse_flags_set(struct analysis *a) {
    a->contexts_direction = contexts_direction(a->process);
    for (uint32_t i = 0; i < a->site_count; i++)
        a->sites[i].flagged = is_candidate(a, &a->sites[i]);
    struct served *served = add_up(a);
    if (!served)
        return -ENOMEM;
    for (uint32_t i = 0; i < a->site_count; i++)
        a->sites[i].flagged = a->sites[i].flagged && is_frequent(a, &a->sites[i], served);
    free(served);
    return 0;
}
