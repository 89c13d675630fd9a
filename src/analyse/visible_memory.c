/* What is allocated past malloc: allocators in modules, mappings that the program makes itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SHOWN 3u
#define NOTICED (1ull << 20)  /* a caller that mapped less is not named */
#define NOTABLE (16ull << 20) /* one with this much is, however much malloc gave */

static int say_allocators(struct analysis *a) {
    const struct profile_process *p = a->process;
    int error = 0;
    for (uint32_t i = 1; i < p->module_count && !error; i++) {
        const struct profile_module *m = &p->modules[i];
        const char *name = analyse_allocator_name(m->allocator);
        if (!name || m->allocator == REGION_ALLOCATOR_GLIBC ||
            (m->flags & (REGION_MODULE_NEXT | REGION_MODULE_SQUALL)))
            continue;
        error = analyse_visible_say(
            a, "allocator",
            m->allocator == REGION_ALLOCATOR_OTHER
                ? "%s defines malloc itself (%s): what it hands out to itself is not visible"
                : "%s has %s in it: what it allocates through that, or takes with mmap, is not "
                  "visible",
            m->path, name);
    }
    return error;
}

/* Programs that are known to have a heap of their own. */
static const struct runtime {
    const char *prefix, *heap;
    bool is_always; /* else only where mappings show it */
} runtimes[] = {
    {"libjvm.so", "the Java heap and the virtual machine's own memory", true},
    {"node", "V8's heap", true},
    {"libnode.so", "V8's heap", true},
    {"libv8", "V8's heap", true},
    {"python", "arenas for Python's small objects", false},
    {"libpython", "arenas for Python's small objects", false},
};

static const struct runtime *runtime_of(const char *module) {
    for (unsigned i = 0; module && i < ARRAY_SIZE(runtimes); i++)
        if (strncmp(module, runtimes[i].prefix, strlen(runtimes[i].prefix)) == 0)
            return &runtimes[i];
    return NULL;
}

/* Mappings by the function that made them, or by the runtime. */
struct mapper {
    const char *function, *module; /* NULL = not known */
    uint64_t maps, bytes, live;
};

static bool is_equal(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct mapper mapper_of(const struct analyse_visible *v, const struct profile_anon *anon) {
    const struct profile_process *p = v->a->process;
    const struct profile_stack *stack =
        anon->stack < p->stack_count ? &p->stacks[anon->stack] : NULL;
    struct mapper m = {NULL, NULL, anon->maps, anon->bytes, 0};
    if (anon->unmapped_bytes < anon->bytes)
        m.live = anon->bytes - anon->unmapped_bytes;
    if (!stack || !stack->count)
        return m;
    uint32_t module = profile_find_module(p, stack, stack->frames[0]);
    if (module && module < p->module_count)
        m.module = analyse_visible_base_name(p->modules[module].path);
    if (v->names) {
        struct analyse_stack named = analyse_name_stack(v->names, p, anon->stack, false);
        m.function = named.count ? named.frames[0].function : NULL;
    }
    return m;
}

static bool is_same(const struct mapper *a, const struct mapper *b) {
    return is_equal(a->module, b->module) &&
           (is_equal(a->function, b->function) || runtime_of(a->module));
}

static int compare(const void *a, const void *b) {
    const struct mapper *x = a, *y = b;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static uint32_t gather(const struct analyse_visible *v, struct mapper *mappers) {
    const struct profile_process *p = v->a->process;
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->anon_count; i++) {
        if (!p->anons[i].bytes)
            continue;
        struct mapper m = mapper_of(v, &p->anons[i]);
        uint32_t at = 0;
        while (at < count && !is_same(&mappers[at], &m))
            at++;
        if (at == count) {
            mappers[count++] = m;
            continue;
        }
        mappers[at].maps += m.maps;
        mappers[at].bytes += m.bytes;
        mappers[at].live += m.live;
    }
    qsort(mappers, count, sizeof(*mappers), compare);
    return count;
}

static int say_mapper(struct analysis *a, const struct mapper *m) {
    char bytes[32], live[32], count[32], who[512] = "";
    const struct runtime *runtime = runtime_of(m->module);
    const char *function = m->function ? m->function : "a function without a name";
    analyse_format_bytes(bytes, sizeof(bytes), m->bytes);
    analyse_format_bytes(live, sizeof(live), m->live);
    analyse_format_count(count, sizeof(count), m->maps);
    if (m->module)
        snprintf(who, sizeof(who), "%s (%s%s%s)", function, m->module,
                 runtime ? ": as a rule " : "", runtime ? runtime->heap : "");
    else
        snprintf(who, sizeof(who), "%s",
                 m->function ? m->function
                             : "code outside every module, or whose stack is not known");
    return analyse_visible_say(a, "mappings",
                               "%s in %s anonymous %s (%s of it still mapped) were made by %s, not "
                               "by malloc: what is in them is not visible",
                               bytes, count, m->maps == 1 ? "mapping" : "mappings", live, who);
}

static bool is_noticeable(const struct profile_process *p, uint64_t bytes) {
    return bytes >= NOTICED && (bytes >= NOTABLE || bytes >= p->large_bytes / 20);
}

static bool has_mapper(const struct mapper *mappers, uint32_t count, const char *module) {
    for (uint32_t i = 0; i < count; i++)
        if (is_equal(mappers[i].module, module))
            return true;
    return false;
}

/* V8 reserves its heap and makes it writable bit by bit: no mapping of it is counted. */
static int say_runtimes(struct analysis *a, const struct mapper *mappers, uint32_t count) {
    int error = 0;
    for (uint32_t i = 1; i < a->process->module_count && !error; i++) {
        const char *path = a->process->modules[i].path;
        const char *module = analyse_visible_base_name(path);
        const struct runtime *runtime = runtime_of(module);
        if (runtime && runtime->is_always && !has_mapper(mappers, count, module))
            error = analyse_visible_say(
                a, "mappings", "%s has a heap of its own, %s: what is in it is not visible", path,
                runtime->heap);
    }
    return error;
}

static int say_mappers(const struct analyse_visible *v) {
    struct analysis *a = v->a;
    struct mapper *mappers = calloc(a->process->anon_count + 1u, sizeof(*mappers));
    struct mapper rest = {0};
    bool is_any_named = false;
    char bytes[32], count[32];
    int error = mappers ? 0 : -ENOMEM;
    uint32_t mapper_count = mappers ? gather(v, mappers) : 0;
    for (uint32_t i = 0; i < mapper_count && !error; i++) {
        if (i < SHOWN && is_noticeable(a->process, mappers[i].bytes)) {
            error = say_mapper(a, &mappers[i]);
            is_any_named = true;
        } else {
            rest.bytes += mappers[i].bytes;
            rest.maps += mappers[i].maps;
        }
    }
    if (!error && rest.maps)
        error = analyse_visible_say(
            a, "mappings", "%s in %s %sanonymous %s: what is in %s is not visible",
            analyse_format_bytes(bytes, sizeof(bytes), rest.bytes),
            analyse_format_count(count, sizeof(count), rest.maps), is_any_named ? "other " : "",
            rest.maps == 1 ? "mapping was not made by malloc" : "mappings were not made by malloc",
            rest.maps == 1 ? "it" : "them");
    if (!error)
        error = say_runtimes(a, mappers, mapper_count);
    free(mappers);
    return error;
}

static int say_unseen(struct analysis *a) {
    char large[32];
    if (!a->process->configuration.args)
        return analyse_visible_say(a, "mappings",
                                   "anonymous mappings are not visible (args:off), nor is what a "
                                   "program cuts from pools of its own");
    return analyse_visible_say(
        a, "mappings",
        "what a program cuts from pools of its own is not visible; nor is memory that it takes "
        "with brk, with system calls of its own, in mappings under %s, or by making a reservation "
        "writable",
        analyse_format_bytes(large, sizeof(large), a->process->configuration.large));
}

int analyse_visible_memory(const struct analyse_visible *v) {
    int error = say_allocators(v->a);
    if (!error)
        error = say_mappers(v);
    if (!error)
        error = say_unseen(v->a);
    return error;
}
