/* What counts as the same place, and what counts as a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/internal.h"
#include "fake_process.h"

/* ---- stacks ---- */

static struct place *find(struct stacks *s, const char *function, const char *module,
                          uint64_t offset) {
    const struct analyse_frame frames[] = {
        {.function = "malloc",
         .module = "/usr/lib/libsquall.so",
         .offset = offset * 7,
         .module_flags = REGION_MODULE_SQUALL},
        {.function = "inner", .module = module, .offset = offset, .inlined = true},
        {.function = function, .module = module, .offset = offset},
        {.function = "main", .module = "/usr/bin/program", .offset = offset + 100},
    };
    struct analyse_stack stack = {frames, ARRAY_SIZE(frames)};
    struct place *place = stacks_find(s, &stack);
    assert_non_null(place);
    assert_int_equal(place->count, 2); /* ours and the inlined one do not count */
    stacks_forget(s);
    return place;
}

static void test_stacks_match_across_builds(void **state) {
    (void)state;
    struct stacks s = {0};
    struct place *place = find(&s, "ZSTD_compress", "/usr/lib/libzstd.so.1.5.4", 0x100);
    /* another address, another version, another folder, another piece of it */
    assert_ptr_equal(place, find(&s, "ZSTD_compress", "/usr/lib/libzstd.so.1.5.4", 0x900));
    assert_ptr_equal(place, find(&s, "ZSTD_compress", "/opt/lib/libzstd.so.1.6", 0x100));
    assert_ptr_equal(place, find(&s, "ZSTD_compress.part.0", "/usr/lib/libzstd.so.1", 0x100));
    assert_ptr_equal(place, find(&s, "ZSTD_compress.constprop.0.cold", "libzstd.so", 0x100));
    assert_ptr_not_equal(place, find(&s, "ZSTD_compress2", "/usr/lib/libzstd.so.1.5.4", 0x100));
    assert_ptr_not_equal(place, find(&s, "ZSTD_compress", "/usr/lib/libother.so.1", 0x100));
    /* without a name the offset is all there is */
    place = find(&s, NULL, "/usr/lib/libzstd.so.1", 0x100);
    assert_ptr_equal(place, find(&s, NULL, "/opt/libzstd.so.1", 0x100));
    assert_ptr_not_equal(place, find(&s, NULL, "/usr/lib/libzstd.so.1", 0x101));
    /* and outside every module not even that */
    assert_ptr_equal(find(&s, NULL, NULL, 0x100), find(&s, NULL, NULL, 0x7000));
    stacks_free(&s);
}

/* The program may have another name in the next build; a library under another name is another one.
 */
static void test_the_program_may_be_renamed(void **state) {
    (void)state;
    struct stacks s = {0};
    struct place *places[3];
    for (unsigned i = 0; i < 3; i++) {
        const struct analyse_frame frames[] = {
            {.function = "work",
             .module = i ? "/opt/producer-2" : "/usr/bin/producer-1",
             .module_flags = i < 2 ? REGION_MODULE_EXECUTABLE : 0},
            {.function = "main", .module = "libmain.so"},
        };
        struct analyse_stack stack = {frames, ARRAY_SIZE(frames)};
        assert_non_null(places[i] = stacks_find(&s, &stack));
        stacks_forget(&s);
    }
    assert_ptr_equal(places[0], places[1]);
    assert_ptr_not_equal(places[0], places[2]);
    assert_string_equal(s.numbers[places[1]->frames[0]]->module, "producer-1");
    stacks_free(&s);
}

/* ---- changes ---- */

static const struct compare_options options = {.tolerance = 0.05};

static void add(struct compare *c, enum compare_which which, struct fake *f) {
    static const struct analyse_options everything;
    struct analyse_names *names = analyse_names_open(NULL);
    struct analysis a;
    assert_int_equal(analyse_process(&a, &f->process, &everything, names), 0);
    assert_int_equal(compare_add(c, which, &a, names), 0);
    analyse_free(&a);
    analyse_names_close(names);
}

static struct compare compare(struct fake *before, struct fake *after, enum compare_unit unit) {
    struct compare_options how = options;
    struct compare c;
    how.unit = unit;
    assert_int_equal(compare_open(&c), 0);
    add(&c, COMPARE_BEFORE, before);
    add(&c, COMPARE_AFTER, after);
    assert_int_equal(compare_finish(&c, &how), 0);
    return c;
}

static const struct compare_site *workspace(const struct compare *c) {
    for (uint32_t i = 0; i < c->site_count; i++)
        if (c->sites[i].role && strcmp(c->sites[i].role, "workspace") == 0)
            return &c->sites[i];
    fail_msg("no workspace");
    return NULL;
}

/* Everything that grows with the length of a run. */
static void lengthen(struct fake *f, unsigned times) {
    for (unsigned i = 0; i < FAKE_CELLS; i++) {
        struct profile_cell *cell = &f->cells[i];
        cell->allocs *= times;
        cell->bytes *= times;
        cell->samples *= times;
        cell->large.allocs *= times;
        cell->large.bytes *= times;
        cell->large.workspace_allocs *= times;
        cell->large.workspace_bytes *= times;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(f->threads); i++) {
        f->threads[i].allocs *= times;
        f->threads[i].bytes *= times;
    }
    for (unsigned i = 0; i < FAKE_CALLS; i++) {
        f->codec_calls[i].calls *= times;
        f->codec_calls[i].messages *= times;
        f->codec_calls[i].source_bytes *= times;
    }
}

static void test_twice_as_long_is_not_twice_as_bad(void **state) {
    (void)state;
    struct fake before, after;
    fake_init(&before);
    fake_init(&after);
    lengthen(&after, 4);
    struct compare c = compare(&before, &after, COMPARE_BEST);
    assert_int_equal(c.unit, COMPARE_MESSAGE);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_SAME);
    assert_int_equal(c.changed_count, 0);
    for (uint32_t i = 0; i < c.metric_count; i++)
        assert_int_equal(c.metrics[i].change.verdict, COMPARE_SAME);
    compare_free(&c);
    c = compare(&before, &after, COMPARE_RUN); /* which it is, by the run */
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_MORE);
    compare_free(&c);
    c = compare(&after, &before, COMPARE_RUN);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_LESS);
    compare_free(&c);
}

/* A part of what there is of all that goes with messages: workspaces and messages themselves. */
static void send_fewer(struct fake *f, double part) {
    for (unsigned i = FAKE_WORKSPACE_1; i <= FAKE_WORKSPACE_2; i++) {
        struct profile_cell *cell = &f->cells[i];
        cell->allocs = (uint64_t)((double)cell->allocs * part);
        cell->bytes = (uint64_t)((double)cell->bytes * part);
    }
    for (unsigned i = 0; i < FAKE_CALLS; i++)
        f->codec_calls[i].messages = (uint64_t)((double)f->codec_calls[i].messages * part);
}

/* Batches of four times as many lines: a remedy, which by message is none. */
static void test_larger_messages_are_compared_by_source_byte(void **state) {
    (void)state;
    struct fake before, after;
    fake_init(&before);
    fake_init(&after);
    lengthen(&before, 4);
    lengthen(&after, 4);
    send_fewer(&after, 0.25);
    struct compare c = compare(&before, &after, COMPARE_BEST);
    assert_int_equal(c.unit, COMPARE_SOURCE_BYTE);
    assert_true(fabs(compare_message_ratio(&c) - 4) < 0.1);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_LESS);
    compare_free(&c);
    c = compare(&after, &before, COMPARE_BEST);
    assert_int_equal(c.unit, COMPARE_SOURCE_BYTE);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_MORE);
    compare_free(&c);
    c = compare(&before, &after, COMPARE_MESSAGE); /* as asked for */
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_SAME);
    compare_free(&c);
}

/* A longer run, whose batches have some lines more as time has it: what is made for a line is more
 * for a message, and is more for a process, and is no change. */
static void test_what_is_made_for_a_line_is_the_same(void **state) {
    (void)state;
    struct fake before, after;
    fake_init(&before);
    fake_init(&after);
    lengthen(&before, 100);
    lengthen(&after, 400);
    send_fewer(&after, 0.6);
    struct compare c = compare(&before, &after, COMPARE_BEST);
    assert_int_equal(c.unit, COMPARE_MESSAGE);
    assert_int_equal(c.changed_count, 0);
    for (uint32_t i = 0; i < c.metric_count; i++)
        assert_int_equal(c.metrics[i].change.verdict, COMPARE_SAME);
    compare_free(&c);
}

static void test_a_change_is_found(void **state) {
    (void)state;
    struct fake before, after;
    fake_init(&before);
    fake_init(&after);
    after.cells[FAKE_WORKSPACE_1].allocs *= 10;
    after.cells[FAKE_WORKSPACE_1].bytes *= 10;
    struct compare c = compare(&before, &after, COMPARE_BEST);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_MORE);
    assert_ptr_equal(workspace(&c), &c.sites[0]);
    assert_true(workspace(&c)->bytes.error > 0);
    assert_int_equal(workspace(&c)->sides[0].allocs, 123);
    assert_int_equal(workspace(&c)->sides[1].allocs, 1023);
    compare_free(&c);
    after.process.site_count = 1; /* nothing at all any more */
    c = compare(&before, &after, COMPARE_BEST);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_GONE);
    compare_free(&c);
    c = compare(&after, &before, COMPARE_BEST);
    assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_NEW);
    compare_free(&c);
}

/* Processor time, which is measured of some calls, does not exceed the time of all. */
static void test_processor_time_is_within_time(void **state) {
    (void)state;
    struct fake f;
    fake_init(&f);
    f.codec_calls[FAKE_COMPRESS].cpu_ns = 3 * f.codec_calls[FAKE_COMPRESS].ns;
    struct compare c = compare(&f, &f, COMPARE_RUN);
    double ns = 0, cpu_ns = 0;
    for (uint32_t i = 0; i < c.metric_count; i++) {
        if (strcmp(c.metrics[i].name, "codec_ns") == 0)
            ns = c.metrics[i].change.after;
        if (strcmp(c.metrics[i].name, "codec_cpu_ns") == 0)
            cpu_ns = c.metrics[i].change.after;
    }
    assert_true(ns > 0 && cpu_ns == ns);
    compare_free(&c);
}

/* The same two figures: of many blocks a change, of few of them chance. */
static void test_few_blocks_say_little(void **state) {
    (void)state;
    for (unsigned few = 0; few < 2; few++) {
        struct fake before, after;
        fake_init(&before);
        fake_init(&after);
        after.cells[FAKE_WORKSPACE_1].bytes *= 2;
        after.cells[FAKE_WORKSPACE_2].bytes *= 2;
        for (unsigned i = FAKE_WORKSPACE_1; i <= FAKE_WORKSPACE_2; i++) {
            before.cells[i].allocs = few ? 2 : 500;
            after.cells[i].allocs = few ? 4 : 1000;
        }
        struct compare c = compare(&before, &after, COMPARE_BEST);
        assert_int_equal(workspace(&c)->bytes.verdict, few ? COMPARE_SAME : COMPARE_MORE);
        compare_free(&c);
        /* and sampled ones are worth as much as there are samples of them */
        before.cells[FAKE_WORKSPACE_1].sampled = before.cells[FAKE_WORKSPACE_2].sampled = true;
        for (unsigned i = FAKE_WORKSPACE_1; i <= FAKE_WORKSPACE_2; i++)
            before.cells[i].samples = 1;
        c = compare(&before, &after, COMPARE_BEST);
        assert_int_equal(workspace(&c)->bytes.verdict, COMPARE_SAME);
        compare_free(&c);
    }
}

static void test_nothing_to_compare_by(void **state) {
    (void)state;
    struct fake f;
    struct compare c;
    struct compare_options by_message = {.unit = COMPARE_MESSAGE, .tolerance = 0.05};
    fake_init(&f);
    f.process.codec_call_count = 0;
    assert_int_equal(compare_open(&c), 0);
    add(&c, COMPARE_BEFORE, &f);
    add(&c, COMPARE_AFTER, &f);
    assert_int_equal(compare_finish(&c, &by_message), -ENODATA);
    compare_free(&c);
    c = compare(&f, &f, COMPARE_BEST);
    assert_int_equal(c.unit, COMPARE_RUN);
    assert_int_equal(c.changed_count, 0);
    compare_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks_match_across_builds),
        cmocka_unit_test(test_the_program_may_be_renamed),
        cmocka_unit_test(test_twice_as_long_is_not_twice_as_bad),
        cmocka_unit_test(test_larger_messages_are_compared_by_source_byte),
        cmocka_unit_test(test_what_is_made_for_a_line_is_the_same),
        cmocka_unit_test(test_a_change_is_found),
        cmocka_unit_test(test_processor_time_is_within_time),
        cmocka_unit_test(test_few_blocks_say_little),
        cmocka_unit_test(test_nothing_to_compare_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
