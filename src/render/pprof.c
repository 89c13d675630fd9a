/* pprof's profile.proto, compressed by gzip, as `go tool pprof`, Pyroscope and Parca read it.
 *
 * A serialized message and another one behind it are one message, whose repeated fields follow each
 * other. So each string, location and sample is written as a profile of its own when it first comes
 * up, and nothing but what tells them apart is kept in memory. */
#include <errno.h>
#include <profile.pb-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "export.h"

#define BLOCK (64u << 10)

typedef Squall__Pprof__Profile Profile;

struct text {
    UT_hash_handle hh;
    int64_t number;
    char bytes[];
};

struct function {
    UT_hash_handle hh;
    struct function_key {
        int64_t name, file;
    } key;
    uint64_t id;
};

/* The same file, wherever it was loaded: by path and build-id. Addresses are as in the process that
 * was seen first. */
struct mapping {
    UT_hash_handle hh;
    uint64_t id, base;
    size_t key_size;
    char key[];
};

struct location {
    UT_hash_handle hh;
    struct location_key {
        uint64_t mapping, offset, exact;
    } key;
    uint64_t id;
};

struct state {
    z_stream zip;
    bool zip_is_open;
    uint8_t *packed; /* one message */
    size_t packed_room;
    uint8_t out[BLOCK];
    struct text *texts;
    struct function *functions;
    struct mapping *mappings;
    struct location *locations;
    const struct mapping **modules; /* of this process; NULL = not asked yet */
    struct buffer scratch;
    int64_t first_ns;
    uint64_t longest_ns, period;
};

/* ---- bytes ---- */

static void deflate_out(struct render_export *x, const uint8_t *bytes, size_t size, int flush) {
    struct state *s = x->state;
    s->zip.next_in = (uint8_t *)bytes;
    s->zip.avail_in = (unsigned)size;
    do {
        s->zip.next_out = s->out;
        s->zip.avail_out = sizeof(s->out);
        if (deflate(&s->zip, flush) == Z_STREAM_ERROR)
            export_fail(x, -EINVAL);
        size_t ready = sizeof(s->out) - s->zip.avail_out;
        errno = 0;
        if (!x->error && fwrite(s->out, 1, ready, x->out) != ready)
            export_fail(x, errno ? -errno : -EIO);
    } while (s->zip.avail_out == 0 && !x->error);
}

static void put(struct render_export *x, const Profile *profile) {
    struct state *s = x->state;
    size_t size = squall__pprof__profile__get_packed_size(profile);
    if (size > s->packed_room) {
        uint8_t *grown = size <= UINT32_MAX ? realloc(s->packed, size * 2) : NULL;
        if (!grown) {
            export_fail(x, -ENOMEM);
            return;
        }
        s->packed = grown;
        s->packed_room = size * 2;
    }
    squall__pprof__profile__pack(profile, s->packed);
    deflate_out(x, s->packed, size, Z_NO_FLUSH);
}

/* ---- what is told once ---- */

/* The number of a string, which is written when it is new. */
static int64_t string(struct render_export *x, const char *plain) {
    struct state *s = x->state;
    struct text *text;
    buffer_clear(&s->scratch);
    buffer_add_utf8(&s->scratch, plain, true);
    const char *clean = buffer_text(&s->scratch);
    size_t length = strlen(clean);
    HASH_FIND(hh, s->texts, clean, length, text);
    if (text)
        return text->number;
    text = calloc(1, sizeof(*text) + length + 1);
    if (text) {
        memcpy(text->bytes, clean, length);
        text->number = HASH_COUNT(s->texts);
        HASH_ADD_KEYPTR(hh, s->texts, text->bytes, length, text);
    }
    if (!text || !text->hh.tbl || s->scratch.failed) {
        if (text && !text->hh.tbl)
            free(text);
        export_fail(x, -ENOMEM);
        return 0;
    }
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    char *strings[] = {text->bytes};
    profile.n_string_table = 1;
    profile.string_table = strings;
    put(x, &profile);
    return text->number;
}

static uint64_t function(struct render_export *x, const char *name, const char *file) {
    struct state *s = x->state;
    struct function_key key = {string(x, name), string(x, file ? file : "")};
    struct function *known;
    HASH_FIND(hh, s->functions, &key, sizeof(key), known);
    if (known)
        return known->id;
    known = calloc(1, sizeof(*known));
    if (known) {
        known->key = key;
        known->id = HASH_COUNT(s->functions) + 1u;
        HASH_ADD(hh, s->functions, key, sizeof(key), known);
    }
    if (!known || !known->hh.tbl) {
        free(known);
        export_fail(x, -ENOMEM);
        return 0;
    }
    Squall__Pprof__Function row = SQUALL__PPROF__FUNCTION__INIT;
    Squall__Pprof__Function *rows[] = {&row};
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    row.id = known->id;
    row.name = row.system_name = key.name;
    row.filename = key.file;
    profile.n_function = 1;
    profile.function = rows;
    put(x, &profile);
    return known->id;
}

static void put_mapping(struct render_export *x, const struct profile_module *m, uint64_t id) {
    char build_id[2 * sizeof(m->build_id) + 1] = "";
    Squall__Pprof__Mapping row = SQUALL__PPROF__MAPPING__INIT;
    Squall__Pprof__Mapping *rows[] = {&row};
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    for (uint32_t b = 0; b < m->build_id_size && b < sizeof(m->build_id); b++)
        snprintf(build_id + 2 * b, 3, "%02x", m->build_id[b]);
    row.id = id;
    row.memory_start = m->base;
    row.memory_limit = m->end;
    row.filename = string(x, m->path);
    row.build_id = string(x, build_id);
    row.has_functions = true; /* else pprof would look for them itself */
    row.has_filenames = row.has_line_numbers = row.has_inline_frames = x->lines;
    profile.n_mapping = 1;
    profile.mapping = rows;
    put(x, &profile);
}

static const struct mapping *mapping(struct render_export *x, const struct profile_module *m) {
    struct state *s = x->state;
    struct mapping *known;
    size_t path = strlen(m->path), size = path + m->build_id_size;
    char *key = malloc(size + 1);
    if (!key)
        goto no_memory;
    memcpy(key, m->path, path);
    memcpy(key + path, m->build_id, m->build_id_size);
    HASH_FIND(hh, s->mappings, key, size, known);
    if (!known && (known = calloc(1, sizeof(*known) + size))) {
        known->id = HASH_COUNT(s->mappings) + 1u;
        known->base = m->base;
        memcpy(known->key, key, size);
        HASH_ADD_KEYPTR(hh, s->mappings, known->key, size, known);
        if (known->hh.tbl) {
            put_mapping(x, m, known->id);
        } else {
            free(known);
            known = NULL;
        }
    }
    free(key);
    if (known)
        return known;
no_memory:
    export_fail(x, -ENOMEM);
    return NULL;
}

static const struct mapping *mapping_of(struct render_export *x, const struct profile_process *p,
                                        uint32_t module) {
    struct state *s = x->state;
    if (module == 0 || module >= p->module_count)
        return NULL;
    if (!s->modules[module])
        s->modules[module] = mapping(x, &p->modules[module]);
    return s->modules[module];
}

/* ---- locations ---- */

static void put_location(struct render_export *x, const struct mapping *m,
                         const struct location *at, const struct analyse_frame *frames,
                         uint32_t count) {
    Squall__Pprof__Line *lines = calloc(count, sizeof(*lines));
    Squall__Pprof__Line **pointers = calloc(count, sizeof(*pointers));
    Squall__Pprof__Location row = SQUALL__PPROF__LOCATION__INIT;
    Squall__Pprof__Location *rows[] = {&row};
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    struct buffer name = {0};
    if (!lines || !pointers)
        export_fail(x, -ENOMEM);
    for (uint32_t i = 0; i < count && !x->error; i++) {
        buffer_clear(&name);
        export_frame_name(&name, &frames[i]);
        squall__pprof__line__init(&lines[i]);
        lines[i].function_id = function(x, buffer_text(&name), frames[i].file);
        lines[i].line = frames[i].line;
        pointers[i] = &lines[i];
    }
    row.id = at->id;
    row.mapping_id = m ? m->id : 0;
    row.address = (m ? m->base : 0) + at->key.offset - !at->key.exact; /* of the call itself */
    row.n_line = count;
    row.line = pointers;
    profile.n_location = 1;
    profile.location = rows;
    if (!x->error)
        put(x, &profile);
    buffer_free(&name);
    free(lines);
    free(pointers);
}

/* Of one address: `count` frames, the inlined ones first. */
static uint64_t location(struct render_export *x, const struct profile_process *p,
                         const struct analyse_frame *frames, uint32_t count) {
    struct state *s = x->state;
    const struct mapping *m = mapping_of(x, p, frames->module_index);
    struct location_key key = {m ? m->id : 0, frames->offset, frames->exact};
    struct location *known;
    HASH_FIND(hh, s->locations, &key, sizeof(key), known);
    if (known)
        return known->id;
    known = calloc(1, sizeof(*known));
    if (known) {
        known->key = key;
        known->id = HASH_COUNT(s->locations) + 1u;
        HASH_ADD(hh, s->locations, key, sizeof(key), known);
    }
    if (!known || !known->hh.tbl) {
        free(known);
        export_fail(x, -ENOMEM);
        return 0;
    }
    put_location(x, m, known, frames, count);
    return known->id;
}

static size_t add_locations(struct render_export *x, const struct export_sample *sample,
                            uint64_t *ids) {
    const struct analyse_stack *stack = sample->stack;
    size_t count = 0;
    for (uint32_t i = 0; i < stack->count && !x->error;) {
        uint32_t next = i;
        while (next + 1 < stack->count && stack->frames[next].inlined)
            next++;
        next++;
        ids[count++] = location(x, sample->a->process, &stack->frames[i], next - i);
        i = next;
    }
    return count;
}

/* ---- samples ---- */

struct labels {
    Squall__Pprof__Label rows[8], *pointers[8];
    size_t count;
};

static void label(struct render_export *x, struct labels *labels, const char *key,
                  const char *text) {
    if (!text || !*text)
        return;
    Squall__Pprof__Label *row = &labels->rows[labels->count];
    squall__pprof__label__init(row);
    row->key = string(x, key);
    row->str = string(x, text);
    labels->pointers[labels->count++] = row;
}

/* Numbers are labels of text, too: pprof takes other numbers for sizes. */
static void label_number(struct render_export *x, struct labels *labels, const char *key,
                         int64_t number) {
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    label(x, labels, key, text);
}

static void add_labels(struct render_export *x, const struct export_sample *sample,
                       struct labels *labels) {
    const struct analyse_site *site = sample->site;
    label(x, labels, "process", render_base_name(sample->a->process->exe));
    label_number(x, labels, "pid", sample->a->process->pid);
    label(x, labels, "thread", export_thread_name(sample));
    label(x, labels, "codec", site->codec);
    label(x, labels, "direction", analyse_direction_name(site->direction));
    label(x, labels, "role", analyse_role_name(site->role));
    label_number(x, labels, "site", site->site->id);
}

static void sample(struct render_export *x, const struct export_sample *sample) {
    const struct analyse_sums *sums = &sample->row->sums;
    int64_t values[] = {export_signed(sums->allocs), export_signed(sums->bytes),
                        export_signed(sums->live_blocks), export_signed(sums->live_bytes),
                        export_signed(sums->allocator_ns)};
    uint64_t *ids = calloc(sample->stack->count + 1u, sizeof(*ids));
    Squall__Pprof__Sample row = SQUALL__PPROF__SAMPLE__INIT;
    Squall__Pprof__Sample *rows[] = {&row};
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    struct labels labels = {.count = 0};
    if (!ids) {
        export_fail(x, -ENOMEM);
        return;
    }
    row.n_location_id = add_locations(x, sample, ids);
    row.location_id = ids;
    row.n_value = ARRAY_SIZE(values);
    row.value = values;
    add_labels(x, sample, &labels);
    row.n_label = labels.count;
    row.label = labels.pointers;
    profile.n_sample = 1;
    profile.sample = rows;
    if (!x->error)
        put(x, &profile);
    free(ids);
}

/* ---- the document ---- */

static const char *const types[][2] = {
    {"alloc_objects", "count"}, {"alloc_space", "bytes"},          {"inuse_objects", "count"},
    {"inuse_space", "bytes"},   {"allocator_time", "nanoseconds"},
};

static void put_types(struct render_export *x) {
    Squall__Pprof__ValueType rows[ARRAY_SIZE(types)], *pointers[ARRAY_SIZE(types)];
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    string(x, ""); /* number 0 */
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        squall__pprof__value_type__init(&rows[i]);
        rows[i].type = string(x, types[i][0]);
        rows[i].unit = string(x, types[i][1]);
        pointers[i] = &rows[i];
    }
    profile.n_sample_type = ARRAY_SIZE(types);
    profile.sample_type = pointers;
    profile.default_sample_type = string(x, "alloc_space");
    put(x, &profile);
}

static bool begin(struct render_export *x) {
    struct state *s = calloc(1, sizeof(*s));
    x->state = s;
    /* 16: gzip's head and tail around it */
    if (!s || deflateInit2(&s->zip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(s);
        return false;
    }
    s->period = UINT64_MAX;
    put_types(x);
    return true;
}

static void process(struct render_export *x, const struct analysis *a) {
    const struct profile_process *p = a->process;
    struct state *s = x->state;
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    struct buffer command = {0};
    int64_t comment;
    free(s->modules);
    s->modules = calloc(p->module_count + 1u, sizeof(*s->modules));
    if (!s->modules)
        export_fail(x, -ENOMEM);
    int64_t start_ns = export_signed(p->start_realtime_ns);
    if (x->processes == 0 || start_ns < s->first_ns)
        s->first_ns = start_ns;
    if (p->seconds_ns > s->longest_ns)
        s->longest_ns = p->seconds_ns;
    uint64_t period = p->configuration.mode == REGION_MODE_EXACT ? 1 : p->configuration.sample;
    s->period = period < s->period ? period : s->period;
    export_command(&command, p);
    comment = string(x, buffer_text(&command));
    profile.n_comment = 1;
    profile.comment = &comment;
    put(x, &profile);
    buffer_free(&command);
}

static void finish(struct render_export *x) {
    struct state *s = x->state;
    Squall__Pprof__ValueType type = SQUALL__PPROF__VALUE_TYPE__INIT;
    Profile profile = SQUALL__PPROF__PROFILE__INIT;
    type.type = string(x, "space");
    type.unit = string(x, "bytes");
    profile.period_type = &type;
    profile.period = s->period == UINT64_MAX ? 1 : export_signed(s->period);
    profile.time_nanos = s->first_ns;
    profile.duration_nanos = export_signed(s->longest_ns);
    put(x, &profile);
    deflate_out(x, NULL, 0, Z_FINISH);
}

#define FREE_ALL(type, table)             \
    do {                                  \
        struct type *one, *next;          \
        HASH_ITER(hh, table, one, next) { \
            HASH_DEL(table, one);         \
            free(one);                    \
        }                                 \
    } while (0)

static void end(struct render_export *x, bool broken) {
    struct state *s = x->state;
    if (!broken)
        finish(x);
    deflateEnd(&s->zip);
    FREE_ALL(text, s->texts);
    FREE_ALL(function, s->functions);
    FREE_ALL(mapping, s->mappings);
    FREE_ALL(location, s->locations);
    free(s->modules);
    free(s->packed);
    buffer_free(&s->scratch);
    free(s);
}

const struct export_kind export_pprof = {
    .name = "pprof", .begin = begin, .process = process, .sample = sample, .end = end};
