/* speedscope's own format: a list of frames, and for each process a profile of stacks with a
 * weight. The list stands at the end, when it is known; the order of fields is free. */
#include <errno.h>
#include <stdlib.h>

#include "export.h"
#include "json.h"

struct state {
    struct render_json *json;
    struct export_frames *frames;
    uint64_t *weights; /* of the samples of this process */
    size_t count, room;
};

static void drop(struct state *s) {
    export_frames_close(s->frames);
    free(s->weights);
    free(s);
}

static bool begin(struct render_export *x) {
    struct state *s = calloc(1, sizeof(*s));
    if (!s)
        return false;
    s->json = json_open(x->out);
    s->frames = export_frames_open();
    if (!s->json || !s->frames) {
        if (s->json)
            json_close(s->json);
        drop(s);
        return false;
    }
    struct render_json *json = s->json;
    json_open_map(json, NULL);
    STRING("$schema", "https://www.speedscope.app/file-format-schema.json");
    STRING("exporter", "squall");
    json_open_array(json, "profiles");
    x->state = s;
    return true;
}

static void process(struct render_export *x, const struct analysis *a) {
    static const char *const units[RENDER_VALUES] = {
        [RENDER_BYTES] = "bytes",      [RENDER_ALLOCS] = "none",      [RENDER_LIVE_BYTES] = "bytes",
        [RENDER_LIVE_BLOCKS] = "none", [RENDER_TIME] = "nanoseconds",
    };
    struct state *s = x->state;
    struct render_json *json = s->json;
    struct buffer name = {0};
    char pid[32];
    snprintf(pid, sizeof(pid), "%d ", a->process->pid);
    for (const char *c = pid; *c; c++)
        buffer_add(&name, c, 1);
    export_command(&name, a->process);
    s->count = 0;
    json_new_line(json);
    json_open_map(json, NULL);
    STRING("type", "sampled");
    TEXT("name", buffer_text(&name));
    STRING("unit", units[x->value]);
    json_open_array(json, "samples");
    buffer_free(&name);
}

static bool add_weight(struct state *s, uint64_t weight) {
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        uint64_t *weights = reallocarray(s->weights, room, sizeof(*weights));
        if (!weights)
            return false;
        s->weights = weights;
        s->room = room;
    }
    s->weights[s->count++] = weight;
    return true;
}

static void sample(struct render_export *x, const struct export_sample *sample) {
    struct state *s = x->state;
    struct render_json *json = s->json;
    uint64_t value = export_value(x, &sample->row->sums);
    if (value == 0)
        return;
    if (!add_weight(s, value))
        export_fail(x, -ENOMEM);
    yajl_gen_array_open(json->gen);
    for (uint32_t i = sample->stack->count; i-- > 0;) {
        uint32_t number = export_frames_number(s->frames, &sample->stack->frames[i]);
        if (number == UINT32_MAX)
            export_fail(x, -ENOMEM);
        json_integer(json, number);
    }
    json_close_array(json);
    export_fail(x, json->error);
}

static void process_end(struct render_export *x, const struct analysis *a) {
    struct state *s = x->state;
    struct render_json *json = s->json;
    uint64_t sum = 0;
    (void)a;
    json_close_array(json);
    json_open_array(json, "weights");
    for (size_t i = 0; i < s->count; i++) {
        json_integer(json, s->weights[i]);
        sum += s->weights[i];
    }
    json_close_array(json);
    INTEGER("startValue", 0);
    INTEGER("endValue", sum);
    json_close_map(json);
    export_fail(x, json->error);
}

static void write_frames(struct render_json *json, const struct export_frames *frames) {
    json_open_map(json, "shared");
    json_open_array(json, "frames");
    for (uint32_t i = 0; i < export_frames_count(frames); i++) {
        struct export_frame frame = export_frames_at(frames, i);
        json_open_map(json, NULL);
        STRING("name", frame.name);
        if (*frame.file)
            STRING("file", frame.file);
        if (frame.line)
            INTEGER("line", frame.line);
        json_close_map(json);
    }
    json_close_array(json);
    json_close_map(json);
}

static void end(struct render_export *x, bool broken) {
    struct state *s = x->state;
    if (!broken) {
        json_close_array(s->json);
        write_frames(s->json, s->frames);
        json_close_map(s->json);
        json_new_line(s->json);
    }
    export_fail(x, json_close(s->json));
    drop(s);
}

const struct export_kind export_speedscope = {.name = "speedscope",
                                              .begin = begin,
                                              .process = process,
                                              .sample = sample,
                                              .process_end = process_end,
                                              .end = end};
