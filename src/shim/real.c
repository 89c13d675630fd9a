/* Finds the next allocator in the loader's list of objects; bootstrap arena. */
#include "real.h"

#include "base/syscall.h"
#include "elf.h"
#include "live.h"
#include "module.h"

/* ---- the arena: in use only before the loader's list can be read ---- */

#define ARENA 65536u
static char arena[ARENA] __attribute__((aligned(64)));
static size_t arena_used;

bool real_is_boot(const void *p) {
    return (uint64_t)p - (uint64_t)arena < ARENA;
}

size_t real_boot_size(const void *p) {
    return ((const size_t *)p)[-1];
}

void *real_boot_alloc(size_t n, size_t align) {
    if (n > ARENA || align > 4096)
        return NULL;
    if (align < 16)
        align = 16;
    size_t need = n + align + 16;
    size_t at = RELAXED_ADD(&arena_used, need);
    if (at + need > ARENA)
        return NULL;
    uint64_t p = ((uint64_t)arena + at + 16 + align - 1) & ~(align - 1);
    ((size_t *)p)[-1] = n;
    live_always(p);
    return (void *)p;
}

/* ---- what the hot pointers begin as ---- */

static void *first_malloc(size_t n) {
    return real_resolve() ? real.malloc(n) : real_boot_alloc(n, 16);
}

static void *first_calloc(size_t n, size_t size) {
    size_t bytes;
    if (real_resolve())
        return real.calloc(n, size);
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : real_boot_alloc(bytes, 16);
}

static void *first_realloc(void *p, size_t n) {
    /* A block of the arena is handled by the hook; another one there cannot be yet. */
    return real_resolve() ? real.realloc(p, n) : p ? NULL : real_boot_alloc(n, 16);
}

static void first_free(void *p) {
    if (real_resolve())
        real.free(p);
}

struct real real = {
    .malloc = first_malloc,
    .calloc = first_calloc,
    .realloc = first_realloc,
    .free = first_free,
};

/* ---- finding the next definition ---- */

#define NAME(name) #name,
static const char *const names[HOOK_COUNT] = {HOOKS_C(NAME) HOOKS_NEW(NAME) HOOKS_NEW_ALIGNED(NAME)
                                                  HOOKS_DELETE(NAME)};

/* Objects that were there at the start are in the global scope, in the order of the list. */
static const struct link_map *last_global;

static bool is_ours(const struct link_map *map) {
    extern char __ehdr_start[] __attribute__((visibility("hidden")));
    return map->l_addr == (uint64_t)__ehdr_start;
}

/* Of a version that is not the default one, too, where there is no other: programs ask for the
 * oldest, and that is all that glibc's allocator for debugging (MALLOC_CHECK_) has. */
static void *lookup(const struct link_map *map, const char *name) {
    struct elf_dynamic d;
    elf_dynamic_of_map(map, &d);
    void *f = elf_lookup(&d, name);
    d.versions = NULL;
    return f ? f : elf_lookup(&d, name);
}

/* The first definition in the global scope behind us. */
static void *find_global(const char *name, const struct link_map **where) {
    bool behind = false;
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        void *f = behind ? lookup(m, name) : NULL;
        if (f) {
            *where = m;
            return f;
        }
        behind |= is_ours(m);
        if (m == last_global)
            break;
    }
    return NULL;
}

/* A definition before us means that the program's calls never reach our hooks. */
static bool is_preceded(void) {
    for (const struct link_map *m = elf_first_map(); m && !is_ours(m); m = m->l_next)
        if (lookup(m, "malloc"))
            return true;
    return false;
}

bool real_resolve(void) {
    if (__atomic_load_n(&real.ready, __ATOMIC_ACQUIRE))
        return true;
    if (!elf_first_map())
        return false;
    const struct link_map *where = NULL, *at = NULL;
    if (!find_global("malloc", &where))
        return false;
    for (unsigned i = 0; i < HOOK_FIRST_OPERATOR; i++)
        real.next[i] = find_global(names[i], &at);
    if (!last_global) {
        const struct link_map *m = where;
        while (m->l_next)
            m = m->l_next;
        last_global = m;
    }
    real.is_glibc = lookup(where, "__libc_start_main") != NULL;
    real.is_foreign = is_preceded();
    real.calloc = (void *(*)(size_t, size_t))real.next[HOOK_calloc];
    real.realloc = (void *(*)(void *, size_t))real.next[HOOK_realloc];
    real.free = (void (*)(void *))real.next[HOOK_free];
    real.malloc = (void *(*)(size_t))real.next[HOOK_malloc];
    __atomic_store_n(&real.ready, true, __ATOMIC_RELEASE);
    return true;
}

/* ---- C++ operators: the C++ library may be in a local scope ---- */

static bool has_name(const struct link_map *m, const char *soname) {
    struct elf_dynamic d;
    elf_dynamic_of_map(m, &d);
    return d.soname && base_equal(d.soname, base_length(d.soname), soname);
}

static const struct link_map *find_named(const char *soname) {
    const struct link_map *m = elf_first_map();
    while (m && !has_name(m, soname))
        m = m->l_next;
    return m;
}

/* What the caller's own object needs, in the order in which it names it. */
static void *find_in_needs(const struct link_map *from, const char *name,
                           const struct link_map **where) {
    struct elf_dynamic d;
    elf_dynamic_of_map(from, &d);
    for (const ElfW(Dyn) *dyn = from->l_ld; dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag != DT_NEEDED || !d.strings)
            continue;
        const struct link_map *m = find_named(d.strings + dyn->d_un.d_val);
        void *f = m && !is_ours(m) ? lookup(m, name) : NULL;
        if (f) {
            *where = m;
            return f;
        }
    }
    return NULL;
}

/* In the caller's own scope: its object, what that needs, else any C++ library. */
static void *find_local(const char *name, const struct link_map *from,
                        const struct link_map **where) {
    static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"};
    void *f = NULL;
    if (from && !is_ours(from)) {
        *where = from;
        f = lookup(from, name);
        if (!f)
            f = find_in_needs(from, name, where);
    }
    for (unsigned i = 0; !f && i < ARRAY_SIZE(libraries); i++) {
        *where = find_named(libraries[i]);
        f = *where ? lookup(*where, name) : NULL;
    }
    for (const struct link_map *m = elf_first_map(); !f && m; m = m->l_next) {
        *where = m;
        f = is_ours(m) ? NULL : lookup(m, name);
    }
    return f;
}

/* What was found for calls from a module. `key` is written last and cleared first, so a reader
 * that sees it twice has seen what belongs to it. */
static struct found {
    uint64_t key; /* address of the link map ^ hook, 0 = none */
    void *function;
    bool is_direct;
} found_local[256];

static struct real_operator find_cached(enum hook hook, const struct link_map *from) {
    uint64_t key = (uint64_t)from ^ (uint64_t)hook << 56;
    struct found *f = &found_local[base_mix(key) % ARRAY_SIZE(found_local)];
    const struct link_map *where = NULL;
    if (__atomic_load_n(&f->key, __ATOMIC_ACQUIRE) == key) {
        struct real_operator o = {RELAXED_LOAD(&f->function), RELAXED_LOAD(&f->is_direct)};
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (RELAXED_LOAD(&f->key) == key)
            return o;
    }
    struct real_operator o = {.function = find_local(names[hook], from, &where)};
    o.is_direct = o.function && lookup(where, "malloc");
    __atomic_store_n(&f->key, 0, __ATOMIC_SEQ_CST);
    RELAXED_STORE(&f->function, o.function);
    RELAXED_STORE(&f->is_direct, o.is_direct);
    if (from && o.function)
        __atomic_store_n(&f->key, key, __ATOMIC_RELEASE);
    return o;
}

void real_forget_operators(void) {
    for (unsigned i = 0; i < ARRAY_SIZE(found_local); i++)
        __atomic_store_n(&found_local[i].key, 0, __ATOMIC_RELEASE);
}

enum { NOT_LOOKED, IS_GLOBAL, IS_GLOBAL_DIRECT, NOT_GLOBAL };

struct real_operator real_operator(enum hook hook, const void *caller) {
    static uint8_t looked[HOOK_COUNT];
    uint8_t state = __atomic_load_n(&looked[hook], __ATOMIC_ACQUIRE);
    if (UNLIKELY(state == NOT_LOOKED)) {
        const struct link_map *where = NULL;
        real_resolve();
        real.next[hook] = find_global(names[hook], &where);
        state = !real.next[hook]          ? NOT_GLOBAL
                : lookup(where, "malloc") ? IS_GLOBAL_DIRECT
                                          : IS_GLOBAL;
        if (last_global)
            __atomic_store_n(&looked[hook], state, __ATOMIC_RELEASE);
        if (last_global && state == IS_GLOBAL)
            RELAXED_STORE(&real.forward[hook], real.next[hook]);
    }
    if (LIKELY(state != NOT_GLOBAL))
        return (struct real_operator){real.next[hook], state == IS_GLOBAL_DIRECT};
    const struct module *m = module_find((uint64_t)caller);
    return find_cached(hook, m ? (const struct link_map *)m->link_map : NULL);
}
