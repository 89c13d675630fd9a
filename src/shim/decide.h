/* decide: which small blocks are recorded in default mode, and what each one stands for.
 *
 * Byte-Poisson sampling with a mean of `sample` bytes R: the bytes until the next sample are
 * exponentially distributed, so a block of S bytes is taken with p = 1 - exp(-S/R), whatever came
 * before, and stands for 1/p blocks and S/p bytes: the expected sums are the true ones.
 * Integers only: the floating-point state is the program's. */
#ifndef SQUALL_SHIM_DECIDE_H
#define SQUALL_SHIM_DECIDE_H

#include "base/base.h"

struct decide_weight {
    uint64_t bytes;  /* S/p, rounded */
    uint64_t blocks; /* 1/p in units of 1/65536 */
};

/* Bytes until the next sample, advancing *random (never 0). mean 0: never. */
uint64_t decide_interval(uint64_t *random, uint64_t mean);
/* Of a block of `size` > 0 bytes; the same for the same size and mean, so that a free subtracts
 * what the allocation added. */
struct decide_weight decide_weigh(uint64_t size, uint64_t mean);
/* p in units of 2^-62. */
uint64_t decide_probability(uint64_t size, uint64_t mean);
uint64_t decide_random(uint64_t *state);

#endif
