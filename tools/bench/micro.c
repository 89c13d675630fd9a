/* micro: what a malloc+free pair costs, in situations that differ for who records it.
 *
 *   micro MILLISECONDS THREADS WORKLOAD [LEVELS [COUNT [PREFIX]]]
 *
 * Prints what clocked.h says. LEVELS of recursion stand above the function that allocates; below
 * it are worker, start_thread and clone3. Built with -fno-builtin, or the compiler removes pairs.
 */
#include "clocked.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1024, SMALL = 64 };

static unsigned levels = 16;
static unsigned path_count;  /* of distinct stacks */
static unsigned path_prefix; /* frames that all of them share */
static uint64_t path_ids[1 << 17];

static inline void touch(char *p) {
    p[0] = 1;
    __asm__ volatile("" : : "r"(p) : "memory");
}

FRAME static void pair(size_t n) {
    char *p = malloc(n);
    touch(p);
    free(p);
}

/* ---- at the bottom of one deep stack ---- */

/* Calls `leaf` under so many frames. */
FRAME static void descend(struct worker *w, unsigned left, void (*leaf)(struct worker *w)) {
    char frame[32];
    if (left)
        descend(w, left - 1, leaf);
    else
        leaf(w);
    HOLD(frame);
}

static void repeat_pairs(struct worker *w) {
    do {
        for (size_t i = 0; i < BATCH; i++) {
            char *p = malloc(SMALL + (i & 63));
            touch(p);
            free(p);
        }
    } while (clocked_more(w, BATCH));
}

/* A buffer that grows as a string or a vector does: eleven allocations a chain. */
static void repeat_chains(struct worker *w) {
    enum { STEPS = 11, CHAINS = 64 };
    do {
        for (unsigned i = 0; i < CHAINS; i++) {
            char *p = NULL;
            for (unsigned step = 0; step < STEPS; step++) {
                p = realloc(p, (size_t)16 << step);
                touch(p);
            }
            free(p);
        }
    } while (clocked_more(w, STEPS * CHAINS));
}

/* 64 KiB to 4 MiB, evenly by the logarithm. */
static void repeat_large(struct worker *w) {
    enum { PAIRS = 64 };
    do {
        for (unsigned i = 0; i < PAIRS; i++) {
            uint64_t random = clocked_random(w);
            size_t base = (size_t)65536 << random % 6;
            char *p = malloc(base + (random >> 32) % base);
            touch(p);
            free(p);
        }
    } while (clocked_more(w, PAIRS));
}

static void run_pairs(struct worker *w) {
    descend(w, levels, repeat_pairs);
}

static void run_chains(struct worker *w) {
    descend(w, levels, repeat_chains);
}

static void run_large(struct worker *w) {
    descend(w, levels, repeat_large);
}

/* ---- stacks that change ---- */

FRAME static void step_a(uint64_t path, unsigned left);
FRAME static void step_b(uint64_t path, unsigned left);

/* Two functions and four calls; the path says which. */
#define STEP(name, size)                                   \
    FRAME static void name(uint64_t path, unsigned left) { \
        char frame[size];                                  \
        if (!left)                                         \
            pair(SMALL + (path & 63));                     \
        else if (path & 1)                                 \
            step_a(path >> 1, left - 1);                   \
        else                                               \
            step_b(path >> 1, left - 1);                   \
        HOLD(frame);                                       \
    }
STEP(step_a, 32)
STEP(step_b, 80)

/* Each path once, to be known, then at random. */
static void repeat_paths(struct worker *w) {
    unsigned known = 0;
    do {
        for (unsigned i = 0; i < BATCH; i++) {
            unsigned which = known < path_count ? known++ : clocked_random(w) % path_count;
            step_a(path_ids[which], levels);
        }
    } while (clocked_more(w, BATCH));
}

static void run_paths(struct worker *w) {
    if (path_prefix)
        descend(w, path_prefix - 1, repeat_paths);
    else
        repeat_paths(w);
}

/* Distinct, and any two differ in about half of their levels. */
static void make_paths(void) {
    uint64_t mask = ((uint64_t)1 << levels) - 1;
    for (unsigned i = 0; i < path_count; i++)
        path_ids[i] = i * (uint64_t)0x9e3779b1 & mask; /* odd: one to one */
}

/* Each pair one level deeper or higher than the one before. */
FRAME static void wave(unsigned left) {
    char frame[48];
    pair(SMALL);
    if (left > 1)
        wave(left - 1);
    pair(SMALL);
    HOLD(frame);
}

static void run_wave(struct worker *w) {
    unsigned waves = BATCH / (2 * levels);
    do {
        for (unsigned i = 0; i < waves; i++)
            wave(levels);
    } while (clocked_more(w, waves * 2 * levels));
}

/* ---- freed by another thread ---- */

/* A batch at a time, the two never at once: two threads in one arena of glibc make figures that
 * differ fivefold from run to run. */
enum { HANDED = 2048 };
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *blocks[HANDED];
    uint64_t given, taken;
    bool is_over;
} mail = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *free_what_comes(void *unused) {
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&mail.lock);
        while (mail.given == mail.taken && !mail.is_over)
            pthread_cond_wait(&mail.changed, &mail.lock);
        bool is_empty = mail.given == mail.taken;
        pthread_mutex_unlock(&mail.lock);
        if (is_empty)
            return NULL;
        for (unsigned i = 0; i < HANDED; i++)
            free(mail.blocks[i]);
        pthread_mutex_lock(&mail.lock);
        mail.taken++;
        pthread_cond_signal(&mail.changed);
        pthread_mutex_unlock(&mail.lock);
    }
}

static void give_batch(void) {
    pthread_mutex_lock(&mail.lock);
    while (mail.given != mail.taken)
        pthread_cond_wait(&mail.changed, &mail.lock);
    pthread_mutex_unlock(&mail.lock);
    for (unsigned i = 0; i < HANDED; i++) {
        char *p = malloc(SMALL + (i & 63));
        touch(p);
        mail.blocks[i] = p;
    }
    pthread_mutex_lock(&mail.lock);
    mail.given++;
    pthread_cond_signal(&mail.changed);
    pthread_mutex_unlock(&mail.lock);
}

static void repeat_handing(struct worker *w) {
    do {
        give_batch();
    } while (clocked_more(w, HANDED));
}

static void run_remote(struct worker *w) {
    pthread_t other;
    if (pthread_create(&other, NULL, free_what_comes, NULL))
        abort();
    descend(w, levels, repeat_handing);
    pthread_mutex_lock(&mail.lock);
    mail.is_over = true;
    pthread_cond_signal(&mail.changed);
    pthread_mutex_unlock(&mail.lock);
    pthread_join(other, NULL);
}

/* ---- main ---- */

static const struct {
    const char *name;
    void (*run)(struct worker *w);
} workloads[] = {
    {"pairs", run_pairs}, {"chains", run_chains}, {"large", run_large},
    {"paths", run_paths}, {"wave", run_wave},     {"remote", run_remote},
};

static unsigned number(int argc, char **argv, int i, unsigned otherwise) {
    return i < argc ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    unsigned milliseconds = number(argc, argv, 1, 100), threads = number(argc, argv, 2, 1);
    const char *name = argc > 3 ? argv[3] : "pairs";
    levels = number(argc, argv, 4, 16);
    path_count = number(argc, argv, 5, 1);
    path_prefix = number(argc, argv, 6, 0);
    if (levels < 1 || levels > 1000 || path_count < 1 || path_count > 1 << 17 ||
        (path_count > 1 && levels < 17 && path_count > 1u << levels)) {
        fprintf(stderr, "micro: that many levels or paths are too many\n");
        return 2;
    }
    /* Each path often enough that no tool is busy with its first blocks any more. */
    uint64_t warm = 16ull * path_count + 4096;
    if (levels < 64)
        make_paths();
    for (unsigned i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return clocked_run(threads, milliseconds, warm, workloads[i].run);
    fprintf(stderr, "micro: no workload %s\n", name);
    return 2;
}
