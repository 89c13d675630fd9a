/* Collects the names of all addresses of a process for the dump: each (address, module) once, each
 * string once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "names.h"

#define SYMBOLS_MAX 64u /* of one address: inlined functions and the one they are in */

struct place {
    struct place_key {
        uint64_t address;
        uint64_t module;
    } key;
    UT_hash_handle hh;
};

struct text {
    uint32_t offset;
    UT_hash_handle hh;
    char bytes[];
};

/* Offset of a string in the strings of the dump; 0 = none, or no room left for it. */
static int intern(struct names *n, const char *s, uint32_t *offset) {
    struct text *text;
    size_t length = s ? strlen(s) : 0;
    *offset = 0;
    if (length == 0)
        return 0;
    HASH_FIND(hh, n->texts, s, length, text);
    if (text) {
        *offset = text->offset;
        return 0;
    }
    if (length >= UINT32_MAX - n->strings_size)
        return 0;
    if (n->strings_size + length + 1 > n->strings_room) {
        size_t room = (n->strings_size + length + 1) * 2;
        char *grown = realloc(n->strings, room);
        if (!grown)
            return -ENOMEM;
        n->strings = grown;
        n->strings_room = room;
    }
    text = calloc(1, sizeof *text + length + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text->bytes, s, length + 1);
    memcpy(n->strings + n->strings_size, s, length + 1);
    text->offset = *offset = (uint32_t)n->strings_size;
    n->strings_size += length + 1;
    HASH_ADD_KEYPTR(hh, n->texts, text->bytes, length, text);
    if (!text->hh.tbl) { /* no memory: not added */
        free(text);
        return -ENOMEM;
    }
    return 0;
}

static int add_symbol(struct names *n, const struct place_key *key,
                      const struct profile_symbol *symbol) {
    if (n->count == n->room) {
        size_t room = n->room ? n->room * 2 : 1024;
        struct dump_symbol *grown = reallocarray(n->symbols, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        n->symbols = grown;
        n->room = room;
    }
    struct dump_symbol *row = &n->symbols[n->count];
    *row = (struct dump_symbol){
        .address = key->address,
        .module = (uint32_t)key->module,
        .line = symbol->line,
        .flags = symbol->inlined ? DUMP_SYMBOL_INLINED : 0,
    };
    int status = intern(n, symbol->function, &row->function);
    if (status == 0)
        status = intern(n, symbol->file, &row->file);
    n->count += status == 0;
    return status;
}

static int add_place(struct names *n, uint64_t address, uint32_t module) {
    struct place_key key;
    struct place *place;
    memset(&key, 0, sizeof key);
    key.address = address;
    key.module = module;
    HASH_FIND(hh, n->places, &key, sizeof key, place);
    if (place)
        return 0;
    place = calloc(1, sizeof *place);
    if (!place)
        return -ENOMEM;
    place->key = key;
    HASH_ADD(hh, n->places, key, sizeof place->key, place);
    if (place->hh.tbl)
        return 0;
    free(place); /* no memory: not added */
    return -ENOMEM;
}

static int by_event(const void *a, const void *b) {
    const struct profile_stack *const *x = a, *const *y = b;
    return ((*x)->module_event > (*y)->module_event) - ((*x)->module_event < (*y)->module_event);
}

/* Stacks may share their frames: in the order of time each frame is looked at once for each module
 * that its address was in. `until`: for each frame, the first event that it was not looked at. */
static int collect_sorted(struct names *n, const struct profile_process *p,
                          const struct profile_stack **order, uint64_t *until) {
    const uint64_t *frames = p->frames;
    for (uint32_t i = 0; i < p->stack_count; i++) {
        const struct profile_stack *stack = order[i];
        for (uint32_t k = 0; k < stack->count; k++) {
            uint64_t *known = &until[stack->frames - frames + k];
            struct profile_span span;
            if (stack->module_event < *known)
                continue;
            uint32_t module =
                profile_find_module_span(p, stack->module_event, stack->frames[k], &span);
            *known = (uint64_t)span.last + 1;
            int status = module ? add_place(n, stack->frames[k], module) : 0;
            if (status)
                return status;
        }
    }
    return 0;
}

static int collect(struct names *n, const struct profile_process *p) {
    const struct profile_stack **order = calloc((size_t)p->stack_count + 1, sizeof *order);
    uint64_t *until = calloc(p->frame_count + 1, sizeof *until);
    int status = -ENOMEM;
    if (order && until) {
        for (uint32_t i = 0; i < p->stack_count; i++)
            order[i] = &p->stacks[i];
        qsort(order, p->stack_count, sizeof *order, by_event);
        status = collect_sorted(n, p, order, until);
    }
    free(order);
    free(until);
    return status;
}

static int by_address(const struct place *a, const struct place *b) {
    if (a->key.address != b->key.address)
        return a->key.address < b->key.address ? -1 : 1;
    return (a->key.module > b->key.module) - (a->key.module < b->key.module);
}

static int begin(struct names *n) {
    memset(n, 0, sizeof *n);
    n->strings = calloc(1, 4096);
    if (!n->strings)
        return -ENOMEM;
    n->strings_room = 4096;
    n->strings_size = 1; /* offset 0: no string */
    return 0;
}

int names_keep(struct names *n, const struct profile_process *p) {
    int status = begin(n);
    for (uint32_t i = 0; i < p->symbol_count && status == 0; i++) {
        struct place_key key = {p->symbols[i].address, p->symbols[i].module};
        status = add_symbol(n, &key, &p->symbols[i]);
    }
    if (status)
        names_free(n);
    return status;
}

int names_collect(struct names *n, const struct profile_process *p, profile_namer *namer,
                  void *data) {
    struct profile_symbol found[SYMBOLS_MAX];
    struct place *place, *next;
    int status = begin(n);
    if (status == 0 && namer)
        status = collect(n, p);
    HASH_SRT(hh, n->places, by_address);
    HASH_ITER(hh, n->places, place, next) {
        if (status)
            break;
        memset(found, 0, sizeof found);
        uint32_t count =
            namer(data, p, (uint32_t)place->key.module, place->key.address, found, SYMBOLS_MAX);
        for (uint32_t i = 0; i < count && i < SYMBOLS_MAX && status == 0; i++)
            status = add_symbol(n, &place->key, &found[i]);
    }
    if (status)
        names_free(n);
    return status;
}

void names_free(struct names *n) {
    struct place *place, *next_place;
    struct text *text, *next_text;
    HASH_ITER(hh, n->places, place, next_place) {
        HASH_DEL(n->places, place);
        free(place);
    }
    HASH_ITER(hh, n->texts, text, next_text) {
        HASH_DEL(n->texts, text);
        free(text);
    }
    free(n->symbols);
    free(n->strings);
    memset(n, 0, sizeof *n);
}
