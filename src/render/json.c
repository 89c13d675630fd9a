/* The report in JSON, written as a stream: its names and units are a promise to scripts, fields are
 * only added. One site stands on one line, so that line tools can work on it too. */
#include <errno.h>
#include <stdlib.h>

#include "json.h"

#define FORMAT 1

struct render_json *json_open(FILE *out) {
    struct render_json *json = calloc(1, sizeof(*json));
    if (!json)
        return NULL;
    json->out = out;
    json->gen = yajl_gen_alloc(NULL);
    if (!json->gen) {
        free(json);
        return NULL;
    }
    yajl_gen_config(json->gen, yajl_gen_print_callback, json_write_out, json);
    return json;
}

struct render_json *render_json_begin(FILE *out) {
    struct render_json *json = json_open(out);
    if (!json)
        return NULL;
    json_open_map(json, NULL);
    INTEGER("format", FORMAT);
    json_open_array(json, "processes");
    return json;
}

int render_json_process(struct render_json *json, const struct analysis *a,
                        struct analyse_names *names, bool lines) {
    json_write_process(json, a, names, lines);
    json_drop_frames(json);
    return json->error;
}

int render_json_end(struct render_json *json, bool broken) {
    if (!broken && !json->error) {
        json_close_array(json);
        json_close_map(json);
        json_new_line(json);
    }
    return json_close(json);
}

int json_close(struct render_json *json) {
    json_flush(json);
    errno = 0;
    if ((fflush(json->out) || ferror(json->out)) && !json->error)
        json->error = errno ? -errno : -EIO;
    int error = json->error;
    yajl_gen_free(json->gen);
    json_drop_frames(json);
    buffer_free(&json->scratch);
    free(json);
    return error;
}
