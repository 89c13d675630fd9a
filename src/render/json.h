/* The inside of the JSON writer: json.c is its door, json_write.c its words, json_frame.c frames of
 * stacks, json_site.c, json_codec.c and json_process.c what else stands in the document. */
#ifndef SQUALL_RENDER_JSON_H
#define SQUALL_RENDER_JSON_H

#include <yajl/yajl_gen.h>

#include "internal.h"

struct json_frame; /* json_frame.c: one that was written before */

struct render_json {
    FILE *out;
    yajl_gen gen;
    struct buffer scratch;
    int error; /* the first one */
    struct json_frame *frames;
    size_t frames_size; /* bytes that they take */
    size_t waiting;     /* bytes in `block`, not yet in the stream */
    char block[1u << 16];
};

/* ---- json.c: a document of another kind than the report's ---- */

struct render_json *json_open(FILE *out); /* nothing is written yet; NULL: no memory */
/* Flushes the stream, frees json and returns the first error. */
int json_close(struct render_json *json);
/* The next value begins a document of its own (JSON Lines). */
void json_begin_line(struct render_json *json);

/* ---- json_write.c: one value or bracket each; errors are kept in json->error ---- */

void json_write_out(void *json, const char *text, size_t length);
void json_flush(struct render_json *json);
/* A whole value, as it is to stand there. */
void json_raw(struct render_json *json, const char *text, size_t length);
/* Made valid UTF-8, and cut as a name is. */
void json_string(struct render_json *json, const char *text);
/* Not cut: sentences, and what stands there once. */
void json_text_or_null(struct render_json *json, const char *text);
void json_string_or_null(struct render_json *json, const char *text);
void json_number(struct render_json *json, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void json_integer(struct render_json *json, uint64_t value);
void json_real(struct render_json *json, double value); /* null if it is not finite */
void json_boolean(struct render_json *json, bool value);
void json_key(struct render_json *json, const char *name);
void json_integer_or_null(struct render_json *json, const char *name, bool known, uint64_t value);
void json_open_map(struct render_json *json, const char *name); /* NULL: without a key */
void json_close_map(struct render_json *json);
void json_open_array(struct render_json *json, const char *name);
void json_close_array(struct render_json *json);
void json_new_line(struct render_json *json);

#define INTEGER(name, value) (json_key(json, name), json_integer(json, value))
#define REAL(name, value) (json_key(json, name), json_real(json, value))
#define STRING(name, value) (json_key(json, name), json_string_or_null(json, value))
#define TEXT(name, value) (json_key(json, name), json_text_or_null(json, value))
#define BOOLEAN(name, value) (json_key(json, name), json_boolean(json, value))

/* ---- json_frame.c ---- */

void json_write_frame(struct render_json *json, const struct analyse_frame *frame);
/* Of a process that is done: nothing of it is kept. */
void json_drop_frames(struct render_json *json);

/* ---- json_site.c, json_codec.c, json_process.c ---- */

/* Sites that get files and lines, and stacks beside them; of more, only those with most bytes. */
#define JSON_LINES_MAX 2000u
/* The bytes that a site must have to get them; UINT64_MAX when there is no memory to tell. */
uint64_t json_least_bytes_for_lines(const struct analysis *a);

/* "stack" and "stack_end" of a stack that `stack` names. */
void json_write_stack(struct render_json *json, const struct profile_process *p, uint32_t number,
                      const struct analyse_stack *stack);
/* Calls, levels, contexts, functions, mappings: fields of a process. */
void json_write_codec(struct render_json *json, const struct analysis *a,
                      struct analyse_names *names, bool lines);

void json_write_site(struct render_json *json, const struct profile_process *p,
                     const struct analyse_site *site, const struct analyse_stack *stack);
void json_write_findings(struct render_json *json, const struct analysis *a);
/* Fields of a process that the page has too: those before its modules and sites, and the last. */
void json_write_process_head(struct render_json *json, const struct analysis *a);
void json_write_process_tail(struct render_json *json, const struct analysis *a);
void json_write_process(struct render_json *json, const struct analysis *a,
                        struct analyse_names *names, bool lines);

/* ---- diff_json.c: fields of a comparison, all but its sites ---- */

void json_write_diff(struct render_json *json, const struct compare *c);

#endif
