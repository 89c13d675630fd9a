/* Places: the addresses in the stacks of a process, each once.
 *
 * A program of 100,000 stacks has some thousand places. What is asked of every frame of every stack
 * (its module, its name, whether it is a codec function) is answered once for a place, and found
 * again by one look into a table that stays in the processor's cache. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

static uint32_t slot_of(const struct places *places, uint64_t address) {
    return (uint32_t)(address * 0x9e3779b97f4a7c15u >> 32) & (places->slot_count - 1);
}

static bool spread_out(struct places *places) {
    uint32_t count = places->slot_count ? places->slot_count * 2 : 4096;
    uint32_t *slots = count > places->slot_count ? calloc(count, sizeof(*slots)) : NULL;
    if (!slots)
        return false;
    free(places->slots);
    places->slots = slots;
    places->slot_count = count;
    for (uint32_t i = 0; i < places->count; i++) {
        uint32_t slot = slot_of(places, places->items[i].address);
        while (slots[slot])
            slot = (slot + 1) & (count - 1);
        slots[slot] = i + 1;
    }
    return true;
}

static bool make_room(struct places *places) {
    if (places->count == places->room) {
        uint32_t room = places->room ? places->room * 2 : 1024;
        struct place *items =
            room > places->room ? reallocarray(places->items, room, sizeof(*items)) : NULL;
        if (!items)
            return false;
        places->items = items;
        places->room = room;
    }
    return places->count < places->slot_count / 2 || spread_out(places);
}

static struct place *add(struct places *places, const struct profile_process *p, uint32_t event,
                         uint64_t address) {
    struct place new = {.address = address};
    if (!make_room(places))
        return NULL;
    new.module = profile_find_module_span(p, event, address, &new.span);
    if (new.module >= p->module_count)
        new.module = 0;
    uint32_t slot = slot_of(places, address);
    while (places->slots[slot])
        slot = (slot + 1) & (places->slot_count - 1);
    places->items[places->count] = new;
    places->slots[slot] = ++places->count;
    return &places->items[places->count - 1];
}

struct place *places_find(struct places *places, const struct profile_process *p, uint32_t event,
                          uint64_t address) {
    uint32_t slot = places->slot_count ? slot_of(places, address) : 0;
    for (; places->slot_count && places->slots[slot];
         slot = (slot + 1) & (places->slot_count - 1)) {
        struct place *place = &places->items[places->slots[slot] - 1];
        if (place->address == address && place->span.first <= event && event <= place->span.last)
            return place;
    }
    return add(places, p, event, address);
}

void places_free(struct places *places) {
    free(places->items);
    free(places->slots);
    *places = (struct places){0};
}
