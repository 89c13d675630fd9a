/* Words of JSON, written through yajl straight to the stream. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "json.h"

static void put(struct render_json *json, const char *text, size_t length) {
    errno = 0;
    if (!json->error && fwrite(text, 1, length, json->out) != length)
        json->error = errno ? -errno : -EIO;
}

void json_flush(struct render_json *json) {
    put(json, json->block, json->waiting);
    json->waiting = 0;
}

/* yajl gives a word at a time, which is too little for a stream with a lock. */
void json_write_out(void *context, const char *text, size_t length) {
    struct render_json *json = context;
    if (length > sizeof(json->block) - json->waiting)
        json_flush(json);
    if (length > sizeof(json->block)) {
        put(json, text, length);
        return;
    }
    memcpy(json->block + json->waiting, text, length);
    json->waiting += length;
}

static void check(struct render_json *json, yajl_gen_status status) {
    if (status != yajl_gen_status_ok && !json->error)
        json->error = -EINVAL;
}

/* yajl writes a number as it is given, whatever stands in it. */
void json_raw(struct render_json *json, const char *text, size_t length) {
    check(json, yajl_gen_number(json->gen, text, length));
}

/* JSON is looked at on terminals, too: what would speak to one is written by its number. */
static void escaped_string(struct render_json *json) {
    struct buffer escaped = {0};
    buffer_add(&escaped, "\"", 1);
    buffer_add_escaped(&escaped, buffer_text(&json->scratch));
    buffer_add(&escaped, "\"", 1);
    if (escaped.failed && !json->error)
        json->error = -ENOMEM;
    json_raw(json, buffer_text(&escaped), escaped.length);
    buffer_free(&escaped);
}

static void write_scratch(struct render_json *json) {
    if (json->scratch.failed && !json->error)
        json->error = -ENOMEM;
    if (UNLIKELY(!utf8_is_printable(buffer_text(&json->scratch)))) {
        escaped_string(json);
        return;
    }
    check(json, yajl_gen_string(json->gen, (const unsigned char *)buffer_text(&json->scratch),
                                json->scratch.length));
}

void json_string(struct render_json *json, const char *text) {
    buffer_clear(&json->scratch);
    buffer_add_name(&json->scratch, text, false);
    write_scratch(json);
}

void json_string_or_null(struct render_json *json, const char *text) {
    if (text)
        json_string(json, text);
    else
        check(json, yajl_gen_null(json->gen));
}

void json_text_or_null(struct render_json *json, const char *text) {
    buffer_clear(&json->scratch);
    if (text) {
        buffer_add_utf8(&json->scratch, text, false);
        write_scratch(json);
    } else {
        check(json, yajl_gen_null(json->gen));
    }
}

static void write_null(struct render_json *json) {
    check(json, yajl_gen_null(json->gen));
}

void json_number(struct render_json *json, const char *format, ...) {
    char text[64];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    for (char *c = text; *c; c++) /* whatever the locale */
        if (*c == ',')
            *c = '.';
    check(json, yajl_gen_number(json->gen, text, (size_t)length));
}

void json_integer(struct render_json *json, uint64_t value) {
    char text[20];
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    json_raw(json, text + at, sizeof(text) - at);
}

void json_real(struct render_json *json, double value) {
    if (isfinite(value))
        json_number(json, "%.12g", value);
    else
        write_null(json);
}

void json_boolean(struct render_json *json, bool value) {
    check(json, yajl_gen_bool(json->gen, value));
}

void json_key(struct render_json *json, const char *name) {
    check(json, yajl_gen_string(json->gen, (const unsigned char *)name, strlen(name)));
}

void json_integer_or_null(struct render_json *json, const char *name, bool known, uint64_t value) {
    json_key(json, name);
    known ? json_integer(json, value) : write_null(json);
}

void json_open_map(struct render_json *json, const char *name) {
    if (name)
        json_key(json, name);
    check(json, yajl_gen_map_open(json->gen));
}

void json_close_map(struct render_json *json) {
    check(json, yajl_gen_map_close(json->gen));
}

void json_open_array(struct render_json *json, const char *name) {
    json_key(json, name);
    check(json, yajl_gen_array_open(json->gen));
}

void json_close_array(struct render_json *json) {
    check(json, yajl_gen_array_close(json->gen));
}

void json_begin_line(struct render_json *json) {
    yajl_gen_reset(json->gen, NULL);
}

void json_new_line(struct render_json *json) {
    json_write_out(json, "\n", 1); /* white space is free between two tokens */
}
