/* DHAT's format, version 2, for the dh_view.html that comes with Valgrind: what each stack
 * allocated in all. Lives and peaks of DHAT mean other things than ours (at the moment of the
 * program's peak), so they are left out, as the format allows ("bklt": false). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "export.h"
#include "json.h"

/* A program point: the viewer refuses one that comes twice, and sites in several processes, or in
 * code of the same name, are one point. */
struct point {
    UT_hash_handle hh;
    uint64_t bytes, blocks;
    uint32_t count;
    uint32_t frames[]; /* numbers in "ftbl" */
};

struct state {
    struct render_json *json;
    struct export_frames *frames;
    struct buffer commands;
    int32_t pid;
    uint64_t end_us;
    struct point *points;
    uint32_t *numbers; /* of one stack */
    uint32_t room;
};

static bool begin(struct render_export *x) {
    struct state *s = calloc(1, sizeof(*s));
    if (!s)
        return false;
    s->json = json_open(x->out);
    s->frames = export_frames_open();
    if (!s->json || !s->frames) {
        if (s->json)
            json_close(s->json);
        export_frames_close(s->frames);
        free(s);
        return false;
    }
    struct render_json *json = s->json;
    json_open_map(json, NULL);
    INTEGER("dhatFileVersion", 2);
    STRING("mode", "squall");
    STRING("verb", "Allocated");
    BOOLEAN("bklt", false);
    BOOLEAN("bkacc", false);
    STRING("tu", "\xc2\xb5s");
    STRING("Mtu", "s");
    x->state = s;
    return true;
}

static void process(struct render_export *x, const struct analysis *a) {
    struct state *s = x->state;
    if (s->commands.length)
        buffer_add(&s->commands, "; ", 2);
    else
        s->pid = a->process->pid;
    export_command(&s->commands, a->process);
    if (a->process->seconds_ns / 1000 > s->end_us)
        s->end_us = a->process->seconds_ns / 1000;
}

/* Frame 0 of the table is the root; a stack has at least one frame. */
static bool take_numbers(struct state *s, const struct analyse_stack *stack, uint32_t *count) {
    static const struct analyse_frame none = {.function = "[no stack]"};
    *count = stack->count ? stack->count : 1;
    if (*count > s->room) {
        uint32_t *numbers = reallocarray(s->numbers, *count, 2 * sizeof(*numbers));
        if (!numbers)
            return false;
        s->numbers = numbers;
        s->room = *count * 2;
    }
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t number = export_frames_number(s->frames, stack->count ? &stack->frames[i] : &none);
        if (number == UINT32_MAX)
            return false;
        s->numbers[i] = number + 1;
    }
    return true;
}

static struct point *point_of(struct state *s, const struct analyse_stack *stack) {
    struct point *point;
    uint32_t count;
    if (!take_numbers(s, stack, &count))
        return NULL;
    size_t size = count * sizeof(*s->numbers);
    HASH_FIND(hh, s->points, s->numbers, size, point);
    if (point)
        return point;
    point = calloc(1, sizeof(*point) + size);
    if (!point)
        return NULL;
    point->count = count;
    memcpy(point->frames, s->numbers, size);
    HASH_ADD_KEYPTR(hh, s->points, point->frames, size, point);
    if (point->hh.tbl)
        return point;
    free(point);
    return NULL;
}

static void sample(struct render_export *x, const struct export_sample *sample) {
    const struct analyse_sums *sums = &sample->row->sums;
    struct point *point = point_of(x->state, sample->stack);
    if (!point) {
        export_fail(x, -ENOMEM);
        return;
    }
    point->bytes += sums->bytes;
    point->blocks += sums->allocs;
}

static void write_points(struct render_json *json, const struct state *s) {
    json_open_array(json, "pps");
    for (const struct point *point = s->points; point; point = point->hh.next) {
        json_new_line(json);
        json_open_map(json, NULL);
        INTEGER("tb", point->bytes);
        INTEGER("tbk", point->blocks);
        json_open_array(json, "fs");
        for (uint32_t i = 0; i < point->count; i++)
            json_integer(json, point->frames[i]);
        json_close_array(json);
        json_close_map(json);
    }
    json_close_array(json);
}

static void write_frames(struct render_json *json, const struct export_frames *frames) {
    struct buffer text = {0};
    char line[16];
    json_open_array(json, "ftbl");
    json_string(json, "[root]"); /* the viewer takes number 0 for it */
    for (uint32_t i = 0; i < export_frames_count(frames); i++) {
        struct export_frame frame = export_frames_at(frames, i);
        buffer_clear(&text);
        buffer_add_utf8(&text, frame.name, false);
        if (*frame.file) {
            buffer_add(&text, " (", 2);
            buffer_add_utf8(&text, frame.file, false);
            int length = snprintf(line, sizeof(line), frame.line ? ":%u)" : ")", frame.line);
            buffer_add(&text, line, (size_t)length);
        }
        json_string(json, buffer_text(&text));
    }
    json_close_array(json);
    if (text.failed && !json->error)
        json->error = -ENOMEM;
    buffer_free(&text);
}

static void end(struct render_export *x, bool broken) {
    struct state *s = x->state;
    struct render_json *json = s->json;
    struct point *point, *next;
    if (!broken) {
        write_points(json, s);
        TEXT("cmd", buffer_text(&s->commands));
        json_key(json, "pid");
        json_number(json, "%d", s->pid);
        INTEGER("te", s->end_us);
        write_frames(json, s->frames);
        json_close_map(json);
        json_new_line(json);
    }
    export_fail(x, json_close(json));
    HASH_ITER(hh, s->points, point, next) {
        HASH_DEL(s->points, point);
        free(point);
    }
    free(s->numbers);
    export_frames_close(s->frames);
    buffer_free(&s->commands);
    free(s);
}

const struct export_kind export_dhat = {
    .name = "dhat", .begin = begin, .process = process, .sample = sample, .end = end};
