/* Modules are known in a private array that only grows: whoever holds a pointer into it may keep
 * it. One thread at a time adds, by taking the claim; nobody waits for it. A thread that does not
 * get it looks the module up for itself and leaves the registering to a later walk. */
#include "module.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/syscall.h"
#include "codec.h"
#include "detour.h"
#include "live.h"
#include "loader.h"
#include "module_elf.h"
#include "peek.h"
#include "unwind.h"

#define KNOWN_MAX 4096u
#define INDEX_SLOTS 16384u
#define PATH_SIZE 4096u

/* Mapped once, by the first that adds; written by the holder of the claim, read by all. */
struct known {
    struct module modules[KNOWN_MAX];
    uint16_t by_start[INDEX_SLOTS]; /* number of a module + 1; the newest of its start */
    char path[PATH_SIZE];           /* scratch of the holder of the claim */
};
static struct known *known;
static uint32_t known_count; /* published with release: modules[0 .. count) are complete */
static uint32_t claim;
static uint64_t list_tail; /* last entry of the loader's list when it was read */
static struct region *region;
static uint64_t vdso; /* address of its headers, 0 = none */
static void (*offer_marks)(uint64_t hooks);

/* Bytes of us: the module that holds them is squall. */
static char self;

/* ---- the claim ---- */

static bool take_claim(void) {
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&claim, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void release_claim(void) {
    __atomic_store_n(&claim, 0, __ATOMIC_RELEASE);
}

static bool map_known(void) {
    if (RELAXED_LOAD(&known))
        return true;
    long m = base_syscall(SYS_mmap, 0, sizeof(struct known), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_is_error(m))
        return false;
    base_syscall(SYS_madvise, m, sizeof(struct known), MADV_DONTDUMP);
    __atomic_store_n(&known, (struct known *)m, __ATOMIC_RELEASE);
    return true;
}

/* ---- what is known ---- */

INLINE uint32_t index_of(uint64_t start) {
    return (uint32_t)((start >> 12) * 0x9e3779b97f4a7c15ull >> 50);
}
_Static_assert(INDEX_SLOTS == 1u << 14, "index_of gives 14 bits");

/* The newest module that begins at `start`. */
static struct module *find_by_start(uint64_t start) {
    struct known *k = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    if (!k)
        return NULL;
    for (uint32_t i = index_of(start), n = 0; n < INDEX_SLOTS; i = (i + 1) % INDEX_SLOTS, n++) {
        uint16_t number = __atomic_load_n(&k->by_start[i], __ATOMIC_ACQUIRE);
        if (!number)
            return NULL;
        if (k->modules[number - 1].start == start)
            return &k->modules[number - 1];
    }
    return NULL;
}

static void index_module(uint32_t number) {
    uint64_t start = known->modules[number].start;
    for (uint32_t i = index_of(start);; i = (i + 1) % INDEX_SLOTS) {
        uint16_t there = known->by_start[i];
        if (there && known->modules[there - 1].start != start)
            continue;
        __atomic_store_n(&known->by_start[i], (uint16_t)(number + 1), __ATOMIC_RELEASE);
        return;
    }
}

/* The module, not unloaded as far as is known, that holds `address`. */
static struct module *find_by_address(uint64_t address) {
    uint32_t count = __atomic_load_n(&known_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = count; i-- > 0;) {
        struct module *m = &known->modules[i];
        if (address - m->start < m->end - m->start && !RELAXED_LOAD(&m->gone))
            return m;
    }
    return NULL;
}

const struct module *module_at(uint32_t i) {
    uint32_t count = __atomic_load_n(&known_count, __ATOMIC_ACQUIRE);
    return i < count ? &known->modules[i] : NULL;
}

/* ---- what the loader says ---- */

static bool is_listed_as(const struct module *m, uint64_t link_map,
                         const struct loader_entry *entry) {
    return m->link_map == link_map && m->base == entry->base && m->dynamic == entry->dynamic;
}

/* The module of an entry of the loader's list, NULL = it is not known. The list is mostly in the
 * order in which modules became known: the search begins behind the last one that was found, at
 * *hint, so that a walk over a list of thousands costs thousands of steps and not millions. */
static struct module *find_listed(uint64_t link_map, const struct loader_entry *entry,
                                  uint32_t *hint) {
    uint32_t count = __atomic_load_n(&known_count, __ATOMIC_ACQUIRE);
    for (uint32_t n = 0, i = *hint; n < count; n++, i++) {
        if (i >= count)
            i = 0;
        struct module *m = &known->modules[i];
        if (is_listed_as(m, link_map, entry) && !RELAXED_LOAD(&m->gone)) {
            *hint = i + 1;
            return m;
        }
    }
    return NULL;
}

/* Looks through the loader's list, which other threads may be changing: every entry is read
 * through the kernel, and the list has to make sense. */
static bool describe_by_list(uint64_t address, struct module *m) {
    struct loader_entry entry;
    uint32_t hint = 0;
    /* New entries come at the end: an unchanged end means that nothing is new. */
    uint64_t tail = RELAXED_LOAD(&list_tail);
    if (tail && loader_read(tail, &entry) && !entry.next)
        return false;
    uint64_t at = loader_first();
    for (uint32_t n = 0; n < LOADER_LIST_MAX && loader_read(at, &entry); n++) {
        if (!find_listed(at, &entry, &hint) && loader_describe_entry(at, &entry, m) &&
            address - m->start < m->end - m->start)
            return true;
        if (!entry.next)
            RELAXED_STORE(&list_tail, at);
        at = entry.next;
    }
    return false;
}

/* ---- registering: by the holder of the claim ---- */

static uint32_t flags_of(const struct module *m) {
    uint32_t flags = 0;
    if ((uint64_t)&self - m->start < m->end - m->start)
        flags |= REGION_MODULE_SQUALL;
    if (loader_is_program(m))
        flags |= REGION_MODULE_EXECUTABLE;
    if (vdso - m->start < m->end - m->start)
        flags |= REGION_MODULE_VDSO;
    return flags;
}

static uint32_t next_event(void) {
    return __atomic_add_fetch(&region->header->module_event, 1, __ATOMIC_ACQ_REL);
}

/* A reader takes a row for one when its end is not 0, which is therefore written last. */
static void write_row(struct module *m) {
    struct module_facts facts;
    if (!region)
        return;
    uint32_t row = region_take(region, REGION_MODULES, 1);
    if (!row) {
        region_lose(region, REGION_LOST_MODULES, 1);
        return;
    }
    struct region_module *to = REGION_ROW(region, REGION_MODULES, struct region_module, row);
    module_elf_facts(m, &facts);
    if (facts.marks && offer_marks)
        offer_marks(facts.marks);
    size_t length = loader_name(m, known->path, PATH_SIZE);
    to->base = m->base;
    to->start = m->start;
    to->path = length ? region_string(region, known->path, length) : 0;
    base_move(to->build_id, facts.build_id, sizeof facts.build_id);
    to->build_id_size = facts.build_id_size;
    to->allocator = m->flags & REGION_MODULE_SQUALL ? REGION_ALLOCATOR_NONE : facts.allocator;
    to->flags = m->flags;
    to->link_map = m->link_map;
    to->born = next_event();
    __atomic_store_n(&to->end, m->end, __ATOMIC_RELEASE);
    __atomic_store_n(&m->row, row, __ATOMIC_RELEASE);
}

static void mark_gone(struct module *m) {
    RELAXED_STORE(&m->gone, 1);
    if (region && m->row)
        RELAXED_STORE(&REGION_ROW(region, REGION_MODULES, struct region_module, m->row)->gone,
                      next_event());
}

/* The loader counts bytes to the end, headers give whole pages. */
static bool is_same(const struct module *a, const struct module *b) {
    return a->start == b->start && (a->end - 1) / PEEK_PAGE == (b->end - 1) / PEEK_PAGE &&
           a->link_map == b->link_map && a->base == b->base && a->dynamic == b->dynamic &&
           a->eh_frame_hdr == b->eh_frame_hdr;
}

/* What lies where the new one is was unloaded. */
static void bury_overlapped(const struct module *m) {
    bool any = false;
    for (uint32_t i = 0; i < known_count; i++) {
        struct module *old = &known->modules[i];
        if (old->gone || old->start >= m->end || old->end <= m->start)
            continue;
        mark_gone(old);
        any = true;
    }
    if (any)
        unwind_invalidate();
}

/* ---- the same addresses, other code ---- */

uint64_t module_layout;

static void compute_layout(void) {
    uint64_t layout = 0;
    for (uint32_t i = 0; i < known_count; i++) {
        const struct module *m = &known->modules[i];
        if (m->contested && !RELAXED_LOAD(&m->gone))
            layout ^= base_mix(m->fingerprint ^ m->base);
    }
    RELAXED_STORE(&module_layout, layout);
}

static void contest(struct module *m) {
    for (uint32_t i = 0; i < known_count; i++) {
        struct module *old = &known->modules[i];
        if (old != m && old->start < m->end && old->end > m->start &&
            (old->fingerprint != m->fingerprint || old->base != m->base))
            old->contested = m->contested = 1;
    }
}

/* The same file at the same place again, and nothing else was there: the same module. */
static struct module *revive(const struct module *found) {
    for (uint32_t i = 0; i < known_count; i++) {
        struct module *m = &known->modules[i];
        if (!m->gone || m->contested || m->start != found->start || m->end != found->end ||
            m->base != found->base || m->fingerprint != found->fingerprint)
            continue;
        m->link_map = found->link_map;
        if (region && m->row)
            RELAXED_STORE(&REGION_ROW(region, REGION_MODULES, struct region_module, m->row)->gone,
                          0);
        __atomic_store_n(&m->gone, 0, __ATOMIC_RELEASE);
        return m;
    }
    return NULL;
}

uint64_t module_maps_seen[64];

static void expect_free(uint64_t link_map) {
    if (!link_map)
        return;
    __atomic_fetch_or(&module_maps_seen[module_map_bit(link_map) / 64],
                      1ull << module_map_bit(link_map) % 64, __ATOMIC_RELAXED);
    live_always(link_map);
}

void module_freed(uint64_t address) {
    uint32_t count = __atomic_load_n(&known_count, __ATOMIC_ACQUIRE);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        struct module *m = &known->modules[i];
        if (m->link_map != address || m->permanent || RELAXED_LOAD(&m->gone))
            continue;
        mark_gone(m);
        any = true;
    }
    if (any) {
        compute_layout();
        unwind_invalidate();
    }
}

/* Returns the module, or NULL when there is no room for it. */
static struct module *add(struct module *found) {
    if (!map_known() || known_count == KNOWN_MAX) {
        if (known)
            bury_overlapped(found);
        if (region)
            region_lose(region, REGION_LOST_MODULES, 1);
        return NULL;
    }
    bury_overlapped(found);
    module_elf_find(found);
    if (!found->permanent)
        expect_free(found->link_map);
    struct module *m = revive(found);
    if (!m) {
        m = &known->modules[known_count];
        *m = *found;
        m->flags = flags_of(m);
        contest(m);
        write_row(m);
        codec_add(region, m, known->path);
        index_module(known_count);
        __atomic_store_n(&known_count, known_count + 1, __ATOMIC_RELEASE);
    }
    compute_layout();
    unwind_module_added();
    return m;
}

/* Registers what was found, unless somebody did meanwhile. NULL: the claim was taken. */
static struct module *register_found(struct module *found) {
    if (!take_claim())
        return NULL;
    struct module *m = find_by_start(found->start);
    if (!m || RELAXED_LOAD(&m->gone) || !is_same(m, found))
        m = add(found);
    release_claim();
    return m;
}

/* ---- loads and unloads, as the loader tells them ---- */

#define CLAIM_TRIES 20000u

/* Who holds the claim reads files and waits for nobody, the loader least of all. */
static bool wait_for_claim(void) {
    static uint32_t tries = CLAIM_TRIES; /* few, once it was in vain: the holder may be gone */
    for (uint32_t i = 0; i < tries; i++) {
        if (take_claim())
            return true;
        base_syscall(SYS_sched_yield);
    }
    tries = 1;
    return false;
}

/* Registers the entries of the list that are new, and puts detours at their codec functions, unless
 * `refused` says why not. In the loader's own thread. */
static void register_list(uint16_t refused) {
    struct loader_entry entry;
    uint64_t at = loader_first();
    uint32_t hint = 0;
    for (uint32_t n = 0; n < LOADER_LIST_MAX && at; n++) {
        struct module found, *m;
        loader_read_locked(at, &entry);
        if (!find_listed(at, &entry, &hint) && loader_describe_entry(at, &entry, &found)) {
            m = find_by_start(found.start);
            if (!m || RELAXED_LOAD(&m->gone) || !is_same(m, &found))
                m = add(&found);
            if (m) {
                m->is_told = 1;
                codec_detour(region, m, refused);
            }
        }
        if (!entry.next)
            RELAXED_STORE(&list_tail, at);
        at = entry.next;
    }
}

static uint32_t event_missed; /* what came meanwhile may run already */
static uint32_t mark_unlisted(void);

/* Called by the loader after it mapped or unmapped objects, before the new ones are relocated: by
 * the thread that holds its lock, and nobody has an address in them. */
static void on_event(void) {
    if (!&_r_debug || RELAXED_LOAD(&_r_debug.state) != 0 /* RT_CONSISTENT */ ||
        !RELAXED_LOAD(&known))
        return;
    if (!wait_for_claim()) {
        RELAXED_STORE(&event_missed, 1);
        return;
    }
    bool any = mark_unlisted() != 0;
    codec_collect();
    register_list(RELAXED_LOAD(&event_missed) ? REGION_REFUSED_RUNNING : REGION_REFUSED_NOT);
    RELAXED_STORE(&event_missed, 0);
    if (any)
        compute_layout();
    release_claim();
    if (any)
        unwind_invalidate();
}

void module_follow(bool is_alone) {
    if (!known || !wait_for_claim())
        return;
    for (uint32_t i = 0; i < known_count; i++)
        codec_detour(region, &known->modules[i],
                     is_alone ? REGION_REFUSED_NOT : REGION_REFUSED_RUNNING);
    release_claim();
    if (is_alone && &_r_debug && _r_debug.changed)
        detour_hook_empty(_r_debug.changed, on_event);
}

/* ---- looking up ---- */

/* Finds the module of an address; *found is filled where it had to be described. Returns it if it
 * is or could be registered. */
static struct module *find(uint64_t address, struct module *found, bool *is_described) {
    struct module *m;
    *is_described = false;
    if (_dl_find_object) {
        struct loader_object o;
        if (loader_find_object(address, &o) != 0)
            return NULL;
        m = find_by_start(o.start);
        if (!m)
            m = find_by_address(address);
        if (m && loader_is_object(m, &o) && !RELAXED_LOAD(&m->gone))
            return m;
        *is_described = loader_describe(address, found);
    } else {
        m = find_by_address(address);
        if (m)
            return m;
        *is_described = describe_by_list(address, found);
    }
    return *is_described ? register_found(found) : NULL;
}

const struct module *module_find(uint64_t address) {
    struct module found;
    bool is_described;
    return find(address, &found, &is_described);
}

bool module_look(uint64_t address, struct module *copy) {
    bool is_described;
    const struct module *m = find(address, copy, &is_described);
    if (m)
        *copy = *m;
    return m || is_described;
}

void module_mark(uint64_t address, uint32_t flag) {
    struct module *m = (struct module *)module_find(address);
    if (!m)
        return;
    __atomic_fetch_or(&m->flags, flag, __ATOMIC_RELAXED);
    if (region && m->row)
        __atomic_fetch_or(&REGION_ROW(region, REGION_MODULES, struct region_module, m->row)->flags,
                          flag, __ATOMIC_RELAXED);
}

/* ---- the whole list ---- */

void module_init(struct region *r, const uint64_t *auxv, void (*offer)(uint64_t)) {
    struct loader_entry entry;
    struct module found;
    uint64_t at = loader_first();
    region = r;
    offer_marks = offer;
    for (; auxv && auxv[0] != AT_NULL; auxv += 2) {
        if (auxv[0] == AT_SYSINFO_EHDR)
            vdso = auxv[1];
        else if (auxv[0] == AT_PHDR)
            loader_init(auxv[1]);
    }
    if (!at && loader_describe_program(&found))
        register_found(&found);
    for (uint32_t n = 0; n < LOADER_LIST_MAX && loader_read(at, &entry); n++) {
        bool ok = _dl_find_object ? loader_describe(entry.dynamic, &found)
                                  : loader_describe_entry(at, &entry, &found);
        /* What is loaded with the program is never unloaded. */
        found.permanent = 1;
        found.steady = !found.is_split;
        if (ok)
            register_found(&found);
        if (!entry.next)
            list_tail = at;
        at = entry.next;
    }
    module_find((uint64_t)&self);
}

/* The only thread of a child: a claim held at the time of the fork is nobody's. */
void module_detach(void) {
    release_claim();
    region = NULL;
}

void module_adopt(struct region *r) {
    region = r;
    for (uint32_t i = 0; i < known_count; i++) {
        known->modules[i].row = 0;
        if (!known->modules[i].gone && take_claim()) {
            write_row(&known->modules[i]);
            release_claim();
        }
    }
    codec_adopt(r);
}

/* Marks the modules that the loader lists with this pass's number. */
static void mark_listed(uint32_t pass) {
    struct loader_entry entry;
    uint64_t at = loader_first();
    for (uint32_t n = 0; n < LOADER_LIST_MAX && loader_read(at, &entry); n++) {
        for (uint32_t i = 0; i < known_count; i++) {
            struct module *m = &known->modules[i];
            if (is_listed_as(m, at, &entry))
                m->seen = pass;
        }
        if (!entry.next)
            RELAXED_STORE(&list_tail, at);
        at = entry.next;
    }
}

static bool is_listed(const struct module *m) {
    struct loader_entry entry;
    uint64_t at = loader_first();
    for (uint32_t n = 0; n < LOADER_LIST_MAX && at; n++, at = entry.next) {
        loader_read_locked(at, &entry);
        if (is_listed_as(m, at, &entry))
            return true;
    }
    return false;
}

/* Whether the list names a module no more that it named before. In the loader's own thread. */
static uint32_t mark_unlisted(void) {
    static uint32_t pass = 1u << 31; /* its own numbers; by the holder of the claim */
    struct loader_entry entry;
    uint64_t at = loader_first();
    uint32_t gone = 0, hint = 0;
    pass++;
    for (uint32_t n = 0; n < LOADER_LIST_MAX && at; n++, at = entry.next) {
        loader_read_locked(at, &entry);
        struct module *m = find_listed(at, &entry, &hint);
        if (m)
            m->seen = pass;
    }
    for (uint32_t i = 0; i < known_count; i++) {
        struct module *m = &known->modules[i];
        /* The list is asked again: of two that are known of one entry, one was found. */
        if (m->gone || !m->is_told || m->seen == pass || is_listed(m))
            continue;
        mark_gone(m);
        gone++;
    }
    return gone;
}

static bool is_still_there(const struct module *m, uint32_t pass) {
    struct loader_object o;
    /* _dl_find_object knows a new one only after it is relocated: what the loader told of is gone
     * when it says so, not before, for its functions have detours. */
    if (m->permanent || m->is_told)
        return true;
    if (!_dl_find_object) {
        if (m->seen != pass)
            return false;
    } else if (!m->is_split &&
               (loader_find_object(m->start, &o) != 0 || !loader_is_object(m, &o))) {
        return false;
    }
    return module_elf_fingerprint(m) == m->fingerprint;
}

void module_check(void) {
    bool any = false;
    /* In a sandbox nothing can be read that may be gone: what the loader tells (on_event) must do. */
    if (!known || BASE_SANDBOXED || !take_claim())
        return;
    static uint32_t pass; /* written by the holder of the claim */
    pass++;
    if (!_dl_find_object)
        mark_listed(pass);
    for (uint32_t i = 0; i < known_count; i++) {
        struct module *m = &known->modules[i];
        if (m->gone || is_still_there(m, pass))
            continue;
        mark_gone(m);
        any = true;
    }
    if (any)
        compute_layout();
    release_claim();
    if (any)
        unwind_invalidate();
}
