/* Contexts by address: probes near the place that the address asks for. */
#include "context.h"

#include <errno.h>

#include "base/reserve.h"

#define SLOTS 65536u
#define PROBES 64u

static struct context *contexts;
static uint32_t slots; /* power of two */

int context_init(uint64_t limit) {
    uint64_t count = SLOTS;
    while (limit && count > 64 && count * sizeof *contexts > limit)
        count /= 2;
    long at = base_reserve(count * sizeof *contexts, PROT_READ | PROT_WRITE);
    if (base_is_error(at))
        return (int)at;
    contexts = (struct context *)at;
    slots = (uint32_t)count;
    return 0;
}

/* Neighbours fall together, so that a program with few contexts touches few pages. */
static uint32_t place(uint64_t address, uint32_t probe) {
    return (uint32_t)((address >> 12 ^ address >> 4) + probe) & (slots - 1);
}

struct context *context_find(uint64_t address) {
    for (uint32_t i = 0; slots && address && i < PROBES; i++) {
        struct context *c = &contexts[place(address, i)];
        uint64_t there = RELAXED_LOAD(&c->address);
        if (there == address)
            return c;
        if (!there && !c->generation)
            return NULL; /* never used: nothing is behind it */
    }
    return NULL;
}

struct context *context_make(uint64_t address) {
    for (uint32_t i = 0; slots && address && i < PROBES; i++) {
        struct context *c = &contexts[place(address, i)];
        uint64_t free = 0;
        if (RELAXED_LOAD(&c->address) ||
            !__atomic_compare_exchange_n(&c->address, &free, address, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        uint32_t generation = c->generation + 1;
        base_zero(&c->generation, sizeof *c - offsetof(struct context, generation));
        c->generation = generation ? generation : 1;
        return c;
    }
    return NULL;
}

void context_free(struct context *c) {
    __atomic_store_n(&c->address, 0, __ATOMIC_RELEASE);
}

uint32_t context_number(const struct context *c) {
    return (uint32_t)(c - contexts) + 1;
}

struct context *context_at(uint32_t number) {
    return number && number <= slots ? &contexts[number - 1] : NULL;
}
