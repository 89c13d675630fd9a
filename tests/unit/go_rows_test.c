/* What the hook for Go writes when a table of the region is full, and after days. */
#include "go/hook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
/* cmocka needs the first, the second and the third above. */
#include <cmocka.h>

#define ROW(table, type, i) REGION_ROW(&s->region, table, struct type, i)
#define LOST(reason) (s->region.header->lost[REGION_LOST_##reason])
#define USED(table) (s->region.directory[table].used)

/* A stack of two frames: sp leads to the first, bp to the second. */
struct fake {
    uint64_t memory[8];
    struct go_walk walk;
};

static const struct go_walk *stack_of(struct fake *f, uint64_t number) {
    uint64_t at = (uint64_t)f->memory;
    f->memory[0] = 0x500000 + 16 * number;
    f->memory[2] = 0;
    f->memory[3] = 0x400010;
    f->memory[4] = 0;
    f->memory[5] = 0;
    f->walk = (struct go_walk){.sp = at, .bp = at + 16, .low = at, .high = at + sizeof f->memory};
    return &f->walk;
}

static struct go_state *begin(void) {
    struct go_state *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(s != MAP_FAILED);
    assert_int_equal(region_map(&s->region, -1, 2u << 20), 0);
    go_state_init(s, 0);
    assert_int_equal(go_state_open(&s->region), 0);
    assert_int_equal(region_take(&s->region, REGION_CELLS, 1), 1); /* of what has no site */
    ROW(REGION_SITES, region_site, 0)->shared_cell = 1;
    return s;
}

static void end(struct go_state *s) {
    munmap(s->region.base, s->region.bound);
    munmap(s, sizeof *s);
}

/* Made by the caller for one call, or kept for the next ones: either is told once. */
static void a_destination_is_an_output(void **state) {
    struct go_state *s = begin();
    struct fake f;
    struct go_call call = {.source = 40000, .row = 1};
    struct go_live live = {.size = 50000, .site = go_rows_site(s, stack_of(&f, 1))};
    const struct region_site *site = ROW(REGION_SITES, region_site, live.site);
    const struct region_large *l =
        ROW(REGION_LARGE, region_large, ROW(REGION_CELLS, region_cell, site->shared_cell)->large);
    (void)state;
    go_rows_used(s, &live, &call);
    assert_int_equal(l->output_allocs, 1);
    assert_int_equal(l->output_bytes, 50000);
    assert_int_equal(l->served_call, 1);
    assert_int_equal(l->source_ratio_max, 50000 * 65536ull / 40000);
    assert_int_equal(l->reused, 0);
    assert_int_equal(live.uses, 1);
    go_rows_used(s, &live, &call);
    assert_int_equal(l->output_allocs, 1);
    assert_int_equal(l->reused, 1);
    assert_int_equal(live.uses, 2);
    /* A block that the codec had made is used again at once. */
    ROW(REGION_SITES, region_site, live.site)->go_flags |= REGION_GO_OUTPUT;
    live.uses = 0;
    go_rows_used(s, &live, &call);
    assert_int_equal(l->output_allocs, 1);
    assert_int_equal(l->reused, 2);
    assert_int_equal(live.uses, 2);
    end(s);
}

static void full_tables_add_up(void **state) {
    struct go_state *s = begin();
    struct fake f;
    uint64_t allocs = 0, frees = 0, bytes = 0, freed = 0, at_zero = 0, swept = 0;
    (void)state;
    for (uint64_t i = 0; i < 6000; i++) {
        struct go_flight flight = {.size = 40000, .site = go_rows_site(s, stack_of(&f, i % 2000))};
        struct go_live live = {.size = 40000, .site = flight.site};
        at_zero += !flight.site;
        go_rows_add(s, &flight, NULL, 100);
        go_rows_swept(s, &live, 1000);
    }
    for (uint32_t i = 1; i < USED(REGION_CELLS); i++) {
        const struct region_cell *c = ROW(REGION_CELLS, region_cell, i);
        allocs += c->allocs, frees += c->frees, bytes += c->bytes, freed += c->freed_bytes;
        assert_true(i == 1 || c->allocs == 3);
    }
    for (uint32_t i = 0; i < USED(REGION_GO); i++)
        swept += ROW(REGION_GO, region_go, i)->swept;
    assert_int_equal(allocs, 6000);
    assert_int_equal(frees, 6000);
    assert_int_equal(bytes, 6000 * 40000ull);
    assert_int_equal(freed, bytes);
    assert_int_equal(swept, 6000);
    assert_int_equal(s->region.header->large_live, 0);
    assert_true(at_zero >= 3 * 400);
    assert_int_equal(ROW(REGION_CELLS, region_cell, 1)->allocs, at_zero);
    /* Each of these blocks is told of, and each site without Go's own figures. */
    assert_int_equal(LOST(SITES) + LOST(STACKS), at_zero);
    assert_int_equal(LOST(LARGE), USED(REGION_SITES) - USED(REGION_GO));
    end(s);
}

static void full_call_tables_add_up(void **state) {
    struct go_state *s = begin();
    struct fake f;
    uint64_t calls = 0, without = 0, unsized = 0;
    (void)state;
    s->range_count = 1;
    s->ranges[0] = (struct go_range){.start = 0x400000, .end = 0x401000, .row = 7};
    for (uint64_t i = 0; i < 800; i++) {
        struct go_call call = {.source = 1000, .row = go_rows_call(s, 0, stack_of(&f, i % 400))};
        without += !call.row;
        if (call.row)
            go_rows_called(s, &call, 10, 50);
    }
    for (uint32_t i = 1; i < USED(REGION_CODEC_CALLS); i++) {
        const struct region_codec_call *c = ROW(REGION_CODEC_CALLS, region_codec_call, i);
        assert_int_equal(c->calls, 2);
        assert_int_equal(c->source_bytes, 2000);
        calls += c->calls;
        unsized += !c->sizes;
    }
    assert_int_equal(calls + without, 800);
    assert_true(without > 0 && unsized > 0);
    assert_int_equal(LOST(CODEC), without + unsized);
    end(s);
}

static void counters_hold_for_days(void **state) {
    struct go_state *s = begin();
    struct fake f;
    (void)state;
    struct go_call call = {.source = 10, .row = 1};
    uint32_t site = go_rows_site(s, stack_of(&f, 1));
    struct go_flight flight = {.size = 40000, .site = site};
    struct go_live live = {.size = 40000, .site = site};
    struct region_site *row = ROW(REGION_SITES, region_site, site);
    for (int i = 0; i < 20; i++)
        go_rows_add(s, &flight, NULL, 100);
    struct region_histogram *h = ROW(REGION_HISTOGRAMS, region_histogram, row->histogram);
    unsigned class = 30; /* of 32 KiB to 48 KiB */
    assert_true(h->size[class] > 0);
    h->size[class] = (1u << 31) - 1;
    h->size[2] = 1000;
    struct region_cell *c = ROW(REGION_CELLS, region_cell, row->shared_cell);
    struct region_large *l = ROW(REGION_LARGE, region_large, c->large);
    row->go_flags = REGION_GO_OUTPUT;
    c->life_sum = l->source_ratio_sum = ROW(REGION_GO, region_go, row->go)->swept_ticks = 1ull
                                                                                          << 63;
    c->freed_samples = l->source_ratio_count = 9;
    go_rows_add(s, &flight, &call, 100);
    go_rows_swept(s, &live, 1ull << 50);
    assert_int_equal(h->size[class], 1u << 30);
    assert_int_equal(h->size[2], 500);
    assert_true(c->life_sum == 1ull << 63 && c->freed_samples == 9);
    assert_true(l->source_ratio_sum == 1ull << 63 && l->source_ratio_count == 9);
    assert_true(ROW(REGION_GO, region_go, row->go)->swept_ticks == 1ull << 63);
    assert_int_equal(c->allocs, 21);
    assert_int_equal(c->frees, 1);
    end(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_destination_is_an_output),
        cmocka_unit_test(full_tables_add_up),
        cmocka_unit_test(full_call_tables_add_up),
        cmocka_unit_test(counters_hold_for_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
