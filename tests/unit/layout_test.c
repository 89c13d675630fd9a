/* Every bound gives tables that lie one behind the other inside it. */
#include "region/region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the above first. */
#include <cmocka.h>

static void check_bound(uint64_t bound) {
    struct region_directory d[REGION_TABLE_COUNT];
    uint64_t at = REGION_HEADER_SIZE;
    assert_true(region_layout(bound, d) <= bound);
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++) {
        assert_int_equal(d[i].type, i + 1);
        assert_int_equal(d[i].offset % 4096, 0);
        assert_true(d[i].offset >= at);
        assert_true(d[i].capacity >= 16);
        at = d[i].offset + d[i].capacity * d[i].row_size;
    }
    assert_true(at <= bound);
    assert_int_equal(d[REGION_CELLS - 1].capacity, d[REGION_REMOTE - 1].capacity);
}

static void every_small_bound(void **state) {
    (void)state;
    for (uint64_t bound = REGION_BOUND_MIN; bound < 16u << 20; bound += 4096)
        check_bound(bound);
}

static void large_bounds(void **state) {
    (void)state;
    for (uint64_t bound = 16u << 20; bound <= REGION_BOUND_MAX; bound *= 2)
        check_bound(bound);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_small_bound),
                                       cmocka_unit_test(large_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
