/* Spans: address ranges that may lie within each other, sorted by where they begin. They are a
 * tree, as a binary search goes through them, in which each knows how far any span below it
 * reaches: a search leaves out what does not reach far enough, however many begin before an
 * address. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* A list of ranges may stand for many functions: the file says nothing of what they come to. */
static bool may_grow(const struct spans *spans, uint32_t room) {
    return room > spans->room &&
           symbol_charge((uint64_t)(room - spans->room) * sizeof(*spans->items));
}

int symbol_spans_add(struct spans *spans, uint64_t low, uint64_t high, uint32_t what) {
    if (low >= high)
        return 0;
    if (spans->count == spans->room) {
        uint32_t room = spans->room ? spans->room * 2 : 64;
        struct span *items =
            may_grow(spans, room) ? reallocarray(spans->items, room, sizeof(*items)) : NULL;
        if (!items)
            return -ENOMEM;
        spans->items = items;
        spans->room = room;
    }
    spans->items[spans->count++] = (struct span){.low = low, .high = high, .what = what};
    return 0;
}

/* Of two that begin together the longer one comes first: the shorter one is the inner. */
static int compare(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high > y->high ? -1 : 1;
    return x->what < y->what ? -1 : x->what > y->what;
}

/* The middle one of [low, high) has the halves below it. */
static uint32_t middle_of(uint32_t low, uint32_t high) {
    return low + (high - low) / 2;
}

static uint64_t set_reach(struct span *items, uint32_t low, uint32_t high) {
    if (low >= high)
        return 0;
    struct span *span = &items[middle_of(low, high)];
    uint64_t before = set_reach(items, low, middle_of(low, high));
    uint64_t after = set_reach(items, middle_of(low, high) + 1, high);
    span->reach = span->high;
    span->reach = before > span->reach ? before : span->reach;
    span->reach = after > span->reach ? after : span->reach;
    return span->reach;
}

void symbol_spans_sort(struct spans *spans) {
    if (spans->count)
        qsort(spans->items, spans->count, sizeof(*spans->items), compare);
    set_reach(spans->items, 0, spans->count);
}

/* The last of [low, high) that holds the address. Only where the spans begin to lie behind it can a
 * look into a half that reaches far enough be in vain: it takes steps as a binary search does. */
static const struct span *find(const struct span *items, uint32_t low, uint32_t high,
                               uint64_t address) {
    while (low < high) {
        uint32_t middle = middle_of(low, high);
        const struct span *span = &items[middle];
        if (span->reach <= address)
            return NULL;
        if (span->low <= address) {
            const struct span *inner = find(items, middle + 1, high, address);
            if (inner || address < span->high)
                return inner ? inner : span;
        }
        high = middle;
    }
    return NULL;
}

const struct span *symbol_spans_find(const struct spans *spans, uint64_t address) {
    return find(spans->items, 0, spans->count, address);
}

void symbol_spans_free(struct spans *spans) {
    free(spans->items);
    *spans = (struct spans){0};
}
