/* danger: limits that are lowered and raised again while threads allocate and compress: memory, files, descriptors
 * build: -lz
 * lines: 100
 * allocators: glibc mimalloc (jemalloc crashes by itself where a thread finds no memory, tcmalloc says how often it failed)
 * deadline: 60
 *
 * An allocation may fail while a limit is low, and none after. */
#include <sys/resource.h>
#include <zlib.h>

#include "danger.h"

#define THREADS 3
static _Atomic int low, failures, rounds[THREADS];

/* Blocks that may be refused while limits are low. */
static void *tolerant(void *number) {
    static unsigned char text[30000];
    for (unsigned i = (unsigned)(uintptr_t)number; !danger_ending; i++) {
        int was_low = low;
        size_t size = danger_size(i) * (i % 7 == 3 ? 20 : 1);
        unsigned char *p = malloc(size), *out = malloc(40000);
        if (!p || !out) {
            CHECK(errno == ENOMEM && (was_low || low));
            failures++;
        }
        if (p)
            p[0] = p[size - 1] = 1;
        uLongf n = 40000;
        int result = out ? compress2(out, &n, text, sizeof text, 1) : Z_MEM_ERROR;
        CHECK(result == Z_OK || (result == Z_MEM_ERROR && (was_low || low)));
        free(p);
        free(out);
        rounds[(uintptr_t)number]++;
    }
    return NULL;
}

static void *short_one(void *unused) {
    free(malloc(100000));
    return unused;
}

static void set(int resource, rlim_t value) {
    struct rlimit l;
    CHECK(getrlimit(resource, &l) == 0);
    l.rlim_cur = value < l.rlim_max ? value : l.rlim_max;
    CHECK(setrlimit(resource, &l) == 0);
}

static unsigned long size_now(void) {
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return pages * 4096;
}

static int all_rounds(void) {
    int sum = 0;
    for (int i = 0; i < THREADS; i++)
        sum += rounds[i];
    return sum;
}

/* So many of all threads, and of each one that began after this. */
static void wait_for_rounds(int n) {
    int until = all_rounds() + n, each[THREADS];
    for (int i = 0; i < THREADS; i++)
        each[i] = rounds[i] + 2;
    for (int i = 0; i < THREADS; i++)
        while (rounds[i] < each[i])
            sched_yield();
    while (all_rounds() < until)
        sched_yield();
}

static void with_low(int resource, rlim_t value) {
    low = 1;
    set(resource, value);
    for (int i = 0; i < 5; i++) {
        pthread_t t;
        free(malloc(10 << 20));
        if (pthread_create(&t, NULL, short_one, NULL) == 0)
            pthread_join(t, NULL);
    }
    pid_t pid = fork();
    if (!pid) {
        for (unsigned i = 0; i < 50; i++)
            free(malloc(danger_size(i)));
        set(resource, RLIM_INFINITY);
        danger_churn(100, 1);
        _exit(3);
    }
    CHECK(pid < 0 || danger_wait(pid) == 3);
    wait_for_rounds(200);
    set(resource, RLIM_INFINITY);
    wait_for_rounds(50);
    low = 0;
}

int main(void) {
    pthread_t threads[THREADS];
    danger_churn(50, 1);
    danger_start(threads, THREADS, tolerant);
    for (int i = 0; i < 2; i++) {
        with_low(RLIMIT_AS, size_now());
        with_low(RLIMIT_AS, size_now() + ((rlim_t)20 << 20));
        with_low(RLIMIT_AS, 1 << 20);
        with_low(RLIMIT_DATA, 1 << 20);
        with_low(RLIMIT_DATA, size_now());
        with_low(RLIMIT_FSIZE, 0);
        with_low(RLIMIT_NOFILE, 0);
        with_low(RLIMIT_STACK, 4096);
        with_low(RLIMIT_MEMLOCK, 0);
        with_low(RLIMIT_SIGPENDING, 0);
        danger_churn(200, (unsigned)i);
        pthread_t t;
        CHECK(pthread_create(&t, NULL, short_one, NULL) == 0 && pthread_join(t, NULL) == 0);
    }
    danger_ending = 1;
    danger_join(threads, THREADS);
    printf("done\n");
}
