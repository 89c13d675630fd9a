/* Which module holds an address: as the rule of region.h has it, however modules lie over one
 * another, and without going through all of them. Where a test is about that, an hour would not do
 * with as many steps as there are frames times modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile_help.h"

static uint64_t random_number(void) {
    static uint64_t seed = 42;
    return base_mix(seed += 0x9e3779b97f4a7c15ull);
}

/* A table moves to the end of the file, where there is room. */
static void widen(struct region_build *b, enum region_table table, uint64_t rows) {
    struct region_directory *d = &b->directory[table - 1];
    uint64_t size = (rows * d->row_size + 63) & ~63ull, at = b->bound;
    uint8_t *bytes = aligned_alloc(64, at + size);
    assert_non_null(bytes);
    memcpy(bytes, b->bytes, at);
    memset(bytes + at, 0, size);
    memcpy(bytes + at, b->bytes + d->offset, d->used * d->row_size);
    free(b->bytes);
    b->bytes = bytes;
    b->bound = at + size;
    b->header = (void *)b->bytes;
    b->directory = (void *)(b->bytes + REGION_DIRECTORY_OFFSET);
    b->header->bound = b->bound;
    d = &b->directory[table - 1];
    d->offset = at;
    d->capacity = rows;
}

static struct region_module *add_module(struct region_build *b, uint64_t start, uint64_t end,
                                        uint32_t born, uint32_t gone) {
    uint32_t row = region_build_take(b, REGION_MODULES, 1);
    struct region_module *m = region_build_row(b, REGION_MODULES, row);
    m->base = m->start = start;
    m->end = end;
    m->born = born;
    m->gone = gone;
    return m;
}

static void load(const struct region_build *b, struct profile *profile) {
    struct profile_error error;
    assert_int_equal(profile_load_memory(b->bytes, b->bound, "modules", profile, &error), 0);
}

/* In the plainest words. */
static uint32_t holder(const struct profile_process *p, uint32_t event, uint64_t address) {
    uint64_t call = address & ~REGION_FRAME_EXACT;
    call -= address == call && call > 0;
    for (uint32_t i = p->module_count; i-- > 1;) {
        const struct profile_module *m = &p->modules[i];
        if (call >= m->start && call < m->end && m->born <= event && (!m->gone || m->gone > event))
            return i;
    }
    return 0;
}

static void the_youngest_that_is_there_holds_it(void **state) {
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct region_build b;
        struct profile profile;
        uint64_t wide = 1 + random_number() % 40;
        region_build_small(&b, 64);
        for (unsigned i = random_number() % 40; i > 0; i--)
            add_module(&b, random_number() % wide, random_number() % wide,
                       (uint32_t)(random_number() % 12), (uint32_t)(random_number() % 12));
        if (round % 4 == 0)
            add_module(&b, 0, UINT64_MAX, 5, 0);
        load(&b, &profile);
        const struct profile_process *p = &profile.processes[0];
        for (uint64_t address = 0; address < wide + 3; address++)
            for (uint32_t event = 0; event < 14; event++) {
                uint64_t at = address | (round % 2 ? REGION_FRAME_EXACT : 0);
                struct profile_span span;
                uint32_t module = profile_find_module_span(p, event, at, &span);
                assert_int_equal(module, holder(p, event, at));
                assert_true(span.first <= event && event <= span.last);
                for (uint32_t other = span.first; other <= span.last && other < 16; other++)
                    assert_int_equal(module, holder(p, other, at));
            }
        profile_free(&profile);
        region_build_close(&b);
    }
}

enum { MODULES = 1 << 17, ASKED = 1 << 21 };

static void ask_often(const struct region_build *b) {
    struct profile profile;
    uint64_t sum = 0;
    load(b, &profile);
    const struct profile_process *p = &profile.processes[0];
    assert_int_equal(p->module_count, MODULES);
    for (uint32_t i = 0; i < ASKED; i++) {
        struct profile_span span;
        sum += profile_find_module_span(p, (uint32_t)(random_number() % MODULES),
                                        random_number() % MODULES, &span);
    }
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t event = (uint32_t)(random_number() % MODULES);
        uint64_t address = random_number() % MODULES;
        struct profile_span span;
        assert_int_equal(profile_find_module_span(p, event, address, &span),
                         holder(p, event, address));
    }
    assert_true(sum < UINT64_MAX);
    profile_free(&profile);
}

static void many_modules_cost_no_time(void **state) {
    struct region_build b;
    (void)state;
    region_build_small(&b, 8);
    widen(&b, REGION_MODULES, MODULES);
    uint32_t holes = region_build_take(&b, REGION_MODULES, MODULES - 1);
    ask_often(&b);
    for (uint32_t i = 0; i < MODULES - holes; i++) { /* within one another, one after the other */
        struct region_module *m = region_build_row(&b, REGION_MODULES, holes + i);
        m->start = i / 2;
        m->end = MODULES - i / 2;
        m->born = i;
        m->gone = i + 1;
    }
    ask_often(&b);
    for (uint32_t i = 0; i < MODULES - holes; i++) { /* at the same place, all of them gone */
        struct region_module *m = region_build_row(&b, REGION_MODULES, holes + i);
        m->start = 0;
        m->end = MODULES;
        m->born = (uint32_t)(random_number() % MODULES);
        m->gone = m->born + 1;
    }
    ask_often(&b);
    region_build_close(&b);
}

/* ---- what is asked of the frames of all stacks ---- */

static uint32_t count_names(void *data, const struct profile_process *p, uint32_t module,
                            uint64_t address, struct profile_symbol *out, uint32_t max) {
    uint32_t *asked = data;
    (void)address;
    assert_true(module > 0 && module < p->module_count && max > 0);
    out[0] = (struct profile_symbol){.function = "f"};
    ++*asked;
    return 1;
}

static void shared_frames_are_named_once(void **state) {
    enum { STACKS = 1 << 17, COMES_AND_GOES = 1 << 14 };
    struct region_build b;
    struct profile_error error = {.text = ""};
    const char *path = in_folder("shared.region"), *output = in_folder("shared.squall");
    uint32_t asked = 0;
    (void)state;
    region_build_small(&b, 256);
    widen(&b, REGION_MODULES, COMES_AND_GOES + 3);
    widen(&b, REGION_STACKS, STACKS + 1);
    add_module(&b, 0x1000, 0x9000, 0, 1);
    add_module(&b, 0x1000, 0x9000, 1, 0);
    for (uint32_t i = 0; i < COMES_AND_GOES; i++)
        add_module(&b, 0x10000 + 16 * i, 0x10000 + 16 * i + 8, i, 0);
    uint32_t first = region_build_take(&b, REGION_FRAMES, REGION_FRAMES_MAX);
    for (uint32_t i = 0; i < REGION_FRAMES_MAX; i++)
        *(uint64_t *)region_build_row(&b, REGION_FRAMES, first + i) = 0x2000 + 16 * i;
    uint32_t row = region_build_take(&b, REGION_STACKS, STACKS);
    for (uint32_t i = 0; i < STACKS; i++) {
        struct region_stack *s = region_build_row(&b, REGION_STACKS, row + i);
        *s = (struct region_stack){
            .first = first, .count = REGION_FRAMES_MAX, .module_event = i % 2 ? 1 + i : 0};
    }
    close(region_build_write(&b, path));
    int status = profile_pack(&path, 1, output, NULL, 0, count_names, &asked, false, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(status, 0);
    assert_int_equal(asked, 2 * REGION_FRAMES_MAX); /* each in both modules */
    region_build_close(&b);
}

/* No shim keeps more, so no more are believed. */
static void a_stack_has_no_more_frames_than_a_shim_keeps(void **state) {
    struct region_build b;
    struct profile profile;
    uint64_t frames[3 * REGION_FRAMES_MAX] = {0x1234};
    (void)state;
    region_build_small(&b, 8 * REGION_FRAMES_MAX);
    uint32_t most = region_build_stack(&b, frames, REGION_FRAMES_MAX);
    uint32_t more = region_build_stack(&b, frames, REGION_FRAMES_MAX + 1);
    uint32_t many = region_build_stack(&b, frames, ARRAY_SIZE(frames));
    load(&b, &profile);
    const struct profile_stack *stacks = profile.processes[0].stacks;
    assert_int_equal(stacks[most].count, REGION_FRAMES_MAX);
    assert_int_equal(stacks[most].end, REGION_END_OUTERMOST);
    assert_int_equal(stacks[more].count, REGION_FRAMES_MAX);
    assert_int_equal(stacks[more].end, REGION_END_BOUND);
    assert_int_equal(stacks[many].count, REGION_FRAMES_MAX);
    assert_int_equal(stacks[many].end, REGION_END_BOUND);
    assert_int_equal(stacks[many].frames[0], 0x1234);
    profile_free(&profile);
    region_build_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_youngest_that_is_there_holds_it),
        cmocka_unit_test(many_modules_cost_no_time),
        cmocka_unit_test(shared_frames_are_named_once),
        cmocka_unit_test(a_stack_has_no_more_frames_than_a_shim_keeps),
    };
    return cmocka_run_group_tests_name("profile_modules", tests, make_folder, remove_folder);
}
