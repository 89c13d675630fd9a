/* The sampler's fixed-point arithmetic beside libm's. */
#include "shim/decide.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

static void probability_is_one_minus_exp(void **state) {
    static const uint64_t means[] = {1024, 32768, 524288, 1u << 30};
    (void)state;
    for (unsigned m = 0; m < ARRAY_SIZE(means); m++)
        for (uint64_t size = 1; size < 1u << 22; size = size * 5 / 4 + 1) {
            double want = -expm1(-(double)size / (double)means[m]);
            double got = (double)decide_probability(size, means[m]) / 0x1p62;
            assert_true(fabs(got - want) < 1e-9 * want);
        }
}

static void weight_is_inverse(void **state) {
    (void)state;
    for (uint64_t size = 1; size < 65536; size = size * 3 / 2 + 1) {
        double p = -expm1(-(double)size / 524288.0);
        struct decide_weight w = decide_weigh(size, 524288);
        assert_true(fabs((double)w.bytes - (double)size / p) <= 0.51);
        assert_true(fabs((double)w.blocks - 65536.0 / p) <= 0.51 + 1e-9 * 65536.0 / p);
    }
}

/* Mean R, and the share below R/2, R and 3R as the exponential distribution has it. */
static void intervals_are_exponential(void **state) {
    const uint64_t mean = 524288;
    const int n = 400000;
    uint64_t random = 42;
    double sum = 0;
    int below[3] = {0};
    (void)state;
    for (int i = 0; i < n; i++) {
        uint64_t x = decide_interval(&random, mean);
        sum += (double)x;
        below[0] += x < mean / 2;
        below[1] += x < mean;
        below[2] += x < 3 * mean;
    }
    assert_true(fabs(sum / n - (double)mean) < 5 * (double)mean / sqrt(n));
    for (int i = 0; i < 3; i++) {
        double p = -expm1(-(double[]){0.5, 1, 3}[i]);
        assert_true(fabs((double)below[i] / n - p) < 5 * sqrt(p * (1 - p) / n));
    }
}

static void mean_zero_never_samples(void **state) {
    uint64_t random = 1;
    (void)state;
    assert_true(decide_interval(&random, 0) > 1ull << 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probability_is_one_minus_exp),
        cmocka_unit_test(weight_is_inverse),
        cmocka_unit_test(intervals_are_exponential),
        cmocka_unit_test(mean_zero_never_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
