/* Our walk against libunwind's, on stacks of every kind that could be thought of. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <search.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "shim/module.h"
#include "shim/unwind.h"
#include "unwind_check.h"
#include "unwind_check_result.h"

int unwind_cxx(int rounds);

#pragma GCC push_options
#pragma GCC optimize("O0")
#define FRAMES(name) o0_##name
#include "unwind_frames.h"
#undef FRAMES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC optimize("O2", "omit-frame-pointer")
#define FRAMES(name) o2_##name
#include "unwind_frames.h"
#undef FRAMES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC optimize("O3", "no-omit-frame-pointer")
#define FRAMES(name) o3_##name
#include "unwind_frames.h"
#undef FRAMES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC optimize("O2")
#pragma GCC target("avx")
#define FRAMES(name) avx_##name
#include "unwind_frames.h"
#undef FRAMES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC optimize("Os")
#define FRAMES(name) os_##name
#include "unwind_frames.h"
#undef FRAMES
#pragma GCC pop_options

/* ---- callbacks through libc ---- */

static int compare(const void *a, const void *b) {
    check_sometimes(7);
    return *(const int *)a - *(const int *)b;
}

static void visit(const void *node, VISIT order, int depth) {
    (void)node;
    (void)depth;
    if (order == leaf || order == postorder)
        check_sample();
}

static void callbacks(void) {
    int numbers[300];
    void *root = NULL;
    for (int i = 0; i < 300; i++)
        numbers[i] = i * 7919 % 307;
    for (int i = 0; i < 40; i++)
        tsearch(&numbers[i], &root, compare);
    twalk(root, visit);
    qsort(numbers, 300, sizeof *numbers, compare);
    for (int i = 0; i < 100; i++)
        bsearch(&numbers[i], numbers, 300, sizeof *numbers, compare);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, check_sample);
}

/* ---- threads ---- */

static void *in_thread(void *rounds) {
    o2_run((int)(intptr_t)rounds, 20);
    return NULL;
}

static void threads(int rounds, size_t stack) {
    pthread_t ids[4];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack)
        pthread_attr_setstacksize(&attributes, stack);
    for (int i = 0; i < 4; i++)
        pthread_create(&ids[i], &attributes, in_thread, (void *)(intptr_t)rounds);
    for (int i = 0; i < 4; i++)
        pthread_join(ids[i], NULL);
    pthread_attr_destroy(&attributes);
}

/* ---- signals ---- */

static volatile int signals;

CHECK_NOINLINE static void handler(int s) {
    (void)s;
    signals++;
    check_sample();
    CHECK_KEEP();
}

CHECK_NOINLINE static int interrupted(int n) {
    volatile int keep = n;
    if (n == 0)
        raise(SIGUSR1);
    else
        interrupted(n - 1);
    CHECK_KEEP();
    return keep;
}

CHECK_NOINLINE static void crash(volatile int *p) {
    *p = 1;
    CHECK_KEEP();
}

static sigjmp_buf back;

static void handler_of_crash(int s) {
    (void)s;
    check_sample();
    siglongjmp(back, 1);
}

static void with_signals(int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = flags;
    action.sa_handler = handler;
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 60; i++)
        interrupted(i % 30);
    action.sa_handler = handler_of_crash;
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < 20; i++)
        if (!sigsetjmp(back, 1))
            crash(NULL);
    signal(SIGSEGV, SIG_DFL);
}

static int compare_quietly(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Signals that arrive anywhere: in prologues, epilogues, libc. */
static void any_time(int rounds) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGALRM, &action, NULL);
    timer_t timer;
    struct itimerspec every = {{0, 200000}, {0, 200000}};
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    timer_settime(timer, 0, &every, NULL);
    signals = 0;
    char text[64];
    int numbers[100];
    volatile int busy = 0;
    while (signals < rounds) {
        snprintf(text, sizeof text, "%d %s %g", signals, "text", signals * 1.5);
        for (int i = 0; i < 100; i++)
            numbers[i] = (i * 7919 + (int)strlen(text)) % 307;
        /* Nothing here samples but the handler: a walk is not interrupted by another. */
        qsort(numbers, 100, sizeof *numbers, compare_quietly);
        busy += (int)strtol(text, NULL, 0) + numbers[signals % 100];
        free(malloc((size_t)signals % 5000));
    }
    timer_delete(timer);
}

/* ---- coroutines ---- */

static ucontext_t outside, inside;

static void coroutine(void) {
    for (int i = 0; i < 200; i++) {
        o2_run(1, 20);
        swapcontext(&inside, &outside);
    }
}

static void coroutines(char *stack, size_t size) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = size;
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    for (int i = 0; i < 201; i++) {
        swapcontext(&outside, &inside);
        o2_run(1, 12);
    }
}

static void *coroutines_in_thread(void *unused) {
    (void)unused;
    size_t size = 256 * 1024;
    char *stack = malloc(size);
    coroutines(stack, size);
    free(stack);
    return NULL;
}

/* ---- deep ---- */

CHECK_NOINLINE static int deep(int n) {
    volatile int keep = n;
    check_sometimes(3);
    if (n > 0)
        deep(n - 1);
    check_sometimes(3);
    CHECK_KEEP();
    return keep;
}

static jmp_buf far;
static volatile int jump_depth, jump_is_wanted = 1;

CHECK_NOINLINE static void jump(void) {
    check_sample();
    if (jump_depth-- > 0)
        jump();
    else if (jump_is_wanted)
        longjmp(far, 1);
    CHECK_KEEP();
}

static void jumps(void) {
    for (volatile int i = 0; i < 200; i++)
        if (!setjmp(far)) {
            jump_depth = i % 17;
            jump();
        }
}

/* ---- where a walk begins ---- */

#define MAGIC "0x123456789abcdef0"
__asm__(".text\ncall_with_bp:\n push %rbp\n movabs $" MAGIC ", %rbp\n call *%rdi\n pop %rbp\n ret");
uint64_t call_with_bp(uint64_t (*hook)(uint64_t));

/* However a hook is compiled, and whatever it does with rbp before it asks. */
#define HOOK(name, options)                                                                   \
    __attribute__((noinline, noclone, optimize(options))) static uint64_t name(uint64_t n) {  \
        struct unwind_start start;                                                            \
        volatile uint64_t a = n, b = n * 2, c = n * 3;                                        \
        uint64_t p = a + 1, q = b * 7, r = c ^ 5, s = a * b, t = b * c, u = a + c, v = a ^ b; \
        check_sometimes(1u << 30);                                                            \
        v += p * q + r * s + t * u;                                                           \
        UNWIND_START(&start);                                                                 \
        return start.bp + (v & 0) + (start.sp & 15); /* after a call's return: aligned */     \
    }
HOOK(hook_o0, "O0")
HOOK(hook_o1, "O1,omit-frame-pointer")
HOOK(hook_o2, "O2,omit-frame-pointer")
HOOK(hook_o3, "O3,omit-frame-pointer")
HOOK(hook_os, "Os,omit-frame-pointer")

static void starts(void) {
    uint64_t (*const hooks[])(uint64_t) = {hook_o0, hook_o1, hook_o2, hook_o3, hook_os};
    for (int i = 0; i < 5; i++)
        if (call_with_bp(hooks[i]) != strtoull(MAGIC, NULL, 0)) {
            printf("hook %d: rbp of the caller is lost\n", i);
            exit(1);
        }
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    if (unwind_init())
        return 2;
    module_init(NULL, NULL, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    starts();
    check_group("-O0", REGION_END_OUTERMOST);
    o0_run(rounds, 30);
    check_group("-O2 -fomit-frame-pointer", REGION_END_OUTERMOST);
    o2_run(rounds * 10, 30);
    check_group("-O3 -fno-omit-frame-pointer", REGION_END_OUTERMOST);
    o3_run(rounds * 3, 30);
    check_group("-O2 -mavx", REGION_END_OUTERMOST);
    avx_run(rounds * 3, 30);
    check_group("-Os", REGION_END_OUTERMOST);
    os_run(rounds * 3, 30);
    check_group("C++", REGION_END_OUTERMOST);
    unwind_cxx(rounds / 20);
    check_group("callbacks through libc", REGION_END_OUTERMOST);
    callbacks();
    check_group("longjmp", REGION_END_OUTERMOST);
    jumps();
    check_group("4 threads", REGION_END_OUTERMOST);
    threads(rounds, 0);
    check_group("deeper than is kept", -1);
    for (int i = 0; i < 20; i++)
        deep(100 + i * 10);
    o2_run(rounds / 20, 400);

    static char alternate[65536];
    stack_t alternate_stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    check_group("signals on the same stack", REGION_END_OUTERMOST);
    with_signals(0);
    check_group("signals on another stack", REGION_END_OUTERMOST);
    sigaltstack(&alternate_stack, NULL);
    with_signals(SA_ONSTACK);
    check_group("signals at any time", -1); /* assembly may be too hard */
    any_time(rounds);

    check_group("coroutine in malloc'ed memory", REGION_END_OUTERMOST);
    coroutines_in_thread(NULL);
    check_group("coroutine in static memory", REGION_END_OUTERMOST);
    static char own[256 * 1024];
    coroutines(own, sizeof own);
    check_group("coroutine in mapped memory", REGION_END_OUTERMOST);
    coroutines(mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
               1 << 18);
    check_group("coroutine in a thread", REGION_END_OUTERMOST);
    pthread_t id;
    pthread_create(&id, NULL, coroutines_in_thread, NULL);
    pthread_join(id, NULL);
    check_group(NULL, -1);

    printf("all: %llu samples, %llu agree, %llu frames\n", check_total.samples, check_total.agreed,
           check_total.frames);
    printf("%llu passed, %llu failed\n", check_total.groups - check_total.groups_failed,
           check_total.groups_failed);
    return check_total.groups_failed != 0;
}
