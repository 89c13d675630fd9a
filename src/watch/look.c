/* A look at everything: profile, names, findings. Dear, so it is taken when it has become cheap
 * beside the time since the last one; symbols are kept from one to the next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define SHARE 250u /* of the processor: 1 / SHARE at most, beyond the first look */
#define FIRST_FACTOR 10u
#define EVERY_NS 1000000000ull
#define NAME_FRAMES 3u

int watch_fail(struct profile_error *error, int code, const char *file, const char *reason) {
    snprintf(error->text, sizeof error->text, "%.400s: %s", file, reason);
    return code;
}

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void free_look(struct look *look) {
    if (!look)
        return;
    for (uint32_t i = 0; look->site_names && i < look->rows; i++)
        free(look->site_names[i]);
    free(look->site_names);
    free(look->by_row);
    analyse_free(&look->analysis);
    analyse_names_close(look->names);
    profile_free(&look->profile);
    free(look);
}

void watch_look_free(struct watch *w) {
    free_look(w->look);
    w->look = NULL;
    w->look_cost_ns = w->looked_ns = 0;
}

static int index_sites(struct look *look) {
    look->rows = look->profile.processes[0].site_count;
    look->by_row = calloc(look->rows + 1u, sizeof *look->by_row);
    look->site_names = calloc(look->rows + 1u, sizeof *look->site_names);
    if (!look->by_row || !look->site_names)
        return -ENOMEM;
    for (uint32_t i = 0; i < look->analysis.site_count; i++)
        look->by_row[look->analysis.sites[i].site->id] = &look->analysis.sites[i];
    return 0;
}

static int make_look(struct watch *w, struct look **made, struct profile_error *error) {
    static const struct analyse_options options = {.brief = true};
    struct look *look = calloc(1, sizeof *look);
    int status = look ? profile_reader_load(w->reader, w->state, &look->profile, error)
                      : watch_fail(error, -ENOMEM, w->found.path, "no memory");
    if (status)
        goto cleanup;
    look->names = analyse_names_open(w->symbols);
    status = look->names ? analyse_process(&look->analysis, &look->profile.processes[0], &options,
                                           look->names)
                         : -ENOMEM;
    if (status == 0)
        status = index_sites(look);
    if (status)
        watch_fail(error, status, w->found.path, "no memory");
cleanup:
    if (status) {
        free_look(look);
        look = NULL;
    }
    *made = look;
    return status;
}

int watch_look(struct watch *w, bool must, struct profile_error *error) {
    uint64_t at = now(CLOCK_MONOTONIC_RAW), began = now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t pause = w->look_cost_ns * SHARE;
    struct look *look;
    if (w->look && !must && at - w->looked_ns < (pause > EVERY_NS ? pause : EVERY_NS))
        return 0;
    if (!w->symbols) {
        struct symbol_options options = {.root = w->found.root[0] ? w->found.root : NULL};
        w->symbols = symbol_open(&options);
    }
    if (!w->symbols)
        return watch_fail(error, -ENOMEM, w->found.path, "no memory");
    bool first = !w->look;
    int status = make_look(w, &look, error);
    if (status)
        return status;
    free_look(w->look);
    w->look = look;
    w->generation++;
    w->looked_ns = at;
    /* The first one reads the files of all modules: the next will cost less. */
    w->look_cost_ns = (now(CLOCK_THREAD_CPUTIME_ID) - began) / (first ? FIRST_FACTOR : 1);
    return 0;
}

const struct analysis *watch_analysis(const struct watch *w) {
    return w->look ? &w->look->analysis : NULL;
}

struct analyse_names *watch_names(const struct watch *w) {
    return w->look ? w->look->names : NULL;
}

uint64_t watch_generation(const struct watch *w) {
    return w->generation;
}

const struct analyse_site *watch_site(const struct watch *w, uint32_t id) {
    return w->look && id < w->look->rows ? w->look->by_row[id] : NULL;
}

/* ---- short names ---- */

static bool is_one_of(const char *name, const char *const *list) {
    while (*list)
        if (strcmp(name, *list++) == 0)
            return true;
    return false;
}

/* Ways into an allocator, and where every stack begins: they tell nothing. */
static bool is_dull(const struct analyse_frame *f, bool first) {
    static const char *const entries[] = {
        "malloc",         "calloc",        "realloc", "reallocarray",  "memalign",
        "posix_memalign", "aligned_alloc", "pvalloc", "__libc_malloc", "strdup",
        "__strdup",       "valloc",        NULL,
    };
    static const char *const roots[] = {
        "start_thread",
        "clone3",
        "clone",
        "__clone3",
        "__clone",
        "_start",
        "__libc_start_call_main",
        "__libc_start_main",
        "__libc_start_main_impl",
        NULL,
    };
    if (f->module_flags & REGION_MODULE_SQUALL)
        return true;
    if (!f->function)
        return false;
    return is_one_of(f->function, entries) || strncmp(f->function, "operator new", 12) == 0 ||
           strncmp(f->function, "std::", 5) == 0 || strncmp(f->function, "__gnu_cxx::", 11) == 0 ||
           is_one_of(f->function, roots) || (!first && strcmp(f->function, "main") == 0);
}

static void append_frame(char *out, size_t size, const struct analyse_frame *f, bool first) {
    size_t at = strlen(out);
    const char *slash = f->module ? strrchr(f->module, '/') : NULL;
    const char *module = slash ? slash + 1 : f->module;
    if (f->function)
        snprintf(out + at, size - at, "%s%.120s", first ? "" : " ← ", f->function);
    else
        snprintf(out + at, size - at, "%s%.60s+0x%llx", first ? "" : " ← ", module ? module : "JIT",
                 (unsigned long long)f->offset);
}

static char *make_name(struct watch *w, const struct analyse_site *site) {
    char text[512] = "";
    struct analyse_stack stack = analyse_name_stack(w->look->names, &w->look->profile.processes[0],
                                                    site->site->stack, false);
    unsigned shown = 0;
    for (uint32_t i = 0; i < stack.count && shown < NAME_FRAMES; i++)
        if (stack.frames[i].function && !is_dull(&stack.frames[i], shown == 0))
            append_frame(text, sizeof text, &stack.frames[i], shown++ == 0);
    /* Only where none has a name do their places stand for them. */
    for (uint32_t i = 0; i < stack.count && shown == 0; i++)
        if (!is_dull(&stack.frames[i], true))
            append_frame(text, sizeof text, &stack.frames[i], shown++ == 0);
    return strdup(text);
}

const char *watch_site_name(struct watch *w, uint32_t id) {
    const struct analyse_site *site = watch_site(w, id);
    if (!site)
        return "";
    char **name = &w->look->site_names[id];
    if (!*name)
        *name = make_name(w, site);
    return *name ? *name : "";
}
