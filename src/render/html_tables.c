/* Texts, frames and stacks of a process, each once. A stack is a node in a tree that begins at the
 * outermost frame: what stacks have in common is there once, and it is the tree that the flame
 * graph draws. */
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "html.h"

struct text {
    UT_hash_handle hh;
    uint32_t number;
    char bytes[];
};

/* A frame as names.c gives it: its strings stand still while a process is written, so that their
 * addresses tell them apart; and what several of those have in common. */
struct seen_key {
    const char *function, *file, *module;
    uint64_t offset;
    uint32_t line, inlined;
};
struct seen {
    UT_hash_handle hh;
    struct seen_key key;
    uint32_t frame;
};
struct frame_key {
    uint32_t name, module, file, line, inlined;
};
struct frame {
    UT_hash_handle hh;
    struct frame_key key;
    uint32_t number;
};

struct node_key {
    uint32_t parent, frame;
};
struct node {
    UT_hash_handle hh;
    struct node_key key;
    uint32_t number;
};

/* uthash keeps the order in which things came, which is that of their numbers. */
struct html_tables {
    struct text *texts;
    struct seen *seen;
    struct frame *frames;
    struct node *nodes;
    struct buffer name;
};

struct html_tables *html_tables_open(void) {
    return calloc(1, sizeof(struct html_tables));
}

#define DROP_ALL(type, head)                \
    do {                                    \
        struct type *one_ = (head), *next_; \
        HASH_CLEAR(hh, head);               \
        for (; one_; one_ = next_) {        \
            next_ = one_->hh.next;          \
            free(one_);                     \
        }                                   \
    } while (0)

void html_tables_close(struct html_tables *t) {
    if (!t)
        return;
    DROP_ALL(text, t->texts);
    DROP_ALL(seen, t->seen);
    DROP_ALL(frame, t->frames);
    DROP_ALL(node, t->nodes);
    buffer_free(&t->name);
    free(t);
}

uint32_t html_tables_text(struct html_tables *t, const char *text) {
    struct text *found;
    if (!text || !*text)
        return 0;
    size_t length = strlen(text);
    HASH_FIND(hh, t->texts, text, length, found);
    if (found)
        return found->number;
    found = calloc(1, sizeof(*found) + length + 1);
    if (!found)
        return UINT32_MAX;
    memcpy(found->bytes, text, length + 1);
    found->number = HASH_COUNT(t->texts) + 1;
    HASH_ADD_KEYPTR(hh, t->texts, found->bytes, length, found);
    if (found->hh.tbl)
        return found->number;
    free(found);
    return UINT32_MAX;
}

/* "libfoo.so+0x12" where there is no name. */
static uint32_t name_of(struct html_tables *t, const struct analyse_frame *frame) {
    char offset[32];
    if (frame->function)
        return html_tables_text(t, frame->function);
    buffer_clear(&t->name);
    if (frame->module) {
        const char *base = render_base_name(frame->module);
        buffer_add(&t->name, base, strlen(base));
    }
    snprintf(offset, sizeof(offset), "%s0x%llx", frame->module ? "+" : "",
             (unsigned long long)frame->offset);
    buffer_add(&t->name, offset, strlen(offset));
    return t->name.failed ? UINT32_MAX : html_tables_text(t, buffer_text(&t->name));
}

static uint32_t frame_of(struct html_tables *t, const struct analyse_frame *from) {
    struct frame_key key = {
        .name = name_of(t, from),
        .module = html_tables_text(t, from->module),
        .file = html_tables_text(t, from->file),
        .line = from->line,
        .inlined = from->inlined,
    };
    struct frame *frame;
    if (key.name == UINT32_MAX || key.module == UINT32_MAX || key.file == UINT32_MAX)
        return UINT32_MAX;
    HASH_FIND(hh, t->frames, &key, sizeof(key), frame);
    if (frame)
        return frame->number;
    frame = calloc(1, sizeof(*frame));
    if (!frame)
        return UINT32_MAX;
    frame->key = key;
    frame->number = HASH_COUNT(t->frames) + 1;
    HASH_ADD(hh, t->frames, key, sizeof(key), frame);
    if (frame->hh.tbl)
        return frame->number;
    free(frame);
    return UINT32_MAX;
}

/* Looking at addresses first: nearly every frame was there before. */
static uint32_t frame_number(struct html_tables *t, const struct analyse_frame *from) {
    struct seen_key key = {from->function, from->file, from->module,
                           from->offset,   from->line, from->inlined};
    struct seen *seen;
    HASH_FIND(hh, t->seen, &key, sizeof(key), seen);
    if (seen)
        return seen->frame;
    uint32_t number = frame_of(t, from);
    seen = number == UINT32_MAX ? NULL : calloc(1, sizeof(*seen));
    if (!seen)
        return number;
    seen->key = key;
    seen->frame = number;
    HASH_ADD(hh, t->seen, key, sizeof(key), seen);
    if (!seen->hh.tbl)
        free(seen);
    return number;
}

static uint32_t node_below(struct html_tables *t, uint32_t parent, uint32_t frame) {
    struct node_key key = {parent, frame};
    struct node *node;
    HASH_FIND(hh, t->nodes, &key, sizeof(key), node);
    if (node)
        return node->number;
    node = calloc(1, sizeof(*node));
    if (!node)
        return UINT32_MAX;
    node->key = key;
    node->number = HASH_COUNT(t->nodes) + 1;
    HASH_ADD(hh, t->nodes, key, sizeof(key), node);
    if (node->hh.tbl)
        return node->number;
    free(node);
    return UINT32_MAX;
}

uint32_t html_tables_node(struct html_tables *t, const struct analyse_stack *stack) {
    uint32_t node = 0;
    for (uint32_t i = stack->count; i > 0 && node != UINT32_MAX; i--) {
        uint32_t frame = frame_number(t, &stack->frames[i - 1]);
        node = frame == UINT32_MAX ? frame : node_below(t, node, frame);
    }
    return node;
}

/* Runs of nodes of which each is below the one before: the parent of the first, how many, their
 * frames. A new stack adds one such run, so that parents need no place. */
static void write_nodes(struct html_tables *t, struct render_json *json) {
    INTEGER("node_count", HASH_COUNT(t->nodes));
    json_open_array(json, "nodes"); /* the first is number 1 */
    for (struct node *node = t->nodes; node;) {
        uint32_t count = 1;
        struct node *last = node;
        for (struct node *next; (next = last->hh.next) && next->key.parent == last->number; count++)
            last = next;
        json_integer(json, node->key.parent);
        json_integer(json, count);
        for (; count; count--, node = node->hh.next)
            json_integer(json, node->key.frame);
    }
    json_close_array(json);
}

void html_tables_write(struct html_tables *t, struct render_json *json) {
    json_open_array(json, "texts");
    json_string(json, "");
    for (struct text *text = t->texts; text; text = text->hh.next)
        json_string(json, text->bytes);
    json_close_array(json);
    json_new_line(json);
    json_open_array(json, "frames"); /* name, module, file, line, inlined; the first is number 1 */
    for (struct frame *frame = t->frames; frame; frame = frame->hh.next) {
        json_integer(json, frame->key.name);
        json_integer(json, frame->key.module);
        json_integer(json, frame->key.file);
        json_integer(json, frame->key.line);
        json_integer(json, frame->key.inlined);
    }
    json_close_array(json);
    json_new_line(json);
    write_nodes(t, json);
}
