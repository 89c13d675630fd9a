/* What is said about codecs whose memory or arguments were not seen, and about mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "analyse/internal.h"
#include "base/codec_table.h"
#include "fake_process.h"

static const struct analyse_options everything;

/* A process with room for what the fake one lacks. */
struct scene {
    struct fake fake;
    struct profile_codec_function functions[8];
    struct profile_context contexts[2];
    struct profile_codec_call calls[2];
    struct profile_anon anons[8];
};

static void set(struct scene *s) {
    memset(s, 0, sizeof(*s));
    fake_init(&s->fake);
    /* Of its codec functions one, of its calls none. */
    s->fake.process.codec_function_count = 2;
    s->fake.process.codec_call_count = s->fake.process.context_count = 1;
    s->fake.process.anon_count = 1;
    memcpy(s->functions, s->fake.codec_functions, sizeof(s->fake.codec_functions));
    s->functions[1].patched = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(s->functions); i++)
        if (!s->functions[i].name)
            s->functions[i].name = "";
    s->fake.process.codec_functions = s->functions;
}

static void add_function(struct scene *s, const char *name, uint32_t codec, uint32_t kind) {
    struct profile_process *p = &s->fake.process;
    s->functions[p->codec_function_count++] =
        (struct profile_codec_function){.name = name,
                                        .module = 2,
                                        .codec = codec,
                                        .direction = REGION_COMPRESS,
                                        .kind = kind,
                                        .found = REGION_FOUND_NAME};
}

/* How many statements of a subject contain a text. */
static uint32_t said(const struct scene *s, const char *subject, const char *part) {
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    uint32_t count = 0;
    assert_int_equal(analyse_process(&a, &s->fake.process, &everything, names), 0);
    for (uint32_t i = 0; i < a.statement_count; i++) {
        const char *text = a.statements[i].statement;
        count += strcmp(a.statements[i].subject, subject) == 0 && strstr(text, part);
        /* "Not visible" is never "none". */
        assert_null(strstr(text, "none was"));
    }
    analyse_free(&a);
    analyse_names_close(names);
    return count;
}

static void test_a_codec_that_works_in_a_pool(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    struct profile_process *p = &s.fake.process;
    add_function(&s, "deflateInit2_", CODEC_ZLIB, CODEC_INIT);
    assert_int_equal(said(&s, "codecs", "inside a call of zlib: "), 1); /* not zstd: it has sites */
    s.calls[1] = (struct profile_codec_call){.function = 2, .calls = 1234};
    p->codec_calls = s.calls;
    p->codec_call_count = 2;
    assert_int_equal(said(&s, "codecs", "inside a call of zlib"), 0);
    assert_int_equal(said(&s, "codecs", "zlib was called 1,234 times to compress"), 1);
    s.contexts[1] = (struct profile_context){.function = 2, .created = 1000};
    p->contexts = s.contexts;
    p->context_count = 2;
    assert_int_equal(said(&s, "codecs", "zlib was called"), 0);
    assert_int_equal(said(&s, "codecs",
                          "zlib made 1,000 contexts to compress, but took no block "
                          "from 64.0 KiB up from malloc"),
                     1);
    /* Blocks that were handed over are seen; of one that nobody knows the codec, it may be this. */
    s.fake.cells[FAKE_SINGLE].large.handed_over = 1;
    assert_int_equal(said(&s, "codecs", "1 large block was recognised"), 1);
    s.fake.cells[FAKE_SINGLE].large.served_call = 1;
    assert_int_equal(said(&s, "codecs", "1,000 contexts to compress in memory that the program"),
                     1);
    s.functions[3] = s.functions[1];
    p->codec_function_count = 4;
    s.calls[1].function = 3; /* zstd's */
    assert_int_equal(said(&s, "codecs", "zlib made"), 1);
    /* Contexts that decompress need little. */
    s.functions[2].direction = REGION_DECOMPRESS;
    assert_int_equal(said(&s, "codecs", "zlib made"), 0);
}

static void test_outputs_from_elsewhere(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    struct profile_process *p = &s.fake.process;
    add_function(&s, "deflate", CODEC_ZLIB, CODEC_STREAM);
    s.calls[1] = (struct profile_codec_call){
        .function = 2, .calls = 100, .messages = 50, .output_capacity = 100 * 65536};
    p->codec_calls = s.calls;
    p->codec_call_count = 2;
    assert_int_equal(said(&s, "codecs",
                          "zlib wrote 50 of 50 messages to outputs, of 64.0 KiB on average, that lie "
                          "in no block of malloc's"),
                     1);
    /* A buffer that is kept serves them all. */
    struct profile_large *large = &s.fake.cells[FAKE_SINGLE].large;
    *large = (struct profile_large){
        .allocs = 1, .output_allocs = 1, .served = 24, .served_call = 1};
    assert_int_equal(said(&s, "codecs", "zlib wrote 26 of 50 messages"), 1);
    large->served = 25;
    assert_int_equal(said(&s, "codecs", "zlib wrote"), 0);
    large->output_allocs = 0; /* a workspace serves messages, too */
    assert_int_equal(said(&s, "codecs", "zlib wrote"), 1);
    s.calls[1].output_capacity--; /* smaller blocks are not known one by one */
    assert_int_equal(said(&s, "codecs", "zlib wrote"), 0);
    s.calls[1].output_capacity = UINT64_MAX;
    s.calls[1].messages = 15;
    assert_int_equal(said(&s, "codecs", "zlib wrote"), 0);
    s.calls[1].messages = 50;
    s.calls[1].calls = 0;
    assert_int_equal(said(&s, "codecs", "zlib wrote"), 0);
}

static void test_workspaces_of_malloc_are_seen(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    s.contexts[1] = (struct profile_context){.function = 1, .created = 123};
    s.fake.process.contexts = s.contexts;
    s.fake.process.context_count = 2;
    assert_int_equal(said(&s, "codecs", "zstd made"), 0);
    assert_int_equal(said(&s, "codecs", "inside a"), 0);
    s.fake.sites[1].codec_function = 0;
    s.fake.process.symbol_count = 1; /* nor does the dump name a codec function */
    assert_int_equal(said(&s, "codecs", "zstd made 123 contexts"), 1);
    s.contexts[1].created = 0;
    assert_int_equal(said(&s, "codecs", "inside a call of zstd"), 1);
    s.functions[1].patched = 1; /* no call was seen where all are */
    assert_int_equal(said(&s, "codecs", "inside a call of zstd"), 0);
}

static void test_arguments(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    add_function(&s, "ZSTD_compress", CODEC_ZSTD, CODEC_ONE_SHOT);
    add_function(&s, "ZSTD_compress2", CODEC_ZSTD, CODEC_ONE_SHOT);
    add_function(&s, "ZSTD_compressBound", CODEC_ZSTD, CODEC_BOUND);
    assert_int_equal(said(&s, "codecs", "arguments"), 0);
    s.functions[1].patched = 1;
    s.functions[2].refused = REGION_REFUSED_SHORT;
    s.functions[3].refused = REGION_REFUSED_SHORT;
    s.functions[4].refused = REGION_REFUSED_KIND;
    assert_int_equal(said(&s, "codecs", "arguments are seen of 1 of 3 functions"), 1);
    assert_int_equal(said(&s, "codecs",
                          "the arguments of ZSTD_compress, ZSTD_compress2 are not "
                          "visible: they are shorter than a jump"),
                     1);
    s.functions[3].refused = 0; /* in a forked child: it was unloaded before */
    assert_int_equal(said(&s, "codecs", "arguments are seen of 1 of 2 functions"), 1);
    s.functions[3].refused = 999;
    assert_int_equal(said(&s, "codecs", "the arguments of ZSTD_compress are not visible"), 1);
    assert_int_equal(said(&s, "codecs",
                          "the arguments of ZSTD_compress2 are not visible: for a "
                          "reason that this version does not know"),
                     1);
    s.functions[1].patched = 0;
    for (int i = 1; i < 4; i++)
        s.functions[i].refused = REGION_REFUSED_OFF;
    assert_int_equal(said(&s, "codecs", "arguments"), 1);
    assert_int_equal(said(&s, "codecs", "not visible: args:off"), 1);
}

#define MIB (1ull << 20)

static void test_mappings(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    struct profile_process *p = &s.fake.process;
    assert_int_equal(said(&s, "mappings", "anonymous"), 0);
    assert_int_equal(said(&s, "mappings", "mappings under 64.0 KiB"), 1);
    p->anons = s.anons;
    p->anon_count = 6;
    p->large_bytes = 1000 * MIB;
    s.anons[1] = (struct profile_anon){2, 30, 10, 30 * MIB, 10 * MIB}; /* send_batch */
    s.anons[2] = (struct profile_anon){2, 10, 0, 10 * MIB, 0};         /* the same */
    s.anons[3] = (struct profile_anon){1, 3, 0, 16 * MIB, 20 * MIB};   /* in libzstd */
    s.anons[4] = (struct profile_anon){4, 7, 0, 14 * MIB, 0};          /* not walked */
    s.anons[5] = (struct profile_anon){4711, 1, 0, MIB, 0};            /* no such stack */
    assert_int_equal(
        said(&s, "mappings",
             "40.0 MiB in 40 anonymous mappings (30.0 MiB of it still mapped) were made "
             "by send_batch (producer), not by malloc: what is in them is not visible"),
        1);
    assert_int_equal(said(&s, "mappings", "16.0 MiB in 3 anonymous mappings (0 B of it"), 1);
    assert_int_equal(said(&s, "mappings", "(libzstd.so.1), not by malloc"), 1);
    assert_int_equal(said(&s, "mappings", "15.0 MiB in 8 other anonymous mappings were not"), 1);
    p->large_bytes = 100 * MIB; /* now it is much, beside what malloc gave */
    assert_int_equal(said(&s, "mappings", "15.0 MiB in 8 anonymous mappings"), 1);
    assert_int_equal(said(&s, "mappings", "whose stack is not known"), 1);
    s.anons[4].bytes = s.anons[5].bytes = MIB / 4;
    p->large_bytes = 0;
    assert_int_equal(said(&s, "mappings", "512 KiB in 8 other anonymous"), 1);
    /* Two functions of one module are two, but of a runtime's. */
    p->anon_count = 3;
    s.anons[1] = (struct profile_anon){1, 1, 0, 20 * MIB, 0};
    s.anons[2] = (struct profile_anon){3, 1, 0, 30 * MIB, 0};
    assert_int_equal(said(&s, "mappings", "20.0 MiB in 1 anonymous mapping ("), 1);
    assert_int_equal(said(&s, "mappings", "30.0 MiB in 1 anonymous mapping ("), 1);
    s.fake.modules[2].path = "/usr/lib/jvm/lib/server/libjvm.so";
    assert_int_equal(said(&s, "mappings", "50.0 MiB in 2 anonymous mappings ("), 1);
}

static void test_runtimes(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    struct profile_process *p = &s.fake.process;
    s.fake.modules[1].path = "/usr/bin/node";
    assert_int_equal(said(&s, "mappings", "/usr/bin/node has a heap of its own, V8's heap"), 1);
    p->anons = s.anons;
    p->anon_count = 1;
    s.anons[0] = (struct profile_anon){2, 1, 0, 20 * MIB, 0};
    assert_int_equal(said(&s, "mappings", "(node: as a rule V8's heap)"), 1);
    assert_int_equal(said(&s, "mappings", "has a heap of its own"), 0);
    s.fake.modules[1].path = "/usr/bin/python3.11";
    assert_int_equal(said(&s, "mappings", "(python3.11: as a rule arenas for Python's small"), 1);
    p->anon_count = 0;
    assert_int_equal(said(&s, "mappings", "Python"), 0);
}

static void test_go(void **state) {
    (void)state;
    struct scene s;
    set(&s);
    struct profile_go_runtime *go = &s.fake.process.go;
    assert_int_equal(said(&s, "go", ""), 0);
    *go = (struct profile_go_runtime){.state = REGION_GO_HOOKED,
                                      .version = "go1.22.1",
                                      .reason = "",
                                      .threshold = 64 << 10,
                                      .entries = 100,
                                      .exits = 98,
                                      .at_once = 2};
    assert_int_equal(said(&s, "go", "go1.22.1: of its heap, blocks from 64.0 KiB up are seen"), 1);
    assert_int_equal(said(&s, "go", "not seen to end"), 0);
    go->at_once = 0;
    assert_int_equal(said(&s, "go", "2 allocations of Go's heap began and were not seen to end"),
                     1);
    go->state = REGION_GO_DETACHED;
    assert_int_equal(said(&s, "go", "taken out again"), 1);
    go->state = REGION_GO_OFF;
    assert_int_equal(said(&s, "go", "not visible: go:off"), 1);
    go->state = REGION_GO_DECLINED;
    go->reason = "runtime.mallocgc";
    assert_int_equal(said(&s, "go", "runtime.mallocgc did not verify"), 1);
    go->reason = "its tables are not understood";
    assert_int_equal(said(&s, "go", "its tables are not understood; squall"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_codec_that_works_in_a_pool),
        cmocka_unit_test(test_outputs_from_elsewhere),
        cmocka_unit_test(test_workspaces_of_malloc_are_seen),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_runtimes),
        cmocka_unit_test(test_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
