/* What runs in a Go program when its allocator does. It is called on a stack of its own (goroutine
 * stacks are small, and move), from any thread, of which many have no C library: so no TLS, no
 * library, no vector registers, no lock, and nothing global, for the same code runs as a blob in
 * programs that do not load libsquall.so. */
#include <linux/mman.h>
#include <time.h>

#include "base/syscall.h"
#include "hook.h"
#include "internal.h"

#define NEAR 512u
#define NEAR_PROBES 8u
#define PROBES 24u
#define G_LOW 0
#define G_HIGH 8
#define SPAN_BASE 24 /* of an mspan: its first address */

/* ---- the way in ---- */

/* %r12 is the go_site. Takes one of the stacks, saves what Go's calling convention may have in
 * registers, calls, gives all back. Both %r12 and %r13 are free at a function's entry and return;
 * there is always room for a push below a goroutine's checked stack. When all stacks are taken the
 * event is passed over: the counts of entries and exits will show it. */
__asm__(".pushsection .text,\"ax\",@progbits\n"
        ".p2align 4\n"
        ".hidden go_entry\n.globl go_entry\n.type go_entry,@function\n"
        "go_entry:\n"
        "push %rax\n"
        "mov 16(%r12), %rax\n"
        "1: xor %r13d, %r13d\n"
        "bsf (%rax), %r13\n"
        "jnz 2f\n"
        "bsf 8(%rax), %r13\n"
        "lea 64(%r13), %r13\n"
        "jnz 2f\n"
        "bsf 16(%rax), %r13\n"
        "lea 128(%r13), %r13\n"
        "jnz 2f\n"
        "bsf 24(%rax), %r13\n"
        "lea 192(%r13), %r13\n"
        "jz 9f\n"
        "2: lock btr %r13, (%rax)\n"
        "jnc 1b\n"
        "inc %r13\n"
        "shl $14, %r13\n"
        "add 32(%rax), %r13\n" /* the end of the stack */
        "pop %rax\n"
        "mov %rsp, -16(%r13)\n"
        "lea -16(%r13), %rsp\n"
        "push %r12\n"
        "push %r15\n"
        "push %rax\n"
        "push %rbx\n"
        "push %rcx\n"
        "push %rdx\n"
        "push %rsi\n"
        "push %rdi\n"
        "push %r8\n"
        "push %r9\n"
        "push %r10\n"
        "push %r11\n"
        "mov %r12, %rdi\n"
        "mov %rsp, %rsi\n"
        "mov -16(%r13), %rdx\n"
        "mov %rbp, %rcx\n"
        "mov %r14, %r8\n"
        "cld\n"
        "call go_hook\n"
        "pop %r11\n"
        "pop %r10\n"
        "pop %r9\n"
        "pop %r8\n"
        "pop %rdi\n"
        "pop %rsi\n"
        "pop %rdx\n"
        "pop %rcx\n"
        "pop %rbx\n"
        "pop %rax\n"
        "pop %r15\n"
        "pop %r12\n"
        "lea 16(%rsp), %r13\n"
        "mov (%rsp), %rsp\n"
        "push %rax\n"
        "mov 16(%r12), %rax\n"
        "sub 32(%rax), %r13\n"
        "shr $14, %r13\n"
        "dec %r13\n"
        "lock bts %r13, (%rax)\n"
        "9: pop %rax\n"
        "jmp *8(%r12)\n"
        ".size go_entry, .-go_entry\n"
        ".popsection\n");
_Static_assert(offsetof(struct go_state, busy) == 0 && offsetof(struct go_state, stacks) == 32 &&
                   GO_STACKS == 256 && GO_STACK_SIZE == 1u << 14 &&
                   offsetof(struct go_site, back) == 8 && offsetof(struct go_site, state) == 16,
               "go_entry knows them");

/* ---- clocks ---- */

static uint64_t raw_ns(void) {
    struct timespec t = {0, 0};
    base_syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t go_clock(const struct go_state *state) {
    if (UNLIKELY(!state->has_tsc))
        return raw_ns();
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void write_tick(struct go_state *state, uint64_t number) {
    struct region *r = &state->region;
    struct region_directory *d = &r->directory[REGION_TIMELINE];
    uint64_t row = number % d->capacity;
    if (!d->committed || (row >= d->committed && region_commit(r, REGION_TIMELINE, row + 1)) ||
        number >= d->capacity)
        region_lose(r, REGION_LOST_TICKS, 1);
    if (row >= d->committed)
        return;
    region_fill_tick(REGION_ROW(r, REGION_TIMELINE, struct region_tick, row), r->header, number);
}

/* As the shim's own ticks (lifecycle.c), which may come as well in a program with cgo: whoever
 * finds that the last one is old enough writes one. */
static void tick(struct go_state *state, uint64_t now) {
    struct region_header *h = state->region.header;
    uint64_t due = RELAXED_LOAD(&state->next_tick), last = RELAXED_LOAD(&h->end_clock);
    if (LIKELY(now < due) ||
        !__atomic_compare_exchange_n(&state->next_tick, &due, now + state->tick_ticks, false,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    uint32_t even = RELAXED_LOAD(&h->pair_sequence) & ~1u;
    if ((last < now && now - last < state->tick_ticks) ||
        !__atomic_compare_exchange_n(&h->pair_sequence, &even, even + 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return;
    h->end_clock = go_clock(state);
    h->end_raw_ns = raw_ns();
    __atomic_store_n(&h->pair_sequence, even + 2, __ATOMIC_RELEASE);
    struct region_directory *d = &state->region.directory[REGION_TIMELINE];
    uint64_t number = RELAXED_LOAD(&d->used);
    if (d->capacity && __atomic_compare_exchange_n(&d->used, &number, number + 1, false,
                                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        write_tick(state, number);
}

/* ---- goroutines under way ---- */

/* Where a key may be: near the begin of its table first, so that a program with few of them touches
 * few pages, then anywhere else: once there are many, what is near is full. */
static uint64_t place_of(uint64_t hash, uint32_t i, uint64_t size) {
    if (i < NEAR_PROBES)
        return (hash + i) & (NEAR - 1);
    uint64_t far = ((hash >> 32) + i) & (size - 1);
    return far < NEAR ? far + NEAR : far;
}

static uint64_t *find_slot(uint64_t *keys, uint64_t size, uint64_t key) {
    uint64_t hash = base_mix(key);
    for (uint32_t i = 0; i < PROBES; i++) {
        uint64_t *slot = &keys[place_of(hash, i, size)];
        if (RELAXED_LOAD(slot) == key)
            return slot;
    }
    return NULL;
}

static uint64_t *claim_slot(uint64_t *keys, uint64_t size, uint64_t key) {
    uint64_t hash = base_mix(key), *found = find_slot(keys, size, key);
    for (uint32_t i = 0; i < PROBES && !found; i++) {
        uint64_t *slot = &keys[place_of(hash, i, size)], none = 0;
        if (RELAXED_LOAD(slot) == 0 &&
            __atomic_compare_exchange_n(slot, &none, key, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            found = slot;
    }
    return found;
}

/* ---- the block's begin, on its way, and its end ---- */

static void begin_alloc(struct go_state *state, const struct go_registers *r,
                        const struct go_walk *walk) {
    struct region_header *h = state->region.header;
    if (r->rax < state->threshold)
        return;
    uint64_t *slot = claim_slot(state->flying, GO_FLIGHTS, walk->g);
    if (!slot) {
        region_lose(&state->region, REGION_LOST_GO, 1);
        return;
    }
    struct go_flight *f = &state->flights[slot - state->flying];
    uint32_t site = go_rows_site(state, walk);
    if (f->is_in) { /* its end was not seen: all stacks were taken */
        region_lose(&state->region, REGION_LOST_GO, 1);
        RELAXED_ADD(&h->go_exits, 1);
    } else {
        uint64_t now = RELAXED_ADD(&h->go_now, 1) + 1;
        RELAXED_ADD(&h->in_allocator, 1);
        base_raise_to(&h->go_at_once_max, now);
        base_raise_to(&go_rows_go(state, site)->at_once_max, now);
    }
    RELAXED_ADD(&h->go_entries, 1);
    RELAXED_ADD(&go_rows_go(state, site)->entries, 1);
    f->site = site;
    f->size = r->rax;
    f->goroutine = state->goid_offset ? *(const uint64_t *)(walk->g + state->goid_offset) : 0;
    f->heap = f->zero = 0;
    f->is_in = 1;
    f->start = go_clock(state);
}

static void reach(struct go_state *state, uint64_t g, bool zero) {
    uint64_t *slot = find_slot(state->flying, GO_FLIGHTS, g);
    if (!slot)
        return;
    struct go_flight *f = &state->flights[slot - state->flying];
    uint64_t *when = zero ? &f->zero : &f->heap;
    if (!*when || !zero)
        *when = go_clock(state);
}

static bool remember(struct go_state *state, uint64_t address, const struct go_flight *f,
                     uint64_t now) {
    uint64_t hash = base_mix(address);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct go_live *l = &state->live[place_of(hash, i, GO_LIVE)];
        uint64_t none = 0;
        if (RELAXED_LOAD(&l->address) ||
            !__atomic_compare_exchange_n(&l->address, &none, 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        l->size = f->size;
        l->born = now;
        l->site = f->site;
        l->cycle = (uint32_t)RELAXED_LOAD(&state->region.header->go_cycles) & GO_CYCLE_MASK;
        l->uses = 0;
        __atomic_store_n(&l->address, address, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

static void end_alloc(struct go_state *state, const struct go_registers *r, uint64_t g) {
    struct region_header *h = state->region.header;
    if (!RELAXED_LOAD(&h->go_now)) /* a small one that begins a page, as most are */
        return;
    uint64_t *slot = find_slot(state->flying, GO_FLIGHTS, g);
    if (!slot)
        return;
    struct go_flight f = state->flights[slot - state->flying];
    state->flights[slot - state->flying].is_in = 0;
    __atomic_store_n(slot, 0, __ATOMIC_RELEASE);
    if (!f.is_in)
        return;
    uint64_t now = go_clock(state);
    RELAXED_ADD(&h->go_exits, 1);
    RELAXED_ADD(&h->go_now, -1ull);
    RELAXED_ADD(&h->in_allocator, -1ull);
    struct region_go *go = go_rows_go(state, f.site);
    uint64_t heap = f.heap > f.start ? f.heap : f.start;
    uint64_t zero = f.zero > heap ? f.zero : now;
    RELAXED_ADD(&go->exits, 1);
    RELAXED_ADD(&go->assist_ticks, heap - f.start);
    RELAXED_ADD(&go->heap_ticks, zero - heap);
    RELAXED_ADD(&go->zero_ticks, now - zero);
    if (now - f.start > RELAXED_LOAD(&go->longest_ticks)) {
        RELAXED_STORE(&go->longest_ticks, now - f.start);
        RELAXED_STORE(&go->longest_goroutine, f.goroutine);
    }
    /* Whole or not at all: a block whose end would be missed would look like a leak. */
    if (remember(state, r->rax, &f, now)) {
        uint64_t *in = find_slot(state->calling, GO_FLIGHTS, g);
        go_rows_add(state, &f, in ? &state->calls[in - state->calling] : NULL, now - f.start);
    } else {
        region_lose(&state->region, REGION_LOST_LIVE, 1);
    }
    tick(state, now);
}

static struct go_live *find_live(struct go_state *state, uint64_t address) {
    uint64_t hash = base_mix(address);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct go_live *l = &state->live[place_of(hash, i, GO_LIVE)];
        if (RELAXED_LOAD(&l->address) == address)
            return l;
    }
    return NULL;
}

/* A span goes back to the heap: what was in it was found dead by the collection before. */
static void free_span(struct go_state *state, const struct go_registers *r) {
    if ((r->rcx & 0xff) != 0 || !r->rbx) /* of stacks and the like */
        return;
    struct go_live *l = find_live(state, *(const uint64_t *)(r->rbx + SPAN_BASE));
    if (!l)
        return;
    struct go_live copy = *l;
    __atomic_store_n(&l->address, 0, __ATOMIC_RELEASE);
    uint64_t now = go_clock(state);
    go_rows_swept(state, &copy, now > copy.born ? now - copy.born : 0);
    tick(state, now);
}

/* ---- codec calls ---- */

static void begin_call(struct go_state *state, const struct go_registers *r, uint32_t function,
                       const struct go_walk *walk) {
    uint64_t *slot = claim_slot(state->calling, GO_FLIGHTS, walk->g);
    if (!slot || function >= state->range_count) {
        region_lose(&state->region, REGION_LOST_CODEC, 1);
        return;
    }
    struct go_call *c = &state->calls[slot - state->calling];
    /* The outer one's; the same one was left by a panic. */
    if (c->row && c->function != function && RELAXED_LOAD(&c->start))
        return;
    bool is_all = state->ranges[function].shape == CODEC_GO_ENCODE_ALL;
    c->function = function;
    c->row = go_rows_call(state, function, walk);
    c->source = is_all ? r->rcx : r->rsi;
    c->capacity = is_all ? r->r9 - r->r8 : r->rcx;
    c->before = is_all ? r->r8 : 0;
    /* A destination that the caller made, for this call or for many. */
    struct go_live *l = c->before + c->capacity >= state->threshold
                            ? find_live(state, is_all ? r->rsi : r->rax)
                            : NULL;
    if (l && l->uses < 2)
        go_rows_used(state, l, c);
    c->start = go_clock(state);
}

static void end_call(struct go_state *state, const struct go_registers *r, uint32_t function,
                     uint64_t g) {
    uint64_t *slot = find_slot(state->calling, GO_FLIGHTS, g);
    if (!slot)
        return;
    struct go_call c = state->calls[slot - state->calling];
    if (c.function != function)
        return;
    state->calls[slot - state->calling].row = 0;
    __atomic_store_n(slot, 0, __ATOMIC_RELEASE);
    uint64_t now = go_clock(state), produced = r->rbx > c.before ? r->rbx - c.before : 0;
    if (c.row) /* else there is no room, which was counted */
        go_rows_called(state, &c, produced, now > c.start ? now - c.start : 0);
    tick(state, now);
}

/* ---- by go_entry ---- */

HIDDEN void go_hook(const struct go_site *site, const struct go_registers *r, uint64_t sp,
                    uint64_t bp, uint64_t g);

void go_hook(const struct go_site *site, const struct go_registers *r, uint64_t sp, uint64_t bp,
             uint64_t g) {
    struct go_state *state = (struct go_state *)site->state;
    if (!__atomic_load_n(&state->is_on, __ATOMIC_ACQUIRE) ||
        (state->mine && RELAXED_LOAD(state->mine) != 1))
        return;
    struct go_walk walk = {sp, bp, g, *(const uint64_t *)(g + G_LOW),
                           *(const uint64_t *)(g + G_HIGH)};
    switch (site->kind) {
    case GO_ALLOC:
        begin_alloc(state, r, &walk);
        break;
    case GO_ALLOC_END:
        end_alloc(state, r, g);
        break;
    case GO_HEAP:
        reach(state, g, false);
        break;
    case GO_ZERO:
        reach(state, g, true);
        break;
    case GO_FREE:
        free_span(state, r);
        break;
    case GO_CYCLE:
        RELAXED_ADD(&state->region.header->go_cycles, 1);
        break;
    case GO_CALL:
        begin_call(state, r, (uint32_t)site->function, &walk);
        break;
    case GO_CALL_END:
        end_call(state, r, (uint32_t)site->function, g);
        break;
    }
}
