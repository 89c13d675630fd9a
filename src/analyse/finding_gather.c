/* Groups: which sites, calls and contexts belong together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "finding.h"

/* ---- who calls ---- */

/* Stacks have the same frames again and again, and to match one is dear: what was found of some,
 * each in the place that its texts give it. Equal texts are one text, so pointers tell. */
#define MEMO_SIZE 4096u
struct finding_memo {
    const char *function, *module, *codec;
    const struct advice_host *host;
    bool is_weak, is_known;
};

static const struct advice_host *host_of(struct finding_work *work,
                                         const struct analyse_frame *frame, const char *codec,
                                         bool *is_weak) {
    if (!work->memo)
        return advice_find_host(frame, codec, is_weak);
    uint64_t mix = base_mix((uintptr_t)frame->module + base_mix((uintptr_t)frame->function));
    struct finding_memo *m = &work->memo[(mix ^ (uintptr_t)codec >> 4) % MEMO_SIZE];
    if (!m->is_known || m->function != frame->function || m->module != frame->module ||
        m->codec != codec) {
        *m = (struct finding_memo){frame->function, frame->module, codec, NULL, false, true};
        m->host = advice_find_host(frame, codec, &m->is_weak);
    }
    *is_weak = m->is_weak;
    return m->host;
}

/* The library through which a stack comes to the codec: the innermost that is known. Without names
 * modules alone tell. */
static const struct advice_host *find_host(struct finding_work *work, uint32_t stack,
                                           const char *codec) {
    const struct profile_process *p = work->a->process;
    const struct advice_host *host = NULL, *here;
    bool is_weak = true, weak_here;
    struct analyse_stack named = {0};
    if (stack >= p->stack_count)
        return NULL;
    const struct profile_stack *s = &p->stacks[stack];
    if (work->names)
        named = analyse_name_stack(work->names, p, stack, false);
    for (uint32_t i = 0; i < (work->names ? named.count : s->count) && is_weak; i++) {
        struct analyse_frame frame = {0};
        if (work->names) {
            frame = named.frames[i];
        } else {
            uint32_t module = profile_find_module(p, s, s->frames[i]);
            if (module && module < p->module_count)
                frame.module = p->modules[module].path;
        }
        here = host_of(work, &frame, codec, &weak_here);
        if (!here || (host && weak_here))
            continue;
        host = here;
        is_weak = weak_here;
    }
    return host;
}

/* What Go's libraries do on the way from the program to the allocator. */
static bool is_go_insides(const char *function) {
    static const char *const prefixes[] = {
        "runtime.", "sync.(*", "bytes.(*Buffer).", "bytes.growSlice", "bufio.(*Writer).", "io."};
    for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (strncmp(function, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return codec_table_is_go_codec(function);
}

static bool is_insides(const struct analyse_frame *frame) {
    static const char *const prefixes[] = {
        "operator new", "std::",   "__gnu_cxx::", "malloc",    "calloc",     "realloc",
        "__libc_",      "Py",      "_Py",         "xmalloc",   "xcalloc",    "xrealloc",
        "rd_malloc",    "zmalloc", "ztrymalloc",  "ngx_alloc", "ngx_palloc", "ngx_memalign",
    };
    if (!frame->function || frame->module_flags & REGION_MODULE_SQUALL)
        return true;
    if (strncmp(frame->function, "Java_", 5) == 0)
        return false;
    if (is_go_insides(frame->function))
        return true;
    if (analyse_codec_of(frame->function) ||
        (frame->module && analyse_codec_library(frame->module)))
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (strncmp(frame->function, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Of a program without names, its file. */
static const char *file_of(const struct analyse_frame *frame) {
    const char *slash = frame->module ? strrchr(frame->module, '/') : NULL;
    const char *file = slash ? slash + 1 : frame->module;
    bool system = !file || frame->module_flags & REGION_MODULE_SQUALL ||
                  strncmp(file, "libc.so", 7) == 0 || analyse_codec_library(frame->module);
    return system ? NULL : file;
}

const char *finding_caller(struct finding_work *work, char *out, size_t size, uint32_t stack) {
    const char *function = NULL;
    if (work->names) {
        struct analyse_stack named =
            analyse_name_stack(work->names, work->a->process, stack, false);
        for (uint32_t i = 0; i < named.count && !function; i++) {
            if (!is_insides(&named.frames[i]))
                function = named.frames[i].function;
            else if (!named.frames[i].function)
                function = file_of(&named.frames[i]);
        }
    }
    if (!function)
        function = "the program";
    size_t length =
        0; /* without its arguments; "node::(anonymous namespace)::f" has it further on */
    do
        length += strcspn(function + length, "(\n") + 1;
    while (function[length - 1] && length >= 2 &&
           (function[length - 2] == ':' || strncmp(function + length - 2, ".(*", 3) == 0));
    length--;
    if (length == 0)
        length = strlen(function);
    snprintf(out, size, "%.*s", (int)(length < 4096 ? length : 4096), function);
    return out;
}

/* ---- groups ---- */

static bool is_same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* UINT32_MAX when memory ran out. */
static uint32_t group_of(struct finding_work *work, const char *codec,
                         const struct advice_host *host) {
    for (uint32_t i = 0; i < work->group_count; i++)
        if (work->groups[i].host == host && is_same(work->groups[i].codec, codec))
            return i;
    struct finding_group *groups =
        reallocarray(work->groups, work->group_count + 1u, sizeof(*groups));
    if (!groups) {
        work->error = -ENOMEM;
        return UINT32_MAX;
    }
    work->groups = groups;
    groups[work->group_count] = (struct finding_group){.codec = codec, .host = host};
    return work->group_count++;
}

static const struct profile_codec_function *function_of(const struct profile_process *p,
                                                        uint32_t number) {
    return number && number < p->codec_function_count ? &p->codec_functions[number] : NULL;
}

static const char *codec_name(const struct profile_codec_function *f) {
    return f ? analyse_codec_name(f) : NULL;
}

/* The only codec that has contexts, NULL if there are several or none. */
static const char *only_codec(const struct profile_process *p) {
    const char *only = NULL;
    for (uint32_t i = 0; i < p->context_count; i++) {
        const char *here = codec_name(function_of(p, p->contexts[i].function));
        if (only && here && !is_same(only, here))
            return NULL;
        only = here ? here : only;
    }
    return only;
}

/* The codec of blocks that have no codec function on their stack: that of the call they served, or
 * the only one with contexts. */
static const char *codec_of(const struct profile_process *p, const struct analyse_site *site,
                            const char *only) {
    uint32_t call = site->large.served_call ? site->large.served_call : site->site->codec_call;
    if (site->codec)
        return site->codec;
    if (call && call < p->codec_call_count)
        return codec_name(function_of(p, p->codec_calls[call].function));
    return site->large.handed_over ? only : NULL;
}

static void add_site(struct finding_work *work, const struct analyse_site *site, const char *only) {
    const struct profile_process *p = work->a->process;
    const char *codec = codec_of(p, site, only);
    const struct advice_host *host = find_host(work, site->site->stack, codec);
    uint32_t call = site->large.served_call;
    if (!host && call && call < p->codec_call_count)
        host = find_host(work, p->codec_calls[call].stack, codec);
    /* Go's libraries are known by their functions; who calls one is not in it. */
    bool is_weak;
    struct analyse_frame served = {.function = site->served_by};
    if (!host && served.function && codec_table_is_go_codec(served.function))
        host = advice_find_host(&served, codec, &is_weak);
    uint32_t group = group_of(work, codec, host);
    if (group != UINT32_MAX)
        work->sites[work->site_count++] = (struct finding_site){.site = site, .group = group};
}

static void gather_sites(struct finding_work *work) {
    const struct analysis *a = work->a;
    const char *only = only_codec(a->process);
    work->sites = calloc(a->site_count + 1u, sizeof(*work->sites));
    if (!work->sites)
        work->error = -ENOMEM;
    for (uint32_t i = 0; i < a->site_count && !work->error; i++) {
        enum analyse_role role = a->sites[i].role;
        if ((role == ANALYSE_WORKSPACE || role == ANALYSE_OUTPUT) &&
            analyse_flag_direction(a, &a->sites[i]) == REGION_COMPRESS)
            add_site(work, &a->sites[i], only);
    }
}

/* ---- calls and contexts ---- */

uint32_t finding_size_class(uint64_t from) {
    uint32_t class = from ? 64u - (uint32_t)__builtin_clzll(from) : 0;
    return class < REGION_SIZE_CLASSES ? class : REGION_SIZE_CLASSES - 1;
}

static void add_calls(struct finding_calls *sum, const struct profile_codec_call *call) {
    if (call->nested >= call->calls) /* made by another call, which has their bytes */
        return;
    sum->known = true;
    sum->calls += call->calls;
    sum->messages += call->messages;
    sum->source_bytes += call->source_bytes;
    sum->produced_bytes += call->produced_bytes;
    sum->ns += call->ns;
    sum->cpu_ns += call->cpu_ns;
    sum->page_faults += call->page_faults;
    if (call->threads > sum->threads)
        sum->threads = call->threads;
    for (uint32_t i = 0; i < call->level_count; i++)
        if (call->levels[i].calls && call->levels[i].level > sum->level)
            sum->level = call->levels[i].level;
    for (uint32_t i = 0; i < call->size_count; i++) {
        const struct profile_codec_size *from = &call->sizes[i];
        struct profile_codec_size *to = &sum->sizes[finding_size_class(from->from)];
        to->from = from->from;
        to->to = from->to;
        to->messages += from->messages;
        to->source_bytes += from->source_bytes;
        to->produced_bytes += from->produced_bytes;
        to->ns += from->ns;
        to->cpu_ns += from->cpu_ns;
    }
}

static void add_contexts(struct finding_contexts *sum, const struct profile_context *context) {
    sum->created += context->created;
    sum->ended += context->ended;
    sum->single += context->single;
    sum->messages += context->messages;
}

/* Dictionaries and sets of parameters are made like contexts, but never compress. */
static bool is_context(const struct profile_process *p, const struct profile_context *context) {
    const struct profile_codec_function *f = function_of(p, context->function);
    return f && f->direction != REGION_DECOMPRESS && context->created &&
           (context->messages || context->calls);
}

/* Adds what belongs to a group; without a host's own, what the codec did anywhere. */
static void gather_group(struct finding_work *work, struct finding_group *group,
                         const struct advice_host *const *call_hosts,
                         const struct advice_host *const *context_hosts, bool any_host) {
    const struct profile_process *p = work->a->process;
    for (uint32_t i = 1; i < p->codec_call_count; i++) {
        const struct profile_codec_function *f = function_of(p, p->codec_calls[i].function);
        if (f && f->direction == REGION_COMPRESS && is_same(codec_name(f), group->codec) &&
            (any_host || call_hosts[i] == group->host))
            add_calls(&group->calls, &p->codec_calls[i]);
    }
    for (uint32_t i = 0; i < p->context_count; i++)
        if (is_context(p, &p->contexts[i]) &&
            is_same(codec_name(function_of(p, p->contexts[i].function)), group->codec) &&
            (any_host || context_hosts[i] == group->host))
            add_contexts(&group->contexts, &p->contexts[i]);
}

static void gather_calls(struct finding_work *work) {
    const struct profile_process *p = work->a->process;
    const struct advice_host **call_hosts = calloc(p->codec_call_count + 1u, sizeof(*call_hosts));
    const struct advice_host **context_hosts =
        calloc(p->context_count + 1u, sizeof(*context_hosts));
    if (!call_hosts || !context_hosts) {
        work->error = -ENOMEM;
        goto cleanup;
    }
    for (uint32_t i = 1; i < p->codec_call_count; i++)
        call_hosts[i] = find_host(work, p->codec_calls[i].stack,
                                  codec_name(function_of(p, p->codec_calls[i].function)));
    for (uint32_t i = 0; i < p->context_count; i++)
        context_hosts[i] = find_host(work, p->contexts[i].stack,
                                     codec_name(function_of(p, p->contexts[i].function)));
    for (uint32_t i = 0; i < work->group_count; i++) {
        struct finding_group *group = &work->groups[i];
        gather_group(work, group, call_hosts, context_hosts, false);
        group->is_borrowed = !group->calls.known && !group->contexts.created;
        if (group->is_borrowed)
            gather_group(work, group, call_hosts, context_hosts, true);
    }
cleanup:
    free(call_hosts);
    free(context_hosts);
}

void finding_gather(struct finding_work *work) {
    work->memo = calloc(MEMO_SIZE, sizeof(*work->memo));
    gather_sites(work);
    if (!work->error && work->group_count)
        gather_calls(work);
}

void finding_gather_free(struct finding_work *work) {
    free(work->sites);
    free(work->groups);
    free(work->memo);
}

/* ---- sums ---- */

bool finding_is_flagged(const struct finding_site *site, enum analyse_role role) {
    return !site->done && site->site->flagged && site->site->role == role;
}

static uint64_t round_up(uint64_t a, uint64_t b) {
    return b ? (a + b - 1) / b : 0;
}

/* Live at once. Of the blocks from `large` up over all threads it is exact; what the site has
 * besides, small blocks or the peaks of single threads added up, makes a bound of it. */
static uint64_t peak_of(const struct analyse_site *site, bool whole) {
    uint64_t large = site->site->large_peak, all = site->sums.peak_bytes;
    return !whole && large && large < all ? large : all;
}

/* Blocks that live far longer than a call, and of which there were more at once than threads that
 * make them, wait for something else: an acknowledgement, say. */
static bool waits(const struct finding_calls *calls, const struct analyse_site *site,
                  uint64_t peak) {
    double call_ns = calls->messages ? (double)calls->ns / (double)calls->messages : 0;
    return call_ns > 0 && site->life.known && site->life.mean > 2 * call_ns && site->size.max &&
           peak / site->size.max > site->row_count;
}

/* How many blocks, and how many bytes, would do: one a thread, or as many as were alive at once
 * where they outlive the call, or fewer than threads were. */
static void add_pool(struct finding_sum *sum, const struct finding_calls *calls,
                     const struct analyse_site *site, uint64_t allocs, uint64_t bytes,
                     uint64_t largest, uint64_t peak) {
    uint64_t pool = round_up(peak, allocs ? bytes / allocs : 0);
    if (waits(calls, site, peak))
        sum->waits = true;
    else if (pool == 0 || (site->row_count > 1 && pool > site->row_count))
        pool = site->row_count;
    if (pool > allocs)
        pool = allocs;
    sum->pool += pool;
    sum->pool_bytes += pool * largest;
}

/* The peak if no more than `cap` calls ran at once. Blocks that live about as long as a call are
 * then no more than calls; of those that wait longer, only the part in calls shrinks. */
static uint64_t capped_peak(const struct finding_work *work, const struct finding_calls *calls,
                            const struct analyse_site *site, uint64_t mean, uint64_t peak) {
    uint64_t cap = work->knee.level, capped = finding_peak_of(site, cap);
    if (waits(calls, site, peak)) {
        uint64_t live = round_up(peak, mean), at_once = calls->level < live ? calls->level : live;
        uint64_t spared = at_once > cap ? (at_once - cap) * mean : 0;
        uint64_t left = peak > spared ? peak - spared : 0;
        capped = left > capped ? left : capped;
    }
    return capped < peak ? capped : peak;
}

void finding_add(struct finding_work *work, struct finding_sum *sum, struct finding_site *from,
                 bool whole) {
    const struct analyse_site *site = from->site;
    const struct profile_large *large = &site->large;
    bool output = site->role == ANALYSE_OUTPUT;
    uint64_t allocs = output ? large->output_allocs : large->workspace_allocs;
    uint64_t bytes = output ? large->output_bytes : large->workspace_bytes;
    uint64_t smallest = large->size_min, largest = large->size_max;
    uint64_t peak = peak_of(site, whole || allocs == 0);
    const struct finding_calls *calls = &work->groups[from->group].calls;
    if (whole || allocs == 0) {
        allocs = site->sums.allocs;
        bytes = site->sums.bytes;
        smallest = site->size.min;
        largest = site->size.max;
        sum->estimated |= site->sums.estimated;
    }
    if (!sum->worst || site->sums.bytes > sum->worst->sums.bytes)
        sum->worst = site;
    if (sum->sites == 0 || smallest < sum->smallest)
        sum->smallest = smallest;
    if (largest > sum->largest)
        sum->largest = largest;
    sum->sites++;
    if (site->row_count > sum->threads)
        sum->threads = site->row_count;
    sum->allocs += allocs;
    sum->bytes += bytes;
    *(output ? &sum->output_allocs : &sum->workspace_allocs) += allocs;
    *(output ? &sum->output_bytes : &sum->workspace_bytes) += bytes;
    sum->mmapped += large->mmapped;
    sum->handed_over += large->handed_over;
    sum->grown += large->grown;
    sum->reused += large->reused;
    sum->peak_bytes += peak;
    sum->live_bytes += site->sums.live_bytes;
    sum->live_blocks += site->sums.live_blocks;
    sum->allocator_ns += site->sums.allocator_ns;
    if (output) {
        sum->served += large->served;
        sum->source_bytes += large->served_source_bytes;
    }
    if (output && site->source_ratio.count) {
        if (sum->ratio_count == 0 || site->source_ratio.min < sum->ratio_min)
            sum->ratio_min = site->source_ratio.min;
        sum->ratio_sum += site->source_ratio.mean * (double)site->source_ratio.count;
        sum->ratio_count += site->source_ratio.count;
    }
    add_pool(sum, calls, site, allocs, bytes, largest, peak);
    if (work->knee.known)
        sum->capped_bytes += capped_peak(work, calls, site, allocs ? bytes / allocs : 0, peak);
    from->done = true;
}
