/* What could not be seen, in sentences. A tool that says "none" where it is blind sends people the
 * wrong way, so everything that bounds what the report can claim is named here. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec_table.h"
#include "internal.h"

static int say(struct analysis *a, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int say(struct analysis *a, const char *subject, const char *format, ...) {
    struct analyse_statement *statements =
        reallocarray(a->statements, a->statement_count + 1u, sizeof(*statements));
    char *text = NULL;
    va_list list;
    if (!statements)
        return -ENOMEM;
    a->statements = statements;
    va_start(list, format);
    int length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0)
        return -ENOMEM;
    statements[a->statement_count++] = (struct analyse_statement){subject, text};
    return 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* ---- how it was recorded ---- */

static int say_mode(struct analysis *a) {
    const struct profile_process *p = a->process;
    const struct region_configuration *c = &p->configuration;
    char large[32], sample[32];
    int error = 0;
    analyse_format_bytes(large, sizeof(large), c->large);
    analyse_format_bytes(sample, sizeof(sample), c->sample);
    if (c->mode != REGION_MODE_EXACT && c->sample)
        error = say(a, "sampling",
                    "blocks under %s are sampled, about one in %s: their figures by site, and "
                    "frees and live bytes of small blocks, are estimates; what threads allocated, "
                    "and every block from %s up, is exact",
                    large, sample, large);
    else if (c->mode != REGION_MODE_EXACT)
        error = say(a, "sampling",
                    "where blocks under %s come from is not visible: sampling is off (sample:0)",
                    large);
    if (!error && !c->children)
        error = say(a, "children", "child processes are not visible: children:off");
    if (!error && p->clock_guessed)
        error = say(a, "clock",
                    "the clock could not be calibrated: times are its ticks taken for nanoseconds");
    if (!error && p->state == PROFILE_DIED)
        error = say(a, "end",
                    "the process ended without its exit handlers: the last few updates "
                    "may be missing");
    if (!error && p->state == PROFILE_UNKNOWN)
        error = analyse_names_packed(p)
                    ? say(a, "end",
                          "how the process ended is not known: when this dump was made it was "
                          "still running, or could not be looked at")
                    : say(a, "end",
                          "whether the process still runs is not known: /proc/%d is not "
                          "readable from here",
                          p->pid);
    if (!error && p->torn)
        error = say(a, "torn",
                    "%llu rows were read, or left by a kill, in the middle of an "
                    "update: their sums may be off by one block",
                    (unsigned long long)p->torn);
    return error;
}

static int say_place(struct analysis *a) {
    switch (a->process->place) {
    case REGION_PLACE_MEMFD:
        return say(a, "file",
                   "no folder was writable: the data lived in a memfd, gone when the "
                   "process ends");
    case REGION_PLACE_ANONYMOUS:
        return say(a, "file",
                   "no folder and no memfd: the data lived in anonymous memory, gone "
                   "when the process ends");
    default:
        return 0;
    }
}

static int say_notes(struct analysis *a) {
    static const struct {
        uint32_t note;
        const char *subject, *statement;
    } notes[] = {
        {REGION_NOTE_DIR_REFUSED, "file", "SQUALL_DIR could not be used: another folder was taken"},
        {REGION_NOTE_NOT_TMPFS, "file",
         "the folder is not a tmpfs: the program may have waited for writeback"},
        {REGION_NOTE_BOUND_LOWERED, "region",
         "the region was made smaller than asked (RLIMIT_FSIZE, RLIMIT_AS or an old kernel)"},
        {REGION_NOTE_NO_POPULATE, "region",
         "Linux before 5.14: the region's space was taken at the start"},
        {REGION_NOTE_NO_PROC, "proc",
         "/proc was not readable: modules and bounds of stacks may be "
         "not visible"},
        {REGION_NOTE_NO_WIPEONFORK, "fork",
         "children made with a raw clone are not told apart from their parent"},
        {REGION_NOTE_FOREIGN_MALLOC, "allocator",
         "the executable defines malloc itself: what it allocates through that is not visible"},
        {REGION_NOTE_AT_SECURE, "configuration",
         "the program runs with raised privileges: SQUALL_CONF and SQUALL_DIR were ignored"},
        {REGION_NOTE_BAD_CONF, "configuration",
         "SQUALL_CONF had an unknown key or a bad value: the default was taken"},
        {REGION_NOTE_LIVE_SMALL, "region", "the table of live blocks is smaller than wanted"},
        {REGION_NOTE_NO_UNWIND, "stacks", "stacks are not visible: unwinding is off"},
        {REGION_NOTE_LIBUNWIND, "stacks",
         "stacks were walked by libunwind, which may change how the program resolves symbols"},
    };
    int error = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(notes) && !error; i++)
        if (a->process->notes & notes[i].note)
            error = say(a, notes[i].subject, "%s", notes[i].statement);
    return error;
}

static int say_lost(struct analysis *a) {
    static const char *const what[REGION_LOST_COUNT] = {
        [REGION_LOST_THREADS] = "threads have no row of their own: they are counted together",
        [REGION_LOST_MODULES] = "modules have no row: their frames are not visible",
        [REGION_LOST_STRINGS] = "paths, names or arguments did not fit",
        [REGION_LOST_STACKS] = "allocations have a stack that did not fit: they are in site 0",
        [REGION_LOST_SITES] = "allocations have a site that did not fit: they are in site 0",
        [REGION_LOST_CELLS] = "allocations are counted at their site without their thread",
        [REGION_LOST_LARGE] = "cells have no figures about their large blocks",
        [REGION_LOST_HISTOGRAMS] = "sites have no histograms",
        [REGION_LOST_LIVE] = "allocations are recorded at no site: the table of live blocks was "
                             "full",
        [REGION_LOST_COMMITS] = "times the region could not grow: disk, tmpfs or memory limit",
        [REGION_LOST_BUSY] = "allocations in signal handlers that interrupted squall are in site 0",
        [REGION_LOST_UNWIND] = "allocations have a stack that could not be walked at all: they are "
                               "in site 0",
        [REGION_LOST_TICKS] = "ticks of the timeline are lost",
        [REGION_LOST_CODEC] = "codec calls or modules with codec functions were not recorded",
        [REGION_LOST_CONTEXTS] = "codec contexts were not recorded",
        [REGION_LOST_PRIVATE] = "threads had no private memory: their stacks are not visible",
    };
    int error = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(a->process->lost) && !error; i++)
        if (a->process->lost[i])
            error = say(a, "lost", "%llu %s", (unsigned long long)a->process->lost[i],
                        i < REGION_LOST_COUNT && what[i] ? what[i]
                                                         : "events lost for a reason that this "
                                                           "version does not know");
    if (!error && a->process->untracked_frees)
        error = say(a, "lost", "%llu frees were of blocks that squall never saw born",
                    (unsigned long long)a->process->untracked_frees);
    return error;
}

/* ---- stacks that end early ---- */

static const char *why_cut(uint32_t end) {
    switch (end) {
    case REGION_END_NO_RULE:
        return "the code has no unwind information";
    case REGION_END_JIT:
        return "the caller lies outside every module: JIT code, whose frames are not visible";
    case REGION_END_BOUND:
        return "there are more frames than are kept";
    case REGION_END_OTHER_STACK:
        return "the next frame is on another stack (coroutine, signal stack)";
    case REGION_END_BAD_MEMORY:
        return "the next frame would lie outside the stack";
    case REGION_END_TOO_HARD:
        return "an unwind rule is not understood";
    case REGION_END_NOT_WALKED:
        return "they were not walked";
    case REGION_END_CYCLE:
        return "the walk came back to where it was";
    default:
        return "the reason is not known";
    }
}

struct cut {
    uint64_t stacks, bytes, most;
    const char *module; /* where most bytes were cut */
};

static void add_cut(struct cut *cut, const struct profile_process *p,
                    const struct profile_site *site) {
    const struct profile_stack *stack = &p->stacks[site->stack];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < site->cell_count; i++)
        bytes += p->cells[site->first_cell + i].bytes;
    cut->stacks++;
    cut->bytes += bytes;
    if (stack->count && (bytes > cut->most || !cut->module)) {
        uint32_t module = profile_find_module(p, stack, stack->frames[stack->count - 1]);
        cut->most = bytes;
        cut->module = module ? p->modules[module].path : NULL;
    }
}

/* Of all sites, also of those that are not shown. */
static int say_stacks(struct analysis *a) {
    const struct profile_process *p = a->process;
    struct cut cuts[REGION_END_COUNT] = {0};
    int error = 0;
    for (uint32_t i = 0; i < p->site_count; i++) {
        const struct profile_site *site = &p->sites[i];
        if (site->cell_count == 0 || site->stack == 0 || site->stack >= p->stack_count)
            continue;
        uint32_t end = p->stacks[site->stack].end;
        add_cut(&cuts[end < REGION_END_COUNT ? end : REGION_END_UNKNOWN], p, site);
    }
    for (uint32_t end = 0; end < REGION_END_COUNT && !error; end++) {
        const struct cut *cut = &cuts[end];
        char bytes[32];
        if (cut->stacks && end != REGION_END_OUTERMOST)
            error = say(a, "stacks", "the stacks of %llu %s (%s) are cut short: %s%s%s",
                        (unsigned long long)cut->stacks, cut->stacks == 1 ? "site" : "sites",
                        analyse_format_bytes(bytes, sizeof(bytes), cut->bytes), why_cut(end),
                        cut->module ? ", most of them above " : "",
                        cut->module ? base_name(cut->module) : "");
    }
    return error;
}

/* ---- modules ---- */

static int say_allocators(struct analysis *a) {
    const struct profile_process *p = a->process;
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && !error; i++) {
        const struct profile_module *m = &p->modules[i];
        const char *name = analyse_allocator_name(m->allocator);
        if (!name || m->allocator == REGION_ALLOCATOR_GLIBC ||
            (m->flags & (REGION_MODULE_NEXT | REGION_MODULE_SQUALL)))
            continue;
        error = say(a, "allocator",
                    m->allocator == REGION_ALLOCATOR_OTHER
                        ? "%s defines malloc itself (%s): what it hands out to itself is not "
                          "visible"
                        : "%s has %s in it: what it allocates through that, or takes with mmap, "
                          "is not visible",
                    m->path, name);
    }
    return error;
}

/* ---- codecs ---- */

/* "zstd in libzstd.so.1 (151 functions), zlib in ..." of one module. */
static void add_found(char *list, size_t size, const struct profile_process *p, uint32_t module,
                      bool *any) {
    uint32_t counts[CODEC_COUNT] = {0};
    size_t length = strlen(list);
    for (uint32_t i = 1; i < p->codec_function_count; i++) {
        const struct profile_codec_function *f = &p->codec_functions[i];
        if (f->module == module && f->codec < CODEC_COUNT && f->found != REGION_FOUND_FRAMES)
            counts[f->codec]++;
    }
    for (uint32_t c = 0; c < CODEC_COUNT; c++) {
        const char *codec = codec_table_codec_name(c);
        if (!counts[c])
            continue;
        *any = true;
        int n = snprintf(list + length, size - length, "%s%s in %s (%u %s)", length ? ", " : "",
                         codec ? codec : "codecs", base_name(p->modules[module].path), counts[c],
                         counts[c] == 1 ? "function" : "functions");
        if (n < 0 || (size_t)n >= size - length) {
            list[length] = 0;
            return;
        }
        length += (size_t)n;
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
            error = say(a, "codecs",
                        "%s is loaded, but no function of it was found by name: calls of it are "
                        "not visible",
                        p->modules[i].path);
    }
    if (!error && is_any)
        error = say(a, "codecs", "found by name: %s", list);
    return error;
}

/* What the library could not name and the report could. */
static int say_found_late(struct analysis *a) {
    uint32_t sites = 0;
    const char *codec = NULL;
    for (uint32_t i = 0; i < a->site_count; i++) {
        const struct analyse_site *site = &a->sites[i];
        if (site->site->codec_function || !site->codec)
            continue;
        sites++;
        codec = site->codec;
    }
    return sites ? say(a, "codecs",
                       "%u %s in codec calls (%s) found by name in symbols that only the report "
                       "reads",
                       sites, sites == 1 ? "site" : "sites", codec)
                 : 0;
}

static const char *trouble_of(const struct analysis *a, struct analyse_names *names,
                              const bool *named, uint32_t module);

/* A codec that was linked into a stripped file leaves no name: none found is not none there. */
static int say_hidden(struct analysis *a, struct analyse_names *names, const bool *has_functions,
                      const bool *used, const bool *named) {
    static const char *const system[] = {"ld-linux", "libc.so",       "libm.so",  "libgcc_s",
                                         "libdl.so", "libpthread.so", "librt.so", "libstdc++"};
    const struct profile_process *p = a->process;
    char list[512] = "";
    size_t length = 0;
    for (uint32_t i = 1; i < p->module_count; i++) {
        const struct profile_module *m = &p->modules[i];
        const char *name = base_name(m->path);
        bool is_system = (m->flags & (REGION_MODULE_SQUALL | REGION_MODULE_VDSO)) != 0;
        for (unsigned k = 0; k < ARRAY_SIZE(system); k++)
            is_system |= strncmp(name, system[k], strlen(system[k])) == 0;
        if (has_functions[i] || is_system || analyse_codec_library(name) ||
            !(used[i] || m->flags & REGION_MODULE_EXECUTABLE) || !trouble_of(a, names, named, i))
            continue;
        int n = snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", name);
        if (n < 0 || (size_t)n >= sizeof(list) - length) {
            list[length] = 0;
            break;
        }
        length += (size_t)n;
    }
    return length ? say(a, "codecs",
                        "whether a codec is linked into %s is not visible: names of its functions "
                        "are missing",
                        list)
                  : 0;
}

static int say_codecs(struct analysis *a, struct analyse_names *names, const bool *used,
                      const bool *named) {
    const struct profile_process *p = a->process;
    bool *has_functions = calloc(p->module_count + 1u, sizeof(*has_functions));
    uint32_t before = a->statement_count;
    if (!has_functions)
        return -ENOMEM;
    int error = say_found(a, has_functions);
    if (!error)
        error = say_found_late(a);
    if (!error && before == a->statement_count)
        error = say(a, "codecs",
                    "no codec library is among the modules, and none of them names a codec "
                    "function");
    if (!error && names)
        error = say_hidden(a, names, has_functions, used, named);
    free(has_functions);
    return error;
}

static int say_mappings(struct analysis *a) {
    return say(a, "mappings",
               "memory that the program takes with mmap or brk itself, and blocks "
               "that it cuts from pools of its own, are not visible");
}

/* ---- names ---- */

struct trouble {
    const char *text;
    uint32_t modules;
    size_t length;
    char list[256];
};

static void add_trouble(struct trouble *troubles, uint32_t max, const char *text,
                        const char *name) {
    uint32_t i = 0;
    while (i < max && troubles[i].text && strcmp(troubles[i].text, text) != 0)
        i++;
    if (i == max)
        return;
    struct trouble *t = &troubles[i];
    t->text = text;
    t->modules++;
    size_t left = sizeof(t->list) - t->length;
    int n = snprintf(t->list + t->length, left, "%s%s", t->length ? ", " : "", name);
    if (n < 0 || (size_t)n >= left)
        t->list[t->length] = 0; /* those that do not fit are counted only */
    else
        t->length += (size_t)n;
}

/* The modules that stand in the stacks of the sites shown. */
static bool *used_modules(const struct analysis *a) {
    const struct profile_process *p = a->process;
    bool *used = calloc(p->module_count + 1u, sizeof(*used));
    for (uint32_t i = 0; used && i < a->site_count; i++) {
        uint32_t number = a->sites[i].site->stack;
        const struct profile_stack *stack = number < p->stack_count ? &p->stacks[number] : NULL;
        for (uint32_t f = 0; stack && f < stack->count; f++)
            used[profile_find_module(p, stack, stack->frames[f])] = true;
    }
    return used;
}

/* A dump keeps names but not why others are missing. */
static bool *named_modules(const struct profile_process *p) {
    bool *named = calloc(p->module_count + 1u, sizeof(*named));
    for (uint32_t i = 0; named && i < p->symbol_count; i++)
        if (p->symbols[i].module < p->module_count && *p->symbols[i].function)
            named[p->symbols[i].module] = true;
    return named;
}

static const char *trouble_of(const struct analysis *a, struct analyse_names *names,
                              const bool *named, uint32_t module) {
    if (!analyse_names_packed(a->process))
        return analyse_names_trouble(names, a->process, module);
    return named[module] || a->process->modules[module].flags & REGION_MODULE_VDSO
               ? NULL
               : "no function was named when the dump was made";
}

static int say_symbols(struct analysis *a, struct analyse_names *names, const bool *used,
                       const bool *named) {
    const struct profile_process *p = a->process;
    struct trouble troubles[8] = {0};
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && names; i++) {
        const char *text = used[i] ? trouble_of(a, names, named, i) : NULL;
        if (text)
            add_trouble(troubles, ARRAY_SIZE(troubles), text, base_name(p->modules[i].path));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(troubles) && troubles[i].text && !error; i++)
        error = say(a, "symbols", "%s: %s (%u %s)", troubles[i].text, troubles[i].list,
                    troubles[i].modules, troubles[i].modules == 1 ? "module" : "modules");
    return error;
}

int analyse_visible_state(struct analysis *a, struct analyse_names *names) {
    bool *used = used_modules(a), *named = named_modules(a->process);
    int error = used && named ? say_mode(a) : -ENOMEM;
    if (!error)
        error = say_place(a);
    if (!error)
        error = say_notes(a);
    if (!error)
        error = say_lost(a);
    if (!error)
        error = say_stacks(a);
    if (!error)
        error = say_allocators(a);
    if (!error)
        error = say_codecs(a, names, used, named);
    if (!error)
        error = say_mappings(a);
    if (!error)
        error = say_symbols(a, names, used, named);
    free(used);
    free(named);
    return error;
}
