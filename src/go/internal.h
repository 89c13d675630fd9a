/* The inside of the room. */
#ifndef SQUALL_GO_INTERNAL_H
#define SQUALL_GO_INTERNAL_H

#include "go.h"

/* Numbers at any address. */
INLINE uint32_t go_load32(const uint8_t *p) {
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

INLINE uint64_t go_load64(const uint8_t *p) {
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

#endif
