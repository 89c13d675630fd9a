/* What could not be seen, in sentences. A tool that says "none" where it is blind sends people the
 * wrong way, so everything that bounds what the report can claim is named here. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int analyse_visible_say(struct analysis *a, const char *subject, const char *format, ...) {
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

const char *analyse_visible_base_name(const char *path) {
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
        error = analyse_visible_say(
            a, "sampling",
            "blocks under %s are sampled, about one in %s: their figures by site, and "
            "frees and live bytes of small blocks, are estimates; what threads allocated, "
            "and every block from %s up, is exact",
            large, sample, large);
    else if (c->mode != REGION_MODE_EXACT)
        error = analyse_visible_say(
            a, "sampling",
            "where blocks under %s come from is not visible: sampling is off (sample:0)", large);
    if (!error && !c->children)
        error = analyse_visible_say(a, "children", "child processes are not visible: children:off");
    if (!error && p->clock_guessed)
        error = analyse_visible_say(
            a, "clock",
            "the clock could not be calibrated: times are its ticks taken for nanoseconds");
    if (!error && p->state == PROFILE_DIED)
        error = analyse_visible_say(
            a, "end",
            "the process ended without its exit handlers%s: the last few updates "
            "may be missing",
            p->go.state == REGION_GO_HOOKED ? ", as Go programs do" : "");
    if (!error && p->state == PROFILE_UNKNOWN)
        error = analyse_names_packed(p)
                    ? analyse_visible_say(
                          a, "end",
                          "how the process ended is not known: when this dump was made it was "
                          "still running, or could not be looked at")
                    : analyse_visible_say(
                          a, "end",
                          "whether the process still runs is not known: /proc/%d is not "
                          "readable from here",
                          p->pid);
    if (!error && p->torn)
        error = analyse_visible_say(a, "torn",
                                    "%llu rows were read, or left by a kill, in the middle of an "
                                    "update: their sums may be off by one block",
                                    (unsigned long long)p->torn);
    return error;
}

static int say_place(struct analysis *a) {
    switch (a->process->place) {
    case REGION_PLACE_MEMFD:
        return analyse_visible_say(
            a, "file",
            "no folder was writable: the data lived in a memfd, gone when the "
            "process ends");
    case REGION_PLACE_ANONYMOUS:
        return analyse_visible_say(
            a, "file",
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
        {REGION_NOTE_SANDBOX, "sandbox",
         "the program installed a seccomp filter: from then on names of new threads, CPU time and page "
         "faults of codec calls, new modules, stacks of coroutines and behind opened libraries, and what "
         "needs more room in the region than was there are not visible"},
        {REGION_NOTE_DISPATCH, "sandbox",
         "the program has system calls handed to itself (PR_SET_SYSCALL_USER_DISPATCH): from then on "
         "what is not known without a call is not visible"},
    };
    int error = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(notes) && !error; i++)
        if (a->process->notes & notes[i].note)
            error = analyse_visible_say(a, notes[i].subject, "%s", notes[i].statement);
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
        [REGION_LOST_GO] = "allocations of Go's heap were not seen to begin, or to end",
        [REGION_LOST_MAPPINGS] = "anonymous mappings, or ends of them, were not recorded",
    };
    int error = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(a->process->lost) && !error; i++)
        if (a->process->lost[i])
            error = analyse_visible_say(
                a, "lost", "%llu %s", (unsigned long long)a->process->lost[i],
                i < REGION_LOST_COUNT && what[i] ? what[i]
                                                 : "events lost for a reason that this "
                                                   "version does not know");
    if (!error && a->process->untracked_frees)
        error =
            analyse_visible_say(a, "lost", "%llu frees were of blocks that squall never saw born",
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
            error = analyse_visible_say(
                a, "stacks", "the stacks of %llu %s (%s) are cut short: %s%s%s",
                (unsigned long long)cut->stacks, cut->stacks == 1 ? "site" : "sites",
                analyse_format_bytes(bytes, sizeof(bytes), cut->bytes), why_cut(end),
                cut->module ? ", most of them above " : "",
                cut->module ? analyse_visible_base_name(cut->module) : "");
    }
    return error;
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

/* The stacks of the sites shown. */
static bool *shown_stacks(const struct analysis *a) {
    bool *shown = calloc(a->process->stack_count + 1u, sizeof(*shown));
    for (uint32_t i = 0; shown && i < a->site_count; i++)
        if (a->sites[i].site->stack < a->process->stack_count)
            shown[a->sites[i].site->stack] = true;
    return shown;
}

/* The modules that stand in them. Stacks are gone through as they lie in memory, not as sites are
 * sorted: of 100,000 that is half the time. */
static bool *used_modules(const struct analysis *a, struct analyse_names *names) {
    const struct profile_process *p = a->process;
    bool *shown = shown_stacks(a);
    bool *used = shown ? calloc(p->module_count + 1u, sizeof(*used)) : NULL;
    for (uint32_t i = 0; used && i < p->stack_count; i++) {
        const struct profile_stack *stack = &p->stacks[i];
        for (uint32_t f = 0; shown[i] && f < stack->count; f++)
            used[analyse_names_module(names, p, stack, stack->frames[f])] = true;
    }
    free(shown);
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

const char *analyse_visible_trouble(const struct analyse_visible *v, uint32_t module) {
    const struct profile_process *p = v->a->process;
    if (!analyse_names_packed(p))
        return analyse_names_trouble(v->names, p, module);
    return v->named[module] || p->modules[module].flags & REGION_MODULE_VDSO
               ? NULL
               : "no function was named when the dump was made";
}

static int say_symbols(const struct analyse_visible *v) {
    const struct profile_process *p = v->a->process;
    struct trouble troubles[8] = {0};
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && v->names; i++) {
        const char *text = v->used[i] ? analyse_visible_trouble(v, i) : NULL;
        if (text)
            add_trouble(troubles, ARRAY_SIZE(troubles), text,
                        analyse_visible_base_name(p->modules[i].path));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(troubles) && troubles[i].text && !error; i++)
        error = analyse_visible_say(v->a, "symbols", "%s: %s (%u %s)", troubles[i].text,
                                    troubles[i].list, troubles[i].modules,
                                    troubles[i].modules == 1 ? "module" : "modules");
    return error;
}

int analyse_visible_state(struct analysis *a, struct analyse_names *names, bool searches) {
    struct analyse_visible v = {a, names, used_modules(a, names), named_modules(a->process),
                                searches};
    int error = v.used && v.named ? say_mode(a) : -ENOMEM;
    if (!error)
        error = say_place(a);
    if (!error)
        error = say_notes(a);
    if (!error)
        error = say_lost(a);
    if (!error)
        error = say_stacks(a);
    if (!error)
        error = analyse_visible_codecs(&v);
    if (!error)
        error = analyse_visible_go(a);
    if (!error)
        error = analyse_visible_memory(&v);
    if (!error)
        error = say_symbols(&v);
    free(v.used);
    free(v.named);
    return error;
}
