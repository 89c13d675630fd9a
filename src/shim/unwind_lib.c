#include "unwind_lib.h"

#include <dlfcn.h>
#include <errno.h>

#include "elf.h"
#include "say.h"

static int (*backtrace_by_lib)(void **buffer, int size);

/* Frames of squall's own that stand above the program's. */
#define OWN 10

static void *find_in_any(const char *name) {
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        struct elf_dynamic d;
        elf_dynamic_of_map(m, &d);
        void *f = elf_lookup(&d, name);
        if (f)
            return f;
    }
    return NULL;
}

/* Its first call opens files and fills caches; not in a hook. */
static void warm_up(void) {
    void *frames[OWN];
    backtrace_by_lib(frames, OWN);
}

int unwind_lib_open(void) {
    void *(*open)(const char *, int) = (void *(*)(const char *, int))find_in_any("dlopen");
    struct link_map *lib = open ? open("libunwind.so.8", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (lib) {
        struct elf_dynamic d;
        elf_dynamic_of_map(lib, &d);
        backtrace_by_lib = (int (*)(void **, int))elf_lookup(&d, "unw_backtrace");
    }
    if (!backtrace_by_lib) {
        say("unwind:libunwind: libunwind.so.8 cannot be opened; the own walker is used", NULL);
        return -ENOENT;
    }
    warm_up();
    return 0;
}

void unwind_lib_walk(struct unwind_thread *t, const struct unwind_start *start,
                     struct unwind_result *result) {
    uint64_t *frames = (uint64_t *)t;
    void *found[REGION_FRAMES_MAX + OWN];
    int n = backtrace_by_lib(found, REGION_FRAMES_MAX + OWN), first = 0;
    while (first < n && (uint64_t)found[first] != start->pc)
        first++;
    result->count = 0;
    result->hash = 0;
    for (int i = first; i < n && result->count < REGION_FRAMES_MAX; i++) {
        frames[result->count++] = (uint64_t)found[i];
        result->hash = base_mix(result->hash ^ (uint64_t)found[i]);
    }
    /* It does not tell why it stopped. */
    result->end = !result->count                       ? REGION_END_NOT_WALKED
                  : n - first > (int)REGION_FRAMES_MAX ? REGION_END_BOUND
                                                       : REGION_END_UNKNOWN;
    result->frames = frames;
}
