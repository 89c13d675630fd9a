/* Places: what is remembered about an address must be what the modules say, whichever stack asks,
 * and a question about the code is asked once for each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analyse/internal.h"
#include "analyse/places.h"
#include "fake_process.h"

/* Loaded, gone, and another one at the same addresses; one that stays and lies over both. */
static struct profile_module modules[] = {
    {.path = ""},
    {.path = "first", .start = 0x1000, .end = 0x2000, .born = 1, .gone = 4},
    {.path = "second", .start = 0x1800, .end = 0x3000, .born = 6, .gone = 9},
    {.path = "over", .start = 0x1400, .end = 0x1900, .born = 3},
    {.path = "again", .start = 0x1000, .end = 0x2000, .born = 9},
};

/* The rule of region.h, in the plainest words. */
static uint32_t holder(uint32_t event, uint64_t address) {
    for (uint32_t i = ARRAY_SIZE(modules); i-- > 1;)
        if (address - 1 >= modules[i].start && address - 1 < modules[i].end &&
            modules[i].born <= event && (!modules[i].gone || modules[i].gone > event))
            return i;
    return 0;
}

static void test_modules_come_and_go(void **state) {
    static const uint32_t events[] = {0, 5, 3, 12, 6, 1, 9, 4, 2, 8, 10, 7, 11, UINT32_MAX};
    struct profile_process p = {.modules = modules, .module_count = ARRAY_SIZE(modules)};
    struct places places = {0};
    (void)state;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
            for (uint64_t address = 0xf00; address < 0x3100; address += 0x80) {
                struct place_slot *place = places_find(&places, &p, events[i], address);
                assert_non_null(place);
                assert_int_equal(place->module, holder(events[i], address));
                assert_int_equal(place->address, address);
                assert_int_equal(places_item(&places, place)->address, address);
                assert_int_equal(places_item(&places, place)->module, place->module);
            }
    uint32_t count = places.count;
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
        places_find(&places, &p, events[i], 0x1900);
    assert_int_equal(places.count, count); /* found again, not made anew */
    assert_true(count < ARRAY_SIZE(events) * ((0x3100 - 0xf00) / 0x80) / 2);
    places_free(&places);
}

static void test_many(void **state) {
    enum { MANY = 50000 };
    struct profile_process p = {.modules = modules, .module_count = ARRAY_SIZE(modules)};
    struct places places = {0};
    (void)state;
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < MANY; i++) {
            struct place_slot *place = places_find(&places, &p, 1, i * 4096);
            assert_non_null(place);
            assert_int_equal(place->address, i * 4096);
            assert_int_equal(place->mark, round);
            place->mark = 1;
        }
    assert_int_equal(places.count, MANY);
    places_free(&places);
}

static unsigned asked;

static bool is_send_batch(const struct profile_process *p, const struct analyse_frame *frame) {
    (void)p;
    asked++;
    return frame->function && strcmp(frame->function, "send_batch") == 0;
}

static void test_asked_once_for_a_place(void **state) {
    (void)state;
    struct fake f, other;
    fake_init(&f);
    struct analyse_names *names = analyse_names_open(NULL);
    asked = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_true(analyse_names_any(names, &f.process, 1, is_send_batch));
    struct analyse_stack stack = analyse_name_stack(names, &f.process, 1, false);
    assert_string_equal(stack.frames[stack.count - 2].function, "send_batch");
    assert_int_equal(asked, stack.count - 1); /* the last one was not needed */
    assert_false(analyse_names_any(names, &f.process, 9999, is_send_batch));
    fake_init(&other); /* what was marked in one process says nothing of another */
    other.stacks[1].count--;
    other.stacks[1].count--;
    assert_false(analyse_names_any(names, &other.process, 1, is_send_batch));
    assert_true(analyse_names_any(names, &f.process, 1, is_send_batch));
    analyse_names_close(names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules_come_and_go),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_asked_once_for_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
