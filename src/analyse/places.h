/* places: see places.c. Inside of the room; names.c is the one who owns them. */
#ifndef SQUALL_ANALYSE_PLACES_H
#define SQUALL_ANALYSE_PLACES_H

#include "analyse.h"

/* The frames that stand at a place, as the symbol room or the dump named them. */
struct place_names {
    const struct symbol_frame *found; /* NULL = not asked yet */
    uint32_t count;
};

struct place {
    uint64_t address;                    /* as in frames, REGION_FRAME_EXACT included */
    uint32_t module;                     /* index, 0 = none */
    uint32_t number;                     /* of the symbol room, UINT32_MAX: names nothing */
    const struct profile_symbol *packed; /* what the dump says, NULL = nothing */
    uint32_t packed_count;
    bool resolved; /* the three above are set */
    struct place_names plain, lines;
};

/* What is asked of every frame of every stack, in half a line of the processor's cache. */
struct place_slot {
    uint64_t address;
    struct profile_span span; /* the events for which `module` is the one */
    uint32_t module;
    uint32_t item; /* 1 + index into items, 0 = free */
    uint8_t mark;  /* see analyse_names_any */
};

struct places {
    struct place *items;
    struct place_slot *slots; /* by address */
    uint32_t count, room, slot_count;
};

/* The place of an address of a stack that was recorded at `event`; NULL: no memory. Good until the
 * next call, as is its item. */
struct place_slot *places_find(struct places *places, const struct profile_process *p,
                               uint32_t event, uint64_t address);
struct place *places_item(struct places *places, const struct place_slot *slot);
void places_free(struct places *places);

#endif
