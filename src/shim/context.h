/* context: the codec contexts that are there now, by address: ZSTD_CCtx, z_stream, lzma_stream.
 *
 * Why: what a buffer served can only be told by pairing: a workspace lives from the first call with
 * a context to its end, an output through all calls for one message. A context counts its messages.
 *
 * Who writes what: an entry belongs to the thread that makes a call with the context: two threads
 * at once in one context is a fault of the program, which costs counts and no more. Slots are
 * claimed with a compare-and-swap of the address. */
#ifndef SQUALL_SHIM_CONTEXT_H
#define SQUALL_SHIM_CONTEXT_H

#include "base/base.h"

struct context {
    uint64_t address;        /* 0 = free */
    uint32_t generation;     /* grows when the slot changes hands */
    uint32_t row;            /* in REGION_CONTEXTS, 0 = none: not seen made, or no room */
    uint64_t messages;       /* complete or begun */
    uint32_t ended_messages; /* within this context */
    uint8_t is_open;         /* a message has begun */
    uint8_t is_made;         /* seen made */
    uint8_t direction;       /* enum region_direction of what made it */
    uint8_t reserved0;
    uint16_t epoch; /* forks: rows are of this region */
    uint16_t reserved1;
    uint32_t call; /* codec call row of the open message */
    /* Sums of the open message, or of the last one. */
    uint64_t source, produced, ticks, cpu_ns, timed_ticks;
    uint32_t page_faults, context_switches;
    /* The output block that is being filled, and what went into it. */
    uint32_t output; /* row of block, 0 = none */
    uint32_t reserved2;
    uint64_t output_start;
    uint64_t output_source, output_produced;
};

int context_init(uint64_t limit);
/* The entry of an address, NULL = none. */
struct context *context_find(uint64_t address);
/* Takes a slot for it, cleared but for address and generation; NULL = no room. */
struct context *context_make(uint64_t address);
void context_free(struct context *c);
/* For references that outlive it. */
uint32_t context_number(const struct context *c);
struct context *context_at(uint32_t number);

#endif
