/* Which codec call a site is in: as the shim found it, completed by the better symbols that are
 * read here (separate debug files, mini debug info). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "internal.h"

const char *analyse_codec_library(const char *path) {
    static const struct {
        const char *prefix, *codec;
    } libraries[] = {
        {"libzstd", "zstd"},     {"libz.", "zlib"},
        {"libz-", "zlib"},       {"liblz4", "lz4"},
        {"libsnappy", "snappy"}, {"libbrotli", "brotli"},
        {"liblzma", "lzma"},     {"libbz2", "bz2"},
        {"liblzf", "lzf"},       {"libdeflate", "libdeflate"},
        {"libisal", "isa-l"},    {"liblzo", "lzo"},
    };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (unsigned i = 0; i < ARRAY_SIZE(libraries); i++)
        if (strncmp(name, libraries[i].prefix, strlen(libraries[i].prefix)) == 0)
            return libraries[i].codec;
    return NULL;
}

const char *analyse_codec_of(const char *function) {
    const struct codec_entry *entry = function ? codec_table_find_readable(function) : NULL;
    return entry ? codec_table_codec_name(entry->codec) : NULL;
}

/* ---- roles ---- */

/* The one with most bytes; a site of small blocks alone has its role by where it is. */
static void set_role(struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    uint64_t most = 0;
    site->role = site->direction == REGION_COMPRESS ? ANALYSE_WORKSPACE : ANALYSE_ROLE_NONE;
    if (large->workspace_bytes > most) {
        most = large->workspace_bytes;
        site->role = ANALYSE_WORKSPACE;
    }
    if (large->output_bytes > most) {
        most = large->output_bytes;
        site->role = ANALYSE_OUTPUT;
    }
    if (large->input_bytes > most)
        site->role = ANALYSE_INPUT;
    site->reused = large->reused > 0;
}

const char *analyse_codec_name(const struct profile_codec_function *f) {
    const char *name = codec_table_codec_name(f->codec);
    return name ? name : analyse_codec_of(f->name);
}

/* The codec call that used blocks of this site as output or input. A buffer is made by the program,
 * outside the call: what it serves is all that tells its codec. */
static void set_served(struct analyse_site *site, const struct profile_process *p) {
    uint32_t number = site->large.served_call;
    if (!number || number >= p->codec_call_count)
        return;
    number = p->codec_calls[number].function;
    if (!number || number >= p->codec_function_count)
        return;
    site->served_by = p->codec_functions[number].name;
    if (!site->codec && (site->role == ANALYSE_OUTPUT || site->role == ANALYSE_INPUT))
        site->codec = analyse_codec_name(&p->codec_functions[number]);
}

void analyse_codec_set(struct analyse_site *site, const struct profile_process *p) {
    uint32_t number = site->site->codec_function;
    if (number && number < p->codec_function_count) {
        const struct profile_codec_function *f = &p->codec_functions[number];
        site->codec_function = f->name;
        site->codec = analyse_codec_name(f);
    }
    site->direction = site->site->direction;
    set_role(site);
    set_served(site, p);
}

/* ---- by better symbols ---- */

static bool is_users(const char *patterns, const char *function) {
    size_t length = strcspn(function, "(");
    while (*patterns) {
        size_t n = strcspn(patterns, "\n");
        if (n && codec_table_matches(patterns, n, function, length))
            return true;
        patterns += n + (patterns[n] == '\n');
    }
    return false;
}

struct named_call {
    const char *codec, *function;
    uint32_t number; /* enum codec */
    uint32_t direction;
};

/* False: the frame is in no codec function. */
static bool look_at(const struct profile_process *p, const struct analyse_frame *frame,
                    struct named_call *call) {
    const struct codec_entry *entry;
    if (!frame->function)
        return false;
    entry = codec_table_find_readable(frame->function);
    if (entry && (entry->kind == CODEC_BOUND ||
                  (entry->is_common && !(frame->module && analyse_codec_library(frame->module)))))
        entry = NULL;
    if (!entry && !is_users(p->codec_patterns, frame->function))
        return false;
    call->number = entry ? entry->codec : (uint32_t)CODEC_USER;
    call->codec = codec_table_codec_name(call->number);
    call->function = entry && entry->mangled ? entry->name : frame->function;
    call->direction = entry ? entry->direction : (uint32_t)REGION_COMPRESS;
    return true;
}

static bool is_codec(const struct profile_process *p, const struct analyse_frame *frame) {
    struct named_call call;
    return look_at(p, frame, &call);
}

/* The same choice as the shim's: the outermost, and where it serves both directions one further in
 * says which. */
static bool classify(const struct profile_process *p, const struct analyse_stack *stack,
                     struct named_call *call) {
    bool found = false;
    for (uint32_t i = stack->count; i-- > 0 && !(found && call->direction);) {
        struct named_call here;
        if (!look_at(p, &stack->frames[i], &here))
            continue;
        if (!found)
            *call = here;
        else if (here.number == call->number)
            call->direction = here.direction;
        found = true;
    }
    return found;
}

/* Blocks that were seen as somebody's output or input are no workspaces. */
static uint64_t rest(uint64_t all, uint64_t output, uint64_t input) {
    all = all > output ? all - output : 0;
    return all > input ? all - input : 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* A stream of Go's hands its result to somebody's Write (bytes.Buffer), which may allocate to keep
 * it: what that makes is the output, though the codec is further out on the stack. */
static bool is_in_write(const struct analyse_stack *stack) {
    bool is_written = false;
    for (uint32_t i = 0; i < stack->count; i++) {
        const char *function = stack->frames[i].function;
        if (function && codec_table_is_go_codec(function))
            return is_written;
        is_written |= function && (ends_with(function, ".Write"));
    }
    return false;
}

static void give_to_output(struct analyse_site *site, const struct analyse_stack *stack) {
    struct profile_large *large = &site->large;
    const char *function = stack->frames[0].function;
    large->output_allocs = large->allocs;
    large->output_bytes = large->bytes;
    large->workspace_allocs = large->workspace_bytes = 0;
    large->grown = function && strcmp(function, "runtime.growslice") == 0 ? large->allocs : 0;
    site->is_sinks = true;
    set_role(site);
}

static bool may_be_written(const struct analyse_site *site) {
    return site->site->runtime == REGION_RUNTIME_GO && site->role == ANALYSE_WORKSPACE;
}

static void complete(struct analyse_site *site, const struct profile_process *p,
                     struct analyse_names *names) {
    struct named_call call = {0};
    if (!analyse_names_any(names, p, site->site->stack, is_codec)) /* as most stacks are not */
        return;
    struct analyse_stack stack = analyse_name_stack(names, p, site->site->stack, false);
    if (may_be_written(site) && is_in_write(&stack))
        give_to_output(site, &stack);
    if ((site->codec_function && site->direction) || !classify(p, &stack, &call))
        return;
    if (!site->codec_function) {
        site->codec_function = call.function;
        site->codec = call.codec;
    }
    site->direction = call.direction;
    if (!site->large.workspace_allocs) {
        const struct profile_large *large = &site->large;
        site->large.workspace_allocs =
            rest(large->allocs, large->output_allocs, large->input_allocs);
        site->large.workspace_bytes = rest(large->bytes, large->output_bytes, large->input_bytes);
    }
    set_role(site);
}

static bool matters(const struct analyse_site *site, uint32_t rank, uint32_t top) {
    return (top == 0 || rank < top || site->large.allocs >= ANALYSE_FLAG_BLOCKS) &&
           (!site->codec_function || !site->direction || may_be_written(site));
}

/* Their stacks are gone through as they lie in memory, not as sites are sorted. */
int analyse_codec_complete(struct analysis *a, uint32_t top, struct analyse_names *names) {
    const struct profile_process *p = a->process;
    uint32_t *ranks = calloc(p->site_count + 1u, sizeof(*ranks)); /* from 1 on, by row */
    if (!ranks)
        return -ENOMEM;
    for (uint32_t i = 0; i < a->site_count; i++)
        if (matters(&a->sites[i], i, top))
            ranks[a->sites[i].site - p->sites] = i + 1;
    for (uint32_t row = 0; names && row < p->site_count; row++)
        if (ranks[row])
            complete(&a->sites[ranks[row] - 1], p, names);
    free(ranks);
    return 0;
}
