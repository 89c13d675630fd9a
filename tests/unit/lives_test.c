/* Which blocks' lives are timed: the mean that comes out is that of all, whatever step the program
 * keeps. The expected values are counted here, block by block. */
#include "shim/account_cell.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the above first. */
#include <cmocka.h>

/* One in how many is drawn there. */
static double one_in(uint64_t ordinal) {
    return ordinal < LIVES_ALL ? 1 : ordinal < LIVES_MANY ? 1u << LIVES_OFTEN_BITS
                                                          : 1u << LIVES_SELDOM_BITS;
}

/* The sums over n blocks, of which the i-th lives for life(i): their error in standard errors, as
 * if each block were drawn by lot. */
static void check_sums(uint64_t n, double (*life)(uint64_t i)) {
    double all = 0, drawn = 0, count = 0, variance = 0, count_variance = 0;
    for (uint64_t i = 0; i < n; i++) {
        double w = cell_draw_lives(i), x = life(i);
        all += x;
        drawn += w * x;
        count += w;
        variance += (one_in(i) - 1) * x * x;
        count_variance += one_in(i) - 1;
    }
    assert_true(fabs(drawn - all) <= 4 * sqrt(variance));
    assert_true(fabs(count - (double)n) <= 4 * sqrt(count_variance));
}

static unsigned period;

/* Half of a period lives a hundred times as long as the other half. */
static double in_steps(uint64_t i) {
    return i % period < period / 2 ? 100 : 1;
}

static double long_at_first(uint64_t i) {
    return i < 5000 ? 1000 : 1;
}

/* Fibonacci's among them: multiples of the golden ratio come near whole numbers there. */
static void no_step_is_kept(void **state) {
    (void)state;
    for (period = 2; period <= 256; period++) {
        check_sums(3000, in_steps);
        check_sums(200000, in_steps);
    }
}

static void early_blocks_weigh_the_same(void **state) {
    (void)state;
    check_sums(100000, long_at_first);
}

static void few_blocks_are_all_timed(void **state) {
    (void)state;
    for (uint64_t i = 0; i < LIVES_ALL; i++)
        assert_int_equal(cell_draw_lives(i), 1);
}

static void histogram_never_runs_over(void **state) {
    uint32_t classes[REGION_CLASSES] = {0};
    (void)state;
    for (unsigned i = 0; i < 100000000; i += 1) {
        region_enter_class(classes, 1000, 256);
        if (i % 4 == 0)
            region_enter_class(classes, 100000, 256);
    }
    uint32_t often = classes[region_class(1000)], seldom = classes[region_class(100000)];
    assert_true(often < 1u << 31);
    assert_true(fabs((double)often / seldom - 4) < 0.05);
}

/* Classes by octaves and halves of them; each value counts as often as it is said to. */
static void values_count_in_their_class(void **state) {
    static const struct {
        uint64_t value;
        unsigned class;
    } known[] = {{0, 0},    {1, 0},    {2, 2},     {3, 3},     {4, 4},     {5, 4},
                 {6, 5},    {8, 6},    {12, 7},    {1024, 20}, {1535, 20}, {1536, 21},
                 {2047, 21}, {2048, 22}, {UINT64_MAX, REGION_CLASSES - 1}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        uint32_t classes[REGION_CLASSES] = {0};
        region_enter_class(classes, known[i].value, 1);
        region_enter_class(classes, known[i].value, 256);
        for (unsigned c = 0; c < REGION_CLASSES; c++)
            assert_int_equal(classes[c], c == known[i].class ? 257 : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_step_is_kept),
        cmocka_unit_test(early_blocks_weigh_the_same),
        cmocka_unit_test(few_blocks_are_all_timed),
        cmocka_unit_test(histogram_never_runs_over),
        cmocka_unit_test(values_count_in_their_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
