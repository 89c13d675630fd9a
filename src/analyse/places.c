/* Places: the addresses in the stacks of a process, each once.
 *
 * A program of 100,000 stacks has some thousand places. What is asked of every frame of every stack
 * (its module, its name, whether it is a codec function) is answered once for a place, and found
 * again by one look into a table that stays in the processor's cache. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

static uint32_t first_slot(const struct places *places, uint64_t address) {
    return (uint32_t)(address * 0x9e3779b97f4a7c15u >> 32) & (places->slot_count - 1);
}

static struct place_slot *free_slot(struct places *places, uint64_t address) {
    uint32_t slot = first_slot(places, address);
    while (places->slots[slot].item)
        slot = (slot + 1) & (places->slot_count - 1);
    return &places->slots[slot];
}

static bool spread_out(struct places *places) {
    struct places wider = *places;
    wider.slot_count = places->slot_count ? places->slot_count * 2 : 4096;
    wider.slots = wider.slot_count > places->slot_count
                      ? calloc(wider.slot_count, sizeof(*wider.slots))
                      : NULL;
    if (!wider.slots)
        return false;
    for (uint32_t i = 0; i < places->slot_count; i++)
        if (places->slots[i].item)
            *free_slot(&wider, places->slots[i].address) = places->slots[i];
    free(places->slots);
    *places = wider;
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

static struct place_slot *add(struct places *places, const struct profile_process *p,
                              uint32_t event, uint64_t address) {
    struct place_slot *slot;
    if (!make_room(places))
        return NULL;
    slot = free_slot(places, address);
    slot->address = address;
    slot->module = profile_find_module_span(p, event, address, &slot->span);
    if (slot->module >= p->module_count)
        slot->module = 0;
    places->items[places->count] = (struct place){.address = address, .module = slot->module};
    slot->item = ++places->count;
    return slot;
}

struct place_slot *places_find(struct places *places, const struct profile_process *p,
                               uint32_t event, uint64_t address) {
    uint32_t mask = places->slot_count - 1;
    uint32_t at = places->slot_count ? first_slot(places, address) : 0;
    for (; places->slot_count && places->slots[at].item; at = (at + 1) & mask) {
        struct place_slot *slot = &places->slots[at];
        if (slot->address == address && slot->span.first <= event && event <= slot->span.last)
            return slot;
    }
    return add(places, p, event, address);
}

struct place *places_item(struct places *places, const struct place_slot *slot) {
    return &places->items[slot->item - 1];
}

void places_free(struct places *places) {
    free(places->items);
    free(places->slots);
    *places = (struct places){0};
}
