/* Frames in JSON. The same few thousand frames stand in all stacks of a process, so each is made
 * once and kept as text. */
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "json.h"

#define KEPT_MAX (64u << 20) /* bytes; what comes later is made each time */

/* Strings of a process stand still until it is done, so their addresses tell them apart. */
struct key {
    const char *function, *file, *module;
    uint64_t offset;
    uint32_t line;
    uint32_t inlined;
};

struct json_frame {
    UT_hash_handle hh;
    struct key key;
    size_t length;
    char text[];
};

static void write_fields(struct render_json *json, const struct analyse_frame *frame) {
    json_open_map(json, NULL);
    STRING("function", frame->function);
    STRING("file", frame->file);
    json_integer_or_null(json, "line", frame->line, frame->line);
    STRING("module", frame->module);
    INTEGER("offset", frame->offset);
    BOOLEAN("inlined", frame->inlined);
    json_close_map(json);
}

static void collect(void *text, const char *part, size_t length) {
    buffer_add(text, part, length);
}

/* Writes the frame into `text` with a generator of its own. */
static void make(struct render_json *json, const struct analyse_frame *frame, struct buffer *text) {
    yajl_gen whole = json->gen;
    json->gen = yajl_gen_alloc(NULL);
    if (json->gen) {
        yajl_gen_config(json->gen, yajl_gen_print_callback, collect, text);
        write_fields(json, frame);
        yajl_gen_free(json->gen);
    }
    json->gen = whole;
}

static struct json_frame *keep(struct render_json *json, const struct key *key,
                               const struct buffer *text) {
    size_t size = sizeof(struct json_frame) + text->length;
    struct json_frame *kept = malloc(size);
    if (!kept)
        return NULL;
    memset(kept, 0, sizeof(*kept));
    kept->key = *key;
    kept->length = text->length;
    memcpy(kept->text, text->text, text->length);
    HASH_ADD(hh, json->frames, key, sizeof(*key), kept);
    if (!kept->hh.tbl) {
        free(kept);
        return NULL;
    }
    json->frames_size += size;
    return kept;
}

void json_write_frame(struct render_json *json, const struct analyse_frame *frame) {
    struct key key = {frame->function, frame->file, frame->module,
                      frame->offset,   frame->line, frame->inlined};
    struct buffer text = {0};
    struct json_frame *kept;
    HASH_FIND(hh, json->frames, &key, sizeof(key), kept);
    if (!kept && json->frames_size < KEPT_MAX) {
        make(json, frame, &text);
        kept = text.length ? keep(json, &key, &text) : NULL;
        buffer_free(&text);
    }
    if (kept)
        json_raw(json, kept->text, kept->length);
    else
        write_fields(json, frame);
}

void json_drop_frames(struct render_json *json) {
    struct json_frame *frame, *next;
    HASH_ITER(hh, json->frames, frame, next) {
        HASH_DEL(json->frames, frame);
        free(frame);
    }
    json->frames_size = 0;
}
