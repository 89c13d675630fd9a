/* The room profile, against regions made by hand: what is read and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profile_help.h"

static void reads_a_region(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *path = in_folder("squall.4242.123456.feedfacecafebeef.region");
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    close(region_build_write(&b, path));
    assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
    assert_int_equal(profile.count, 1);
    assert_string_equal(profile.processes[0].file, path);
    check_sample(&profile.processes[0]);
    profile_free(&profile);
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "memory", &profile, &error), 0);
    check_sample(&profile.processes[0]);
    profile_free(&profile);
    region_build_close(&b);
}

static void refuses_what_is_not_ours(void **state) {
    struct region_build b;
    (void)state;
    region_build_small(&b, 4);
    expect_refusal("", 0, "is empty");
    expect_refusal("hello, world", 12, "not a squall region or dump");
    expect_refusal(b.bytes, 100, "cut short within the header");
    b.header->version = REGION_VERSION + 1;
    expect_refusal(b.bytes, b.bound, "newer version");
    b.header->version = 0;
    expect_refusal(b.bytes, b.bound, "cannot read");
    b.header->version = REGION_VERSION;
    b.header->byte_order = 0x04030201;
    expect_refusal(b.bytes, b.bound, "byte order");
    b.header->byte_order = REGION_BYTE_ORDER;
    expect_refusal(b.bytes, b.bound - 1, "cut short");
    memset(b.header->magic, 0, 8);
    expect_refusal(b.bytes, b.bound, "never finished");
    region_build_close(&b);
}

static void refuses_crooked_tables(void **state) {
    struct region_build b;
    (void)state;
    region_build_small(&b, 4);
    struct region_directory *d = &b.directory[REGION_CELLS - 1], sound = *d;
    d->row_size--;
    expect_refusal(b.bytes, b.bound, "rows are shorter");
    *d = sound;
    d->row_size = UINT32_MAX;
    expect_refusal(b.bytes, b.bound, "impossible size of rows");
    *d = sound;
    d->offset += 1;
    expect_refusal(b.bytes, b.bound, "crooked");
    *d = sound;
    d->offset = UINT64_MAX - 63;
    expect_refusal(b.bytes, b.bound, "outside the file");
    *d = sound;
    d->capacity = UINT64_MAX / 2;
    expect_refusal(b.bytes, b.bound, "beyond the end");
    *d = sound;
    d->offset = b.directory[REGION_SITES - 1].offset;
    expect_refusal(b.bytes, b.bound, "overlap");
    *d = sound;
    d->type = REGION_SITES;
    expect_refusal(b.bytes, b.bound, "twice");
    *d = sound;
    b.header->directory_count = 1000;
    expect_refusal(b.bytes, b.bound, "does not fit");
    region_build_close(&b);
}

static void refuses_folders_and_worse(void **state) {
    struct profile profile;
    struct profile_error error;
    const char *missing = in_folder("missing");
    (void)state;
    assert_int_equal(profile_load(missing, &profile, NULL, NULL, NULL, &error), -ENOENT);
    assert_non_null(strstr(error.text, "offset 0: cannot be opened: No such file"));
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_true(profile_load(fifo, &profile, NULL, NULL, NULL, &error) < 0);
    assert_non_null(strstr(error.text, "not a regular file"));
    unlink(fifo);
}

/* A file of a few blocks that names a terabyte of rows. */
static void takes_no_memory_for_holes(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *path = in_folder("hole");
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    uint64_t bound = 1ull << 40;
    region_layout(bound, b.directory);
    b.header->bound = bound;
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++)
        b.directory[i].used = b.directory[i].committed = b.directory[i].capacity;
    write_bytes(path, b.bytes, REGION_HEADER_SIZE);
    if (truncate(path, (off_t)bound) != 0) {
        region_build_close(&b);
        skip();
    }
    assert_true(profile_load(path, &profile, NULL, NULL, NULL, &error) < 0);
    assert_non_null(strstr(error.text, "more rows than a file of its size"));
    unlink(path);
    region_build_close(&b);
}

/* ---- what is accepted ---- */

/* As a later shim of the same version could write it. */
static uint64_t lengthen_rows(const struct region_build *b, struct region_build *out) {
    struct region_build longer;
    longer.bytes = aligned_alloc(64, REGION_BOUND_MIN * 4);
    longer.directory = (void *)(longer.bytes + REGION_DIRECTORY_OFFSET);
    memset(longer.bytes, 0, REGION_BOUND_MIN * 4);
    memcpy(longer.bytes, b->bytes, REGION_HEADER_SIZE);
    uint64_t at = REGION_HEADER_SIZE;
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++) {
        struct region_directory *d = &longer.directory[i];
        const struct region_directory *from = &b->directory[i];
        uint64_t rows = from->used < from->capacity ? from->used : from->capacity;
        d->row_size = from->row_size == 1 ? 1 : from->row_size + 64;
        d->offset = at;
        d->capacity = d->committed = rows;
        for (uint64_t k = 0; k < rows; k++)
            memcpy(longer.bytes + at + k * d->row_size,
                   b->bytes + from->offset + k * from->row_size, from->row_size);
        at = (at + rows * d->row_size + 63) & ~63ull;
    }
    struct region_header *h = (void *)longer.bytes;
    h->bound = at;
    longer.directory[REGION_TABLE_COUNT] = (struct region_directory){
        .type = 9999, .row_size = 3, .offset = UINT64_MAX, .capacity = UINT64_MAX};
    h->directory_count++;
    *out = longer;
    return at;
}

static void accepts_longer_rows_and_unknown_tables(void **state) {
    struct region_build b, longer;
    struct profile profile;
    struct profile_error error;
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    uint64_t size = lengthen_rows(&b, &longer);
    assert_int_equal(profile_load_memory(longer.bytes, size, "longer", &profile, &error), 0);
    check_sample(&profile.processes[0]);
    profile_free(&profile);
    region_build_close(&longer);
    region_build_close(&b);
}

/* The writer may be between two stores: only what all three numbers grant is read. */
static void clamps_what_is_being_written(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    (void)state;
    region_build_small(&b, 8);
    region_build_sample(&b);
    struct region_directory *d = &b.directory[REGION_SITES - 1];
    d->used = 1000; /* the site that cells name is there, more are claimed */
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    assert_int_equal(profile.processes[0].site_count, 3);
    profile_free(&profile);
    d->used = 2; /* the second site is not there yet: its cell goes to the overflow row */
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    assert_int_equal(profile.processes[0].site_count, 2);
    assert_int_equal(profile.processes[0].sites[0].cell_count, 1);
    profile_free(&profile);
    region_build_close(&b);
}

/* What a kill left between the stores of a block, at each place that there is. */
static void completes_what_a_kill_cut(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    uint64_t frame = 0x1234;
    (void)state;
    region_build_small(&b, 8);
    uint32_t site = region_build_site(&b, region_build_stack(&b, &frame, 1));
    struct region_cell *c =
        region_build_cell(&b, site, region_build_thread(&b, 7, "one"), REGION_CELL_EXACT);
    struct region_cell first = *c;
    for (int stores = 1; stores <= 6; stores++) {
        first.sequence = 1;
        *c = first;
        c->size_min = c->life_min = UINT64_MAX;
        c->allocs = 1;
        c->bytes = stores >= 2 ? 100 : 0;
        c->samples = stores >= 3;
        if (stores >= 4)
            c->size_min = 100;
        if (stores >= 5)
            c->size_max = 100;
        c->peak_bytes = stores >= 6 ? 100 : 0;
        assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
        const struct profile_cell *cell = cell_of(&profile.processes[0], site, 0);
        assert_int_equal(cell->size_min, c->bytes);
        assert_int_equal(cell->size_max, c->bytes);
        assert_int_equal(cell->peak_bytes, c->bytes);
        profile_free(&profile);
    }
    c->frees = c->freed_samples = 1;
    c->freed_bytes = 100;
    c->life_sum = 50;
    for (int stores = 0; stores <= 2; stores++) {
        if (stores >= 1)
            c->life_min = 50;
        if (stores >= 2)
            c->life_max = 50;
        assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
        const struct profile_life *life = &cell_of(&profile.processes[0], site, 0)->life;
        assert_true(life->min == life->sum && life->max == life->sum && life->count == 1);
        profile_free(&profile);
    }
    struct region_site *s = region_build_row(&b, REGION_SITES, site);
    b.header->large_live = s->large_live = 200000; /* the peaks of large blocks are not stored yet */
    c->large = region_build_take(&b, REGION_LARGE, 1);
    struct region_large *l = region_build_row(&b, REGION_LARGE, c->large);
    l->allocs = 1;
    l->bytes = 200000;
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    const struct profile_process *p = &profile.processes[0];
    assert_int_equal(p->large_peak, 200000);
    assert_int_equal(p->sites[site].large_peak, 200000);
    assert_int_equal(cell_of(p, site, 0)->large.size_min, 200000);
    assert_int_equal(cell_of(p, site, 0)->large.size_max, 200000);
    profile_free(&profile);
    region_build_close(&b);
}

static void calibrates_by_what_there_is(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    (void)state;
    region_build_small(&b, 8);
    b.header->end_raw_ns = b.header->end_clock = 0;
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    assert_true(profile.processes[0].clock_guessed && profile.processes[0].ticks_per_ns == 1.0);
    profile_free(&profile);
    region_build_take(&b, REGION_TIMELINE, 1);
    struct region_tick *t = region_build_row(&b, REGION_TIMELINE, 0);
    *t = (struct region_tick){.number = 1,
                              .raw_ns = b.header->start_raw_ns + 2000000000,
                              .clock = b.header->start_clock + 5000000000};
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    assert_true(profile.processes[0].ticks_per_ns == 2.5);
    profile_free(&profile);
    b.header->clock = REGION_CLOCK_MONOTONIC_RAW;
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "x", &profile, &error), 0);
    assert_true(profile.processes[0].ticks_per_ns == 1.0 && !profile.processes[0].clock_guessed);
    profile_free(&profile);
    region_build_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_region),
        cmocka_unit_test(refuses_what_is_not_ours),
        cmocka_unit_test(refuses_crooked_tables),
        cmocka_unit_test(refuses_folders_and_worse),
        cmocka_unit_test(takes_no_memory_for_holes),
        cmocka_unit_test(accepts_longer_rows_and_unknown_tables),
        cmocka_unit_test(clamps_what_is_being_written),
        cmocka_unit_test(completes_what_a_kill_cut),
        cmocka_unit_test(calibrates_by_what_there_is),
    };
    return cmocka_run_group_tests_name("profile", tests, make_folder, remove_folder);
}
