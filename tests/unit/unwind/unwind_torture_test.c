/* Stacks made of chance. A stack is filled with code addresses, stack addresses and junk, changed
 * a little, and walked by a thread that remembers and by one that remembers nothing: both have to
 * say the same, whatever nonsense it is, and nothing may crash. Once on the thread's own stack,
 * once on a foreign one with holes in it, once more where process_vm_readv is refused. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/module.h"
#include "shim/unwind.h"
#include "shim/unwind_rule.h"
#include "shim/unwind_thread.h"

#define STACK_SIZE (8u << 20)
#define WORDS 8192u /* of the made-up stack */

static unsigned passed, failed, rounds = 40000;
static uint64_t seed = 88172645463325252ull;
static unsigned ends[REGION_END_COUNT];
static uint64_t frames, matched, known;

static uint64_t chance(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* An address inside code: of any module, so that every kind of rule comes up. */
static uint64_t some_code(void) {
    static uint64_t starts[256], sizes[256];
    static unsigned count;
    if (!count) {
        FILE *f = fopen("/proc/self/maps", "r");
        char line[512], mode[5];
        unsigned long lo, hi;
        while (f && count < 256 && fgets(line, sizeof line, f))
            if (sscanf(line, "%lx-%lx %4s", &lo, &hi, mode) == 3 && mode[2] == 'x') {
                starts[count] = lo;
                sizes[count++] = hi - lo;
            }
        fclose(f);
    }
    unsigned i = (unsigned)(chance() % count);
    return starts[i] + chance() % sizes[i];
}

static uint64_t some_word(const uint64_t *stack, uint64_t at) {
    uint64_t up = at + chance() % (WORDS - at);
    switch (chance() % 16) {
    case 0:
        return 0;
    case 1:
        return chance();
    case 2:
        return (uint64_t)&stack[chance() % WORDS];
    case 3:
    case 4:
    case 5:
    case 6: /* a saved rbp leads a little way up */
        return (uint64_t)&stack[at + (up - at) % 64 < WORDS ? at + (up - at) % 64 : at];
    default:
        return some_code();
    }
}

static int same(const struct unwind_result *a, const struct unwind_result *b) {
    return a->count == b->count && a->end == b->end && a->hash == b->hash &&
           !memcmp(a->frames, b->frames, a->count * sizeof *a->frames);
}

/* What is known of the stack that is to be walked next, as it will be found now. */
static int knows_right(struct unwind_thread *t, const struct unwind_start *start, uint64_t hash) {
    const struct unwind_known *k = unwind_find_known(t, start);
    known += k != NULL;
    return !k || k->number == (uint32_t)hash;
}

/* The walk just made, which is known when it was seen twice; or not: to be known it has to be
 * settled, which most stacks are not. */
static void know(struct unwind_thread *t, const struct unwind_result *r) {
    if (chance() % 2)
        return;
    for (int i = 0; i < 2 && r->count && r->frames != t->other.pc; i++)
        unwind_keep_known(t, r->hash, (uint32_t)r->hash);
}

static void torture(const char *name, uint64_t *stack) {
    struct unwind_thread *remembers = calloc(1, unwind_thread_size());
    struct unwind_thread *fresh = calloc(1, unwind_thread_size());
    struct unwind_start start = {0, 0, 0};
    struct unwind_result r, expected;
    unsigned wrong = 0;
    frames = matched = known = 0;
    memset(ends, 0, sizeof ends);
    for (uint64_t i = 0; i < WORDS; i++)
        stack[i] = some_word(stack, i);
    for (unsigned i = 0; i < rounds; i++) {
        if (i % 16 == 0) { /* somewhere else */
            uint64_t at = chance() % (WORDS / 2);
            start.sp = (uint64_t)&stack[at];
            start.bp = (uint64_t)&stack[at + chance() % 64];
            start.pc = some_code();
        } else if (chance() % 4 == 0) { /* the same frames, begun further in or out */
            uint64_t at = (start.sp - (uint64_t)stack) / 8;
            start.sp = (uint64_t)&stack[(at + chance() % 8) % (WORDS / 2)];
            start.pc = some_code();
        }
        uint64_t base = (start.sp - (uint64_t)stack) / 8;
        for (uint64_t k = chance() % 3; k > 0; k--) {
            uint64_t at = base + chance() % 512;
            stack[at] = some_word(stack, at);
        }
        if (i % 1024 == 0)
            unwind_invalidate();
        if (i % 64 == 0)
            memset(fresh, 0, unwind_thread_size());
        else
            *(uint64_t *)fresh = 0; /* the stamp: it forgets its last stack */
        unwind_walk(fresh, &start, &expected);
        int is_right = knows_right(remembers, &start, expected.hash);
        unwind_walk(remembers, &start, &r);
        know(remembers, &r);
        wrong += !is_right || !same(&r, &expected);
        frames += r.count;
        ends[r.end < REGION_END_COUNT ? r.end : 0]++;
    }
    printf("%-26s %u walks, %u wrong, %.1f frames, %.0f %% known; ends:", name, rounds, wrong,
           (double)frames / rounds, 100.0 * (double)known / rounds);
    for (unsigned i = 0; i < REGION_END_COUNT; i++)
        if (ends[i])
            printf(" %u:%u", i, ends[i]);
    puts("");
    *(wrong ? &failed : &passed) += 1;
    free(remembers);
    free(fresh);
}

/* ---- stacks that make sense ---- */

/* Frames are put in front of others, the way a program calls, each with the rule of some real
 * address: so what a walk must give is known from how the stack was made. */
struct state {
    uint64_t pc, sp, bp;
};
static struct state made[400]; /* outermost first */
static unsigned made_count;
static uint64_t pool[40000];
static unsigned pool_count;
static bool signals;      /* some frames are interrupted ones */
static bool ends_in_zero; /* the outermost frame is like any other, with a return address of 0 */
static uint64_t restorer; /* where the C library's signal handlers return to */

static uint32_t rule_at(uint64_t pc) {
    static uint8_t scratch[RULE_SCRATCH];
    struct module m;
    return module_look(pc - 1, &m) ? rule_compile(&m, pc - 1, scratch) : rule_outside(0);
}

/* Code with a realigned frame, gcc's DRAP: rare elsewhere. */
__attribute__((noinline, noclone)) int realigned(int n) {
    volatile char line[128] __attribute__((aligned(128)));
    volatile char *p = __builtin_alloca((size_t)n + 1);
    line[n & 63] = p[0] = (char)n;
    __asm__ volatile("" ::: "memory", "rbx", "r12", "r13", "r14", "r15");
    return line[n & 63] + p[0] + (n ? getpid() : 0);
}

static void some_handler(int number) {
    (void)number;
}

static void fill_pool(void) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        uint64_t restorer, mask;
    } kernel = {0};
    signal(SIGUSR2, &some_handler);
    syscall(SYS_rt_sigaction, SIGUSR2, NULL, &kernel, 8);
    if (rule_kind(rule_at(kernel.restorer)) == RULE_SIGNAL)
        restorer = kernel.restorer;
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t pc = (uint64_t)&realigned + i % 200;
        if (rule_kind(rule_at(pc)) == RULE_DRAP)
            pool[pool_count++] = pc;
    }
    for (unsigned i = 0; i < 400000 && pool_count < 40000; i++) {
        uint64_t pc = some_code();
        uint32_t kind = rule_kind(rule_at(pc));
        if (kind <= RULE_DRAP && (kind > RULE_RBP || i % 4 == 0 || kind == RULE_RBP))
            pool[pool_count++] = pc;
    }
}

/* Makes a frame that returns to `outer`, at or above `low`. False: this rule cannot. */
static int put_frame(struct state *inner, const struct state *outer, uint64_t low) {
    uint32_t rule = rule_at(inner->pc), place = rule_place(rule), kind = rule_kind(rule);
    uint64_t cfa = outer->sp, offset = rule_offset(rule), below = 16 + chance() % 20 * 8;
    if (kind == RULE_RSP)
        inner->sp = cfa - offset;
    else if (place * 8 + 8 > below || kind == RULE_DRAP)
        below += 2048;
    if (kind != RULE_RSP)
        inner->sp = cfa - below;
    if (inner->sp >= cfa || inner->sp < low || (inner->sp & 7) || cfa - inner->sp < place * 8)
        return 0;
    inner->bp = place && place != RULE_PLACE_LOST ? chance() : outer->bp;
    uint64_t at = 0, value = cfa - 8; /* the word that the CFA is read from */
    if (kind == RULE_RBP)
        inner->bp = cfa - offset;
    else if (kind == RULE_AT_RSP)
        at = inner->sp + offset;
    else if (kind == RULE_AT_RBP || kind == RULE_DRAP) {
        inner->bp = cfa - 1024;
        at = inner->bp + offset;
        value = kind == RULE_DRAP ? cfa : cfa - 8;
    }
    if (kind > RULE_RBP && (at < inner->sp || at >= cfa - 8 || at == cfa - 8ull * place ||
                            (kind == RULE_DRAP && at == inner->bp)))
        return 0;
    if (kind != RULE_DRAP && !place && inner->bp != outer->bp)
        return 0; /* rbp would have to have two values */
    if (place == RULE_PLACE_LOST)
        return 0;
    ((uint64_t *)cfa)[-1] = outer->pc;
    if (kind > RULE_RBP)
        *(uint64_t *)at = value;
    if (kind == RULE_DRAP)
        *(uint64_t *)inner->bp = outer->bp;
    else if (place)
        *(uint64_t *)(cfa - 8ull * place) = outer->bp;
    return 1;
}

/* The frame of a signal that interrupted `outer`: false where the rule there is not that of the
 * instruction before, by which the others here are made. */
static int put_signal(struct state *inner, const struct state *outer, uint64_t low) {
    *inner = (struct state){restorer, outer->sp - 384 - chance() % 16 * 8, chance()};
    if (!restorer || inner->sp < low || rule_at(outer->pc) != rule_at(outer->pc + 1))
        return 0;
    *(uint64_t *)(inner->sp + 168) = outer->pc; /* rip, rsp and rbp of struct ucontext */
    *(uint64_t *)(inner->sp + 160) = outer->sp;
    *(uint64_t *)(inner->sp + 120) = outer->bp;
    return 1;
}

static void call_and_return(uint64_t low, unsigned depth) {
    unsigned keep = chance() % 4 ? made_count - chance() % (made_count < 8 ? made_count : 8)
                                 : 1 + (unsigned)(chance() % made_count);
    unsigned wanted = depth - (unsigned)(chance() % (chance() % 8 ? 4 : depth));
    made_count = keep < 1 ? 1 : keep;
    for (unsigned i = 0; i < 200 && made_count < wanted; i++) {
        struct state inner = {pool[chance() % pool_count], 0, 0};
        const struct state *outer = &made[made_count - 1];
        bool is_signal = signals && made_count > 2 && chance() % 40 == 0;
        if (is_signal ? put_signal(&inner, outer, low) : put_frame(&inner, outer, low))
            made[made_count++] = inner;
    }
}

/* Where nothing but a return address of 0 says that a frame is the outermost, the bound comes
 * first. */
static int is_as_made(const struct unwind_result *r) {
    unsigned count = made_count < REGION_FRAMES_MAX ? made_count : REGION_FRAMES_MAX;
    bool is_told = rule_kind(rule_at(made[0].pc)) == RULE_OUTERMOST;
    bool is_whole = made_count < REGION_FRAMES_MAX + is_told;
    if (r->count != count || r->end != (is_whole ? REGION_END_OUTERMOST : REGION_END_BOUND))
        return 0;
    for (unsigned i = 0; i < count; i++)
        if ((r->frames[i] & ~REGION_FRAME_EXACT) != made[made_count - 1 - i].pc)
            return 0;
    return 1;
}

/* Now and then a word of an outer frame, or rbp, is changed and put back: nobody may miss it. */
static int spoil(struct unwind_thread *remembers, struct unwind_thread *fresh,
                 struct unwind_start *start, uint64_t top) {
    struct unwind_result r, expected;
    uint64_t *word = (uint64_t *)(start->sp + chance() % (top - start->sp) / 8 * 8);
    const struct state *outer = &made[chance() % (made_count - 12)]; /* returned to by the next */
    uint32_t rule = rule_at(outer[1].pc);
    if (chance() % 4) /* a return address or a saved rbp */
        word = (uint64_t *)outer->sp - (rule_place(rule) && chance() % 4 ? rule_place(rule) : 1);
    unwind_walk(remembers, start, &r);
    know(remembers, &r);
    int ok = knows_right(remembers, start, r.hash);
    uint64_t old = *word;
    if (chance() % 4 == 0) /* two frames further out is where the caller's would be */
        start->bp = chance() % 2 ? outer->bp : start->sp + 8 * (chance() % 64);
    else
        *word = chance() % 2 ? some_code() : chance();
    *(uint64_t *)fresh = 0;
    unwind_walk(fresh, start, &expected);
    ok &= knows_right(remembers, start, expected.hash);
    unwind_walk(remembers, start, &r);
    ok &= same(&r, &expected);
    *word = old;
    return ok;
}

/* After a walk that is not remembered: what is left of the last stack is a stack. */
static int left_is_whole(struct unwind_thread *remembers, struct unwind_thread *fresh) {
    struct unwind_result r, expected;
    uint32_t i = remembers->first;
    if (i == UNWIND_MAX)
        return 1;
    struct unwind_start start = {remembers->last.pc[i], remembers->last.sp[i],
                                 remembers->last.bp[i]};
    *(uint64_t *)fresh = 0;
    unwind_walk(fresh, &start, &expected);
    unwind_walk(remembers, &start, &r);
    return same(&r, &expected);
}

extern void _start(void);

static void torture_made(const char *name, uint64_t low, uint64_t top, unsigned depth) {
    struct unwind_thread *remembers = calloc(1, unwind_thread_size());
    struct unwind_thread *fresh = calloc(1, unwind_thread_size());
    struct unwind_result r, expected;
    unsigned wrong = 0, kinds[16] = {0};
    frames = known = 0;
    made_count = 1;
    made[0] = (struct state){(uint64_t)&_start + 0x21, top - 256, 0};
    if (rule_kind(rule_at(made[0].pc)) != RULE_OUTERMOST)
        made[0].pc = (uint64_t)&_start + 4;
    while (ends_in_zero &&
           (rule_kind(rule_at(made[0].pc)) != RULE_RSP || rule_place(rule_at(made[0].pc)) ||
            rule_offset(rule_at(made[0].pc)) > 256))
        made[0].pc = pool[chance() % pool_count];
    memset((void *)made[0].sp, 0, 256);
    for (unsigned i = 0; i < rounds; i++) {
        call_and_return(low, depth);
        const struct state *s = &made[made_count - 1];
        struct unwind_start start = {s->pc, s->sp, s->bp};
        kinds[rule_kind(rule_at(s->pc))]++;
        *(uint64_t *)fresh = 0;
        unwind_walk(fresh, &start, &expected);
        int ok = knows_right(remembers, &start, expected.hash);
        unwind_walk(remembers, &start, &r);
        know(remembers, &r);
        ok &= is_as_made(&r) && same(&r, &expected);
        frames += r.count;
        if (r.frames == remembers->other.pc)
            ok &= left_is_whole(remembers, fresh);
        if (i % 3 == 0 && made_count > 12) { /* from here, or from a few frames further out */
            const struct state *from = s - chance() % 11;
            struct unwind_start other = {from->pc, from->sp, from->bp};
            ok &= spoil(remembers, fresh, &other, top);
        }
        wrong += !ok;
    }
    printf("%-26s %u walks, %u wrong, %.1f frames, %.0f %% known; rules:", name, rounds, wrong,
           (double)frames / rounds, 100.0 * (double)known / rounds);
    for (unsigned i = 0; i < 16; i++)
        if (kinds[i])
            printf(" %u:%u", i, kinds[i]);
    puts("");
    *(wrong ? &failed : &passed) += 1;
    free(remembers);
    free(fresh);
}

static uint64_t *holed(void) {
    uint8_t *m = mmap(NULL, WORDS * 8 + 8 * 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(m + WORDS * 8, 8 * 4096); /* right above: a walk that goes on hits nothing */
    return (uint64_t *)m;
}

static void *on_own_stack(void *stack) {
    torture("own stack", stack); /* its lower half, far below where this runs */
    torture("foreign stack", holed());
    fill_pool();
    uint64_t low = (uint64_t)stack + 8192;
    torture_made("made, up to 30 frames", low, low + STACK_SIZE / 4 * 3, 30);
    torture_made("made, up to 140 frames", low, low + STACK_SIZE / 4 * 3, 140);
    torture_made("made, up to 300 frames", low, low + STACK_SIZE / 4 * 3, 300);
    ends_in_zero = true;
    torture_made("made, about 128 frames", low, low + STACK_SIZE / 4 * 3, 130);
    ends_in_zero = false;
    signals = restorer != 0;
    torture_made("made, interrupted", low, low + STACK_SIZE / 4 * 3, 30);
    torture_made("made, deep, interrupted", low, low + STACK_SIZE / 4 * 3, 140);
    signals = false;
    return NULL;
}

static int refuse_process_vm_readv(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program);
}

int main(int argc, char **argv) {
    pthread_t id;
    pthread_attr_t attributes;
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    if (argc > 2)
        seed += (uint64_t)atoi(argv[2]);
    if (unwind_init())
        return 2;
    dlopen("libcrypto.so.3", RTLD_NOW); /* assembly: expressions, odd registers */
    module_init(NULL, NULL, NULL);
    void *stack =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_SIZE);
    pthread_create(&id, &attributes, on_own_stack, stack);
    pthread_join(id, NULL);
    torture("foreign, initial thread", holed());
    if (!refuse_process_vm_readv())
        torture("foreign, kernel refuses", holed());
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
