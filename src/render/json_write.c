/* Words of JSON, written through yajl straight to the stream. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "json.h"

void json_write_out(void *context, const char *text, size_t length) {
    struct render_json *json = context;
    errno = 0;
    if (!json->error && fwrite(text, 1, length, json->out) != length)
        json->error = errno ? -errno : -EIO;
}

static void check(struct render_json *json, yajl_gen_status status) {
    if (status != yajl_gen_status_ok && !json->error)
        json->error = -EINVAL;
}

void json_string(struct render_json *json, const char *text) {
    buffer_clear(&json->scratch);
    buffer_add_utf8(&json->scratch, text, false);
    if (json->scratch.failed && !json->error)
        json->error = -ENOMEM;
    check(json, yajl_gen_string(json->gen, (const unsigned char *)buffer_text(&json->scratch),
                                json->scratch.length));
}

void json_string_or_null(struct render_json *json, const char *text) {
    if (text)
        json_string(json, text);
    else
        check(json, yajl_gen_null(json->gen));
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
    json_number(json, "%" PRIu64, value);
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

void json_new_line(struct render_json *json) {
    json_write_out(json, "\n", 1); /* white space is free between two tokens */
}
