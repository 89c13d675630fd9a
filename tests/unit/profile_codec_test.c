/* The room profile: what codec calls left, against rows made by hand and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile_help.h"

/* One region with codec calls, and the process that is read from it. */
struct reading {
    struct region_build b;
    struct profile profile;
    const struct profile_process *p;
};

static void read_again(struct reading *r) {
    struct profile_error error = {.text = ""};
    profile_free(&r->profile);
    assert_int_equal(profile_load_memory(r->b.bytes, r->b.bound, "x", &r->profile, &error), 0);
    r->p = &r->profile.processes[0];
}

static void start(struct reading *r) {
    memset(r, 0, sizeof *r);
    region_build_open(&r->b, REGION_BOUND_MIN);
    region_build_codec(&r->b);
    read_again(r);
}

static void stop(struct reading *r) {
    profile_free(&r->profile);
    region_build_close(&r->b);
}

/* ---- what is read ---- */

static void check_timed(const struct profile_process *p) {
    const struct profile_codec_call *c = &p->codec_calls[1];
    assert_string_equal(p->codec_functions[c->function].name, "ZSTD_compress");
    assert_int_equal(p->stacks[c->stack].count, 2);
    assert_int_equal(c->calls, 10);
    assert_int_equal(c->nested, 0);
    assert_int_equal(c->failures, 2);
    assert_int_equal(c->left, 1);
    assert_int_equal(c->messages, 9);
    assert_int_equal(c->source_bytes, 1000000);
    assert_int_equal(c->produced_bytes, 250000);
    assert_int_equal(c->output_capacity, 1200000);
    assert_int_equal(c->ns, 1000000); /* 3 ticks a nanosecond */
    assert_int_equal(c->cpu_ns, 900001);
    assert_int_equal(c->page_faults, 77);
    assert_int_equal(c->context_switches, 5);
    assert_int_equal(c->timed, 10);
    assert_int_equal(c->threads, 1);
}

static void check_sizes(const struct profile_codec_call *c) {
    assert_int_equal(c->size_count, 3);
    assert_true(c->sizes[0].from == 0 && c->sizes[0].to == 1 && c->sizes[0].messages == 1);
    assert_int_equal(c->sizes[0].ns, 100);
    assert_int_equal(c->sizes[0].cpu_ns, 0); /* none timed */
    const struct profile_codec_size *s = &c->sizes[1];
    assert_true(s->from == 1024 && s->to == 2048);
    assert_int_equal(s->messages, 6);
    assert_int_equal(s->source_bytes, 9000);
    assert_int_equal(s->produced_bytes, 3000);
    assert_int_equal(s->ns, 30000);
    assert_int_equal(s->cpu_ns, 12000); /* a third of the time was timed */
    assert_int_equal(s->page_faults, 24);
    assert_int_equal(s->context_switches, 6);
    assert_true(c->sizes[2].from == 1ull << 46 && c->sizes[2].to == 1ull << 47);
    assert_int_equal(c->sizes[2].messages, 2);
}

static void check_levels(const struct profile_process *p) {
    const struct profile_codec_call *c = &p->codec_calls[1];
    assert_int_equal(c->level_count, 2);
    assert_int_equal(c->levels[0].level, 1);
    assert_int_equal(c->levels[0].calls, 4);
    assert_int_equal(c->levels[0].source_bytes, 400);
    assert_int_equal(c->levels[0].ns, 200);
    assert_int_equal(c->levels[0].cpu_ns, 200);
    assert_int_equal(c->levels[1].level, 281); /* and more */
    assert_int_equal(c->levels[1].calls, 6);
    /* Of all calls, and of those that have no rows of their own. */
    assert_int_equal(p->level_count, 4);
    assert_true(p->levels[0].level == 1 && p->levels[0].calls == 4);
    assert_true(p->levels[1].level == 32 && p->levels[1].calls == 31);
    assert_true(p->levels[2].level == 33 && p->levels[2].calls == 32);
    assert_true(p->levels[3].level == 281 && p->levels[3].calls == 6);
}

static void check_others(const struct profile_process *p) {
    const struct profile_codec_call *c = &p->codec_calls[2];
    assert_int_equal(c->calls, 100);
    assert_int_equal(c->ns, 10000);
    assert_int_equal(c->cpu_ns, 5000); /* one in ten timed */
    assert_int_equal(c->page_faults, 30);
    assert_int_equal(c->context_switches, 10);
    assert_int_equal(c->size_count, 0);
    assert_int_equal(c->level_count, 0);
    assert_int_equal(p->codec_calls[3].calls, 0); /* keeps its place */
    assert_true(p->codec_calls[4].calls == 4 && p->codec_calls[4].nested == 4);
    const struct profile_context *x = &p->contexts[1];
    assert_string_equal(p->codec_functions[x->function].name, "ZSTD_compress");
    assert_true(x->created == 11 && x->ended == 10 && x->single == 9);
    assert_true(x->messages == 12 && x->calls == 13 && x->source_bytes == 14);
    assert_int_equal(p->stacks[x->stack].count, 2);
    const struct profile_anon *m = &p->anons[1];
    assert_true(m->maps == 3 && m->unmaps == 2 && m->bytes == 300 && m->unmapped_bytes == 200);
    assert_int_equal(p->stacks[m->stack].count, 2);
}

static void check_served(const struct profile_process *p) {
    const struct profile_large *l = &cell_of(p, 1, 0)->large;
    assert_int_equal(p->sites[1].codec_call, 1);
    assert_int_equal(l->served_call, 1);
    assert_int_equal(l->grown, 4);
    assert_int_equal(l->handed_over, 5);
    assert_int_equal(l->served_source_bytes, 600);
    assert_int_equal(l->served_produced_bytes, 700);
}

static void check_codec(const struct profile_process *p) {
    assert_int_equal(p->codec_bytes, 1000000);
    assert_int_equal(p->codec_call_count, 5);
    assert_int_equal(p->context_count, 2);
    assert_int_equal(p->anon_count, 2);
    check_timed(p);
    check_sizes(&p->codec_calls[1]);
    check_levels(p);
    check_others(p);
    check_served(p);
}

static void reads_codec_calls(void **state) {
    struct reading r;
    (void)state;
    start(&r);
    check_codec(r.p);
    stop(&r);
}

static void reads_nothing_where_there_is_nothing(void **state) {
    struct reading r = {0};
    (void)state;
    region_build_open(&r.b, REGION_BOUND_MIN);
    for (unsigned t = REGION_CODEC_FUNCTIONS; t <= REGION_ANON; t++)
        r.b.directory[t - 1].used = r.b.directory[t - 1].committed = 0;
    read_again(&r);
    assert_int_equal(r.p->codec_call_count, 1); /* an index of 0 leads somewhere */
    assert_int_equal(r.p->codec_calls[0].calls, 0);
    assert_true(r.p->context_count == 1 && r.p->anon_count == 1 && r.p->level_count == 0);
    stop(&r);
}

static struct region_codec_call *call_row(struct reading *r) {
    return region_build_row(&r->b, REGION_CODEC_CALLS, 1);
}

/* The rows of one function and stack, each of another thread, are one call. */
static void adds_up_the_threads(void **state) {
    struct reading r;
    (void)state;
    start(&r);
    const struct region_codec_call *first = call_row(&r);
    struct region_codec_call *c =
        region_build_codec_call(&r.b, first->function, first->stack, true, true);
    c->thread = 2;
    c->calls = c->timed = 5;
    c->left = 7;
    region_build_size(&r.b, c, 11)->messages = 3;
    region_build_level(&r.b, c->concurrency, 0)->calls = 2;
    read_again(&r);
    assert_true(r.p->codec_calls[5].same_as == 1 && r.p->codec_calls[5].calls == 0);
    assert_true(r.p->codec_calls[1].calls == 15 && r.p->codec_calls[1].threads == 2);
    assert_int_equal(r.p->codec_calls[1].left, 8);
    assert_int_equal(r.p->codec_calls[1].sizes[1].messages, 9);
    assert_int_equal(r.p->codec_calls[1].levels[0].calls, 6);
    assert_int_equal(r.p->levels[0].calls, 6);
    stop(&r);
}

/* As a file, and packed: the dump has all of it. */
static void passes_through_a_dump(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error = {.text = ""};
    const char *path = in_folder("region"), *dump = in_folder("dump");
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_codec(&b);
    close(region_build_write(&b, path));
    assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
    check_codec(&profile.processes[0]);
    profile_free(&profile);
    assert_int_equal(profile_pack(&path, 1, dump, NULL, 0, NULL, NULL, true, &error), 0);
    assert_int_equal(profile_load(dump, &profile, NULL, NULL, NULL, &error), 0);
    check_codec(&profile.processes[0]);
    profile_free(&profile);
    unlink(dump);
    region_build_close(&b);
}

/* ---- what leads astray ---- */

static void bad_indexes_lead_to_row_0(void **state) {
    struct reading r;
    (void)state;
    start(&r);
    struct region_codec_call *c = call_row(&r);
    struct region_context *x = region_build_row(&r.b, REGION_CONTEXTS, 1);
    struct region_anon *m = region_build_row(&r.b, REGION_ANON, 1);
    struct region_large *l = region_build_row(&r.b, REGION_LARGE, 1);
    struct region_site *s = region_build_row(&r.b, REGION_SITES, 1);
    c->function = x->function = r.p->codec_function_count;
    c->stack = x->stack = r.p->stack_count;
    m->stack = (1ull << 32) + 1; /* 1, if it were cut to 32 bits */
    l->served_call = s->codec_call = r.p->codec_call_count;
    read_again(&r);
    assert_true(r.p->codec_calls[1].function == 0 && r.p->codec_calls[1].stack == 0);
    assert_true(r.p->contexts[1].function == 0 && r.p->contexts[1].stack == 0);
    assert_int_equal(r.p->anons[1].stack, 0);
    assert_int_equal(r.p->sites[1].codec_call, 0);
    assert_int_equal(cell_of(r.p, 1, 0)->large.served_call, 0);
    c->function = x->function = c->stack = x->stack = l->served_call = s->codec_call = UINT32_MAX;
    m->stack = UINT64_MAX;
    read_again(&r);
    assert_true(r.p->codec_calls[1].function == 0 && r.p->anons[1].stack == 0);
    stop(&r);
}

/* A block lies in the table as a whole, or it is none. */
static void blocks_near_the_end_are_ignored(void **state) {
    struct reading r;
    (void)state;
    start(&r);
    struct region_codec_call *c = call_row(&r);
    struct region_directory *sizes = &r.b.directory[REGION_CODEC_SIZES - 1];
    struct region_directory *levels = &r.b.directory[REGION_CONCURRENCY - 1];
    uint32_t first_size = c->sizes, first_level = c->concurrency;
    assert_int_equal(first_size + REGION_SIZE_CLASSES, sizes->used); /* just fits */
    const uint32_t bad[] = {0, first_size + 1, (uint32_t)sizes->used, UINT32_MAX - 1, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        c->sizes = bad[i];
        /* Nor may it begin among the levels of the process. */
        c->concurrency = i ? first_level + (bad[i] - first_size) : REGION_LEVELS - 1;
        read_again(&r);
        assert_int_equal(r.p->codec_calls[1].size_count, 0);
        assert_int_equal(r.p->codec_calls[1].level_count, 0);
        assert_int_equal(r.p->codec_calls[1].calls, 10);
    }
    c->sizes = first_size;
    c->concurrency = first_level;
    sizes->used--; /* the last class is not there yet */
    levels->used--;
    read_again(&r);
    assert_int_equal(r.p->codec_calls[1].size_count, 0);
    assert_int_equal(r.p->codec_calls[1].level_count, 0);
    assert_int_equal(r.p->level_count, 2); /* those without rows of their own */
    levels->used = REGION_LEVELS - 1;
    read_again(&r);
    assert_int_equal(r.p->level_count, 0);
    stop(&r);
}

/* A thousand calls that all name one block must not make us hold it a thousand times. */
static void shared_blocks_take_no_more_than_the_table(void **state) {
    struct reading r;
    uint64_t sizes = 0, levels = 0;
    (void)state;
    start(&r);
    struct region_codec_call *c = call_row(&r);
    for (uint32_t i = 0; i < REGION_SIZE_CLASSES; i++)
        region_build_size(&r.b, c, i)->messages = 1;
    for (uint32_t i = 0; i < REGION_LEVELS; i++)
        region_build_level(&r.b, c->concurrency, i)->calls = 1;
    for (unsigned i = 0; i < 100; i++) {
        struct region_codec_call *other = region_build_codec_call(&r.b, 1, 1, false, false);
        *other = *c;
        other->stack = 1000 + i; /* of its own */
    }
    read_again(&r);
    assert_int_equal(r.p->codec_call_count, 105);
    for (uint32_t i = 0; i < r.p->codec_call_count; i++) {
        sizes += r.p->codec_calls[i].size_count;
        levels += r.p->codec_calls[i].level_count;
    }
    assert_int_equal(r.p->codec_calls[1].size_count, REGION_SIZE_CLASSES);
    assert_true(sizes <= r.b.directory[REGION_CODEC_SIZES - 1].used);
    assert_true(levels <= r.b.directory[REGION_CONCURRENCY - 1].used);
    stop(&r);
}

static void huge_numbers_saturate(void **state) {
    struct reading r;
    (void)state;
    start(&r);
    struct region_codec_call *c = region_build_row(&r.b, REGION_CODEC_CALLS, 2);
    c->ticks = UINT64_MAX;
    c->timed_ticks = 1;
    c->cpu_ns = UINT64_MAX;
    c->page_faults = 1;
    c->context_switches = 0;
    read_again(&r);
    assert_true(r.p->codec_calls[2].cpu_ns == r.p->codec_calls[2].ns); /* and not for longer */
    assert_true(r.p->codec_calls[2].page_faults == UINT64_MAX);
    assert_int_equal(r.p->codec_calls[2].context_switches, 0);
    c->timed_ticks = 0;
    read_again(&r);
    assert_int_equal(r.p->codec_calls[2].cpu_ns, 0);
    c->timed_ticks = UINT64_MAX; /* read between two adds: more was timed than there is */
    c->ticks = 1;
    read_again(&r);
    assert_int_equal(r.p->codec_calls[2].cpu_ns, r.p->codec_calls[2].ns);
    assert_int_equal(r.p->codec_calls[2].page_faults, 1);
    stop(&r);
}

static uint64_t use_codec(const struct profile_process *p) {
    uint64_t sum = p->codec_calls[0].calls + p->contexts[0].calls + p->anons[0].maps;
    for (uint32_t i = 0; i < p->level_count; i++)
        sum += p->levels[i].level;
    for (uint32_t i = 0; i < p->codec_call_count; i++) {
        const struct profile_codec_call *c = &p->codec_calls[i];
        sum += strlen(p->codec_functions[c->function].name) + p->stacks[c->stack].count;
        for (uint32_t k = 0; k < c->size_count; k++)
            sum += c->sizes[k].messages;
        for (uint32_t k = 0; k < c->level_count; k++)
            sum += c->levels[k].calls;
    }
    for (uint32_t i = 0; i < p->context_count; i++)
        sum += strlen(p->codec_functions[p->contexts[i].function].name) +
               p->stacks[p->contexts[i].stack].count;
    for (uint32_t i = 0; i < p->anon_count; i++)
        sum += p->stacks[p->anons[i].stack].count;
    for (uint32_t i = 0; i < p->site_count; i++)
        sum += p->codec_calls[p->sites[i].codec_call].calls;
    for (uint32_t i = 0; i < p->cell_count; i++)
        sum += p->codec_calls[p->cells[i].large.served_call].calls;
    return sum;
}

/* Random bits in the rows of calls, contexts and mappings and in the directory. */
static void survives_flipped_bits(void **state) {
    static const enum region_table tables[] = {REGION_CODEC_CALLS, REGION_CODEC_SIZES,
                                               REGION_CONCURRENCY, REGION_CONTEXTS, REGION_ANON};
    struct region_build b;
    uint64_t seed = 7, sum = 0;
    (void)state;
    region_build_small(&b, 3 * REGION_LEVELS);
    region_build_codec(&b);
    uint8_t *copy = malloc(b.bound);
    memcpy(copy, b.bytes, b.bound);
    for (unsigned i = 0; i < 2000; i++) {
        struct profile profile;
        struct profile_error error;
        for (unsigned k = 0; k < 8; k++) {
            const struct region_directory *d =
                (void *)(copy + REGION_DIRECTORY_OFFSET +
                         (tables[base_mix(seed++) % ARRAY_SIZE(tables)] - 1) * sizeof *d);
            uint64_t at = k ? d->offset + base_mix(seed++) % (d->used * d->row_size)
                            : (uint64_t)((const uint8_t *)d - copy) + base_mix(seed++) % sizeof *d;
            b.bytes[at] ^= (uint8_t)(1u << base_mix(seed++) % 8);
        }
        if (profile_load_memory(b.bytes, b.bound, "flipped", &profile, &error) == 0) {
            sum += use_codec(&profile.processes[0]);
            profile_free(&profile);
        }
        memcpy(b.bytes, copy, b.bound);
    }
    assert_true(sum != 0);
    free(copy);
    region_build_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_codec_calls),
        cmocka_unit_test(reads_nothing_where_there_is_nothing),
        cmocka_unit_test(adds_up_the_threads),
        cmocka_unit_test(passes_through_a_dump),
        cmocka_unit_test(bad_indexes_lead_to_row_0),
        cmocka_unit_test(blocks_near_the_end_are_ignored),
        cmocka_unit_test(shared_blocks_take_no_more_than_the_table),
        cmocka_unit_test(huge_numbers_saturate),
        cmocka_unit_test(survives_flipped_bits),
    };
    return cmocka_run_group_tests_name("profile_codec", tests, make_folder, remove_folder);
}
