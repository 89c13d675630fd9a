/* Start, fork, exit: makes the region of a process and fills its header. */
#include "lifecycle.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>

#include "account.h"
#include "base/syscall.h"
#include "call.h"
#include "clock.h"
#include "codec.h"
#include "conf.h"
#include "decide.h"
#include "detour.h"
#include "elf.h"
#include "go.h"
#include "identity.h"
#include "live.h"
#include "mapping.h"
#include "mark.h"
#include "module.h"
#include "place.h"
#include "real.h"
#include "sandbox.h"
#include "say.h"
#include "unwind_lib.h"

struct shim shim;
struct region_thread *shim_no_row;
__thread struct shim_self shim_self;
uint64_t lifecycle_next_tick;

/* What the constructor saw; a forked child needs it again, and the program may have overwritten
 * its environment by then. */
static struct {
    char dir[4096];
    char runtime[256];
    char codec[4096];
    uint64_t run_id;
    uint32_t notes;
    struct identity identity;
} saved;

/* Threads of the region that is `mine`; the largest number of rows that slots are made for. */
#define SLOTS_MAX (1u << 16)

/* ---- pages that are zero in a child ---- */

enum { MINE_NOT = 0, MINE_YES = 1, MINE_STARTING = 2 };

static long map_private(uint64_t size) {
    return base_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void forget(void) {
    base_syscall(SYS_madvise, shim.mine, 4096 + SLOTS_MAX * sizeof *shim.slots, MADV_DONTNEED);
}

/* Before Linux 4.14 fork is noticed through libc's fork handlers; raw clone is not. */
static void forget_by_handler(void) {
    typedef int register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
    saved.notes |= REGION_NOTE_NO_WIPEONFORK;
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        struct elf_dynamic d;
        elf_dynamic_of_map(m, &d);
        register_atfork *f = (register_atfork *)elf_lookup(&d, "__register_atfork");
        if (f) {
            f(NULL, NULL, forget, NULL);
            return;
        }
    }
}

static int map_wiped(void) {
    uint64_t size = 4096 + SLOTS_MAX * sizeof *shim.slots;
    long at = map_private(size);
    if (base_is_error(at))
        return (int)at;
    shim.mine = (uint32_t *)at;
    shim.slots = (struct region_thread **)(at + 4096);
    shim.slot_count = SLOTS_MAX;
    if (base_syscall(SYS_madvise, at, size, MADV_WIPEONFORK))
        forget_by_handler();
    return 0;
}

/* ---- the region ---- */

static int start_region(struct region *r) {
    (void)r;
    int error = account_init();
    return error ? error : call_rows_open();
}

/* One writer at a time; who comes while another writes leaves it to that one. */
static void pair_clocks(struct region_header *h) {
    uint32_t even = RELAXED_LOAD(&h->pair_sequence) & ~1u;
    if (!__atomic_compare_exchange_n(&h->pair_sequence, &even, even + 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return;
    h->end_clock = clock_now();
    h->end_raw_ns = clock_raw_ns();
    __atomic_store_n(&h->pair_sequence, even + 2, __ATOMIC_RELEASE);
}

static void fill_header(const struct place_found *found, uint64_t random) {
    struct region_header *h = shim.region.header;
    const struct identity *id = &saved.identity;
    h->run_id = saved.run_id;
    h->random = random;
    base_move(h->boot_id, id->boot_id, sizeof h->boot_id);
    h->pid_namespace = id->pid_namespace;
    h->pid = (int32_t)shim.pid;
    h->parent = (int32_t)base_syscall(SYS_getppid);
    h->uid = (uint32_t)base_syscall(SYS_geteuid);
    h->epoch = shim.epoch;
    h->start_ticks = id->start_ticks;
    h->clock = clock_state.tsc ? REGION_CLOCK_TSC : REGION_CLOCK_MONOTONIC_RAW;
    h->place = found->place;
    h->filesystem = found->filesystem;
    h->exe = region_string(&shim.region, id->exe, base_length(id->exe));
    h->arguments = region_string(&shim.region, id->arguments, id->arguments_size);
    h->arguments_size = h->arguments ? id->arguments_size : 0;
    h->configuration = shim.conf;
    h->configuration.codec = region_string(&shim.region, saved.codec, base_length(saved.codec));
    h->inherited_frees = shim.provisional_inherited;
    h->start_realtime_ns = clock_realtime_ns();
    pair_clocks(h);
    h->start_clock = h->end_clock;
    h->start_raw_ns = h->end_raw_ns;
    __atomic_store_n(&h->notes, saved.notes | found->notes, __ATOMIC_RELEASE);
}

/* Once in a process image: from here on something is missing. */
static void tell_full(int error) {
    static uint32_t told;
    if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
        say("the region cannot grow: ", say_error(error),
            "; what is not recorded from now on is counted in the report", NULL);
}

static int make_region(void) {
    char name[96];
    size_t at = 0;
    uint64_t random;
    if (base_syscall(SYS_getrandom, &random, sizeof random, 0) != sizeof random)
        random = base_mix(clock_now() ^ (uint64_t)shim.pid << 32 ^ (uint64_t)&name);
    base_append(name, sizeof name, &at, "squall.");
    base_append_number(name, sizeof name, &at, shim.pid);
    base_append(name, sizeof name, &at, ".");
    base_append_number(name, sizeof name, &at, saved.identity.start_ticks);
    base_append(name, sizeof name, &at, ".");
    base_append_hex(name, sizeof name, &at, random, 16);
    base_append(name, sizeof name, &at, ".region");
    struct place_wish wish = {saved.dir, saved.runtime, name, shim.conf.region, shim.conf.perm};
    struct place_found found = {0};
    struct region made = {0};
    shim.region = made;
    int error = place_region(&wish, &shim.region, &found, start_region);
    if (error)
        return error;
    fill_header(&found, random);
    /* The timeline may fail to commit: then there is none. */
    if (region_open(&shim.region, REGION_TIMELINE))
        region_lose(&shim.region, REGION_LOST_TICKS, 1);
    RELAXED_STORE(&lifecycle_next_tick, clock_now() + clock_ticks(shim.conf.tick_ns));
    region_publish(&shim.region);
    shim.region.on_full = tell_full;
    return 0;
}

/* ---- fork ---- */

static bool counts_commit; /* see identity.h */

static void make_private(uint64_t offset, uint64_t end, int protection) {
    if (offset < end)
        base_syscall(SYS_mmap, shim.region.base + offset, end - offset, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* The parent's region becomes private memory. Where that counts, only what may be written to: nobody touches
 * rows that are not committed. The directory is in the header, which is therefore last. */
static void leave_region(void) {
    const struct region *r = &shim.region;
    for (unsigned t = 1; t <= REGION_TABLE_COUNT && counts_commit; t++) {
        const struct region_directory *d = &r->directory[t];
        uint64_t used = (RELAXED_LOAD(&d->committed) * d->row_size + 4095) & ~4095ull;
        uint64_t end = t < REGION_TABLE_COUNT ? d[1].offset : r->bound;
        make_private(d->offset, d->offset + used, PROT_READ | PROT_WRITE);
        make_private(d->offset + used, end, PROT_NONE);
    }
    make_private(0, counts_commit ? REGION_HEADER_SIZE : r->bound, PROT_READ | PROT_WRITE);
}

/* In a child, in the first hook after fork: only the thread that forked is there. What leads to
 * the parent's region is gone with the wiped pages; the mapping is replaced by private memory, for
 * a hook that a signal handler interrupted in order to fork. */
static void begin_child(void) {
    if (shim.region.base)
        leave_region();
    shim.region.base = NULL;
    module_detach();
    call_begin_child();
    go_begin_child();
    long pid = base_syscall(SYS_getpid); /* a sandbox may say no; here is one thread */
    shim.pid = pid > 0 ? (uint32_t)pid : account_thread_id();
    /* After the last epoch the first would come again, and blocks of that process count as ours. */
    if (shim.epoch == UINT16_MAX) {
        say("forked 65,535 times, each from the last: this process is not recorded", NULL);
        shim.state = SHIM_OFF;
        shim.ready = 0;
        return;
    }
    shim.epoch++;
    shim.seed = base_mix(shim.seed + shim.pid);
    shim.provisional_inherited = 0;
    shim.unplaced_allocs = shim.unplaced_bytes = shim.unplaced_frees = 0;
    base_zero(&shim.provisional, sizeof shim.provisional);
    if (!shim.conf.children)
        shim.state = SHIM_OFF;
}

/* The first thread of a child counts in private memory until something is recorded, so that
 * thousands of short children leave no file. Its own private memory stays, with what the parent left
 * in it: a signal handler may have forked between two instructions of a hook, which goes on. */
static void lend_provisional(struct shim_self *self) {
    self->row = 0;
    self->epoch = shim.epoch + 1u;
    uint64_t random = shim.seed;
    shim.provisional.byte_left = shim.provisional.byte_goal =
        decide_interval(&random, shim.conf.sample);
    shim.slots[0] = &shim.provisional;
    shim_lead_to(self, &shim.slots[0]);
}

static void start_early(void);

static bool claim_child(void) {
    uint32_t not_ours = MINE_NOT;
    return __atomic_compare_exchange_n(shim.mine, &not_ours, MINE_STARTING, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

bool shim_enter_slow(struct shim_self *self) {
    if (shim.state == SHIM_BOOT)
        start_early();
    if (shim.state != SHIM_ON)
        return false;
    if (LIKELY(RELAXED_LOAD(shim_slot(self)) != NULL))
        return true;
    if (__atomic_load_n(shim.mine, __ATOMIC_ACQUIRE) != MINE_YES) {
        /* Another thread of the child makes it ours right now: this event is not recorded. Nor is one
         * of a signal handler that forked inside squall: what it interrupted goes on with what
         * it has in its hands, so that stays until it is through. */
        if (self->busy || !claim_child())
            return false;
        begin_child();
        if (shim.state == SHIM_ON)
            lend_provisional(self);
        __atomic_store_n(shim.mine, MINE_YES, __ATOMIC_RELEASE);
        return shim.state == SHIM_ON;
    }
    if (self->epoch == shim.epoch + 1u && shim_slot(self) != &shim.slots[0])
        return shim_is_ready(); /* shares the overflow row */
    return shim_enter_region_slow(self);
}

/* What threads counted while there was no row for them. */
static void place_counts(void) {
    account_shared_counts(__atomic_exchange_n(&shim.unplaced_allocs, 0, __ATOMIC_RELAXED),
                          __atomic_exchange_n(&shim.unplaced_bytes, 0, __ATOMIC_RELAXED),
                          __atomic_exchange_n(&shim.unplaced_frees, 0, __ATOMIC_RELAXED));
}

/* By one thread of a child, once: the others are told no meanwhile, and after a failure. */
static bool make_child_region(void) {
    static uint32_t made_for; /* epoch + 1 */
    uint32_t mine = shim.epoch + 1u, before = RELAXED_LOAD(&made_for);
    if (before == mine || !__atomic_compare_exchange_n(&made_for, &before, mine, false,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    identity_refresh(&saved.identity);
    if (make_region()) {
        shim.state = SHIM_OFF;
        return false;
    }
    module_adopt(&shim.region);
    place_counts();
    /* The thread that counted provisionally takes its counts along at its next event. */
    RELAXED_STORE(&shim.slots[0], NULL);
    __atomic_store_n(&shim.ready, mine, __ATOMIC_RELEASE);
    return true;
}

bool shim_enter_region_slow(struct shim_self *self) {
    if (shim.state != SHIM_ON || (!shim_is_ready() && !make_child_region()))
        return false;
    if (shim_slot(self) == &shim.slots[0] || self->epoch != shim.epoch + 1u) {
        bool was_provisional = shim_slot(self) == &shim.slots[0];
        account_register(self);
        if (was_provisional) {
            struct region_thread *p = &shim.provisional, *t = *shim_slot(self);
            if (t) {
                t->allocs += p->allocs;
                t->frees += p->frees;
                t->byte_goal += p->byte_goal - p->byte_left;
            } else {
                account_shared_counts(p->allocs, p->byte_goal - p->byte_left, p->frees);
            }
        }
    }
    return true;
}

/* ---- ticks ---- */

/* By a single bit: what else is in the notes was there before the first tick. */
static void note_sandbox(void) {
    uint32_t note = sandbox_note();
    if (UNLIKELY(note))
        __atomic_fetch_or(&shim.region.header->notes, note, __ATOMIC_RELAXED);
}

static void record_tick(void) {
    struct region *r = &shim.region;
    struct region_header *h = r->header;
    pair_clocks(h);
    clock_calibrate(h->end_clock - h->start_clock, h->end_raw_ns - h->start_raw_ns);
    module_check();
    account_reap();
    note_sandbox();
    struct region_directory *d = &r->directory[REGION_TIMELINE];
    uint64_t number = RELAXED_LOAD(&d->used), row = number % d->capacity;
    if (!d->committed || (row >= d->committed && region_commit(r, REGION_TIMELINE, row + 1))) {
        region_lose(r, REGION_LOST_TICKS, 1);
        return;
    }
    if (number >= d->capacity)
        region_lose(r, REGION_LOST_TICKS, 1);
    region_fill_tick(REGION_ROW(r, REGION_TIMELINE, struct region_tick, row), h, number);
    RELAXED_STORE(&d->used, number + 1);
}

/* Busy from before it is asked whether the region is ours: a handler that forks in between must not
 * take it away, for what is read of it then is zero. */
void lifecycle_tick(uint64_t now) {
    uint64_t due = RELAXED_LOAD(&lifecycle_next_tick);
    uint64_t next = now + clock_ticks(shim.conf.tick_ns);
    uint32_t was_busy = shim_self.busy;
    shim_self.busy = 1;
    ORDER();
    if (now >= due && shim_is_ready() &&
        __atomic_compare_exchange_n(&lifecycle_next_tick, &due, next, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        record_tick();
    ORDER();
    shim_self.busy = was_busy;
}

/* ---- start and end ---- */

static void copy_value(char *dst, size_t size, char *const *environment, const char *name) {
    const char *value = conf_get(environment, name);
    if (value && base_length(value) < size)
        base_copy(dst, size, value);
}

/* Threads of a program may change the working directory before a child needs the folder. */
static void make_absolute(char *path, size_t size) {
    char relative[1024];
    if (!*path || *path == '/' || base_length(path) >= sizeof relative)
        return;
    base_copy(relative, sizeof relative, path);
    long n = base_syscall(SYS_getcwd, path, size);
    size_t at = n > 0 ? (size_t)n - 1 : 0;
    base_append(path, size, &at, "/");
    base_append(path, size, &at, relative);
}

static void read_environment(char *const *environment, bool secure) {
    conf_defaults(&shim.conf);
    if (secure) {
        saved.notes |= REGION_NOTE_AT_SECURE;
        return;
    }
    const char *conf = conf_get(environment, "SQUALL_CONF");
    if (conf && conf_parse(conf, &shim.conf, saved.codec, sizeof saved.codec))
        saved.notes |= REGION_NOTE_BAD_CONF;
    const char *run = conf_get(environment, "SQUALL_RUN_ID");
    if (run)
        base_parse_number(run, base_length(run), 16, &saved.run_id);
    copy_value(saved.dir, sizeof saved.dir, environment, "SQUALL_DIR");
    make_absolute(saved.dir, sizeof saved.dir);
    copy_value(saved.runtime, sizeof saved.runtime, environment, "XDG_RUNTIME_DIR");
}

static uint64_t auxiliary(const uint64_t *auxv, uint64_t type) {
    for (; auxv && auxv[0] != AT_NULL; auxv += 2)
        if (auxv[0] == type)
            return auxv[1];
    return 0;
}

/* What the sizes of private tables go by. Where the kernel counts what is only reserved, a process of
 * many would take from the others what they need to fork and to allocate. */
#define COUNTED_SPACE (128ull << 20)
#define COUNTED_SPACE_EXACT (512ull << 20)
static uint64_t private_space(void) {
    uint64_t space = identity_space_limit();
    uint64_t most = shim.exact ? COUNTED_SPACE_EXACT : COUNTED_SPACE;
    counts_commit = identity_counts_commit();
    return counts_commit && space > most ? most : space;
}

/* Everything that a hook needs. Returns 0 or -errno. */
static int prepare(const uint64_t *auxv, char *const *argv) {
    const uint64_t *random = (const uint64_t *)auxiliary(auxv, AT_RANDOM);
    shim.pid = (uint32_t)base_syscall(SYS_getpid);
    shim.exact = shim.conf.mode == REGION_MODE_EXACT;
    uint64_t space = private_space();
    shim.large = shim.conf.large;
    shim.seed = shim.conf.seed ? shim.conf.seed : random ? random[1] : clock_now();
    if (identity_read(&saved.identity, argv))
        saved.notes |= REGION_NOTE_NO_PROC;
    account_find_thread_id();
    int error = place_check();
    if (!error)
        error = map_wiped();
    if (!error)
        error = live_init(shim.exact, space == UINT64_MAX ? 0 : space / 32);
    if (error < 0)
        return error;
    if (error > 0)
        saved.notes |= REGION_NOTE_LIVE_SMALL;
    call_init();
    /* Without it buffers have no roles; with a small address space it is small. */
    bool lacks_memory = block_init(space == UINT64_MAX ? 0 : space / 64) ||
                        context_init(space == UINT64_MAX ? 0 : space / 256);
    if (lacks_memory)
        shim.conf.args = 0;
    error = unwind_init();
    shim.walks = !error;
    if (error)
        saved.notes |= REGION_NOTE_NO_UNWIND;
    if (shim.conf.unwind && unwind_lib_open() == 0) {
        shim.walks_by_lib = true;
        saved.notes |= REGION_NOTE_LIBUNWIND;
    }
    return make_region();
}

/* Changes code: nothing may be running in it. */
static void follow(bool is_alone) {
    detour_alone(is_alone);
    module_follow(is_alone);
    if (is_alone) {
        mapping_follow();
        sandbox_follow();
    }
    detour_alone(false);
}

/* Valgrind's own way to ask (RUNNING_ON_VALGRIND): to a processor it is nothing. */
static bool is_simulated(void) {
    const volatile uint64_t question[6] = {0x1001};
    uint64_t answer = 0;
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi\n"
                     "rolq $61, %%rdi; rolq $51, %%rdi\n"
                     "xchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(question)
                     : "cc", "memory");
    return answer != 0;
}

static void start(char **argv, char **environment) {
    static uint32_t started;
    if (__atomic_exchange_n(&started, 1, __ATOMIC_ACQ_REL))
        return;
    /* It puts its own malloc in place of all others, and takes our questions to the kernel for faults. */
    if (is_simulated()) {
        shim.state = SHIM_OFF;
        real_resolve();
        return;
    }
    char **end = environment;
    while (*end)
        end++;
    /* For a program with raised privileges the loader takes variables out, and each leaves one more
     * zero; no auxiliary vector begins with one. */
    while (!*end)
        end++;
    const uint64_t *auxv = (const uint64_t *)end;
    say_init();
    clock_init(auxiliary(auxv, AT_SYSINFO_EHDR));
    read_environment(environment, auxiliary(auxv, AT_SECURE) != 0);
    real_resolve();
    if (real.is_foreign)
        saved.notes |= REGION_NOTE_FOREIGN_MALLOC;
    int error = prepare(auxv, argv);
    if (error) {
        shim.state = SHIM_OFF;
        return;
    }
    codec_init(saved.codec, shim.conf.args ? call_stub : NULL);
    module_init(&shim.region, auxv, mark_offer);
    module_mark((uint64_t)real.next[HOOK_malloc], REGION_MODULE_NEXT);
    *shim.mine = MINE_YES;
    if (real.is_foreign) {
        shim.state = SHIM_OFF;
        return;
    }
    shim.hot.large = shim.exact ? 0 : shim.large;
    shim.ready = 1;
    account_register(&shim_self);
    __atomic_store_n(&shim.state, SHIM_ON, __ATOMIC_RELEASE);
    if (shim.conf.args)
        follow(saved.identity.threads == 1);
    go_start(auxiliary(auxv, AT_PHDR), auxiliary(auxv, AT_PHNUM), saved.identity.threads == 1);
}

/* Constructors of other libraries run before ours and allocate: the first of them to do so starts
 * us; while the loader is at work nobody does. It knows where the kernel put argc, argv, 0,
 * environment, 0, auxiliary vector. */
static void start_early(void) {
    uint64_t **stack_end = NULL;
    if (elf_is_other_loader() || elf_loader_is_at_work())
        return;
    for (const struct link_map *m = elf_first_map(); m && !stack_end; m = m->l_next) {
        struct elf_dynamic d;
        elf_dynamic_of_map(m, &d);
        stack_end = elf_lookup(&d, "__libc_stack_end");
    }
    if (!stack_end || !*stack_end || base_syscall(SYS_gettid) != base_syscall(SYS_getpid))
        return;
    uint64_t argc = **stack_end;
    char **argv = (char **)(*stack_end + 1);
    if (argc < 1u << 20 && !argv[argc])
        start(argv, argv + argc + 1);
}

/* Another C library's program runs as it is: nothing here was tried there, and musl gives constructors no
 * arguments. */
static void leave_alone(void) {
    shim.state = SHIM_OFF;
    real_resolve();
    say_init();
    say("the C library is not glibc: nothing is recorded", NULL);
}

__attribute__((constructor)) static void construct(int argc, char **argv, char **environment) {
    (void)argc;
    if (elf_is_other_loader())
        leave_alone();
    else
        start(argv, environment);
}

/* Other exit handlers and detached threads go on allocating; they are still recorded. */
__attribute__((destructor)) static void end(void) {
    if (!shim.region.base || RELAXED_LOAD(shim.mine) != MINE_YES ||
        (shim.state == SHIM_ON && !shim_is_ready()))
        return;
    if (shim.state == SHIM_ON)
        place_counts();
    module_check();
    note_sandbox();
    pair_clocks(shim.region.header);
    __atomic_store_n(&shim.region.header->ended, 1, __ATOMIC_RELEASE);
}
