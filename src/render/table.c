/* Tables for SQL engines and spreadsheets: a row for each thread at each site, as CSV (RFC 4180)
 * and as JSON Lines. Both have the same columns; only the stack differs: one text in CSV, outermost
 * first, and an array of frames in JSON, innermost first as in the report. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "json.h"

enum column_kind { AS_TEXT, AS_INTEGER, AS_BOOLEAN };

struct value {
    const char *text; /* NULL = null */
    int64_t integer;
};

static const char *const names[] = {
    "pid",        "exe",          "tid",          "thread",      "site",       "codec",
    "direction",  "role",         "function",     "served_by",   "flagged",    "estimated",
    "allocs",     "frees",        "bytes",        "freed_bytes", "live_bytes", "live_blocks",
    "peak_bytes", "remote_frees", "allocator_ns",
};
static const uint8_t kinds[ARRAY_SIZE(names)] = {
    AS_INTEGER, AS_TEXT,    AS_INTEGER, AS_TEXT,    AS_INTEGER, AS_TEXT,    AS_TEXT,
    AS_TEXT,    AS_TEXT,    AS_TEXT,    AS_BOOLEAN, AS_BOOLEAN, AS_INTEGER, AS_INTEGER,
    AS_INTEGER, AS_INTEGER, AS_INTEGER, AS_INTEGER, AS_INTEGER, AS_INTEGER, AS_INTEGER,
};

static void fill(const struct export_sample *s, struct value values[ARRAY_SIZE(names)]) {
    const struct profile_process *p = s->a->process;
    const struct analyse_sums *sums = &s->row->sums;
    const struct value row[] = {
        {NULL, p->pid},
        {p->exe, 0},
        {NULL, export_thread_id(s)},
        {export_thread_name(s), 0},
        {NULL, s->site->site->id},
        {s->site->codec, 0},
        {analyse_direction_name(s->site->direction), 0},
        {analyse_role_name(s->site->role), 0},
        {s->site->codec_function, 0},
        {s->site->served_by, 0},
        {NULL, s->site->flagged},
        {NULL, sums->estimated},
        {NULL, export_signed(sums->allocs)},
        {NULL, export_signed(sums->frees)},
        {NULL, export_signed(sums->bytes)},
        {NULL, export_signed(sums->freed_bytes)},
        {NULL, export_signed(sums->live_bytes)},
        {NULL, export_signed(sums->live_blocks)},
        {NULL, export_signed(sums->peak_bytes)},
        {NULL, export_signed(sums->remote_frees)},
        {NULL, export_signed(sums->allocator_ns)},
    };
    _Static_assert(ARRAY_SIZE(row) == ARRAY_SIZE(names), "a value for each column");
    memcpy(values, row, sizeof(row));
}

/* ---- CSV ---- */

static void put(struct render_export *x, const struct buffer *line) {
    if (line->failed)
        export_fail(x, -ENOMEM);
    errno = 0;
    if (!x->error && fwrite(line->text, 1, line->length, x->out) != line->length)
        export_fail(x, errno ? -errno : -EIO);
}

static bool csv_begin(struct render_export *x) {
    struct buffer *line = calloc(1, sizeof(*line));
    x->state = line;
    if (!line)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        buffer_add(line, names[i], strlen(names[i]));
        buffer_add(line, ",", 1);
    }
    buffer_add(line, "stack\r\n", 7);
    put(x, line);
    return true;
}

/* What stands in the line from `from` on becomes one quoted field. */
static void quote(struct buffer *line, size_t from, struct buffer *scratch) {
    buffer_clear(scratch);
    buffer_add(scratch, line->text + from, line->length - from);
    line->length = from;
    buffer_add(line, "\"", 1);
    for (size_t i = 0; i < scratch->length;) {
        const char *rest = scratch->text + i, *next = memchr(rest, '"', scratch->length - i);
        size_t part = next ? (size_t)(next - rest) + 1 : scratch->length - i;
        buffer_add(line, rest, part);
        if (next)
            buffer_add(line, "\"", 1);
        i += part;
    }
    buffer_add(line, "\"", 1);
}

static void csv_value(struct buffer *line, const struct value *value, unsigned kind,
                      struct buffer *scratch) {
    char number[24];
    size_t from = line->length;
    if (kind != AS_TEXT) {
        int length = snprintf(number, sizeof(number), "%" PRId64, value->integer);
        buffer_add(line, number, (size_t)length);
    } else if (value->text) {
        buffer_add_name(line, value->text, true);
        if (line->length > from)
            quote(line, from, scratch);
    }
    buffer_add(line, ",", 1);
}

static void csv_sample(struct render_export *x, const struct export_sample *sample) {
    struct buffer *line = x->state, scratch = {0};
    struct value values[ARRAY_SIZE(names)];
    fill(sample, values);
    buffer_clear(line);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        csv_value(line, &values[i], kinds[i], &scratch);
    size_t from = line->length;
    for (uint32_t i = sample->stack->count; i-- > 0;) {
        export_frame_name(line, &sample->stack->frames[i]);
        if (i)
            buffer_add(line, ";", 1);
    }
    if (line->length > from)
        quote(line, from, &scratch);
    buffer_add(line, "\r\n", 2);
    if (scratch.failed)
        export_fail(x, -ENOMEM);
    put(x, line);
    buffer_free(&scratch);
}

static void csv_end(struct render_export *x, bool broken) {
    (void)broken; /* rows stand for themselves */
    buffer_free(x->state);
    free(x->state);
}

const struct export_kind export_csv = {
    .name = "csv", .begin = csv_begin, .sample = csv_sample, .end = csv_end};

/* ---- JSON Lines ---- */

static bool jsonl_begin(struct render_export *x) {
    x->state = json_open(x->out);
    return x->state != NULL;
}

static void jsonl_sample(struct render_export *x, const struct export_sample *sample) {
    struct render_json *json = x->state;
    struct value values[ARRAY_SIZE(names)];
    fill(sample, values);
    json_begin_line(json);
    json_open_map(json, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        json_key(json, names[i]);
        if (kinds[i] == AS_INTEGER)
            json_number(json, "%" PRId64, values[i].integer);
        else if (kinds[i] == AS_BOOLEAN)
            json_boolean(json, values[i].integer);
        else
            json_string_or_null(json, values[i].text);
    }
    json_open_array(json, "stack");
    for (uint32_t i = 0; i < sample->stack->count; i++)
        json_write_frame(json, &sample->stack->frames[i]);
    json_close_array(json);
    json_close_map(json);
    json_new_line(json);
    export_fail(x, json->error);
}

static void jsonl_process_end(struct render_export *x, const struct analysis *a) {
    (void)a;
    json_drop_frames(x->state);
}

static void jsonl_end(struct render_export *x, bool broken) {
    (void)broken;
    export_fail(x, json_close(x->state));
}

const struct export_kind export_jsonl = {.name = "jsonl",
                                         .begin = jsonl_begin,
                                         .sample = jsonl_sample,
                                         .process_end = jsonl_process_end,
                                         .end = jsonl_end};
