/* Frames by number, for formats that list them once and then refer to them.
 *
 * The same function may have several addresses, and be named by several dumps: what counts is the
 * text. The addresses of the strings are looked up first, as the text is long. */
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "export.h"

struct known { /* a frame that was asked for: its strings stand still */
    UT_hash_handle hh;
    struct known_key {
        const char *function, *file, *module;
        uint64_t offset; /* 0 where the function is known */
        uint32_t line, reserved;
    } key;
    uint32_t number;
};

struct text { /* "name\0file\0line\0" */
    UT_hash_handle hh;
    struct export_frame frame;
    uint32_t number;
    char bytes[];
};

struct export_frames {
    struct known *known;
    struct text *texts;
    struct text **numbers;
    uint32_t count, room;
    struct buffer scratch;
};

struct export_frames *export_frames_open(void) {
    return calloc(1, sizeof(struct export_frames));
}

void export_frames_close(struct export_frames *frames) {
    struct known *known, *next_known;
    struct text *text, *next_text;
    if (!frames)
        return;
    HASH_ITER(hh, frames->known, known, next_known) {
        HASH_DEL(frames->known, known);
        free(known);
    }
    HASH_ITER(hh, frames->texts, text, next_text) {
        HASH_DEL(frames->texts, text);
        free(text);
    }
    free(frames->numbers);
    buffer_free(&frames->scratch);
    free(frames);
}

static bool make_room(struct export_frames *frames) {
    if (frames->count < frames->room)
        return true;
    uint32_t room = frames->room ? frames->room * 2 : 1024;
    struct text **numbers = reallocarray(frames->numbers, room, sizeof(*numbers));
    if (!numbers)
        return false;
    frames->numbers = numbers;
    frames->room = room;
    return true;
}

static struct text *add_text(struct export_frames *frames, size_t length, size_t file,
                             uint32_t line) {
    struct text *text = make_room(frames) ? calloc(1, sizeof(*text) + length) : NULL;
    if (!text)
        return NULL;
    memcpy(text->bytes, frames->scratch.text, length);
    text->frame = (struct export_frame){text->bytes, text->bytes + file, line};
    text->number = frames->count;
    HASH_ADD_KEYPTR(hh, frames->texts, text->bytes, length, text);
    if (!text->hh.tbl) {
        free(text);
        return NULL;
    }
    frames->numbers[frames->count++] = text;
    return text;
}

static uint32_t number_of_text(struct export_frames *frames, const struct analyse_frame *frame) {
    struct buffer *scratch = &frames->scratch;
    struct text *text;
    char line[16];
    buffer_clear(scratch);
    export_frame_name(scratch, frame);
    buffer_add(scratch, "", 1);
    size_t file = scratch->length;
    if (frame->file)
        buffer_add_name(scratch, frame->file, true);
    buffer_add(scratch, "", 1);
    int digits = snprintf(line, sizeof(line), "%u", frame->line);
    buffer_add(scratch, line, (size_t)digits + 1);
    if (scratch->failed)
        return UINT32_MAX;
    HASH_FIND(hh, frames->texts, scratch->text, scratch->length, text);
    if (!text)
        text = add_text(frames, scratch->length, file, frame->line);
    return text ? text->number : UINT32_MAX;
}

uint32_t export_frames_number(struct export_frames *frames, const struct analyse_frame *frame) {
    struct known_key key = {frame->function, frame->file,
                            frame->module,   frame->function ? 0 : frame->offset,
                            frame->line,     0};
    struct known *known;
    HASH_FIND(hh, frames->known, &key, sizeof(key), known);
    if (known)
        return known->number;
    uint32_t number = number_of_text(frames, frame);
    known = number != UINT32_MAX ? calloc(1, sizeof(*known)) : NULL;
    if (!known)
        return number;
    known->key = key;
    known->number = number;
    HASH_ADD(hh, frames->known, key, sizeof(key), known);
    if (!known->hh.tbl)
        free(known);
    return number;
}

uint32_t export_frames_count(const struct export_frames *frames) {
    return frames->count;
}

struct export_frame export_frames_at(const struct export_frames *frames, uint32_t number) {
    return frames->numbers[number]->frame;
}
