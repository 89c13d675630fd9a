/* Which codecs were found, how, and what of their calls and memory is not visible. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "internal.h"

/* "a, b, c" as far as it fits; false: this one did not. */
static bool add_to_list(char *list, size_t size, const char *text) {
    size_t length = strlen(list);
    int n = snprintf(list + length, size - length, "%s%s", length ? ", " : "", text);
    if (n >= 0 && (size_t)n < size - length)
        return true;
    list[length] = 0;
    return false;
}

/* ---- functions ---- */

/* "zstd in libzstd.so.1 (151 functions), zlib in ..." of one module. */
static void add_found(char *list, size_t size, const struct profile_process *p, uint32_t module,
                      bool *any) {
    uint32_t counts[CODEC_COUNT] = {0};
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        const struct profile_codec_function *f = &p->codec_functions[i];
        if (f->module == module && f->codec < CODEC_COUNT &&
            (f->found == REGION_FOUND_NAME || f->found == REGION_FOUND_ARGUMENT))
            counts[f->codec]++;
    }
    for (uint32_t c = 0; c < CODEC_COUNT; c++) {
        const char *codec = codec_table_codec_name(c);
        char text[512];
        if (!counts[c])
            continue;
        *any = true;
        snprintf(text, sizeof(text), "%s in %s (%u %s)", codec ? codec : "codecs",
                 analyse_visible_base_name(p->modules[module].path), counts[c],
                 counts[c] == 1 ? "function" : "functions");
        if (!add_to_list(list, size, text))
            return;
    }
}

static int say_found(struct analysis *a, bool *has_functions) {
    const struct profile_process *p = a->process;
    char list[1024] = "";
    bool is_any = false;
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && !error; i++) {
        add_found(list, sizeof(list), p, i, &has_functions[i]);
        is_any |= has_functions[i];
        if (!has_functions[i] && analyse_codec_library(p->modules[i].path))
            error = analyse_visible_say(
                a, "codecs",
                "%s is loaded, but no function of it was found by name: calls of it are "
                "not visible",
                p->modules[i].path);
    }
    if (!error && is_any)
        error = analyse_visible_say(a, "codecs", "found by name: %s", list);
    return error;
}

/* What the library could not name and the report could. */
static int say_found_late(struct analysis *a) {
    uint32_t sites = 0;
    const char *codec = NULL;
    for (uint32_t i = 0; i < a->site_count; i++) {
        const struct analyse_site *site = &a->sites[i];
        if (site->site->codec_function || !site->codec_function)
            continue;
        sites++;
        codec = site->codec;
    }
    return sites ? analyse_visible_say(
                       a, "codecs",
                       "%u %s in codec calls (%s) found by name in symbols that only the report "
                       "reads",
                       sites, sites == 1 ? "site" : "sites", codec)
                 : 0;
}

/* ---- arguments ---- */

static bool has_arguments(const struct profile_codec_function *f) {
    return f->refused != REGION_REFUSED_KIND && f->found != REGION_FOUND_FRAMES &&
           f->kind != CODEC_BOUND && f->kind != CODEC_WORKER;
}

static const char *why_refused(uint32_t reason) {
    switch (reason) {
    case REGION_REFUSED_OFF:
        return "args:off";
    case REGION_REFUSED_RUNNING:
        return "they may have been running already when they were first seen";
    case REGION_REFUSED_DECODE:
        return "their first instructions cannot be moved";
    case REGION_REFUSED_JUMP:
        return "their first instructions are jumped to";
    case REGION_REFUSED_SHORT:
        return "they are shorter than a jump";
    case REGION_REFUSED_BREAKPOINT:
        return "a debugger has a breakpoint there";
    case REGION_REFUSED_WRITE:
        return "their code cannot be written";
    case REGION_REFUSED_ROOM:
        return "there is no memory within reach of a jump, or there are too many of them";
    case REGION_REFUSED_VARIANT:
        return "the compiler made copies of them that may have other arguments";
    default:
        return "for a reason that this version does not know";
    }
}

#define REASONS 32u

/* What a later version may have is one reason. */
static uint32_t reason_of(const struct profile_codec_function *f) {
    return f->refused < REASONS ? f->refused : REASONS - 1;
}

static int say_refused(struct analysis *a, uint32_t reason) {
    const struct profile_process *p = a->process;
    char list[256] = "", more[32] = "";
    uint32_t left = 0;
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        const struct profile_codec_function *f = &p->codec_functions[i];
        if (has_arguments(f) && !f->patched && reason_of(f) == reason &&
            (left || !add_to_list(list, sizeof(list), f->name)))
            left++;
    }
    if (left)
        snprintf(more, sizeof(more), " and %u more", left);
    return analyse_visible_say(a, "codecs", "the arguments of %s%s are not visible: %s", list, more,
                               why_refused(reason));
}

/* A region in which no function says anything about arguments was made without them; in one of a forked
 * child those that were unloaded before do not. */
static int say_arguments(struct analysis *a) {
    const struct profile_process *p = a->process;
    uint32_t seen = 0, all = 0, refused[REASONS] = {0};
    int error = 0;
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        const struct profile_codec_function *f = &p->codec_functions[i];
        if (!has_arguments(f) || (!f->patched && !f->refused))
            continue;
        all++;
        if (f->patched)
            seen++;
        else if (f->refused)
            refused[reason_of(f)]++;
    }
    if (all && refused[REGION_REFUSED_OFF] == all)
        return analyse_visible_say(a, "codecs",
                                   "the arguments of codec functions are not visible: args:off");
    if (seen)
        error =
            analyse_visible_say(a, "codecs", "arguments are seen of %u of %u functions", seen, all);
    for (uint32_t reason = 1; reason < REASONS && !error; reason++)
        if (refused[reason])
            error = say_refused(a, reason);
    return error;
}

/* ---- memory that was not made by malloc inside the call ---- */

#define MANY_MESSAGES 16u

struct use {
    uint32_t functions, patched; /* that compress, and those of them whose arguments are seen */
    uint64_t created, calls;
    uint64_t handed_over; /* blocks that the program took before and gave to the codec */
    /* Messages whose outputs are large, as a rule; messages that had a large block for an output.
     */
    uint64_t messages, outputs, in_blocks;
    bool has_sites, has_large;
};

static uint32_t codec_of_function(const struct profile_process *p, uint32_t function) {
    uint32_t codec = function < p->codec_function_count ? p->codec_functions[function].codec : 0;
    return function && codec < CODEC_COUNT ? codec : CODEC_NONE;
}

static bool compresses(const struct profile_process *p, uint32_t function) {
    return codec_of_function(p, function) &&
           p->codec_functions[function].direction != REGION_DECOMPRESS;
}

static void add_call(struct use *use, const struct profile_process *p,
                     const struct profile_codec_call *call) {
    use->calls += call->calls;
    if (!call->calls || call->output_capacity / call->calls < p->configuration.large)
        return;
    use->messages += call->messages;
    use->outputs += call->output_capacity / call->calls * call->messages;
}

static void add_functions(struct use *uses, const struct profile_process *p) {
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        if (!compresses(p, i) || !has_arguments(&p->codec_functions[i]))
            continue;
        struct use *use = &uses[codec_of_function(p, i)];
        use->functions++;
        use->patched += p->codec_functions[i].patched != 0;
    }
    for (uint32_t i = 0; i < p->context_count; i++)
        if (compresses(p, p->contexts[i].function))
            uses[codec_of_function(p, p->contexts[i].function)].created += p->contexts[i].created;
    for (uint32_t i = 0; i < p->codec_call_count; i++)
        if (compresses(p, p->codec_calls[i].function))
            add_call(&uses[codec_of_function(p, p->codec_calls[i].function)], p,
                     &p->codec_calls[i]);
}

/* Outputs, and blocks that were handed over, are seen at other sites than the codec's. */
static void add_served(struct use *uses, const struct profile_process *p,
                       const struct profile_large *large) {
    uint32_t call = large->served_call;
    uint32_t codec = call && call < p->codec_call_count
                         ? codec_of_function(p, p->codec_calls[call].function)
                         : CODEC_NONE;
    for (uint32_t c = 0; c < CODEC_COUNT; c++)
        if (!codec || codec == c) {
            uses[c].handed_over += large->handed_over;
            uses[c].in_blocks += large->output_allocs ? large->served : 0;
        }
}

/* All sites, also those that the options leave out. */
static void add_sites(struct use *uses, const struct analysis *a) {
    const struct profile_process *p = a->process;
    for (uint32_t i = 0; i < p->site_count; i++) {
        const struct profile_site *site = &p->sites[i];
        struct use *use = &uses[codec_of_function(p, site->codec_function)];
        use->has_sites |= site->cell_count > 0;
        for (uint32_t k = 0; k < site->cell_count; k++) {
            const struct profile_large *large = &p->cells[site->first_cell + k].large;
            use->has_large |= large->allocs && site->direction != REGION_DECOMPRESS;
            add_served(uses, p, large);
        }
    }
    for (uint32_t i = 0; i < a->site_count; i++) { /* those that only the report could name */
        const struct analyse_site *site = &a->sites[i];
        for (uint32_t c = 1; c < CODEC_COUNT && site->codec; c++) {
            const char *name = codec_table_codec_name(c);
            if (!name || strcmp(name, site->codec) != 0)
                continue;
            uses[c].has_sites = true;
            uses[c].has_large |= site->large.allocs && site->direction != REGION_DECOMPRESS;
        }
    }
}

static int say_contexts(struct analysis *a, const char *codec, const struct use *use) {
    char count[32], large[32];
    analyse_format_count(count, sizeof(count), use->created);
    analyse_format_bytes(large, sizeof(large), a->process->configuration.large);
    return analyse_visible_say(
        a, "codecs",
        "%s made %s %s to compress, but took no block from %s up from malloc inside its "
        "calls: it needs less, or the program gives it memory from a pool of its own "
        "(zalloc), which is not visible",
        codec, count, use->created == 1 ? "context" : "contexts", large);
}

static int say_handed_over(struct analysis *a, const char *codec, const struct use *use) {
    char contexts[32], blocks[32];
    analyse_format_count(contexts, sizeof(contexts), use->created);
    analyse_format_count(blocks, sizeof(blocks), use->handed_over);
    return analyse_visible_say(
        a, "codecs",
        "%s made %s %s to compress in memory that the program took before, from a pool of its own "
        "(zalloc): %s large %s recognised as workspaces; what else it works in is not visible",
        codec, contexts, use->created == 1 ? "context" : "contexts", blocks,
        use->handed_over == 1 ? "block was" : "blocks were");
}

static int say_calls(struct analysis *a, const char *codec, const struct use *use) {
    char count[32];
    analyse_format_count(count, sizeof(count), use->calls);
    return analyse_visible_say(
        a, "codecs",
        "%s was called %s %s to compress, but no recorded block was made inside a call: "
        "memory that it was given is not visible",
        codec, count, use->calls == 1 ? "time" : "times");
}

/* Of many messages few had their output in a block of malloc's. */
static bool has_outputs_elsewhere(const struct use *use) {
    return use->messages >= MANY_MESSAGES && use->in_blocks < use->messages / 2;
}

static int say_outputs(struct analysis *a, const char *codec, const struct use *use) {
    char count[32], size[32], seen[32];
    analyse_format_count(count, sizeof(count), use->messages - use->in_blocks);
    analyse_format_count(seen, sizeof(seen), use->messages);
    analyse_format_bytes(size, sizeof(size), use->outputs / use->messages);
    return analyse_visible_say(
        a, "codecs",
        "%s wrote %s of %s messages to outputs, of %s on average, that lie in no block of "
        "malloc's: "
        "in a static buffer, on a stack, or in memory that the program takes elsewhere. Whether it "
        "is taken anew for each message is not visible",
        codec, count, seen, size);
}

static int say_memory(struct analysis *a) {
    struct use uses[CODEC_COUNT] = {0};
    char list[256] = "";
    int error = 0;
    add_functions(uses, a->process);
    add_sites(uses, a);
    for (uint32_t c = 1; c < CODEC_COUNT && !error; c++) {
        const struct use *use = &uses[c];
        const char *codec = codec_table_codec_name(c);
        if (codec && has_outputs_elsewhere(use))
            error = say_outputs(a, codec, use);
        if (error || !codec || !use->functions || use->has_large)
            continue;
        if (use->handed_over)
            error = say_handed_over(a, codec, use);
        else if (use->created)
            error = say_contexts(a, codec, use);
        else if (use->calls && !use->has_sites)
            error = say_calls(a, codec, use);
        /* Where the arguments of all functions are seen, no call is no call. */
        else if (!use->calls && !use->has_sites && use->patched < use->functions)
            add_to_list(list, sizeof(list), codec);
    }
    if (!error && *list)
        error = analyse_visible_say(
            a, "codecs",
            "no recorded block was made inside a call of %s: whether there was one, or it works "
            "in memory from elsewhere, is not visible",
            list);
    return error;
}

/* ---- codecs without a name ---- */

static bool may_hide(const struct profile_process *p, uint32_t module, const bool *has_functions) {
    static const char *const system[] = {"ld-linux", "libc.so",       "libm.so",  "libgcc_s",
                                         "libdl.so", "libpthread.so", "librt.so", "libstdc++"};
    const struct profile_module *m = &p->modules[module];
    const char *name = analyse_visible_base_name(m->path);
    for (unsigned k = 0; k < ARRAY_SIZE(system); k++)
        if (strncmp(name, system[k], strlen(system[k])) == 0)
            return false;
    return !has_functions[module] && !analyse_codec_library(name) &&
           !(m->flags & (REGION_MODULE_SQUALL | REGION_MODULE_VDSO));
}

static bool is_repeated(const struct profile_process *p, uint32_t module) {
    for (uint32_t i = 1; i < module; i++)
        if (strcmp(p->modules[i].path, p->modules[module].path) == 0)
            return true;
    return false;
}

static int say_contained(const struct analyse_visible *v, uint32_t module, uint32_t codecs) {
    const char *trouble = analyse_names_trouble(v->names, v->a->process, module);
    bool is_stripped = trouble && strncmp(trouble, "stripped", 8) == 0;
    int error = 0;
    for (uint32_t c = 0; c < CODEC_COUNT && !error; c++)
        if (codecs >> c & 1)
            error = analyse_visible_say(
                v->a, "codecs",
                "%s contains %s (%s in the file) but names no function of it%s: its calls "
                "and buffers are not visible",
                v->a->process->modules[module].path, codec_table_codec_name(c),
                symbol_contains_by(c), is_stripped ? " (stripped)" : "");
    return error;
}

/* Fills `hides` with the modules of which something is said. */
static int say_all_contained(const struct analyse_visible *v, const bool *has_functions,
                             bool *hides) {
    const struct profile_process *p = v->a->process;
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && !error; i++) {
        uint32_t codecs =
            may_hide(p, i, has_functions) ? analyse_names_contains(v->names, p, i) : 0;
        hides[i] = codecs != 0;
        if (codecs && !is_repeated(p, i))
            error = say_contained(v, i, codecs);
    }
    return error;
}

/* A codec that was linked into a stripped file leaves no name: where nothing was found, something
 * may be there all the same. */
static int say_hidden(const struct analyse_visible *v, const bool *has_functions,
                      const bool *hides) {
    const struct profile_process *p = v->a->process;
    char list[512] = "";
    for (uint32_t i = 1; i < p->module_count; i++) {
        const struct profile_module *m = &p->modules[i];
        if (hides[i] || !may_hide(p, i, has_functions) ||
            !(v->used[i] || m->flags & REGION_MODULE_EXECUTABLE) || !analyse_visible_trouble(v, i))
            continue;
        if (!add_to_list(list, sizeof(list), analyse_visible_base_name(m->path)))
            break;
    }
    return *list ? analyse_visible_say(
                       v->a, "codecs",
                       "whether a codec is linked into %s is not visible: names of its functions "
                       "are missing",
                       list)
                 : 0;
}

int analyse_visible_codecs(const struct analyse_visible *v) {
    struct analysis *a = v->a;
    uint32_t modules = a->process->module_count + 1u, before = a->statement_count;
    bool *has_functions = calloc(modules, sizeof(*has_functions));
    bool *hides = calloc(modules, sizeof(*hides));
    int error = has_functions && hides ? 0 : -ENOMEM;
    if (!error)
        error = say_found(a, has_functions);
    if (!error)
        error = say_found_late(a);
    if (!error)
        error = say_arguments(a);
    if (!error)
        error = say_memory(a);
    if (!error && v->names && v->searches)
        error = say_all_contained(v, has_functions, hides);
    if (!error && before == a->statement_count)
        error = analyse_visible_say(
            a, "codecs",
            "no codec library is among the modules, and none of them names a codec "
            "function");
    if (!error && v->names)
        error = say_hidden(v, has_functions, hides);
    free(has_functions);
    free(hides);
    return error;
}
