/* What a walk costs, on stacks of the kinds that matter. Usage: unwind_bench [rounds]
 *
 * Frames are those of a recursion compiled without frame pointers; `path` decides at each level
 * which of four functions is called, so equal paths give equal stacks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#include "shim/module.h"
#include "shim/unwind.h"

#define KEEP() __asm__ volatile("" ::: "memory")

static struct unwind_thread *thread;
static unsigned repeat = 1; /* walks at the bottom of one stack */
static uint64_t spent, walks, frames, sum;
static int is_off; /* the recursion alone, to be taken off */

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void bottom(void) {
    struct unwind_start start;
    struct unwind_result r;
    UNWIND_START(&start);
    for (unsigned i = 0; i < repeat; i++) {
        if (is_off)
            continue;
        unwind_walk(thread, &start, &r);
        sum += r.hash;
        frames += r.count;
        walks++;
    }
}

static uint64_t go(unsigned depth, uint64_t path);

#define LEVEL(name, locals)                                                                  \
    __attribute__((noinline, noclone)) static uint64_t name(unsigned depth, uint64_t path) { \
        volatile uint64_t room[locals];                                                      \
        room[0] = path;                                                                      \
        uint64_t v = go(depth - 1, path >> 2 | path << 62);                                  \
        KEEP();                                                                              \
        return v + room[0];                                                                  \
    }
LEVEL(level_a, 1)
LEVEL(level_b, 4)
LEVEL(level_c, 20)
LEVEL(level_d, 100)

static inline __attribute__((always_inline)) uint64_t go(unsigned depth, uint64_t path) {
    if (depth == 0) {
        bottom();
        KEEP();
        return path;
    }
    switch (path & 3) {
    case 0:
        return level_a(depth, path);
    case 1:
        return level_b(depth, path);
    case 2:
        return level_c(depth, path);
    default:
        return level_d(depth, path);
    }
}

__attribute__((noinline)) static uint64_t enter(unsigned depth, uint64_t path) {
    uint64_t v = go(depth, path);
    KEEP();
    return v;
}

static uint64_t random_path(uint64_t i) {
    return base_mix(i + 1);
}

/* `paths` different stacks, the outer `fixed` levels of which are the same. */
static void measure(const char *name, unsigned depth, unsigned fixed, unsigned paths,
                    unsigned rounds, unsigned at_bottom) {
    uint64_t times[2];
    repeat = at_bottom;
    frames = walks = 0;
    for (is_off = 1; is_off >= 0; is_off--) {
        uint64_t begin = now();
        for (unsigned i = 0; i < rounds; i++) {
            uint64_t path = random_path(base_mix(i) % paths);
            if (fixed) {
                uint64_t mask = (1ull << (2 * fixed)) - 1;
                path = (path & ~mask) | (random_path(12345) & mask);
            }
            enter(depth, path);
        }
        times[is_off] = now() - begin;
    }
    spent = times[0] > times[1] ? times[0] - times[1] : 0;
    printf("%-44s %7.1f ns a walk, %5.1f frames\n", name, (double)spent / (double)walks,
           (double)frames / (double)walks);
}

/* A stack that is not our own is read through the kernel. */
static ucontext_t outside, inside;
static unsigned rounds;

static void coroutine(void) {
    measure("coroutine in malloc'ed memory, 20 frames", 17, 0, 1, rounds / 1000, 100);
}

static void run_coroutine(void) {
    getcontext(&inside);
    inside.uc_stack.ss_size = 1 << 18;
    inside.uc_stack.ss_sp = malloc(inside.uc_stack.ss_size);
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    swapcontext(&outside, &inside);
}

int main(int argc, char **argv) {
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 200000;
    if (unwind_init())
        return 2;
    module_init(NULL, NULL, NULL);
    thread = calloc(1, unwind_thread_size());
    enter(3, 0);
    measure("repeating stack, 20 frames", 14, 0, 1, n / 100, 1000);
    measure("the same, entered anew each time", 14, 0, 1, n, 1);
    measure("repeating stack, 64 frames", 58, 0, 1, n / 100, 1000);
    measure("deeper than is kept, the same", 200, 0, 1, n / 200, 200);
    measure("200 random paths on a prefix of 13", 14, 8, 200, n, 1);
    measure("10,000 random stacks", 11, 0, 10000, n, 1);
    rounds = n;
    run_coroutine();
    fprintf(stderr, "%llx\n", (unsigned long long)sum & 15);
    return 0;
}
