/* Counts anonymous mappings, and finds again what is unmapped. */
#include "mapping.h"

#include <linux/mman.h>

#include "account.h"
#include "base/syscall.h"
#include "detour.h"
#include "elf.h"
#include "index.h"
#include "module.h"
#include "sandbox.h"
#include "site.h"
#include "unwind_lib.h"

#define ROW(i) REGION_ROW(&shim.region, REGION_ANON, struct region_anon, i)

static uint64_t in_pages(uint64_t n) {
    return (n + 4095) & ~4095ull;
}

static void lose(void) {
    region_lose(&shim.region, REGION_LOST_MAPPINGS, 1);
}

/* ---- the mappings that were counted ----
 *
 * Packed at the front, so a search costs little where there are few; a program with thousands pays
 * a few microseconds where the kernel takes as long. */

#define SLOTS 8192u
#define FREE 0u
#define TAKEN 1u

struct piece {
    uint64_t start; /* or FREE, or TAKEN: somebody is changing it */
    uint64_t end;
    uint32_t row;
    uint32_t is_first; /* the first part of its mapping: when it is gone, the mapping is */
};
static struct piece pieces[SLOTS];
static uint32_t piece_bound; /* no slot from here on was ever used */
static uint32_t piece_free;  /* where to begin to look for a free one */

static bool claim(struct piece *p, uint64_t expected) {
    return RELAXED_LOAD(&p->start) == expected &&
           __atomic_compare_exchange_n(&p->start, &expected, TAKEN, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void release(struct piece *p, uint64_t start) {
    __atomic_store_n(&p->start, start, __ATOMIC_RELEASE);
}

static void put(const struct piece *new) {
    uint32_t i = RELAXED_LOAD(&piece_free);
    while (i < SLOTS && !claim(&pieces[i], FREE))
        i++;
    if (i == SLOTS) { /* its end will not be seen */
        lose();
        return;
    }
    RELAXED_STORE(&piece_free, i + 1);
    uint32_t bound = RELAXED_LOAD(&piece_bound);
    while (bound <= i && !__atomic_compare_exchange_n(&piece_bound, &bound, i + 1, true,
                                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    RELAXED_STORE(&pieces[i].end, new->end);
    pieces[i].row = new->row;
    pieces[i].is_first = new->is_first;
    release(&pieces[i], new->start);
}

static void give_back(struct piece *p) {
    uint32_t i = (uint32_t)(p - pieces);
    release(p, FREE);
    if (RELAXED_LOAD(&piece_free) > i)
        RELAXED_STORE(&piece_free, i);
}

/* Takes [low, high) out of one slot; false: nothing of it is there. */
static bool cut(struct piece *p, uint64_t low, uint64_t high, struct piece *out) {
    uint64_t start = RELAXED_LOAD(&p->start);
    if (start <= TAKEN || start >= high || RELAXED_LOAD(&p->end) <= low || !claim(p, start))
        return false;
    struct piece old = {start, p->end, p->row, p->is_first};
    if (old.end <= low) { /* it was another one a moment ago */
        release(p, start);
        return false;
    }
    *out = old;
    if (low > start)
        out->start = low;
    if (high < old.end)
        out->end = high;
    out->is_first = old.is_first && out->start == start && out->end == old.end;
    if (out->start > start) {
        RELAXED_STORE(&p->end, out->start);
        release(p, start);
    } else if (out->end < old.end) {
        release(p, out->end);
    } else {
        give_back(p);
    }
    if (out->start > start && out->end < old.end)
        put(&(struct piece){out->end, old.end, old.row, false});
    return true;
}

/* ---- sums ---- */

static void count_end(const struct piece *p) {
    /* A signal handler may have forked since it was taken: then it is another region's. */
    if (p->row >= RELAXED_LOAD(&shim.region.directory[REGION_ANON].used))
        return;
    RELAXED_ADD(&ROW(p->row)->unmapped_bytes, p->end - p->start);
    RELAXED_ADD(&ROW(p->row)->unmaps, p->is_first);
}

/* What an unmapping takes away, until it is known whether it succeeds. */
#define UNDO 8u
struct taken {
    uint32_t count;
    struct piece pieces[UNDO];
};

/* More pieces than can be put back are counted at once: only a call that meets nothing wrong
 * covers so many. */
static void take(uint64_t low, uint64_t high, struct taken *taken) {
    uint32_t bound = __atomic_load_n(&piece_bound, __ATOMIC_ACQUIRE);
    uint64_t left = high - low;
    struct piece piece;
    taken->count = 0;
    for (uint32_t i = 0; i < bound && left; i++) {
        if (!cut(&pieces[i], low, high, &piece))
            continue;
        left -= piece.end - piece.start;
        if (taken->count < UNDO)
            taken->pieces[taken->count++] = piece;
        else
            count_end(&piece);
    }
}

static void settle(const struct taken *taken, bool succeeded) {
    for (uint32_t i = 0; i < taken->count; i++) {
        if (succeeded)
            count_end(&taken->pieces[i]);
        else
            put(&taken->pieces[i]);
    }
}

/* What lay where something else is now. */
static void forget(uint64_t low, uint64_t high) {
    struct taken taken;
    take(low, high, &taken);
    settle(&taken, true);
}

/* ---- rows, by calling stack ---- */

static struct index rows;

int mapping_init(void) {
    base_zero(pieces, RELAXED_LOAD(&piece_bound) * sizeof pieces[0]);
    piece_bound = piece_free = 0;
    return index_renew(&rows, shim.region.directory[REGION_ANON].capacity);
}

static bool row_is(uint32_t row, uint64_t hash) {
    return base_mix(__atomic_load_n(&ROW(row)->stack, __ATOMIC_ACQUIRE)) == hash;
}

/* 0: the overflow row. */
static uint32_t find_row(uint32_t stack) {
    uint64_t hash = base_mix(stack);
    uint32_t probe = 0, row;
    while ((row = index_next(&rows, hash, &probe)))
        if (row_is(row, hash))
            return row;
    row = region_take(&shim.region, REGION_ANON, 1);
    if (!row)
        return 0;
    __atomic_store_n(&ROW(row)->stack, stack, __ATOMIC_RELEASE);
    uint32_t winner = index_add(&rows, hash, row, row_is);
    if (winner != row)
        RELAXED_STORE(&ROW(row)->stack, 0); /* this one stays empty */
    return winner;
}

static uint32_t stack_of(struct shim_self *self, const struct unwind_start *at) {
    struct unwind_result stack = {.end = REGION_END_NOT_WALKED};
    struct unwind_thread *own = self->private ? self->private->unwind : NULL;
    struct unwind_thread *walker = own ? own : account_borrow_walker();
    if (!walker)
        return 0;
    if (shim.walks_by_lib)
        unwind_lib_walk(walker, at, &stack);
    else
        unwind_walk(walker, at, &stack);
    uint32_t row = site_stack(&stack);
    if (!own)
        account_return_walker(walker);
    return row;
}

/* ---- what is known at a call ---- */

/* Whether mappings of this process were counted. A child's that made no region yet were not; who
 * does not ask shim_enter first would take the parent's for its own. */
static bool has_counted(struct shim_self *self) {
    return shim.state == SHIM_ON && RELAXED_LOAD(&piece_bound) && shim_enter(self) &&
           shim_is_ready() && !self->busy;
}

static bool is_allocator(uint64_t caller) {
    const struct module *m = module_find(caller);
    return m && RELAXED_LOAD(&m->flags) & (REGION_MODULE_NEXT | REGION_MODULE_SQUALL);
}

static void record(struct shim_self *self, uint64_t start, uint64_t size,
                   const struct unwind_start *at) {
    if (region_open(&shim.region, REGION_ANON)) {
        lose();
        return;
    }
    self->busy = 1;
    ORDER();
    struct piece piece = {start, start + in_pages(size), find_row(stack_of(self, at)), true};
    forget(piece.start, piece.end);
    RELAXED_ADD(&ROW(piece.row)->maps, 1);
    RELAXED_ADD(&ROW(piece.row)->bytes, piece.end - piece.start);
    put(&piece);
    ORDER();
    self->busy = 0;
}

/* Looks at the caller's module only when what is known of modules is this process's own. */
static void offer(struct shim_self *self, void *p, uint64_t size, const struct unwind_start *at) {
    if (!shim_enter(self))
        return;
    if (self->busy)
        lose();
    else if (!is_allocator(at->pc) && shim_enter_region(self))
        record(self, (uint64_t)p, size, at);
}

static bool is_counted(size_t size, int protection, int flags) {
    return flags & MAP_ANONYMOUS && !(flags & (MAP_STACK | MAP_GROWSDOWN)) &&
           protection & PROT_WRITE && size >= shim.large;
}

/* ---- detours ----
 *
 * The stub of a detour finds the number of its function above the return address; these have one
 * each, so it is dropped, and what follows is called as the C library's function was. */

#define STUB(name)                                     \
    __asm__(".pushsection .text,\"ax\",@progbits\n"    \
            ".type stub_" #name ",@function\n"         \
            "stub_" #name ":\n"                        \
            ".cfi_startproc\n"                         \
            ".cfi_def_cfa_offset 16\n"                 \
            "lea 8(%rsp), %rsp\n"                      \
            ".cfi_def_cfa_offset 8\n"                  \
            "jmp seen_" #name "\n"                     \
            ".cfi_endproc\n"                           \
            ".size stub_" #name ", .-stub_" #name "\n" \
            ".popsection\n");                          \
    HIDDEN void stub_##name(void)
STUB(mmap);
STUB(munmap);
STUB(mremap);

enum { MMAP, MUNMAP, MREMAP, COUNT };
static struct codec_function functions[COUNT];
static struct detour_room rooms[COUNT];
static uint64_t libc_start, libc_end;
uint64_t mapping_changes;

/* What was there may be gone. After the call: what is found in between is found by the kernel. */
static void tell_change(void) {
    if (RELAXED_LOAD(&mapping_changes))
        RELAXED_ADD(&mapping_changes, 1);
}

/* The C library's own mappings are its malloc's and its threads' stacks. */
static bool is_libc(uint64_t caller) {
    return caller - libc_start < libc_end - libc_start;
}

typedef void *map_function(void *, size_t, int, int, int, long);
__attribute__((used)) HIDDEN void *seen_mmap(void *address, size_t size, int protection, int flags,
                                             int fd, long offset);
void *seen_mmap(void *address, size_t size, int protection, int flags, int fd, long offset) {
    struct unwind_start at;
    UNWIND_START(&at);
    struct shim_self *self = &shim_self;
    void *p =
        ((map_function *)functions[MMAP].original)(address, size, protection, flags, fd, offset);
    if (flags & MAP_FIXED)
        tell_change();
    if (p == (void *)-1 || shim.state != SHIM_ON || is_libc(at.pc))
        return p;
    if (flags & MAP_FIXED && has_counted(self))
        forget((uint64_t)p, (uint64_t)p + in_pages(size));
    if (is_counted(size, protection, flags))
        offer(self, p, size, &at);
    return p;
}

/* Of munmap nearly all is moved, its system call too. */
static int call_munmap(void *address, size_t size) {
    sandbox_syscall *own = sandbox_own_syscall();
    if (UNLIKELY(own != NULL))
        return (int)own(SYS_munmap, address, size);
    return ((int (*)(void *, size_t))functions[MUNMAP].original)(address, size);
}

/* Before the call: afterwards another thread may have mapped the same addresses. */
__attribute__((used)) HIDDEN int seen_munmap(void *address, size_t size);
int seen_munmap(void *address, size_t size) {
    struct taken taken = {.count = 0};
    if (!is_libc((uint64_t)__builtin_return_address(0)) && has_counted(&shim_self) &&
        (uint64_t)address + in_pages(size) > (uint64_t)address)
        take((uint64_t)address, (uint64_t)address + in_pages(size), &taken);
    int result = call_munmap(address, size);
    tell_change();
    settle(&taken, result == 0);
    return result;
}

/* Variadic as the C library has it; what the caller did not give is passed on unseen. */
typedef void *remap_function(void *, size_t, size_t, int, ...);
__attribute__((used)) HIDDEN void *seen_mremap(void *old, size_t old_size, size_t size, int flags,
                                               void *address);
void *seen_mremap(void *old, size_t old_size, size_t size, int flags, void *address) {
    remap_function *original = (remap_function *)functions[MREMAP].original;
    struct shim_self *self = &shim_self;
    struct taken taken = {.count = 0};
    struct unwind_start at;
    UNWIND_START(&at);
    bool is_ours = !is_libc(at.pc);
    /* Without old bytes, or with MREMAP_DONTUNMAP, the old mapping stays as it is. */
    if (is_ours && old_size && !(flags & MREMAP_DONTUNMAP) && has_counted(self) &&
        (uint64_t)old + in_pages(old_size) > (uint64_t)old)
        take((uint64_t)old, (uint64_t)old + in_pages(old_size), &taken);
    void *p = original(old, old_size, size, flags, address);
    tell_change();
    settle(&taken, p != (void *)-1);
    if (p == (void *)-1 || !is_ours)
        return p;
    /* Of what was not counted nobody knows whether it is anonymous. */
    if (flags & MREMAP_FIXED && has_counted(self))
        forget((uint64_t)p, (uint64_t)p + in_pages(size));
    if (taken.count && size >= shim.large)
        offer(self, p, size, &at);
    return p;
}

/* ---- putting them in ---- */

static void put_detour(const struct module *m, const struct elf_dynamic *d, unsigned i,
                       const char *name, void (*stub)(void)) {
    const ElfW(Sym) *symbol = elf_symbol(d, name);
    if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
        return;
    functions[i].start = d->base + symbol->st_value;
    functions[i].end = functions[i].start + symbol->st_size;
    detour_put(m, &functions[i], 1, i, stub, &rooms[i]);
}

/* Whether somebody stands in for the C library: tcmalloc asks the kernel itself. */
static bool has_others(const struct link_map *libc) {
    struct elf_dynamic d;
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        elf_dynamic_of_map(m, &d);
        if (m != libc &&
            (elf_symbol(&d, "munmap") || elf_symbol(&d, "mremap") || elf_symbol(&d, "mmap")))
            return true;
    }
    return false;
}

void mapping_follow(void) {
    struct elf_dynamic d;
    const struct link_map *libc = elf_libc(&d);
    const struct module *m =
        libc ? module_find(d.base + elf_symbol(&d, "__libc_start_main")->st_value) : NULL;
    if (!m)
        return;
    libc_start = m->start;
    libc_end = m->end;
    /* What ends mappings first: what is seen to begin must be seen to end. */
    put_detour(m, &d, MUNMAP, "munmap", stub_munmap);
    put_detour(m, &d, MREMAP, "mremap", stub_mremap);
    if (!functions[MUNMAP].refused && !functions[MREMAP].refused)
        put_detour(m, &d, MMAP, "mmap", stub_mmap);
    bool is_seen = !has_others(libc);
    for (unsigned i = 0; i < COUNT; i++)
        is_seen &= functions[i].original && !functions[i].refused;
    mapping_changes = is_seen;
}
