/* Makes a known number of codec calls with known sizes, and says on stdout what it did, a JSON
 * object a line: the test compares that with what squall counted, and with the same program's words
 * when nobody watches. Nothing here varies from run to run.
 *
 * Built once for each codec (-DWITH_zstd …; codec_calls.h has what each does), linked dynamically,
 * statically, or (-DOPENED) with the libraries given as arguments opened privately, so that no
 * symbol of them is in the global scope. snappy's C++ needs this compiled as C++. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 65536u /* squall's `large` */
#define SIZE_MAX_USED 600000u
#define GARBAGE (1u << 21)
#define ROUNDS 32
#define FRESH 12 /* contexts for one message each */
#define KEPT 10  /* messages of the one that is kept */
#define CHUNK 10000u
#define UNKNOWN ((size_t)-1)

enum direction { COMPRESS, DECOMPRESS };
enum kind { ONE_SHOT, STREAM };

/* ---- what was done ---- */

struct function {
    const char *name;
    enum direction direction;
    long calls, failures;
    size_t source, produced, capacity;
    int is_capacity_known, is_produced_known;
};
static struct function functions[16];
static long messages[2][2][24]; /* direction, kind, floor(log2(source bytes)) */
static uint64_t hash = 1469598103934665603u;

static void book(const char *name, enum direction direction, size_t source, size_t produced,
                 size_t capacity, int failed) {
    struct function *f = functions;
    while (f->name && (f->direction != direction || strcmp(f->name, name) != 0))
        f++;
    f->name = name;
    f->direction = direction;
    f->calls++;
    f->failures += failed != 0;
    f->source += source;
    f->produced += failed ? 0 : produced;
    f->is_produced_known = produced != UNKNOWN;
    f->is_capacity_known = capacity != UNKNOWN;
    f->capacity += capacity;
}

static void book_message(enum direction direction, enum kind kind, size_t source) {
    int class_of = 0;
    while (source >> (class_of + 1))
        class_of++;
    messages[direction][kind][class_of]++;
}

static void add_to_hash(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 1099511628211u;
}

/* Blocks from `large` up, by the function that made them. */
struct site {
    const char *name, *role;
    long allocs;
    size_t bytes;
    double ratio_min, ratio_max, ratio_sum;
};
static struct site bounds = {"bound_output", "output", 0, 0, 0, 0, 0},
                   snugs = {"snug_output", "output", 0, 0, 0, 0, 0},
                   streams = {"stream_output", "output", 0, 0, 0, 0, 0},
                   inputs = {"fresh_input", "input", 0, 0, 0, 0, 0};

static void book_block(struct site *site, size_t size, size_t source) {
    double ratio = (double)size / (double)source;
    if (size < LARGE)
        return;
    site->ratio_min = site->allocs && site->ratio_min < ratio ? site->ratio_min : ratio;
    site->ratio_max = site->ratio_max > ratio ? site->ratio_max : ratio;
    site->ratio_sum += ratio;
    site->allocs++;
    site->bytes += size;
}

/* ---- the codec ---- */

#ifdef OPENED
static void *libraries[4];
static void *find(const char *name) {
    for (int i = 0; i < 4 && libraries[i]; i++) {
        void *function = dlsym(libraries[i], name);
        if (function)
            return function;
    }
    printf("no %s\n", name);
    exit(1);
}
#define CALL(function) ((__typeof__(&(function)))find(#function))
#else
#define CALL(function) function
#endif

static unsigned char text[SIZE_MAX_USED], packed[2 * SIZE_MAX_USED], unpacked[SIZE_MAX_USED],
    garbage[GARBAGE];
__attribute__((unused)) static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

#include "codec_calls.h"

/* ---- blocks: each function is a site ---- */

static unsigned char *bound_output(size_t size, size_t source) {
    book_block(&bounds, size, source);
    return (unsigned char *)malloc(size);
}
static unsigned char *snug_output(size_t size) {
    book_block(&snugs, size, size);
    return (unsigned char *)malloc(size);
}
static unsigned char *kept_output(size_t size) {
    return (unsigned char *)malloc(size);
}
static unsigned char *fresh_input(size_t size) {
    book_block(&inputs, size, size);
    return (unsigned char *)memcpy(malloc(size), text, size);
}

/* ---- what is done ---- */

static size_t size_of(int round) {
    return round % 3 == 2 ? 600 + (size_t)round * 997
                          : LARGE + 100 + (size_t)round * 39595 % 230000;
}

/* The output is copied first, for its block would serve a second time as a source. */
static void check(const unsigned char *output, size_t size, size_t n,
                  size_t (*back)(const unsigned char *, size_t, unsigned char *, size_t)) {
    memcpy(packed, output, size);
    add_to_hash(packed, size);
    if (back(packed, size, unpacked, n) != n || memcmp(unpacked, text, n) != 0) {
        printf("%zu bytes do not come back\n", n);
        exit(2);
    }
}

static void one_shots(void) {
    unsigned char *kept = kept_output(bound(SIZE_MAX_USED));
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = size_of(i);
        int is_snug = SNUG && i % 2, is_kept = i % 5 == 4;
        size_t room = is_snug ? n : bound(n);
        unsigned char *source = i % 4 ? text : fresh_input(n);
        unsigned char *output = is_kept ? kept : is_snug ? snug_output(n) : bound_output(room, n);
        size_t size = squeeze(i, source, n, output, room);
        if (!size) {
            printf("%zu bytes do not go into %zu\n", n, room);
            exit(3);
        }
        check(output, size, n, unfold);
        if (!is_kept)
            free(output);
        if (source != text)
            free(source);
    }
    free(kept);
}

/* In size classes of their own, so that nobody has to know whether these are messages. */
static void failing(void) {
    static unsigned char tiny[16];
    for (int i = 0; i < 5 && FAILS; i++)
        if (squeeze(i, text, SIZE_MAX_USED, tiny, sizeof tiny))
            exit(4);
    for (int i = 0; i < 3 && FAILS_BACK; i++)
        if (unfold(garbage, GARBAGE, unpacked, SIZE_MAX_USED))
            exit(5);
}

#ifdef CREATES
static size_t fresh_source;
#ifndef SERVES_ONE
static size_t kept_source;
#endif
static unsigned char *stream_output(size_t size, size_t source) {
    book_block(&streams, size, source);
    return (unsigned char *)malloc(size);
}
static void *fresh_context(void) {
    return context_new();
}
#ifndef SERVES_ONE
static void *kept_context(void) {
    return context_new();
}
#endif

static void one_stream(void *context, int round, size_t *sum) {
    size_t n = size_of(round + 40), room = bound(n) + 1000;
    unsigned char *output = stream_output(room, n);
    size_t size = squeeze_stream(context, text, n, output, room);
    check(output, size, n, unfold_stream);
    free(output);
    *sum += n;
}

static void all_streams(void) {
    for (int i = 0; i < FRESH; i++) {
        void *context = fresh_context();
        one_stream(context, i, &fresh_source);
        context_free(context);
    }
#ifndef SERVES_ONE
    void *context = kept_context();
    for (int i = 0; i < KEPT; i++) {
        if (i)
            context_next(context);
        one_stream(context, i, &kept_source);
    }
    context_free(context);
#endif
}

static void say_contexts(const char *where, int created, int single, int served, size_t source) {
    printf("{\"what\": \"contexts\", \"in\": \"%s\", \"function\": \"%s\", \"created\": %d, "
           "\"ended\": %d, \"single\": %d, \"messages\": %d, \"source_bytes\": %zu}\n",
           where, CREATES, created, created, single, served, source);
}
#endif

/* ---- what is said ---- */

static void say_site(const struct site *s) {
    if (s->allocs)
        printf("{\"what\": \"site\", \"name\": \"%s\", \"role\": \"%s\", \"allocs\": %ld, "
               "\"bytes\": %zu, \"ratio\": [%.9f, %.9f, %.9f]}\n",
               s->name, s->role, s->allocs, s->bytes, s->ratio_min, s->ratio_max,
               s->ratio_sum / (double)s->allocs);
}

static void say(void) {
    static const char *const directions[] = {"compress", "decompress"};
    static const char *const kinds[] = {"one-shot", "stream"};
    for (const struct function *f = functions; f->name; f++) {
        printf("{\"what\": \"function\", \"function\": \"%s\", \"direction\": \"%s\", "
               "\"calls\": %ld, \"failures\": %ld, \"source_bytes\": %zu",
               f->name, directions[f->direction], f->calls, f->failures, f->source);
        if (f->is_produced_known)
            printf(", \"produced_bytes\": %zu", f->produced);
        if (f->is_capacity_known)
            printf(", \"output_capacity\": %zu", f->capacity);
        puts("}");
    }
    for (int d = 0; d < 2; d++)
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 24; c++)
                if (messages[d][k][c])
                    printf("{\"what\": \"messages\", \"direction\": \"%s\", \"kind\": \"%s\", "
                           "\"from\": %d, \"calls\": %ld}\n",
                           directions[d], kinds[k], 1 << c, messages[d][k][c]);
    say_site(&bounds);
    say_site(&snugs);
    say_site(&streams);
    say_site(&inputs);
#ifdef CREATES
    say_contexts("fresh_context", FRESH, FRESH, FRESH, fresh_source);
#ifndef SERVES_ONE
    say_contexts("kept_context", 1, 0, KEPT, kept_source);
#endif
#endif
    printf("{\"what\": \"hash\", \"hash\": \"%016llx\"}\n", (unsigned long long)hash);
}

int main(int argc, char **argv) {
#ifdef OPENED
    for (int i = 1; i < argc && i < 5; i++)
        if (!(libraries[i - 1] = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL))) {
            puts(dlerror());
            return 1;
        }
#else
    (void)argc;
    (void)argv;
#endif
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)"level=info msg=x path=/a/b"[(i * 7 + i / 97 + i / 1000) % 26];
    memset(garbage, 0xff, sizeof garbage);
    one_shots();
    failing();
#ifdef CREATES
    all_streams();
#endif
    say();
    return 0;
}
