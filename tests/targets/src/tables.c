/* tables: fills one table of the library beyond its bound: tables PART COUNT. Prints how many times
 * it did what fills it.
 *
 * A stack is made by a path through left and right; at its end stands what the part is about. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <squall/squall.h>
#include <zstd.h>

static void *volatile sink;
static char text[2000], room[4000];
static int bits, depth_now;
static void (*at_the_end)(void);

/* ---- what is done at the end of each stack ---- */

static void large(void) {
    for (int i = 0; i < 3; i++)
        free(sink = malloc(100000 + (size_t)i));
}
static void events(void) {
    for (int i = 0; i < 400; i++)
        free(sink = malloc(300));
}
static void call(void) {
    for (int i = 0; i < 3; i++)
        if (ZSTD_isError(ZSTD_compress(room, sizeof room, text, sizeof text, 1)))
            abort();
}
static void mapping(void) {
    void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || munmap(p, 1 << 20))
        abort();
}

static void left(int n);
static void right(int n);
static void step(int n) {
    if (!n)
        at_the_end();
    else if (bits >> (depth_now - n) & 1)
        left(n - 1);
    else
        right(n - 1);
    __asm__ volatile("");
}
static void left(int n) {
    step(n);
    __asm__ volatile("");
}
static void right(int n) {
    step(n);
    __asm__ volatile("");
}
static void stacks(int count) {
    while (1 << depth_now < count)
        depth_now++;
    for (bits = 0; bits < count; bits++)
        step(depth_now);
}

/* ---- threads ---- */

static pthread_barrier_t all;
static void *thread(void *is_together) {
    if (is_together)
        pthread_barrier_wait(&all);
    for (int i = 0; i < 100; i++)
        free(sink = malloc(300));
    if (is_together)
        pthread_barrier_wait(&all);
    return NULL;
}
static void together(int count) {
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&all, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], &small, thread, &all))
            abort();
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}
static void in_turn(int count) {
    pthread_t one;
    for (int i = 0; i < count; i++)
        if (pthread_create(&one, NULL, thread, NULL) || pthread_join(one, NULL))
            abort();
}

/* Each thread has an arena, and each of glibc's arenas 64 MiB of addresses for itself. */
static void *volatile *held;
static void *in_arena(void *number) {
    int first = (int)(size_t)number * 50;
    pthread_barrier_wait(&all);
    for (int i = 0; i < 50; i++)
        held[first + i] = malloc(100);
    pthread_barrier_wait(&all);
    return NULL;
}
static void arenas(int count) {
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    held = calloc((size_t)count * 50, sizeof *held);
    pthread_barrier_init(&all, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, in_arena, (void *)(size_t)i))
            abort();
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < count * 50; i++)
        free(held[i]);
}

/* ---- things that are there at once ---- */

static void contexts_alive(int count) {
    ZSTD_CCtx **c = calloc((size_t)count, sizeof *c);
    for (int i = 0; i < count; i++)
        if (!(c[i] = ZSTD_createCCtx()))
            abort();
    for (int i = 0; i < count; i++)
        ZSTD_freeCCtx(c[i]);
    free(c);
}
static void mappings_alive(int count) {
    void **p = calloc((size_t)count, sizeof *p);
    for (int i = 0; i < count; i++)
        if ((p[i] = mmap(NULL, 128 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
            abort();
    for (int i = 0; i < count; i++)
        munmap(p[i], 128 << 10);
    free(p);
}
static void marks(int count) {
    char (*names)[16] = calloc((size_t)count, sizeof *names);
    struct squall_call c;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "codec-%d", i);
            squall_begin(&c, names[i], SQUALL_COMPRESS, text, sizeof text, room, sizeof room);
            squall_end(&c, 100);
        }
    free(names);
}

/* Files that the test copied; each has a function that allocates. */
static void modules(int count) {
    char path[4096];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/m%d.so", getenv("MODULES"), i);
        void *m = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        void (*run)(void) = m ? (void (*)(void))dlsym(m, "plugin") : NULL;
        if (!run) {
            puts(dlerror());
            exit(1);
        }
        run();
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*each)(void);
        void (*all)(int);
    } parts[] = {{"large", large, NULL},         {"events", events, NULL},
                 {"call", call, NULL},           {"mapping", mapping, NULL},
                 {"together", NULL, together},   {"in_turn", NULL, in_turn},
                 {"arenas", NULL, arenas},       {"marks", NULL, marks},
                 {"modules", NULL, modules},     {"contexts_alive", NULL, contexts_alive},
                 {"mappings_alive", NULL, mappings_alive}};
    int count = argc > 2 ? atoi(argv[2]) : 0;
    for (size_t i = 0; argc > 2 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name))
            continue;
        at_the_end = parts[i].each;
        if (parts[i].all)
            parts[i].all(count);
        else
            stacks(count);
        printf("%d\n", count);
        return 0;
    }
    return 2;
}
