/* Finds the next allocator in the loader's list of objects; bootstrap arena. */
#include "real.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include "base/syscall.h"
#include "elf.h"
#include "live.h"

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

extern char __ehdr_start[] __attribute__((visibility("hidden")));

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/* Not by the address: that is where we were moved to, and a prelinked library is not moved. */
static bool is_ours(const struct link_map *map) {
    return map->l_ld == _DYNAMIC;
}

/* Of a version that is not the default one, too, where there is no other: programs ask for the
 * oldest, and that is all that glibc's allocator for debugging (MALLOC_CHECK_) has. */
static void *lookup(const struct elf_dynamic *object, const char *name) {
    struct elf_dynamic d = *object;
    void *f = elf_lookup(&d, name);
    d.versions = NULL;
    return f ? f : elf_lookup(&d, name);
}

/* Whether there is one. An indirect function is not asked where it leads: its object may not be
 * relocated. */
static bool has(const struct elf_dynamic *object, const char *name) {
    struct elf_dynamic d = *object;
    bool found = elf_symbol(&d, name) != NULL;
    d.versions = NULL;
    return found || elf_symbol(&d, name);
}

static bool map_has(const struct link_map *map, const char *name) {
    struct elf_dynamic d;
    elf_dynamic_of_map(map, &d);
    return has(&d, name);
}

static bool is_preceded(const char *name) {
    for (const struct link_map *m = elf_first_map(); m && !is_ours(m); m = m->l_next)
        if (map_has(m, name))
            return true;
    return false;
}

/* The next malloc's object. What the list has now, before anything of the program's runs, is the
 * global scope in its order, and is never unloaded. */
static const struct link_map *find_malloc(const struct link_map **first) {
    const struct link_map *m = elf_first_map();
    while (m && !is_ours(m))
        m = m->l_next;
    *first = m = m ? m->l_next : NULL;
    while (m && !map_has(m, "malloc"))
        m = m->l_next;
    return m;
}

/* Bits by enum hook, of those that are found: they never pass through the exported malloc and
 * free, for their object defines malloc too. */
static uint64_t direct;
_Static_assert(HOOK_COUNT <= 64, "a bit each");

/* The first definition of each name in the global scope behind us. */
static void find_all(const struct link_map *first) {
    uint64_t found = 0;
    for (const struct link_map *m = first; m; m = m->l_next) {
        struct elf_dynamic d;
        elf_dynamic_of_map(m, &d);
        for (unsigned i = 0; i < HOOK_COUNT; i++) {
            void *f = found >> i & 1 ? NULL : lookup(&d, names[i]);
            if (!f)
                continue;
            found |= 1ull << i;
            real.next[i] = f;
            if (i >= HOOK_FIRST_OPERATOR && has(&d, "malloc"))
                __atomic_fetch_or(&direct, 1ull << i, __ATOMIC_RELAXED);
            else if (i >= HOOK_FIRST_OPERATOR)
                RELAXED_STORE(&real.forward[i], f);
        }
    }
}

/* ---- operators that only we define ----
 *
 * The loader searches the global scope, where we are, before the scope in which a plugin finds its
 * own operators or those of its C++ library. Which of them a caller is bound to only the loader
 * knows: it is a matter of who was opened how and when. So those that nothing behind us defines are
 * taken out of our symbol table before anything is opened, and it binds them as without us. */

/* The loader passes over such a symbol. A single byte: who looks meanwhile sees it, or does not. */
#define WITHDRAWN ELF64_ST_INFO(STB_LOCAL, STT_FILE)

/* How the segment that holds an address of ours is protected; 0 = none does. */
static int protection(uint64_t base, uint64_t address) {
    const ElfW(Ehdr) *header = (const void *)__ehdr_start;
    const ElfW(Phdr) *part = (const void *)(__ehdr_start + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++, part++)
        if (part->p_type == PT_LOAD && address - base - part->p_vaddr < part->p_memsz)
            return (part->p_flags & PF_R ? PROT_READ : 0) |
                   (part->p_flags & PF_W ? PROT_WRITE : 0) | (part->p_flags & PF_X ? PROT_EXEC : 0);
    return 0;
}

/* Symbols of ours, by enum hook; NULL = it stays, or is not there. */
struct unfollowed {
    struct elf_dynamic us;
    ElfW(Sym) * symbol[HOOK_COUNT];
};

static bool find_unfollowed(struct unfollowed *u) {
    bool any = false;
    if (elf_dynamic_of_image((uint64_t)__ehdr_start, &u->us))
        return false;
    for (unsigned i = HOOK_FIRST_OPERATOR; i < HOOK_COUNT; i++) {
        bool stays = real.next[i] && !real.is_foreign;
        u->symbol[i] = stays ? NULL : (ElfW(Sym) *)elf_symbol(&u->us, names[i]);
        any |= u->symbol[i] != NULL;
    }
    return any;
}

/* Through the kernel: it may be no memory that can be written. */
static bool bind(uint64_t slot, uint64_t function) {
    struct iovec from = {&function, sizeof function}, to = {(void *)slot, sizeof function};
    uint64_t now = *(const uint64_t *)slot;
    return !now || now == function ||
           base_syscall(SYS_process_vm_writev, base_syscall(SYS_getpid), &from, 1, &to, 1, 0) ==
               sizeof function;
}

static bool bind_call(const struct unfollowed *u, uint64_t slot, const char *name) {
    for (unsigned i = HOOK_FIRST_OPERATOR; i < HOOK_COUNT; i++)
        if (u->symbol[i] && base_equal(names[i], base_length(names[i]), name))
            return is_preceded(name) || bind(slot, u->us.base + u->symbol[i]->st_value);
    return true;
}

/* A weak reference in what was loaded with the program has the address of ours where it asks if
 * there is one. Where it calls it may not be bound yet, and would be to nothing later: it is now.
 */
static bool bind_weak(const struct unfollowed *u) {
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        struct elf_dynamic d;
        elf_dynamic_of_map(m, &d);
        for (size_t i = 0; i < d.call_count; i++) {
            const ElfW(Sym) *s = &d.symbols[ELF64_R_SYM(d.calls[i].r_info)];
            if (s->st_shndx == SHN_UNDEF && ELF64_ST_BIND(s->st_info) == STB_WEAK &&
                !bind_call(u, m->l_addr + d.calls[i].r_offset, d.strings + s->st_name))
                return false;
        }
    }
    return true;
}

static void withdraw(const struct unfollowed *u) {
    uint64_t low = (uint64_t)u->us.symbols & ~0xfffull, high = low;
    for (unsigned i = 0; i < HOOK_COUNT; i++)
        if ((uint64_t)u->symbol[i] > high)
            high = (uint64_t)u->symbol[i];
    int before = protection(u->us.base, (uint64_t)u->us.symbols);
    /* It cannot be both, and where it is code that code would be missed. */
    if (!before || before & PROT_EXEC ||
        base_syscall(SYS_mprotect, low, high + 8 - low, PROT_READ | PROT_WRITE))
        return;
    for (unsigned i = 0; i < HOOK_COUNT; i++)
        if (u->symbol[i])
            __atomic_store_n(&u->symbol[i]->st_info, WITHDRAWN, __ATOMIC_RELAXED);
    base_syscall(SYS_mprotect, low, high + 8 - low, before);
}

/* By one thread, once. Where it cannot be, operators come to us, all of them, and are malloc and
 * free. Of a program whose malloc is not ours nothing is recorded: it needs no operators of us. */
static void withdraw_unfollowed(void) {
    static uint32_t begun;
    struct unfollowed u = {0};
    if (!__atomic_exchange_n(&begun, 1, __ATOMIC_RELAXED) && find_unfollowed(&u) && bind_weak(&u))
        withdraw(&u);
}

bool real_resolve(void) {
    if (__atomic_load_n(&real.ready, __ATOMIC_ACQUIRE))
        return true;
    const struct link_map *first, *where = find_malloc(&first);
    if (!where)
        return false;
    find_all(first);
    real.is_glibc = map_has(where, "__libc_start_main");
    /* Then the program's calls never reach our hooks. */
    real.is_foreign = is_preceded("malloc");
    withdraw_unfollowed();
    real.calloc = (void *(*)(size_t, size_t))real.next[HOOK_calloc];
    real.realloc = (void *(*)(void *, size_t))real.next[HOOK_realloc];
    real.free = (void (*)(void *))real.next[HOOK_free];
    real.malloc = (void *(*)(size_t))real.next[HOOK_malloc];
    __atomic_store_n(&real.ready, true, __ATOMIC_RELEASE);
    return true;
}

struct real_operator real_operator(enum hook hook) {
    if (!real_resolve())
        return (struct real_operator){NULL, false};
    return (struct real_operator){real.next[hook], direct >> hook & 1};
}
