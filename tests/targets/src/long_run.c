/* long_run: what days do to counters. The program is under the library and sets what that has
 * counted so far, to what it would be after 48 hours and more; then it goes on, and looks whether
 * the counters did. Prints "ok", or what was wrong.
 *
 *   long_run PART       PART: see the table below
 *
 * SYMBOLS holds NAME=OFFSET of the library's own variables, as nm gives them. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "shim/block.h"
#include "shim/shim.h"

#define HOURS_48 (48ull * 3600)
#define ROW(table, type, i) (&((struct type *)library->region.rows[table])[i])
#define USED(table) (library->region.directory[table].used)

static struct shim *library;
static const char *part = "?";

static void claim(int true_, const char *what) {
    if (true_)
        return;
    printf("%s: %s\n", part, what);
    exit(1);
}

/* ---- the library's variables ---- */

static int find_base(struct dl_phdr_info *info, size_t size, void *base) {
    (void)size;
    if (!strstr(info->dlpi_name, "libsquall.so"))
        return 0;
    *(uint64_t *)base = info->dlpi_addr;
    return 1;
}

static void *variable(const char *name) {
    uint64_t base = 0;
    const char *list = getenv("SYMBOLS");
    for (size_t n = strlen(name); list && *list; list += strcspn(list, " "), list += *list == ' ')
        if (!strncmp(list, name, n) && list[n] == '=' && dl_iterate_phdr(find_base, &base))
            return (void *)(base + strtoull(list + n + 1, NULL, 16));
    claim(0, "the library or its symbols were not found");
    return NULL;
}

/* ---- one site: a thread that makes blocks, always with the same stack ---- */

static void *volatile made;
static size_t size;
static volatile int wanted, is_kept, row_tid;

static __attribute__((noinline)) void make(void) {
    made = malloc(size);
}

static void *maker(void *unused) {
    row_tid = gettid();
    for (;; sched_yield())
        for (; wanted; __atomic_fetch_sub(&wanted, 1, __ATOMIC_ACQ_REL)) {
            make();
            if (!is_kept)
                free(made);
        }
    return unused;
}

static void order(int n) {
    static pthread_t thread;
    if (!thread)
        pthread_create(&thread, NULL, maker, NULL);
    __atomic_store_n(&wanted, n, __ATOMIC_RELEASE);
    while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void cycle(int n) {
    is_kept = 0;
    order(n);
}

/* Freed by this thread. */
static void free_elsewhere(int n) {
    is_kept = 1;
    for (int i = 0; i < n; i++) {
        order(1);
        free(made);
    }
}

/* The cell that took `n` blocks just now. */
static uint32_t cell_of(uint64_t n) {
    for (uint32_t i = 2; i < USED(REGION_CELLS); i++)
        if (ROW(REGION_CELLS, region_cell, i)->allocs == n)
            return i;
    claim(0, "no cell has as many blocks as were made");
    return 0;
}

static struct region_thread *maker_row(void) {
    for (uint32_t i = 1; i < USED(REGION_THREADS); i++)
        if (ROW(REGION_THREADS, region_thread, i)->tid == row_tid)
            return ROW(REGION_THREADS, region_thread, i);
    return NULL;
}

/* ---- the parts ---- */

#define WARM 1003
#define MORE 5000

/* Sums near a number of so many bits; the shell compares the report. */
static void add_to_sums(uint64_t v) {
    cycle(WARM);
    uint32_t cell = cell_of(WARM);
    struct region_cell *c = ROW(REGION_CELLS, region_cell, cell);
    struct region_remote *r = ROW(REGION_REMOTE, region_remote, cell);
    struct region_thread *t = maker_row();
    claim(t != NULL, "no row of the thread");
    uint64_t mine = v - v / 4, other = v / 4;
    c->allocs += v, c->samples += v, c->bytes += v;
    c->frees += mine, c->freed_bytes += mine;
    r->frees += other, r->freed_bytes += other;
    t->allocs += v, t->frees += v, t->byte_goal += v;
    if (c->large) {
        struct region_large *l = ROW(REGION_LARGE, region_large, c->large);
        l->allocs += v, l->frees += v, l->bytes += v, l->freed_bytes += v, l->transient += v;
        library->region.header->large_allocs += v;
        library->region.header->large_bytes += v;
    }
    cycle(MORE);
    free_elsewhere(20);
    claim(c->allocs == v + WARM + MORE + 20, "allocs");
    claim(c->frees + r->frees == c->allocs, "frees");
    claim(c->bytes == v + (WARM + MORE + 20) * size, "bytes");
    claim(c->bytes - c->freed_bytes - r->freed_bytes == 0, "live bytes");
    claim(c->peak_bytes == size, "the peak");
    printf("%llu ", (unsigned long long)(c->allocs));
}

static void sums_32(void) { add_to_sums((1ull << 32) - 2000); }
static void sums_53(void) { add_to_sums((1ull << 53) - 2000); }
static void sums_63(void) { add_to_sums((1ull << 63) - 2000); }

/* 36,000 blocks that live for 48 hours fill a sum of ticks: its mean stays. */
static void lives(void) {
    cycle(WARM);
    uint32_t cell = cell_of(WARM);
    struct region_cell *c = ROW(REGION_CELLS, region_cell, cell);
    struct region_remote *r = ROW(REGION_REMOTE, region_remote, cell);
    c->life_sum = r->life_sum = 1ull << 63;
    c->freed_samples = r->freed_samples = 20000;
    cycle(MORE);
    free_elsewhere(20);
    claim(c->life_sum == 1ull << 63 && c->freed_samples == 20000, "own lives went on");
    claim(r->life_sum == 1ull << 63 && r->freed_samples == 20000, "lives ended elsewhere went on");
    claim(c->frees + r->frees == c->allocs, "frees");
    printf("%u ", c->site);
}

/* Classes of a histogram have 32 bits, and stay in proportion. */
static void histograms(void) {
    cycle(WARM);
    uint32_t site = ROW(REGION_CELLS, region_cell, cell_of(WARM))->site;
    claim(ROW(REGION_SITES, region_site, site)->histogram != 0, "no histogram");
    struct region_histogram *h = ROW(REGION_HISTOGRAMS, region_histogram, ROW(REGION_SITES, region_site, site)->histogram);
    unsigned class = 2 * (63 - (unsigned)__builtin_clzll(size)) + (size >> (62 - __builtin_clzll(size)) & 1);
    h->size[class] = (1u << 31) - 3;
    h->size[1] = 1u << 30;
    cycle(100 * MORE);
    claim(h->size[class] >= 1u << 30 && h->size[class] < 1u << 31, "the class ran over");
    claim(h->size[1] == 1u << 29, "another class was not halved with it");
}

static char text[200000], room[300000];

static void squeeze(void *to) {
    claim(!ZSTD_isError(ZSTD_compress(to, sizeof room, text, sizeof text, 1)), "zstd");
}

static uint64_t wall(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < REGION_LEVELS && i < USED(REGION_CONCURRENCY); i++)
        sum += ROW(REGION_CONCURRENCY, region_concurrency, i)->wall_ticks;
    return sum;
}

static uint64_t ticks_in_calls(void) {
    uint64_t sum = 0;
    for (uint32_t i = 1; i < USED(REGION_CODEC_CALLS); i++)
        sum += ROW(REGION_CODEC_CALLS, region_codec_call, i)->ticks;
    return sum;
}

/* The clock of how many calls run at once has 48 bits, a day: it was idle for longer than half. */
static void idle(void) {
    squeeze(room);
    uint64_t *running = variable("running"), mask = (1ull << 48) - 1;
    claim(*running >> 48 == 0, "a call is under way");
    *running = (*running - (mask / 4) * 3) & mask;
    uint64_t counted = wall(), took = ticks_in_calls();
    for (int i = 0; i < 100; i++)
        squeeze(room);
    counted = wall() - counted, took = ticks_in_calls() - took;
    claim(counted <= took, "more time with calls than there was");
    claim(counted > took - took / 8, "the time with calls under way is not counted");
}

/* Messages that a buffer served have 32 bits. */
static void served(void) {
    char *out = malloc(sizeof room);
    for (int i = 0; i < 100; i++)
        squeeze(out);
    struct block *rows = *(struct block **)variable("block_rows"), *b = rows + 1;
    for (int i = 0; b->start != (uint64_t)out && i < 1000; i++)
        b++;
    claim(b->start == (uint64_t)out && b->served == 100, "the buffer's row");
    uint64_t large = ROW(REGION_CELLS, region_cell, b->cell)->large;
    struct region_large *l = ROW(REGION_LARGE, region_large, large);
    claim(l->reused == 1, "reused");
    b->served = UINT32_MAX - 30;
    for (int i = 0; i < 100; i++)
        squeeze(out);
    claim(b->served > 16, "it counts from the start again");
    claim(l->reused == 1, "it was taken for another buffer that is used again");
    uint64_t transient = l->transient;
    free(out);
    claim(l->transient == transient, "a buffer that served for ever is transient");
}

/* A buffer of 64 KiB for each byte of source: sums of ratios run full. */
static void ratios(void) {
    char *out = malloc(sizeof room);
    squeeze(out);
    struct region_large *l = NULL;
    for (uint32_t i = 1; i < USED(REGION_LARGE); i++)
        if (ROW(REGION_LARGE, region_large, i)->output_allocs == 1)
            l = ROW(REGION_LARGE, region_large, i);
    claim(l && l->produced_ratio_count == 1, "no ratio");
    l->source_ratio_sum = l->produced_ratio_sum = 1ull << 63;
    for (int i = 0; i < 1000; i++)
        squeeze(out);
    claim(l->source_ratio_sum == 1ull << 63 && l->source_ratio_count == 1, "to source");
    claim(l->produced_ratio_sum == 1ull << 63 && l->produced_ratio_count == 1, "to produced");
    free(out);
}

static jmp_buf out_of;
static void *jump(void *opaque, size_t n) {
    (void)n;
    if (opaque)
        longjmp(out_of, 1);
    return NULL;
}
static void no_free(void *opaque, void *p) {
    (void)opaque;
    (void)p;
}
static void leave_one(void) {
    ZSTD_customMem memory = {jump, no_free, &out_of};
    if (!setjmp(out_of))
        ZSTD_createCCtx_advanced(memory);
}

static struct region_codec_call *find_left(void) {
    for (uint32_t i = 1; i < USED(REGION_CODEC_CALLS); i++)
        if (ROW(REGION_CODEC_CALLS, region_codec_call, i)->left)
            return ROW(REGION_CODEC_CALLS, region_codec_call, i);
    return NULL;
}

/* Calls that were left have 32 bits: 25,000 a second. */
static void left(void) {
    struct region_codec_call *c = NULL;
    for (int i = 0; i < 10; i++) {
        leave_one();
        squeeze(room); /* finds that the other one was left */
        if (c)
            continue;
        c = find_left();
        claim(c && c->left == 1, "the call that was left");
        c->left = UINT32_MAX - 2;
    }
    claim(c->left == UINT32_MAX, "it does not stay at the most that it can tell");
}

/* The number of the tick, beyond what the ring holds and beyond 32 bits. */
static void ticks(void) {
    struct region_directory *d = &library->region.directory[REGION_TIMELINE];
    d->used = (1ull << 32) - 3;
    while (d->used < (1ull << 32) + 3)
        cycle(100);
    claim(library->region.header->lost[REGION_LOST_TICKS] >= 6, "overwritten ticks are not counted");
}

/* The process ends after 48 hours, most of which it spent in a codec call. There is no tick and no
 * exit handler that would tell the time anew. */
static void hours(void) {
    struct region_header *h = library->region.header;
    squeeze(room);
    cycle(WARM);
    uint64_t ns = HOURS_48 * 1000000000u, clock = ns * 2 + ns / 10; /* 2.1 GHz, as good as any */
    h->end_raw_ns = h->start_raw_ns + ns;
    h->end_clock = h->start_clock + clock;
    for (uint32_t i = 1; i < USED(REGION_CODEC_CALLS); i++)
        ROW(REGION_CODEC_CALLS, region_codec_call, i)->ticks += clock;
    cycle(MORE);
    h->ended = 1;
    puts("ok");
    fflush(stdout);
    _exit(0);
}

/* ---- forks ---- */

#define KEPT 1000
static void *kept[KEPT];

static int wait_for(pid_t pid) {
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

/* What was made before the fork is freed after it. */
static void use_and_free(int from, int to) {
    for (int i = 0; i < 50; i++) {
        make();
        free(made);
    }
    for (int i = from; i < to; i++)
        free(kept[i]);
}

/* Epochs have 16 bits: the process that would be the first one's again is not recorded. */
static void epochs(void) {
    for (int i = 0; i < KEPT; i++)
        kept[i] = malloc(size);
    library->epoch = UINT16_MAX - 1;
    library->ready = library->epoch + 1;
    pid_t child = fork();
    if (!child) {
        use_and_free(0, 300);
        pid_t last = fork();
        if (!last) {
            use_and_free(300, 600);
            pid_t behind = fork();
            if (!behind)
                use_and_free(600, KEPT);
            _exit(behind ? wait_for(behind) != 0 : 0);
        }
        _exit(wait_for(last) != 0);
    }
    claim(wait_for(child) == 0, "a child did not end well");
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {{"sums_32", sums_32}, {"sums_53", sums_53},       {"sums_63", sums_63}, {"lives", lives},
             {"left", left},       {"histograms", histograms}, {"idle", idle},       {"served", served},
             {"ratios", ratios},   {"ticks", ticks},           {"hours", hours},     {"epochs", epochs}};

int main(int argc, char **argv) {
    size = argc > 2 ? (size_t)atoi(argv[2]) : 100000;
    library = variable("shim");
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++)
        if (!strcmp(argv[1], parts[i].name)) {
            part = argv[1];
            parts[i].run();
            puts("ok");
            return 0;
        }
    return 2;
}
