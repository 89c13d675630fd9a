/* near: memory within reach of a jump from all of a module, for code of ours that belongs to it. */
#ifndef SQUALL_SHIM_NEAR_H
#define SQUALL_SHIM_NEAR_H

#include <stdint.h>

#define NEAR_REACH (7ull << 28) /* 1.75 GiB: a jump reaches 2 */
#define NEAR_LOWEST 0x10000ull  /* address that is taken */

/* Maps `size` bytes of zeros, to be read and written, at just `at`, where nothing is yet. Returns
 * `at`, or 0. */
uint64_t near_map_at(uint64_t at, uint64_t size);
/* The same, as near as it can be to what lies in [low, high). Returns the address, or 0. */
uint64_t near_map(uint64_t low, uint64_t high, uint64_t size);

#endif
