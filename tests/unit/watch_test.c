/* What live views are made of, without a process and without a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profile_help.h"
#include "render/render.h"
#include "watch/internal.h"
#include "watch/watch.h"

/* ---- differences ---- */

static struct profile_counters make_counters(uint32_t sites, uint32_t threads, uint64_t n) {
    struct profile_counters c = {.raw_ns = n * 1000000000u,
                                 .realtime_ns = n * 1000000000u,
                                 .allocs = 10 * n,
                                 .frees = 9 * n,
                                 .bytes = 1000 * n,
                                 .large_bytes = 500 * n,
                                 .live_bytes = 5000 - 100 * n};
    c.sites = calloc(sites + 1u, sizeof *c.sites);
    c.threads = calloc(threads + 1u, sizeof *c.threads);
    c.functions = calloc(4, sizeof *c.functions);
    c.site_count = c.site_room = sites;
    c.thread_count = c.thread_room = threads;
    c.function_count = c.function_room = 4;
    for (uint32_t i = 1; i < sites; i++)
        c.sites[i] = (struct profile_count_site){.allocs = i * n, .bytes = 100 * i * n};
    for (uint32_t i = 1; i < threads; i++) {
        c.threads[i] = (struct profile_count_thread){.tid = (int32_t)(100 + i), .allocs = n};
        snprintf(c.threads[i].name, sizeof c.threads[i].name, "thread-%u", i % 100);
    }
    return c;
}

static void says_what_grew(void **state) {
    struct profile_counters from = make_counters(3, 2, 2), to = make_counters(5, 3, 6);
    struct watch_change change = {0};
    (void)state;
    to.frees = 17; /* seen between two stores: less than before */
    assert_int_equal(watch_change_between(&change, &from, &to), 0);
    assert_true(change.seconds == 4.0);
    assert_int_equal(change.grew.allocs, 40);
    assert_int_equal(change.grew.frees, 0);
    assert_int_equal(change.grew.bytes, 4000);
    assert_int_equal(change.live_bytes, -400);
    assert_int_equal(change.grew.live_bytes, 4400); /* a level, not a sum */
    assert_int_equal(change.grew.sites[2].bytes, 800);
    assert_int_equal(change.grew.sites[4].bytes, 2400); /* new since then */
    assert_int_equal(change.grew.threads[1].allocs, 4);
    assert_int_equal(change.grew.threads[2].allocs, 6);
    /* The same memory again, with fewer rows. */
    assert_int_equal(watch_change_between(&change, &from, &from), 0);
    assert_int_equal(change.grew.site_count, 3);
    assert_int_equal(change.grew.sites[2].bytes, 0);
    watch_change_free(&change);
    profile_counters_free(&from);
    profile_counters_free(&to);
}

static void has_run_for_as_long_whatever_the_time_of_day(void **state) {
    struct watch w = {.found = {.start_realtime_ns = 9000000000, .start_raw_ns = 2000000000}};
    (void)state;
    w.now = (struct profile_counters){.realtime_ns = 1000000000, .raw_ns = 12500000000};
    assert_true(watch_seconds(&w) == 10.5);
    w.now.raw_ns = 0;
    assert_true(watch_seconds(&w) == 0);
}

static void adds_up_by_codec(void **state) {
    struct profile_counters c = make_counters(1, 1, 1);
    struct watch_codec codecs[WATCH_CODECS];
    (void)state;
    c.functions[0] = (struct profile_count_function){.calls = 1, .codec = 60000};
    c.functions[1] = (struct profile_count_function){
        .codec = 2, .direction = REGION_COMPRESS, .calls = 3, .source_bytes = 30};
    c.functions[2] = (struct profile_count_function){
        .codec = 2, .direction = REGION_COMPRESS, .calls = 4, .source_bytes = 40};
    c.functions[3] = (struct profile_count_function){
        .codec = 2, .direction = REGION_DECOMPRESS, .calls = 5, .source_bytes = 90};
    assert_int_equal(watch_codecs(&c, codecs), 3);
    assert_string_equal(codecs[0].codec, "zstd");
    assert_int_equal(codecs[0].direction, REGION_DECOMPRESS);
    assert_int_equal(codecs[1].source_bytes, 70);
    assert_int_equal(codecs[1].calls, 7);
    assert_null(codecs[2].codec); /* a number of a newer version */
    profile_counters_free(&c);
}

/* ---- the last seconds ---- */

static void keeps_the_last_seconds(void **state) {
    struct watch w = {.found = {.key = 7}};
    struct watch_history *h = calloc(1, sizeof *h);
    uint64_t bins[4];
    (void)state;
    for (uint64_t n = 1; n <= 20; n++) {
        profile_counters_free(&w.now);
        w.now = make_counters(2, 2, n);
        assert_int_equal(watch_history_add(h, &w), 0);
        assert_true(h->change.seconds <= WATCH_HISTORY);
    }
    assert_true(h->change.seconds == WATCH_HISTORY);
    assert_int_equal(h->change.grew.bytes, 1000 * WATCH_HISTORY);
    assert_int_equal(watch_history_bins(h, 4, bins, 4), 500); /* a second each */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(bins[i], 500);
    assert_int_equal(watch_history_bins(h, 38, bins, 4), 9 * 500 + 250);
    assert_int_equal(bins[0], 0); /* before it was watched */
    w.found.key = 8;              /* exec: another image, from zero */
    assert_int_equal(watch_history_add(h, &w), 0);
    assert_int_equal(h->count, 1);
    assert_true(h->change.seconds == 0);
    watch_history_free(h);
    free(h);
    profile_counters_free(&w.now);
}

/* ---- rows ---- */

struct fixture {
    struct watch watch;
    struct watch_history *history;
    struct watch_view view;
};

static void open_fixture(struct fixture *f, enum watch_tab tab) {
    *f = (struct fixture){.watch.now = make_counters(40, 5, 4)};
    f->history = calloc(1, sizeof *f->history);
    watch_view_open(&f->view, tab);
    watch_view_fill(&f->view, &f->watch, f->history, NULL);
}

static void close_fixture(struct fixture *f) {
    watch_view_free(&f->view);
    watch_history_free(f->history);
    free(f->history);
    profile_counters_free(&f->watch.now);
}

static void fill(struct fixture *f) {
    watch_view_fill(&f->view, &f->watch, f->history, NULL);
}

static void sorts_rows(void **state) {
    struct fixture f;
    uint32_t columns;
    (void)state;
    open_fixture(&f, WATCH_SITES);
    assert_int_equal(f.view.count, 39); /* row 0 has nothing */
    for (uint32_t i = 1; i < f.view.count; i++)
        assert_true(f.view.rows[i - 1].value[0] >= f.view.rows[i].value[0]);
    f.view.reversed = true;
    fill(&f);
    assert_int_equal(f.view.rows[0].id, 1);
    watch_columns(WATCH_SITES, &columns);
    for (uint32_t i = 0; i <= columns; i++) { /* once around */
        watch_view_sort(&f.view, 1);
        fill(&f);
        assert_int_equal(f.view.count, 39);
    }
    assert_int_equal(f.view.sort, 0);
    watch_view_sort(&f.view, -1);
    f.view.reversed = false;
    fill(&f);
    assert_int_equal(f.view.sort, columns); /* by name */
    assert_string_equal(f.view.rows[0].name, "site 1");
    assert_string_equal(f.view.rows[1].name, "site 10");
    close_fixture(&f);
}

static void filters_rows(void **state) {
    struct fixture f;
    (void)state;
    open_fixture(&f, WATCH_THREADS);
    assert_int_equal(f.view.count, 4);
    strcpy(f.view.filter, "THREAD-3");
    fill(&f);
    assert_int_equal(f.view.count, 1);
    assert_int_equal(f.view.hidden, 3);
    assert_string_equal(f.view.rows[0].name, "thread-3");
    strcpy(f.view.filter, "102"); /* the thread id */
    fill(&f);
    assert_int_equal(f.view.count, 1);
    assert_int_equal(f.view.rows[0].id, 2);
    strcpy(f.view.filter, "02"); /* by its first digits only */
    fill(&f);
    assert_int_equal(f.view.count, 0);
    strcpy(f.view.filter, "no such thread");
    fill(&f);
    assert_int_equal(f.view.count, 0);
    assert_null(watch_view_selected(&f.view));
    watch_view_move(&f.view, 5);
    assert_int_equal(f.view.selected, 0);
    f.view.filter[0] = 0;
    fill(&f);
    assert_int_equal(f.view.count, 4);
    close_fixture(&f);
}

static void keeps_the_selection_on_its_row(void **state) {
    struct fixture f;
    (void)state;
    open_fixture(&f, WATCH_SITES);
    assert_int_equal(watch_view_selected(&f.view)->id, 39);
    watch_view_move(&f.view, 2);
    assert_int_equal(watch_view_selected(&f.view)->id, 37);
    f.watch.now.sites[37].bytes = 1; /* falls to the end */
    fill(&f);
    assert_int_equal(watch_view_selected(&f.view)->id, 37);
    assert_int_equal(f.view.selected, 38);
    watch_view_move(&f.view, -1000);
    assert_int_equal(f.view.selected, 0);
    watch_view_move(&f.view, 1000);
    assert_int_equal(f.view.selected, 38);
    watch_view_turn(&f.view, WATCH_THREADS);
    fill(&f);
    assert_int_equal(f.view.selected, 0);
    close_fixture(&f);
}

static void shows_a_row_for_every_tab(void **state) {
    struct fixture f;
    (void)state;
    open_fixture(&f, WATCH_FINDINGS);
    assert_int_equal(f.view.count, 0); /* nobody has looked yet */
    f.watch.now.functions[1] =
        (struct profile_count_function){.calls = 2, .source_bytes = 100, .produced_bytes = 50};
    watch_view_turn(&f.view, WATCH_CALLS);
    fill(&f);
    assert_int_equal(f.view.count, 1);
    assert_true(f.view.rows[0].value[4] == 2.0);
    struct watch *all[] = {&f.watch};
    struct watch_list list = {.watches = all, .count = 1};
    watch_view_turn(&f.view, WATCH_PROCESSES);
    watch_view_fill(&f.view, NULL, NULL, &list);
    assert_int_equal(f.view.count, 1);
    assert_true(isnan(f.view.rows[0].value[6])); /* findings: not known */
    close_fixture(&f);
}

/* ---- names that are none of ours ---- */

static void makes_names_harmless(void **state) {
    char out[64], small[8];
    (void)state;
    assert_string_equal(render_clean(out, sizeof out, "a\033[2Jb\r\nc\x9b", 0),
                        "a\xef\xbf\xbd[2Jb\xef\xbf\xbd\xef\xbf\xbd"
                        "c\xef\xbf\xbd");
    assert_string_equal(render_clean(out, sizeof out, "longer than that", 6), "longe…");
    assert_string_equal(render_clean(small, sizeof small, "ééééééé", 0), "éé…");
    assert_string_equal(render_clean(out, sizeof out, "", 3), "");
}

static void writes_short_numbers(void **state) {
    char out[32];
    (void)state;
    assert_string_equal(render_short_count(out, sizeof out, 0), "0");
    assert_string_equal(render_short_count(out, sizeof out, 0.5), "0.5");
    assert_string_equal(render_short_count(out, sizeof out, 999), "999");
    assert_string_equal(render_short_count(out, sizeof out, 1234), "1.23k");
    assert_string_equal(render_short_count(out, sizeof out, 45.6e6), "45.6M");
    assert_string_equal(render_age(out, sizeof out, 59.9), "59s");
    assert_string_equal(render_age(out, sizeof out, 3601), "1h00m");
    assert_string_equal(render_age(out, sizeof out, 90000), "1d01h");
}

/* ---- counters agree with the whole ---- */

static void counts_what_a_load_counts(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    struct profile_reader *reader;
    struct profile_counters c = {0};
    struct profile_found *found = calloc(1, sizeof *found);
    struct analysis a;
    const struct analyse_options options = {.brief = true};
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    strcpy(found->path, in_folder("count"));
    close(region_build_write(&b, found->path));
    found->key = b.header->random;
    assert_int_equal(profile_reader_open(found, &reader, &error), 0);
    for (unsigned again = 0; again < 2; again++) {
        assert_int_equal(profile_reader_count(reader, &c, true, &error), 0);
        assert_int_equal(profile_load(found->path, &profile, NULL, NULL, NULL, &error), 0);
        assert_int_equal(analyse_process(&a, &profile.processes[0], &options, NULL), 0);
        assert_int_equal(c.allocs, a.totals.allocs);
        assert_int_equal(c.bytes, a.totals.bytes);
        assert_int_equal(c.frees, a.totals.frees);
        assert_int_equal(c.live_bytes, a.totals.live_bytes);
        assert_true(c.freed_bytes <= a.totals.freed_bytes); /* never more than was allocated */
        for (uint32_t i = 0; i < a.site_count; i++) {
            assert_int_equal(c.sites[a.sites[i].site->id].bytes, a.sites[i].sums.bytes);
            assert_int_equal(c.sites[a.sites[i].site->id].live_bytes, a.sites[i].sums.live_bytes);
        }
        analyse_free(&a);
        profile_free(&profile);
    }
    /* Cut under it, or become another's: said, not shown. */
    b.header->random++;
    close(region_build_write(&b, found->path));
    assert_true(profile_reader_count(reader, &c, true, &error) < 0);
    assert_int_equal(truncate(found->path, 5000), 0);
    assert_true(profile_reader_count(reader, &c, true, &error) < 0);
    profile_reader_close(reader);
    assert_true(profile_reader_open(found, &reader, &error) < 0);
    unlink(found->path);
    profile_counters_free(&c);
    region_build_close(&b);
    free(found);
}

/* Whatever stands in the file: counted or refused, never followed out of it. A sanitizer sees more
 * than the asserts. */
static void survives_flipped_bits(void **state) {
    struct region_build b;
    struct profile_error error;
    struct profile_reader *reader;
    struct profile_counters c = {0};
    struct watch_codec codecs[WATCH_CODECS];
    struct profile_found *found = calloc(1, sizeof *found);
    unsigned counted = 0, refused = 0;
    (void)state;
    region_build_small(&b, 8);
    region_build_sample(&b);
    strcpy(found->path, in_folder("flipped"));
    int fd = region_build_write(&b, found->path);
    found->key = b.header->random;
    for (uint64_t at = 0; at < b.bound; at += at < 4096 ? 1 : 7) {
        uint8_t flipped = b.bytes[at] ^ (uint8_t)(1u << (at * 5 % 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        if (profile_reader_open(found, &reader, &error) == 0) {
            if (profile_reader_count(reader, &c, true, &error) == 0) {
                assert_true(watch_codecs(&c, codecs) <= WATCH_CODECS);
                counted++;
            }
            profile_reader_close(reader);
        } else {
            assert_non_null(strchr(error.text, ':'));
            refused++;
        }
        assert_int_equal(pwrite(fd, &b.bytes[at], 1, (off_t)at), 1);
    }
    assert_true(counted > 1000 && refused > 50);
    close(fd);
    unlink(found->path);
    profile_counters_free(&c);
    region_build_close(&b);
    free(found);
}

/* As many as there are descriptors for; what nobody is seen to be leaves room for processes. */
static void test_no_more_than_descriptors_are_for(void **state) {
    struct profile_found *found = calloc(1, sizeof *found);
    struct profile_unseen unseen = {0};
    struct rlimit all, few;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    few = all;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_true(watch_most() >= 4 && watch_most() <= 64 / 3);
    few.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_true(watch_most() >= 64 && watch_most() <= 512 / 3);
    strcpy(found->path, "/nonexistent/squall.region");
    assert_null(watch_open_one_more(found, 0, &unseen));
    assert_int_equal(unseen.left_out, 0); /* it has ended since */
    assert_null(watch_open_one_more(found, watch_most() / 2, &unseen));
    assert_int_equal(unseen.left_out, 1);
    found->pid = getpid();
    assert_null(watch_open_one_more(found, watch_most() - 1, &unseen));
    assert_int_equal(unseen.left_out, 1);
    assert_null(watch_open_one_more(found, watch_most(), &unseen));
    assert_int_equal(unseen.left_out, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    free(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_grew),
        cmocka_unit_test(has_run_for_as_long_whatever_the_time_of_day),
        cmocka_unit_test(adds_up_by_codec),
        cmocka_unit_test(keeps_the_last_seconds),
        cmocka_unit_test(sorts_rows),
        cmocka_unit_test(filters_rows),
        cmocka_unit_test(keeps_the_selection_on_its_row),
        cmocka_unit_test(shows_a_row_for_every_tab),
        cmocka_unit_test(makes_names_harmless),
        cmocka_unit_test(writes_short_numbers),
        cmocka_unit_test(counts_what_a_load_counts),
        cmocka_unit_test(survives_flipped_bits),
        cmocka_unit_test(test_no_more_than_descriptors_are_for),
    };
    return cmocka_run_group_tests_name("watch", tests, make_folder, remove_folder);
}
