/* Sums, bounds, quantiles, order, filters and what is said about visibility. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "analyse/internal.h"
#include "fake_process.h"

static const struct analyse_options everything;

static struct analysis analyse(struct fake *f, const struct analyse_options *options) {
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f->process, options, NULL), 0);
    return a;
}

static const struct analyse_site *site(const struct analysis *a, uint32_t id) {
    for (uint32_t i = 0; i < a->site_count; i++)
        if (a->sites[i].site->id == id)
            return &a->sites[i];
    fail_msg("no site %u", id);
    return NULL;
}

static void test_sums_of_a_site(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analysis a = analyse(&f, &everything);
    const struct analyse_site *s = site(&a, 11);
    assert_int_equal(s->sums.allocs, 123);
    assert_int_equal(s->sums.frees, 122);
    assert_int_equal(s->sums.bytes, 123ull * FAKE_WORKSPACE);
    assert_int_equal(s->sums.freed_bytes, 122ull * FAKE_WORKSPACE);
    assert_int_equal(s->sums.live_bytes, FAKE_WORKSPACE);
    assert_int_equal(s->sums.live_blocks, 1);
    assert_int_equal(s->sums.remote_frees, 4);
    assert_int_equal(s->sums.allocator_ns, 5000);
    assert_false(s->sums.estimated);
    assert_int_equal(s->large.allocs, 123);
    assert_int_equal(s->large.transient, 122);
    assert_int_equal(s->size.min, FAKE_WORKSPACE);
    assert_int_equal(s->size.p50, FAKE_WORKSPACE); /* clamped: all are equal */
    assert_int_equal(s->size.p99, FAKE_WORKSPACE);
    assert_int_equal(s->life.min, 1000);
    assert_int_equal(s->life.max, 9000);
    assert_true(s->life.mean == 5000);
    assert_true(s->life.p50 >= 4096 && s->life.p50 < 6144);
    assert_true(s->life.p99 > s->life.p50 && s->life.p99 <= 6144);
    assert_true(s->bytes_per_second == 123.0 * FAKE_WORKSPACE / 2);
    assert_string_equal(s->codec, "zstd");
    assert_string_equal(s->codec_function, "ZSTD_compressStream2");
    assert_int_equal(s->row_count, 2);
    assert_int_equal(s->rows[0].thread, 1);
    assert_int_equal(s->rows[1].sums.live_bytes, FAKE_WORKSPACE);
    assert_int_equal(a.totals.allocs, 5110 + 24 + 7);
    assert_int_equal(a.totals.bytes, 490490000);
    assert_int_equal(a.sites_recorded, 4);
    analyse_free(&a);
}

/* What a cell says of one thread reaches the report untouched. */
static void test_exact_rows_are_passed_through(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.process.configuration.mode = REGION_MODE_EXACT;
    f.cells[FAKE_SINGLE].peak_bytes = UINT64_MAX / 3;
    f.cells[FAKE_SINGLE].bytes = UINT64_MAX / 3 + 5;
    struct analysis a = analyse(&f, &everything);
    const struct analyse_site *s = site(&a, 13);
    assert_int_equal(s->sums.peak_bytes, UINT64_MAX / 3);
    assert_int_equal(s->sums.bytes, UINT64_MAX / 3 + 5);
    assert_false(s->sums.peak_is_upper_bound);
    assert_int_equal(s->rows[0].sums.peak_bytes, UINT64_MAX / 3);
    assert_false(s->life.known);
    analyse_free(&a);
}

static void test_peaks(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analysis a = analyse(&f, &everything);
    /* Only large blocks: the site's own peak over all threads, exact. */
    assert_int_equal(site(&a, 11)->sums.peak_bytes, 3 * FAKE_WORKSPACE);
    assert_false(site(&a, 11)->sums.peak_is_upper_bound);
    /* Exact and sampled: a bound, never more than was allocated. */
    assert_int_equal(site(&a, 12)->sums.peak_bytes, 6 * 100000 + 1500 * 100);
    assert_true(site(&a, 12)->sums.peak_is_upper_bound);
    assert_true(site(&a, 12)->sums.estimated);
    assert_int_equal(site(&a, 12)->row_count, 1);
    assert_int_equal(site(&a, 12)->rows[0].sums.allocs, 5010);
    /* Shared by threads, but all large: exact by the site. */
    assert_int_equal(site(&a, 14)->sums.peak_bytes, 210000);
    assert_false(site(&a, 14)->sums.peak_is_upper_bound);
    assert_true(site(&a, 14)->rows[0].sums.peak_is_upper_bound);
    assert_true(site(&a, 14)->rows[0].shared);
    analyse_free(&a);

    /* Exact mode, small blocks, two threads: the sum is a bound. */
    memset(&f.cells[FAKE_WORKSPACE_1].large, 0, sizeof(f.cells[0].large));
    f.process.configuration.mode = REGION_MODE_EXACT;
    a = analyse(&f, &everything);
    assert_int_equal(site(&a, 11)->sums.peak_bytes, 3 * FAKE_WORKSPACE);
    assert_true(site(&a, 11)->sums.peak_is_upper_bound);
    assert_false(site(&a, 11)->rows[0].sums.peak_is_upper_bound);
    analyse_free(&a);

    /* A bound beyond all that was allocated says nothing: it is cut. */
    f.cells[FAKE_WORKSPACE_1].peak_bytes = UINT64_MAX - 1;
    a = analyse(&f, &everything);
    assert_int_equal(site(&a, 11)->sums.peak_bytes, 123ull * FAKE_WORKSPACE);
    analyse_free(&a);
}

static void test_peak_of_the_process_is_a_lower_bound(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analysis a = analyse(&f, &everything);
    assert_int_equal(a.totals.peak_live_bytes, 4 * FAKE_WORKSPACE);
    assert_true(a.totals.peak_is_lower_bound);
    assert_true(a.totals.estimated);
    analyse_free(&a);
    f.process.cell_count = 2; /* large blocks only */
    f.process.site_count = 2;
    f.threads[0].bytes = f.threads[2].bytes = 0;
    f.threads[1].bytes = 123ull * FAKE_WORKSPACE;
    a = analyse(&f, &everything);
    assert_false(a.totals.peak_is_lower_bound);
    assert_false(a.totals.estimated);
    analyse_free(&a);
    f.threads[1].bytes++; /* a small block that no sample met */
    a = analyse(&f, &everything);
    assert_true(a.totals.peak_is_lower_bound);
    assert_true(a.totals.estimated);
    analyse_free(&a);
    f.process.configuration.mode = REGION_MODE_EXACT;
    a = analyse(&f, &everything);
    assert_true(a.totals.peak_is_lower_bound);
    assert_false(a.totals.estimated);
    analyse_free(&a);
}

static void expect_order(struct fake *f, enum analyse_sort sort, const uint32_t *ids) {
    struct analyse_options options = {.sort = sort};
    struct analysis a = analyse(f, &options);
    for (uint32_t i = 0; i < a.site_count; i++)
        assert_int_equal(a.sites[i].site->id, ids[i]);
    analyse_free(&a);
}

static void test_ratios_and_roles(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct profile_large *one = &f.cells[FAKE_WORKSPACE_1].large;
    struct profile_large *two = &f.cells[FAKE_WORKSPACE_2].large;
    one->source_ratio_count = 30;
    one->source_ratio_min = 0.5, one->source_ratio_max = 1, one->source_ratio_mean = 0.75;
    two->source_ratio_count = 10;
    two->source_ratio_min = 1, two->source_ratio_max = 3, two->source_ratio_mean = 2.75;
    one->workspace_bytes = 100, one->output_bytes = 250, two->workspace_bytes = 149;
    two->reused = 1;
    struct analysis a = analyse(&f, &everything);
    const struct analyse_ratio *ratio = &site(&a, 11)->source_ratio;
    assert_int_equal(ratio->count, 40);
    assert_true(ratio->min == 0.5 && ratio->max == 3 && ratio->mean == 1.25);
    assert_int_equal(site(&a, 11)->produced_ratio.count, 0);
    assert_int_equal(site(&a, 11)->role, ANALYSE_OUTPUT);
    assert_true(site(&a, 11)->reused);
    assert_int_equal(site(&a, 12)->role, ANALYSE_ROLE_NONE);
    analyse_free(&a);
}

static void test_order(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    expect_order(&f, ANALYSE_BY_BYTES, (uint32_t[]){11, 12, 14, 13});
    expect_order(&f, ANALYSE_BY_ALLOCS, (uint32_t[]){12, 11, 14, 13});
    expect_order(&f, ANALYSE_BY_PEAK, (uint32_t[]){11, 12, 13, 14});
    expect_order(&f, ANALYSE_BY_LIFETIME, (uint32_t[]){11, 12, 14, 13});
    f.cells[FAKE_SINGLE].allocator_ns = 1000000;
    expect_order(&f, ANALYSE_BY_TIME, (uint32_t[]){13, 11, 12, 14});
}

static void test_filters(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analyse_options options = {.top = 2};
    struct analysis a = analyse(&f, &options);
    assert_int_equal(a.site_count, 2);
    assert_int_equal(a.sites_before_top, 4);
    analyse_free(&a);
    options = (struct analyse_options){.one_thread = true, .tid = 4712};
    a = analyse(&f, &options);
    assert_int_equal(a.site_count, 2);
    assert_int_equal(site(&a, 11)->sums.allocs, 23);
    assert_int_equal(site(&a, 11)->sums.peak_bytes, FAKE_WORKSPACE);
    assert_int_equal(site(&a, 11)->row_count, 1);
    analyse_free(&a);
    options = (struct analyse_options){.min_size = 300000};
    a = analyse(&f, &options);
    assert_int_equal(a.site_count, 2);
    analyse_free(&a);
    options = (struct analyse_options){.one_site = true, .site = 13};
    a = analyse(&f, &options);
    assert_int_equal(a.site_count, 1);
    assert_int_equal(a.sites[0].site->id, 13);
    analyse_free(&a);
    options = (struct analyse_options){.one_site = true, .site = 999};
    a = analyse(&f, &options);
    assert_int_equal(a.site_count, 0);
    analyse_free(&a);
}

/* The quantile of values put into classes is off by no more than its class is wide. */
static void test_quantiles(void **state) {
    (void)state;
    static uint32_t classes[REGION_CLASSES];
    static uint64_t values[2000];
    assert_true(analyse_spread_quantile(classes, 0.5) < 0);
    uint64_t random = 7;
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        random = base_mix(random + 1);
        values[i] = (i + 1) * (i + 1) * 3ull;
        uint32_t c = 0;
        while (c + 1 < REGION_CLASSES && (c < 2 || profile_class_start(c) <= values[i]))
            c++;
        classes[c - 1]++;
    }
    for (int q = 1; q < 100; q++) {
        double found = analyse_spread_quantile(classes, q / 100.0);
        double wanted = (double)values[(unsigned)q * ARRAY_SIZE(values) / 100];
        assert_true(found > wanted * 0.66 && found < wanted * 1.5);
    }
    struct analyse_spread spread = {.known = true, .min = 500, .max = 600};
    analyse_spread_quantiles(&spread, classes, 1);
    assert_true(spread.p50 == 600 && spread.p99 == 600);
    spread = (struct analyse_spread){.known = true, .min = 1, .max = UINT64_MAX};
    analyse_spread_quantiles(&spread, NULL, 1);
    assert_false(spread.quantiles);
    spread.max = 1;
    analyse_spread_quantiles(&spread, NULL, 1);
    assert_true(spread.quantiles && spread.p50 == 1 && spread.p99 == 1);
    spread = (struct analyse_spread){.known = true, .min = 1, .max = UINT64_MAX};
    /* Ticks of 2 a nanosecond. */
    analyse_spread_quantiles(&spread, classes, 2);
    assert_true(spread.quantiles);
    double whole = analyse_spread_quantile(classes, 0.5);
    assert_true((double)spread.p50 > whole / 2 - 1 && (double)spread.p50 < whole / 2 + 1);
}

static bool says(const struct analysis *a, const char *subject, const char *part) {
    for (uint32_t i = 0; i < a->statement_count; i++)
        if (strcmp(a->statements[i].subject, subject) == 0 &&
            strstr(a->statements[i].statement, part))
            return true;
    return false;
}

static void test_visibility(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.process.lost[REGION_LOST_SITES] = 17;
    f.process.lost[31] = 3; /* a reason of a later version */
    f.process.notes = REGION_NOTE_NOT_TMPFS | REGION_NOTE_FOREIGN_MALLOC;
    f.process.place = REGION_PLACE_MEMFD;
    f.process.state = PROFILE_DIED;
    f.process.torn = 1;
    f.process.untracked_frees = 5;
    struct analysis a = analyse(&f, &everything);
    assert_true(says(&a, "sampling", "estimates"));
    assert_true(says(&a, "lost", "17 allocations have a site"));
    assert_true(says(&a, "lost", "3 events lost"));
    assert_true(says(&a, "lost", "5 frees"));
    assert_true(says(&a, "file", "tmpfs"));
    assert_true(says(&a, "file", "memfd"));
    assert_true(says(&a, "allocator", "the executable defines malloc"));
    assert_true(says(&a, "allocator", "/opt/addon.so has mimalloc in it"));
    assert_true(says(&a, "end", "without its exit handlers"));
    assert_true(says(&a, "torn", "1 row"));
    assert_true(says(&a, "stacks", "JIT"));
    assert_true(says(&a, "stacks", "no unwind information"));
    assert_false(says(&a, "stacks", "outermost"));
    assert_true(says(&a, "codecs", "found by name: zstd in libzstd.so.1 (1 function)"));
    assert_true(says(&a, "mappings", "not visible"));
    for (uint32_t i = 0; i < a.statement_count; i++)
        assert_null(strstr(a.statements[i].statement, "none"));
    analyse_free(&a);
    f.process.codec_function_count = 1;
    a = analyse(&f, &everything);
    assert_true(says(&a, "codecs", "libzstd.so.1 is loaded, but no function of it was found"));
    analyse_free(&a);
    f.modules[2].path = "/usr/lib/libother.so";
    a = analyse(&f, &everything);
    assert_true(says(&a, "codecs", "no codec library is among the modules"));
    analyse_free(&a);
}

static void test_names_from_the_dump(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    struct analyse_names *names = analyse_names_open(NULL);
    /* Another module was at the same address before. */
    memmove(f.symbols + 2, f.symbols + 1, 2 * sizeof(f.symbols[0]));
    f.symbols[1].module = 1;
    f.process.symbol_count = 4;
    struct analyse_stack stack = analyse_name_stack(names, &f.process, 1, true);
    assert_int_equal(stack.count, 5);
    assert_string_equal(stack.frames[0].function, "inner");
    assert_true(stack.frames[0].inlined);
    assert_string_equal(stack.frames[1].function, "ZSTD_createCStream");
    assert_int_equal(stack.frames[1].offset, 0x100);
    assert_int_equal(stack.frames[1].line, 9);
    assert_false(stack.frames[1].inlined);
    assert_string_equal(stack.frames[1].module, "/usr/lib/libzstd.so.1");
    assert_null(stack.frames[2].function);
    assert_int_equal(stack.frames[2].offset, 0x200);
    assert_string_equal(stack.frames[3].function, "send_batch");
    assert_null(stack.frames[4].module);
    assert_int_equal(stack.frames[4].offset, 0x1234);
    assert_int_equal(analyse_name_stack(names, &f.process, 4, true).count, 0);
    assert_int_equal(analyse_name_stack(names, &f.process, 9999, true).count, 0);
    analyse_names_close(names);
}

/* A site that the shim did not classify, whose frames better symbols name. */
static void test_codec_by_names(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.process.codec_function_count = 1;
    f.sites[1].codec_function = f.sites[1].direction = 0;
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    const struct analyse_site *s = site(&a, 11);
    assert_string_equal(s->codec, "zstd");
    assert_string_equal(s->codec_function, "ZSTD_createCStream");
    assert_int_equal(s->direction, REGION_COMPRESS);
    assert_int_equal(s->role, ANALYSE_WORKSPACE);
    assert_int_equal(s->large.workspace_allocs, 123);
    assert_int_equal(s->large.workspace_bytes, 123ull * FAKE_WORKSPACE);
    assert_null(site(&a, 12)->codec_function); /* send_batch alone */
    analyse_free(&a);
    /* Blocks that served a call as its output are none. */
    f.cells[FAKE_WORKSPACE_1].large.output_allocs = 3;
    f.cells[FAKE_WORKSPACE_1].large.output_bytes = 3ull * FAKE_WORKSPACE;
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    assert_int_equal(site(&a, 11)->large.workspace_allocs, 120);
    assert_int_equal(site(&a, 11)->large.workspace_bytes, 120ull * FAKE_WORKSPACE);
    analyse_free(&a);
    f.cells[FAKE_WORKSPACE_1].large.output_allocs = f.cells[FAKE_WORKSPACE_1].large.output_bytes =
        0;
    /* The user's name is further out, so it is the call that the program made. */
    f.process.codec_patterns = "other\nsend_*\n";
    analyse_names_close(names);
    names = analyse_names_open(NULL); /* it remembers what it said of the process as it was */
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    assert_string_equal(site(&a, 11)->codec, "user");
    assert_string_equal(site(&a, 11)->codec_function, "send_batch");
    assert_string_equal(site(&a, 12)->codec_function, "send_batch");
    analyse_free(&a);
    /* A common name counts in a codec library only. */
    f.process.codec_patterns = "";
    f.symbols[0].function = "compress";
    analyse_names_close(names);
    names = analyse_names_open(NULL);
    assert_int_equal(analyse_process(&a, &f.process, &everything, names), 0);
    assert_string_equal(site(&a, 11)->codec_function, "ZSTD_createCStream");
    assert_null(site(&a, 12)->codec_function);
    analyse_free(&a);
    analyse_names_close(names);
}

static void test_human_numbers(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        const char *bytes, *time, *count;
    } all[] = {
        {0, "0 B", "0 ns", "0"},
        {999, "999 B", "999 ns", "999"},
        {1023, "1023 B", "1.02 µs", "1,023"},
        {1024, "1.00 KiB", "1.02 µs", "1,024"},
        {3658041, "3.49 MiB", "3.66 ms", "3,658,041"},
        {12345678, "11.8 MiB", "12.3 ms", "12,345,678"},
        {1048575, "1.00 MiB", "1.05 ms", "1,048,575"},
        {999999999, "954 MiB", "1.00 s", "999,999,999"},
        {125000000000, "116 GiB", "2 min 05 s", "125,000,000,000"},
        {UINT64_MAX, "16.0 EiB", "5124096 h", "18,446,744,073,709,551,615"},
    };
    char text[64];
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        assert_string_equal(analyse_format_bytes(text, 64, all[i].value), all[i].bytes);
        assert_string_equal(analyse_format_time(text, 64, (double)all[i].value), all[i].time);
        assert_string_equal(analyse_format_count(text, 64, all[i].value), all[i].count);
    }
}

/* A damaged region makes any figure. */
static void test_figures_beyond_integers(void **state) {
    (void)state;
    assert_int_equal(analyse_whole(1.9), 1);
    assert_int_equal(analyse_whole(0.9), 0);
    assert_int_equal(analyse_whole(-1e300), 0);
    assert_int_equal(analyse_whole(nan("")), 0);
    assert_true(analyse_whole(18446744073709551616.0) == UINT64_MAX);
    assert_true(analyse_whole(HUGE_VAL) == UINT64_MAX);
}

/* A dump may say what it likes of each address: that is told once, not a million times a stack. */
static void test_inlined_frames_have_an_end(void **state) {
    enum { SYMBOLS = 100000, FRAMES = 128, MOST = 2048 };
    struct profile_symbol *symbols = calloc(SYMBOLS, sizeof(*symbols));
    uint64_t frames[FRAMES];
    struct profile_module modules[2] = {{.path = ""}, {.path = "/bin/x", .end = 1 << 20}};
    struct profile_stack stacks[2] = {{.frames = frames}, {.frames = frames, .count = FRAMES}};
    struct profile_process p = {.modules = modules,
                                .module_count = 2,
                                .stacks = stacks,
                                .stack_count = 2,
                                .symbols = symbols,
                                .symbol_count = SYMBOLS};
    struct analyse_names *names = analyse_names_open(NULL);
    (void)state;
    for (uint32_t i = 0; i < SYMBOLS; i++)
        symbols[i] = (struct profile_symbol){
            .address = 0x1000, .module = 1, .function = "f", .file = "", .inlined = true};
    for (uint32_t i = 0; i < FRAMES; i++)
        frames[i] = 0x1000;
    struct analyse_stack named = analyse_name_stack(names, &p, 1, false);
    assert_true(named.count >= FRAMES && named.count < MOST);
    assert_string_equal(named.frames[0].function, "f");
    assert_string_equal(named.frames[named.count - 1].function, "f");
    assert_false(named.frames[named.count - 1].inlined);
    /* Many modules at one address, each with its name. */
    for (uint32_t i = 0; i < SYMBOLS; i++)
        symbols[i].module = i < SYMBOLS / 2 ? 0 : i == SYMBOLS / 2 ? 1 : 2;
    symbols[SYMBOLS / 2].function = "mine";
    struct analyse_names *again = analyse_names_open(NULL);
    named = analyse_name_stack(again, &p, 1, false);
    assert_int_equal(named.count, FRAMES);
    assert_string_equal(named.frames[0].function, "mine");
    analyse_names_close(again);
    analyse_names_close(names);
    free(symbols);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_of_a_site),
        cmocka_unit_test(test_exact_rows_are_passed_through),
        cmocka_unit_test(test_peaks),
        cmocka_unit_test(test_peak_of_the_process_is_a_lower_bound),
        cmocka_unit_test(test_ratios_and_roles),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_names_from_the_dump),
        cmocka_unit_test(test_codec_by_names),
        cmocka_unit_test(test_human_numbers),
        cmocka_unit_test(test_figures_beyond_integers),
        cmocka_unit_test(test_inlined_frames_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
