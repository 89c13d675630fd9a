/* Stacks with names: from the dump if it has them, else from the files of the modules. The same
 * address stands in many stacks, so each is named once. */
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "internal.h"
#include "places.h"

#define FRAMES_MAX 64u /* of one address, inlined ones included */
/* Of one stack; of what comes after so many only the functions themselves are told. No real one has
 * so many, but a dump may say that 64 are inlined at each address. */
#define STACK_MAX 1024u

struct key {
    uint32_t module; /* number of the symbol room */
    uint32_t lines;
    uint64_t offset;
};

struct named {
    UT_hash_handle hh;
    struct key key;
    uint32_t count;
    struct symbol_frame frames[];
};

struct analyse_names {
    struct symbols *symbols;
    struct named *cache;
    /* Of the process named last: the symbol room's number of each of its modules. */
    const struct profile_process *process;
    uint32_t *numbers;
    bool *numbered;
    struct places places;
    /* The stack named last. */
    struct analyse_frame *frames;
    uint32_t count, room;
};

struct analyse_names *analyse_names_open(struct symbols *symbols) {
    struct analyse_names *names = calloc(1, sizeof(*names));
    if (names)
        names->symbols = symbols;
    return names;
}

void analyse_names_close(struct analyse_names *names) {
    struct named *named, *next;
    if (!names)
        return;
    HASH_ITER(hh, names->cache, named, next) {
        HASH_DEL(names->cache, named);
        free(named);
    }
    free(names->numbers);
    free(names->numbered);
    places_free(&names->places);
    free(names->frames);
    free(names);
}

static bool take_process(struct analyse_names *names, const struct profile_process *p) {
    if (names->process == p)
        return true;
    free(names->numbers);
    free(names->numbered);
    places_free(&names->places);
    names->numbers = calloc(p->module_count + 1, sizeof(*names->numbers));
    names->numbered = calloc(p->module_count + 1, sizeof(*names->numbered));
    names->process = names->numbers && names->numbered ? p : NULL;
    return names->process != NULL;
}

/* UINT32_MAX names nothing. */
static uint32_t number_of(struct analyse_names *names, const struct profile_process *p,
                          uint32_t module) {
    if (module == 0 || module >= p->module_count || !names->symbols || !take_process(names, p))
        return UINT32_MAX;
    if (!names->numbered[module]) {
        const struct profile_module *m = &p->modules[module];
        struct symbol_module what = {
            .path = m->flags & REGION_MODULE_VDSO ? "[vdso]" : m->path,
            .root = p->root,
            .build_id = m->build_id,
            .build_id_size = m->build_id_size,
        };
        names->numbers[module] = symbol_module(names->symbols, &what);
        names->numbered[module] = true;
    }
    return names->numbers[module];
}

const char *analyse_names_trouble(struct analyse_names *names, const struct profile_process *p,
                                  uint32_t module) {
    if (!names || !names->symbols)
        return NULL;
    return symbol_trouble(names->symbols, number_of(names, p, module));
}

uint32_t analyse_names_contains(struct analyse_names *names, const struct profile_process *p,
                                uint32_t module) {
    if (!names || !names->symbols || module >= p->module_count ||
        (analyse_names_packed(p) && !p->modules[module].build_id_size))
        return 0;
    return symbol_contains(names->symbols, number_of(names, p, module));
}

bool analyse_names_packed(const struct profile_process *p) {
    return p->symbol_count > 0;
}

/* The frames of one address of a module, from files; at least one, all unknown if need be. */
static uint32_t look_up(struct analyse_names *names, uint32_t number, uint64_t offset, bool lines,
                        const struct symbol_frame **frames) {
    static const struct symbol_frame unknown;
    struct key key = {.module = number, .lines = lines, .offset = offset};
    struct symbol_frame found[FRAMES_MAX] = {0};
    struct named *named;
    uint32_t count = 1;
    *frames = &unknown;
    if (number == UINT32_MAX)
        return 1;
    HASH_FIND(hh, names->cache, &key, sizeof(key), named);
    if (!named) {
        if (lines)
            count = symbol_frames(names->symbols, number, offset, found, FRAMES_MAX);
        else
            found[0].function = symbol_function(names->symbols, number, offset);
        named = malloc(sizeof(*named) + count * sizeof(found[0]));
        if (!named)
            return 1;
        memset(&named->hh, 0, sizeof(named->hh));
        named->key = key;
        named->count = count;
        memcpy(named->frames, found, count * sizeof(found[0]));
        HASH_ADD(hh, names->cache, key, sizeof(key), named);
        if (!named->hh.tbl) {
            free(named);
            return 1;
        }
    }
    *frames = named->frames;
    return named->count;
}

/* What the dump says of an address: the first of its frames, or NULL. */
static const struct profile_symbol *find_packed(const struct profile_process *p, uint32_t module,
                                                uint64_t address, uint32_t *count) {
    uint32_t low = 0, high = p->symbol_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct profile_symbol *symbol = &p->symbols[middle];
        if (symbol->address < address || (symbol->address == address && symbol->module < module))
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (*count < FRAMES_MAX && low + *count < p->symbol_count &&
           p->symbols[low + *count].address == address && p->symbols[low + *count].module == module)
        ++*count;
    return *count ? &p->symbols[low] : NULL;
}

static const char *text_or_null(const char *text) {
    return text && *text ? text : NULL;
}

static bool append(struct analyse_names *names, const struct analyse_frame *frame) {
    if (names->count == names->room) {
        uint32_t room = names->room ? names->room * 2 : 64;
        struct analyse_frame *frames = reallocarray(names->frames, room, sizeof(*frames));
        if (!frames)
            return false;
        names->frames = frames;
        names->room = room;
    }
    names->frames[names->count++] = *frame;
    return true;
}

/* The first of an address's frames that is told. */
static uint32_t first_told(const struct analyse_names *names, uint32_t count) {
    return names->count < STACK_MAX || count == 0 ? 0 : count - 1;
}

static bool append_packed(struct analyse_names *names, struct analyse_frame frame,
                          const struct profile_symbol *symbols, uint32_t count) {
    for (uint32_t i = first_told(names, count); i < count; i++) {
        frame.function = text_or_null(symbols[i].function);
        frame.file = text_or_null(symbols[i].file);
        frame.line = symbols[i].line;
        frame.inlined = symbols[i].inlined && i + 1 < count;
        if (!append(names, &frame))
            return false;
    }
    return true;
}

static uint64_t looked_up_at(uint64_t offset, bool exact) {
    return exact || offset == 0 ? offset : offset - 1; /* the call, not what follows it */
}

/* A dump was named where it was made. What it could not name, files of this machine may, but only
 * those that are certainly the same. */
static void resolve(struct analyse_names *names, const struct profile_process *p,
                    struct place *place) {
    uint32_t module = place->module;
    bool certain = !analyse_names_packed(p) || (module && p->modules[module].build_id_size);
    place->packed = find_packed(p, module, place->address, &place->packed_count);
    place->number = !place->packed && certain ? number_of(names, p, module) : UINT32_MAX;
    place->resolved = true;
}

static bool append_place(struct analyse_names *names, const struct profile_process *p,
                         struct place *place, bool lines) {
    uint64_t plain = place->address & ~REGION_FRAME_EXACT;
    struct analyse_frame frame = {.offset = plain, .exact = plain != place->address};
    if (!place->resolved)
        resolve(names, p, place);
    if (place->module) {
        const struct profile_module *m = &p->modules[place->module];
        frame.module = text_or_null(m->path);
        frame.module_flags = m->flags;
        frame.module_index = place->module;
        frame.offset = plain - m->base;
    }
    if (place->packed)
        return append_packed(names, frame, place->packed, place->packed_count);
    struct place_names *known = lines ? &place->lines : &place->plain;
    if (!known->found)
        known->count = look_up(names, place->number, looked_up_at(frame.offset, frame.exact), lines,
                               &known->found);
    for (uint32_t i = first_told(names, known->count); i < known->count; i++) {
        frame.function = known->found[i].function;
        frame.file = known->found[i].file;
        frame.line = known->found[i].line;
        frame.inlined = known->found[i].inlined && i + 1 < known->count;
        if (!append(names, &frame))
            return false;
    }
    return true;
}

static struct analyse_stack answer(const struct analyse_names *names) {
    return (struct analyse_stack){.frames = names->frames, .count = names->count};
}

struct analyse_stack analyse_name_stack(struct analyse_names *names,
                                        const struct profile_process *p, uint32_t stack,
                                        bool lines) {
    names->count = 0;
    if (stack < p->stack_count && take_process(names, p)) {
        const struct profile_stack *s = &p->stacks[stack];
        for (uint32_t i = 0; i < s->count; i++) {
            struct place_slot *slot = places_find(&names->places, p, s->module_event, s->frames[i]);
            if (!slot || !append_place(names, p, places_item(&names->places, slot), lines))
                break;
        }
    }
    return answer(names);
}

bool analyse_names_any(struct analyse_names *names, const struct profile_process *p, uint32_t stack,
                       analyse_names_test *test) {
    enum { NOT_ASKED, NO, YES };
    if (stack >= p->stack_count || !take_process(names, p))
        return false;
    const struct profile_stack *s = &p->stacks[stack];
    for (uint32_t i = 0; i < s->count; i++) {
        struct place_slot *slot = places_find(&names->places, p, s->module_event, s->frames[i]);
        if (!slot)
            return false;
        if (slot->mark == NOT_ASKED) {
            names->count = 0;
            append_place(names, p, places_item(&names->places, slot), false);
            slot->mark = NO;
            for (uint32_t f = 0; f < names->count; f++)
                if (test(p, &names->frames[f]))
                    slot->mark = YES;
        }
        if (slot->mark == YES)
            return true;
    }
    return false;
}

uint32_t analyse_names_module(struct analyse_names *names, const struct profile_process *p,
                              const struct profile_stack *stack, uint64_t address) {
    struct place_slot *slot = names && take_process(names, p)
                                  ? places_find(&names->places, p, stack->module_event, address)
                                  : NULL;
    return slot ? slot->module : profile_find_module(p, stack, address);
}
