/* Rows of threads: taking one, taking over a dead thread's, the shared one. */
#include <errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "account.h"
#include "base/syscall.h"
#include "call.h"
#include "clock.h"
#include "decide.h"
#include "peek.h"
#include "unwind_thread.h"

#define THREAD(i) REGION_ROW(&shim.region, REGION_THREADS, struct region_thread, i)

/* Private memory by row, in chunks that are mapped when the first of their rows is taken and
 * stay: a row's next thread uses the same. */
#define CHUNK 32u
#define CHUNKS 4096u
static uint8_t *chunks[CHUNKS];

static size_t private_size(void) {
    return (sizeof(struct shim_private) + 63 + unwind_thread_size() + 63) & ~63ul;
}

static uint8_t *chunk_of(uint32_t row) {
    uint8_t **slot = &chunks[row / CHUNK], *old = NULL;
    uint8_t *at = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (at)
        return at;
    size_t size = CHUNK * private_size();
    long p = base_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_is_error(p))
        return NULL;
    base_syscall(SYS_madvise, p, size, MADV_DONTDUMP);
    if (__atomic_compare_exchange_n(slot, &old, (uint8_t *)p, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return (uint8_t *)p;
    base_syscall(SYS_munmap, p, size);
    return old;
}

static struct shim_private *private_of(uint32_t row) {
    uint8_t *chunk = row / CHUNK < CHUNKS ? chunk_of(row) : NULL;
    if (!chunk) {
        region_lose(&shim.region, REGION_LOST_PRIVATE, 1);
        return NULL;
    }
    struct shim_private *p = (void *)(chunk + row % CHUNK * private_size());
    if (p->call_depth && p->epoch == shim.epoch) /* the row's last thread died in codec calls */
        call_reap(p);
    /* The walker's memory may be another thread's of before: it checks all that it remembers. */
    base_zero(p, sizeof *p);
    uint64_t behind = ((uint64_t)(p + 1) + 63) & ~63ull;
    p->unwind = shim.walks ? (struct unwind_thread *)behind : NULL;
    if (p->unwind) /* what it knows by number would be cells of the parent's region */
        unwind_forget_known(p->unwind);
    p->random = base_mix(shim.seed + row);
    p->timed_in = SHIM_TIMED_EVERY;
    p->epoch = shim.epoch;
    return p;
}

/* ---- walkers of threads without a row ---- */

#define SPARE 32u
static struct unwind_thread *spare[SPARE]; /* NULL while in use, or not made */
static uint32_t spare_made;

struct unwind_thread *account_borrow_walker(void) {
    for (unsigned i = 0; i < SPARE; i++) {
        struct unwind_thread *w = __atomic_exchange_n(&spare[i], NULL, __ATOMIC_ACQUIRE);
        if (w)
            return w;
    }
    if (!shim.walks || RELAXED_LOAD(&spare_made) >= SPARE || RELAXED_ADD(&spare_made, 1) >= SPARE)
        return NULL;
    long p = base_syscall(SYS_mmap, 0, unwind_thread_size(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base_is_error(p) ? NULL : (struct unwind_thread *)p;
}

void account_return_walker(struct unwind_thread *walker) {
    for (unsigned i = 0; i < SPARE; i++) {
        struct unwind_thread *none = NULL;
        if (__atomic_compare_exchange_n(&spare[i], &none, walker, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
}

/* ---- names ---- */

static void read_name(char name[16]) {
    base_zero(name, 16);
    base_syscall(SYS_prctl, PR_GET_NAME, name);
}

/* A new thread has its parent's name until it gives itself one, so the name is read again when it
 * first allocates at a new place. */
void account_name(struct shim_self *self) {
    char name[16];
    struct region_thread *t = THREAD(self->row);
    read_name(name);
    t->sequence++;
    ORDER();
    base_move(t->name, name, 16);
    ORDER();
    t->sequence++;
}

/* ---- numbers ---- */

/* glibc's own note of it, in each thread's control block. Whether it is there is seen once, where the
 * kernel says the same; in a forked child it is right, for fork writes it. */
#define GLIBC_TID 720
static bool glibc_notes_it;

void account_find_thread_id(void) {
    int noted = 0;
    size_t got = peek_read(&noted, unwind_thread_pointer() + GLIBC_TID, sizeof noted);
    glibc_notes_it = got == sizeof noted && noted == (int)base_syscall(SYS_gettid);
}

uint32_t account_thread_id(void) {
    long tid = base_syscall(SYS_gettid);
    if (UNLIKELY(tid <= 0))
        tid = glibc_notes_it ? *(const int *)(unwind_thread_pointer() + GLIBC_TID) : 0;
    return (uint32_t)tid;
}

/* ---- rows ---- */

static bool has_same_name(const struct region_thread *t, const char name[16]) {
    for (int i = 0; i < 16; i++)
        if (t->name[i] != name[i])
            return false;
    return true;
}

/* A number that is ours again can only have been a dead thread's. */
static bool is_dead(uint32_t owner, uint32_t tid) {
    return owner == tid || base_syscall(SYS_tgkill, shim.pid, owner, 0) == -ESRCH;
}

/* When the table is full: the row of a dead thread of the same name, 0 = none. Each search goes
 * on where the last one stopped, and gives up soon: each row costs a system call. */
#define TAKE_OVER_TRIES 64u
static uint32_t take_over(int tid, const char name[16]) {
    static uint32_t cursor;
    uint64_t used = RELAXED_LOAD(&shim.region.directory[REGION_THREADS].used);
    for (uint64_t i = 1; i < used && i <= TAKE_OVER_TRIES; i++) {
        uint32_t row = (uint32_t)(1 + RELAXED_ADD(&cursor, 1) % (used - 1));
        struct region_thread *t = THREAD(row);
        uint32_t owner = RELAXED_LOAD(&t->owner);
        if (!owner || !has_same_name(t, name) || !is_dead(owner, (uint32_t)tid))
            continue;
        /* Of two takers one puts its number there first; the other finds that it lives. */
        if (__atomic_compare_exchange_n(&t->owner, &owner, (uint32_t)tid, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return row;
    }
    return 0;
}

static void start_row(struct region_thread *t, int tid, const char name[16], uint64_t *random) {
    t->sequence++;
    ORDER();
    if (t->tid)
        t->generations++;
    else
        t->start_clock = clock_now();
    t->tid = tid;
    RELAXED_STORE(&t->owner, (uint32_t)tid);
    base_move(t->name, name, 16);
    /* Adds, not stores: what the row's last thread left stays in the sum. */
    uint64_t left = decide_interval(random, shim.conf.sample), change = left - t->byte_left;
    t->byte_left += change;
    t->byte_goal += change;
    ORDER();
    t->sequence++;
}

void account_register(struct shim_self *self) {
    char name[16];
    int tid = (int)account_thread_id();
    read_name(name);
    uint32_t row = region_take(&shim.region, REGION_THREADS, 1);
    if (row >= shim.slot_count)
        row = 0;
    if (!row)
        row = take_over(tid, name);
    struct shim_private *p = row ? private_of(row) : NULL;
    self->epoch = shim.epoch + 1u;
    self->busy = 0;
    self->private = p;
    if (!row || !p) {
        region_lose(&shim.region, REGION_LOST_THREADS, 1);
        self->row = 0;
        shim_lead_to(self, &shim_no_row);
        return;
    }
    start_row(THREAD(row), tid, name, &p->random);
    self->row = row;
    __atomic_store_n(&shim.slots[row], THREAD(row), __ATOMIC_RELEASE);
    shim_lead_to(self, &shim.slots[row]);
}

void account_reap(void) {
    uint64_t used = RELAXED_LOAD(&shim.region.directory[REGION_THREADS].used);
    for (uint64_t i = 1; i < used && i < shim.slot_count; i++) {
        struct region_thread *t = THREAD(i);
        uint32_t call = RELAXED_LOAD(&t->codec_call), owner = RELAXED_LOAD(&t->owner);
        if (!call || !owner || base_syscall(SYS_tgkill, shim.pid, owner, 0) != -ESRCH ||
            !__atomic_compare_exchange_n(&t->codec_call, &call, 0, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        uint8_t *chunk = i / CHUNK < CHUNKS ? chunks[i / CHUNK] : NULL;
        struct shim_private *p = (void *)(chunk + i % CHUNK * private_size());
        if (chunk && p->epoch == shim.epoch && RELAXED_LOAD(&t->owner) == owner)
            call_reap(p);
    }
}

void account_shared_counts(uint64_t allocs, uint64_t bytes, uint64_t frees) {
    struct region_thread *t = THREAD(0);
    RELAXED_ADD(&t->allocs, allocs);
    RELAXED_ADD(&t->byte_goal, bytes);
    RELAXED_ADD(&t->frees, frees);
}
