/* The sampler's arithmetic in fixed point. */
#include "decide.h"

typedef unsigned __int128 wide;
#define ONE (1ull << 62)          /* 1 in units of 2^-62 */
#define LN2 0xb17217f7d1cf79acull /* ln 2 in units of 2^-64 */

uint64_t decide_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15ull;
    return base_mix(*state);
}

/* log2 of r > 0 in units of 2^-32, by squaring: each square that reaches 2 is a one bit. */
static uint64_t log2_fixed(uint64_t r) {
    unsigned top = 63u - (unsigned)__builtin_clzll(r);
    uint64_t m = r << (63 - top), bits = 0; /* m in [1, 2), units of 2^-63 */
    for (int i = 0; i < 32; i++) {
        wide square = (wide)m * m; /* in [1, 4), units of 2^-126 */
        unsigned bit = (unsigned)(square >> 127);
        bits = bits << 1 | bit;
        m = (uint64_t)(square >> (63 + bit));
    }
    return (uint64_t)top << 32 | bits;
}

uint64_t decide_interval(uint64_t *random, uint64_t mean) {
    if (mean == 0)
        return 1ull << 62;
    uint64_t r = decide_random(random);
    /* -ln(r / 2^64) = (64 - log2 r) ln 2 */
    uint64_t nats = (uint64_t)((wide)((64ull << 32) - log2_fixed(r ? r : 1)) * LN2 >> 64);
    return (uint64_t)((wide)nats * mean >> 32);
}

/* 1 - exp(-x) for x <= 1/2, by the series x - x^2/2! + x^3/3! - ... */
static uint64_t one_minus_exp(uint64_t x) {
    uint64_t term = x, sum = x;
    for (unsigned k = 2; term; k++) {
        term = (uint64_t)((wide)term * x >> 62) / k;
        sum = k & 1 ? sum + term : sum - term;
    }
    return sum;
}

uint64_t decide_probability(uint64_t size, uint64_t mean) {
    wide x = ((wide)size << 62) / mean;
    if (x >= (wide)40 << 62)
        return ONE; /* exp(-40) is less than a unit */
    unsigned halvings = 0;
    for (; x > ONE / 2; x >>= 1)
        halvings++;
    uint64_t p = one_minus_exp((uint64_t)x);
    if (halvings == 0)
        return p; /* keeps all digits of a small p */
    uint64_t rest = ONE - p;
    while (halvings--)
        rest = (uint64_t)((wide)rest * rest >> 62);
    return ONE - rest;
}

struct decide_weight decide_weigh(uint64_t size, uint64_t mean) {
    uint64_t p = decide_probability(size, mean);
    if (p == 0)
        p = 1;
    return (struct decide_weight){
        .bytes = (uint64_t)((((wide)size << 62) + p / 2) / p),
        .blocks = (uint64_t)((((wide)1 << 78) + p / 2) / p),
    };
}
