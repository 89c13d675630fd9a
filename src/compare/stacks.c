/* Stacks of two runs, matched by names: addresses change with every start, offsets with every
 * build. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* "libz.so.1.2.13" and "libz.so.1.3" are libz.so. */
static size_t without_version(const char *name) {
    const char *so = strstr(name, ".so");
    return so && (so[3] == 0 || so[3] == '.') ? (size_t)(so - name) + 3 : strlen(name);
}

/* What the compiler hangs on to the pieces of a function; it may do otherwise in the next build. */
static size_t without_suffix(const char *function) {
    static const char *const suffixes[] = {".cold", ".part.", ".isra.", ".constprop.",
                                           ".lto_priv."};
    size_t length = strlen(function);
    for (unsigned i = 0; i < ARRAY_SIZE(suffixes); i++) {
        const char *at = strstr(function, suffixes[i]);
        if (at && at > function && (size_t)(at - function) < length)
            length = (size_t)(at - function);
    }
    return length;
}

/* The program is the same one under another name: producer-1.2, producer.new. */
static const char PROGRAM[] = "/program";

/* Behind its key stands the name that is shown. */
static struct frame *make(const struct analyse_frame *from, size_t *size) {
    char offset[24];
    const char *slash = from->module ? strrchr(from->module, '/') : NULL;
    const char *shown = slash ? slash + 1 : from->module ? from->module : "";
    const char *module = from->module_flags & REGION_MODULE_EXECUTABLE ? PROGRAM : shown;
    size_t module_length = without_version(module), shown_length = without_version(shown);
    const char *what = from->function ? from->function : offset;
    /* Outside every module there is code that was made at run time: its address says nothing. */
    snprintf(offset, sizeof(offset), "+%" PRIx64, from->module ? from->offset : 0);
    size_t length = from->function ? without_suffix(what) : strlen(offset);
    *size = module_length + length + 2;
    struct frame *frame = calloc(1, sizeof(*frame) + *size + shown_length + 1);
    if (!frame)
        return NULL;
    memcpy(frame->key, module, module_length);
    memcpy(frame->key + module_length + 1, what, length);
    memcpy(frame->key + *size, shown, shown_length);
    frame->module = from->module ? frame->key + *size : NULL;
    frame->function = from->function ? frame->key + module_length + 1 : NULL;
    frame->offset = from->module ? from->offset : 0;
    return frame;
}

static bool make_room(struct stacks *s) {
    if (s->frame_count < s->frame_room)
        return true;
    uint32_t room = s->frame_room ? s->frame_room * 2 : 1024;
    struct frame **numbers = reallocarray(s->numbers, room, sizeof(*numbers));
    if (!numbers)
        return false;
    s->numbers = numbers;
    s->frame_room = room;
    return true;
}

/* UINT32_MAX: no memory. */
static uint32_t number_of_text(struct stacks *s, const struct analyse_frame *from) {
    size_t size;
    struct frame *fresh = make_room(s) ? make(from, &size) : NULL, *known;
    if (!fresh)
        return UINT32_MAX;
    HASH_FIND(hh, s->frames, fresh->key, size, known);
    if (known) {
        free(fresh);
        return known->number;
    }
    fresh->number = s->frame_count;
    HASH_ADD_KEYPTR(hh, s->frames, fresh->key, size, fresh);
    if (!fresh->hh.tbl) {
        free(fresh);
        return UINT32_MAX;
    }
    s->numbers[s->frame_count++] = fresh;
    return fresh->number;
}

/* Strings stand still while their process is added, so their addresses are looked up first. */
static uint32_t number_of(struct stacks *s, const struct analyse_frame *from) {
    struct known_key key = {from->function, from->module, from->function ? 0 : from->offset};
    struct known *known;
    HASH_FIND(hh, s->known, &key, sizeof(key), known);
    if (known)
        return known->number;
    uint32_t number = number_of_text(s, from);
    known = number != UINT32_MAX ? calloc(1, sizeof(*known)) : NULL;
    if (!known)
        return number;
    known->key = key;
    known->number = number;
    HASH_ADD(hh, s->known, key, sizeof(known->key), known);
    if (!known->hh.tbl)
        free(known);
    return number;
}

void stacks_forget(struct stacks *s) {
    struct known *known, *next;
    HASH_ITER(hh, s->known, known, next) {
        HASH_DEL(s->known, known);
        free(known);
    }
}

static bool make_scratch(struct stacks *s, uint32_t count) {
    if (count <= s->scratch_room && s->scratch)
        return true;
    uint32_t *scratch = reallocarray(s->scratch, count + 64u, sizeof(*scratch));
    if (!scratch)
        return false;
    s->scratch = scratch;
    s->scratch_room = count + 64u;
    return true;
}

struct place *stacks_find(struct stacks *s, const struct analyse_stack *stack) {
    struct place *place;
    uint32_t count = 0;
    if (!make_scratch(s, stack->count))
        return NULL;
    for (uint32_t i = 0; i < stack->count; i++) {
        /* A dump has inlined functions by name, a region has not: both know what they are in. */
        if (stack->frames[i].inlined || stack->frames[i].module_flags & REGION_MODULE_SQUALL)
            continue;
        s->scratch[count] = number_of(s, &stack->frames[i]);
        if (s->scratch[count++] == UINT32_MAX)
            return NULL;
    }
    size_t size = count * sizeof(*s->scratch);
    HASH_FIND(hh, s->places, s->scratch, size, place);
    if (place)
        return place;
    place = calloc(1, sizeof(*place) + size);
    if (!place)
        return NULL;
    place->count = count;
    memcpy(place->frames, s->scratch, size);
    HASH_ADD_KEYPTR(hh, s->places, place->frames, size, place);
    if (place->hh.tbl)
        return place;
    free(place);
    return NULL;
}

void stacks_free(struct stacks *s) {
    struct place *place, *next_place;
    struct frame *frame, *next_frame;
    HASH_ITER(hh, s->places, place, next_place) {
        HASH_DEL(s->places, place);
        free((char *)place->codec_function);
        free(place);
    }
    HASH_ITER(hh, s->frames, frame, next_frame) {
        HASH_DEL(s->frames, frame);
        free(frame);
    }
    stacks_forget(s);
    free(s->numbers);
    free(s->scratch);
    *s = (struct stacks){0};
}
