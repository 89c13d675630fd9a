/* Spans: address ranges that may lie within each other, sorted by where they begin. Each knows how
 * far any span up to it reaches, so that a search that walks back knows when to stop. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

int symbol_spans_add(struct spans *spans, uint64_t low, uint64_t high, uint32_t what) {
    if (low >= high)
        return 0;
    if (spans->count == spans->room) {
        uint32_t room = spans->room ? spans->room * 2 : 64;
        struct span *items =
            room > spans->room ? reallocarray(spans->items, room, sizeof(*items)) : NULL;
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

void symbol_spans_sort(struct spans *spans) {
    uint64_t reach = 0;
    if (spans->count)
        qsort(spans->items, spans->count, sizeof(*spans->items), compare);
    for (uint32_t i = 0; i < spans->count; i++) {
        if (spans->items[i].high > reach)
            reach = spans->items[i].high;
        spans->items[i].reach = reach;
    }
}

const struct span *symbol_spans_find(const struct spans *spans, uint64_t address) {
    uint32_t low = 0, high = spans->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spans->items[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0) {
        const struct span *span = &spans->items[--low];
        if (span->reach <= address)
            return NULL;
        if (address < span->high)
            return span;
    }
    return NULL;
}

void symbol_spans_free(struct spans *spans) {
    free(spans->items);
    *spans = (struct spans){0};
}
