/* Regions and dumps: whatever they say, each is refused with a reason, or everything that squall
 * makes of it is sound: findings, every format, and what the live views show.
 *
 * An input is a region, or "unpacked" and what a dump holds before it is compressed (the checksum
 * of a dump would refuse all that is mutated), or a whole dump. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "../unit/region_build.h"
#include "fuzz.h"
#include "profile/internal.h"
#include "render/render.h"

#define UNPACKED "unpacked"

const size_t fuzz_longest = 65536;
const char fuzz_name[] = "profile";

/* ---- every format ---- */

struct output {
    FILE *out;
    char *text;
    size_t size;
};

static FILE *begin(struct output *o) {
    o->out = open_memstream(&o->text, &o->size);
    FUZZ_MUST(o->out);
    return o->out;
}

static void end(struct output *o) {
    fclose(o->out);
}

static void drop(struct output *o) {
    free(o->text);
}

static void check_json(const struct analysis *a, struct analyse_names *names) {
    struct output o;
    struct render_json *json = render_json_begin(begin(&o));
    FUZZ_MUST(json && render_json_process(json, a, names, true) == 0);
    FUZZ_MUST(render_json_end(json, false) == 0);
    end(&o);
    fuzz_check_json(o.text, o.size, false);
    drop(&o);
}

static void check_html(const struct analysis *a, struct analyse_names *names) {
    static const char before[] = "<script>", after[] = "</script>";
    struct output o;
    struct render_html *html = render_html_begin(begin(&o), "0");
    FUZZ_MUST(html && render_html_process(html, a, names, true) == 0);
    FUZZ_MUST(render_html_end(html, false) == 0);
    end(&o);
    size_t length = o.size - strlen(before) - strlen(after);
    FUZZ_MUST(!memchr(o.text + strlen(before), '<', length));
    fuzz_check_json(o.text + strlen(before), length, false);
    drop(&o);
}

static void check_text(const struct analysis *a, struct analyse_names *names, uint64_t chance) {
    struct output o;
    struct render_text text = {
        .width = chance & 1 ? 20 + chance % 120 : 0, .lines = true, .whole_stacks = chance & 2};
    text.out = begin(&o);
    FUZZ_MUST(render_text_process(&text, a, names) == 0);
    FUZZ_MUST(render_text_summary(&text, a, names) == 0);
    end(&o);
    fuzz_check_text(o.text, o.size);
    drop(&o);
}

static void check_export(const struct analysis *a, struct analyse_names *names,
                         enum render_format format, enum render_value value) {
    struct output o;
    struct render_export *x = render_export_begin(begin(&o), format, value, true);
    FUZZ_MUST(x && render_export_process(x, a, names) == 0);
    FUZZ_MUST(render_export_end(x, false) == 0);
    end(&o);
    if (format == RENDER_PPROF)
        fuzz_check_pprof(o.text, o.size);
    else if (format == RENDER_FOLDED || format == RENDER_HEAP)
        fuzz_check_text(o.text, o.size);
    else if (format == RENDER_CSV)
        fuzz_check_csv(o.text, o.size);
    else
        fuzz_check_json(o.text, o.size, format == RENDER_JSONL);
    drop(&o);
}

static void check_metrics(const struct analysis *a) {
    const struct profile_process *p = a->process;
    struct render_metrics_process row = {.pid = "1",
                                         .program = render_name_of(p->exe),
                                         .exe = p->exe,
                                         .mode = "default",
                                         .allocs = a->totals.allocs};
    struct render_metrics metrics = {.processes = &row, .count = 1, .version = "0"};
    for (unsigned openmetrics = 0; openmetrics < 2; openmetrics++) {
        struct output o;
        FUZZ_MUST(render_metrics(begin(&o), &metrics, openmetrics) == 0);
        end(&o);
        fuzz_check_text(o.text, o.size);
        drop(&o);
    }
}

/* Against itself, which is no difference. */
static void check_diff(const struct analysis *a, struct analyse_names *names) {
    struct compare c;
    struct compare_options options = {COMPARE_RUN, 0.05};
    struct output o;
    FUZZ_MUST(compare_open(&c) == 0);
    FUZZ_MUST(compare_add(&c, COMPARE_BEFORE, a, names) == 0);
    FUZZ_MUST(compare_add(&c, COMPARE_AFTER, a, names) == 0);
    FUZZ_MUST(compare_finish(&c, &options) == 0 && c.changed_count == 0);
    struct render_text text = {.out = begin(&o), .lines = true};
    FUZZ_MUST(render_diff_text(&text, &c) == 0);
    end(&o);
    fuzz_check_text(o.text, o.size);
    drop(&o);
    FUZZ_MUST(render_diff_json(begin(&o), &c) == 0);
    end(&o);
    fuzz_check_json(o.text, o.size, false);
    drop(&o);
    compare_free(&c);
}

static void check_process(const struct profile_process *p, struct symbols *symbols,
                          uint64_t chance) {
    struct analyse_options options = {.sort = (enum analyse_sort)(chance % 5),
                                      .top = chance & 8 ? 1 : 0};
    struct analyse_names *names = analyse_names_open(symbols);
    struct analysis a;
    FUZZ_MUST(names && analyse_process(&a, p, &options, names) == 0);
    check_json(&a, names);
    check_html(&a, names);
    check_text(&a, names, chance);
    for (unsigned format = 0; format < RENDER_FORMATS; format++)
        check_export(&a, names, format, chance % RENDER_VALUES);
    check_metrics(&a);
    check_diff(&a, names);
    analyse_free(&a);
    analyse_names_close(names);
}

/* ---- the same bytes as the region of a process that runs ---- */

static void check_view(struct watch *watch) {
    struct watch_history *history = calloc(1, sizeof *history);
    struct watch_list list = {.watches = &watch, .count = 1, .room = 1};
    struct watch_view view;
    uint64_t bins[16];
    FUZZ_MUST(history && watch_history_add(history, watch) == 0);
    watch_view_open(&view, WATCH_FINDINGS);
    for (unsigned tab = 0; tab < WATCH_TAB_COUNT; tab++) {
        watch_view_turn(&view, tab);
        watch_view_fill(&view, watch, history, &list);
        watch_view_sort(&view, 1);
        watch_view_move(&view, 1);
        for (uint32_t i = 0; i < view.count; i++) {
            char clean[128];
            render_clean(clean, sizeof clean, view.rows[i].name ? view.rows[i].name : "", 40);
            fuzz_check_text(clean, strlen(clean));
        }
    }
    watch_history_bins(history, 60, bins, 16);
    watch_view_free(&view);
    watch_history_free(history);
    free(history);
}

static void check_lines(struct watch *watch) {
    struct render_live live = {.event = NULL, .sites = 3, .findings = true};
    struct watch_list list = {.watches = &watch, .count = 1, .room = 1};
    struct output o;
    struct render_json *json = render_lines_begin(begin(&o));
    FUZZ_MUST(json && render_live_line(json, watch, &live) == 0);
    render_lines_end(json);
    FUZZ_MUST(render_list_json(o.out, &list, true) == 0);
    end(&o);
    fuzz_check_json(o.text, o.size, true);
    drop(&o);
    FUZZ_MUST(render_live_text(begin(&o), watch) == 0);
    FUZZ_MUST(render_list_text(o.out, &list, 80, true) == 0);
    end(&o);
    fuzz_check_text(o.text, o.size);
    drop(&o);
}

static void check_watch(const char *path, const uint8_t *data, size_t size) {
    struct profile_found *found = calloc(1, sizeof *found);
    struct watch *watch;
    struct profile_error error;
    enum watch_event event;
    struct source source;
    FUZZ_MUST(found);
    snprintf(found->path, sizeof found->path, "%s", path);
    snprintf(found->file, sizeof found->file, "%s", path);
    found->by_mapping = true;
    found->state = PROFILE_UNKNOWN;
    source_memory(&source, data, size, path);
    found_fill(found, &source);
    if (watch_open_found(found, &watch, &error) == 0) {
        for (unsigned i = 0; i < 2; i++)
            if (watch_read(watch, &event, &error) == 0 && watch_look(watch, true, &error) == 0) {
                check_lines(watch);
                check_view(watch);
            }
        watch_close(watch);
    }
    free(found);
}

/* ---- one input ---- */

/* What a dump holds, as a dump; free() it. */
static uint8_t *pack(const uint8_t *data, size_t size, size_t *packed) {
    size_t room = ZSTD_compressBound(size) + sizeof(struct dump_header);
    struct dump_header header = {DUMP_MAGIC, DUMP_VERSION, REGION_BYTE_ORDER};
    uint8_t *dump = malloc(room);
    FUZZ_MUST(dump);
    memcpy(dump, &header, sizeof header);
    *packed = ZSTD_compress(dump + sizeof header, room - sizeof header, data, size, 1);
    FUZZ_MUST(!ZSTD_isError(*packed));
    *packed += sizeof header;
    return dump;
}

static int without_lines(const char *text) {
    return strchr(text, '\n') == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* No file below that root is there. */
    struct symbol_options options = {.root = "/nonexistent", .debug_path = "/-"};
    struct symbols *symbols = symbol_open(&options);
    struct profile profile;
    struct profile_error error = {.text = ""};
    char path[64];
    uint8_t *dump = NULL;
    uint64_t chance = size;
    for (size_t i = 0; i < size; i += 8)
        chance = chance * 31 + data[i];
    FUZZ_MUST(symbols);
    if (size >= 8 && memcmp(data, UNPACKED, 8) == 0)
        data = dump = pack(data + 8, size - 8, &size);
    int fd = fuzz_file(data, size, path, sizeof path);
    int status = profile_load(path, &profile, NULL, NULL, NULL, &error);
    FUZZ_MUST(status <= 0 && (status == 0 || (*error.text && without_lines(error.text))));
    for (uint32_t i = 0; status == 0 && i < profile.count && i < 4; i++)
        check_process(&profile.processes[i], symbols, chance);
    if (status == 0)
        profile_free(&profile);
    if (!dump)
        check_watch(path, data, size);
    symbol_close(symbols);
    close(fd);
    free(dump);
    return 0;
}

/* ---- seeds ---- */

static const char evil[] = "\"</script><b>\x1b[31m\r\n\xff\xe2\x80\xae,;`";

/* Without the room that no row takes. */
static uint64_t compact(struct region_build *b) {
    uint64_t at = REGION_HEADER_SIZE;
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++) {
        struct region_directory *d = &b->directory[i];
        memmove(b->bytes + at, b->bytes + d->offset, d->committed * d->row_size);
        d->offset = at;
        d->capacity = d->committed;
        at = (at + d->capacity * d->row_size + 63) & ~63ull;
    }
    return b->header->bound = b->bound = at;
}

static void make_region(struct region_build *b, bool full) {
    static const char *const functions[] = {evil, "deflateInit2_", "LZ4_compress_default"};
    region_build_open(b, 8u << 20);
    b->directory[REGION_TIMELINE - 1].capacity = 8;
    region_build_sample(b);
    region_build_thread(b, 99, evil);
    region_build_module(b, evil, 0x10000, 0x20000);
    if (full) {
        region_build_codec(b);
        for (unsigned i = 0; i < 3; i++)
            region_build_codec_function(b, functions[i], (uint16_t)(i + 1), REGION_COMPRESS);
        b->header->exe = region_build_string(b, evil, sizeof evil - 1);
        b->header->go_state = REGION_GO_HOOKED;
        b->header->ended = 0;
        region_build_take(b, REGION_GO, 1);
    }
}

static uint32_t name_it(void *data, const struct profile_process *p, uint32_t module,
                        uint64_t address, struct profile_symbol *out, uint32_t max) {
    (void)data, (void)p, (void)module, (void)max;
    out[0] = (struct profile_symbol){.function = evil, .file = evil, .line = 7, .inlined = true};
    out[1] = (struct profile_symbol){.function = address & 1 ? "malloc" : "ZSTD_compress2"};
    return 2;
}

static void seed_dump(const char *region) {
    static const char output[] = "fuzz-seed.squall";
    struct profile_error error = {.text = ""};
    static uint8_t bytes[65536], plain[65536];
    memcpy(plain, UNPACKED, 8);
    if (profile_pack(&region, 1, output, NULL, 0, name_it, NULL, true, &error))
        fprintf(stderr, "%s\n", error.text);
    FILE *f = fopen(output, "r");
    FUZZ_MUST(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    unlink(output);
    fuzz_seed("dump", bytes, size);
    size = ZSTD_decompress(plain + 8, sizeof plain - 8, bytes + sizeof(struct dump_header),
                           size - sizeof(struct dump_header));
    FUZZ_MUST(!ZSTD_isError(size));
    fuzz_seed("unpacked", plain, size + 8);
}

void fuzz_seeds(void) {
    static const char region[] = "fuzz-seed.region";
    struct region_build b;
    make_region(&b, false);
    compact(&b);
    fuzz_seed("sample", b.bytes, b.bound);
    close(region_build_write(&b, region));
    region_build_close(&b);
    seed_dump(region);
    make_region(&b, true);
    compact(&b);
    fuzz_seed("codec", b.bytes, b.bound);
    region_build_close(&b);
}

/* ---- mutations ---- */

/* A field of some row, of the directory, or of the header. */
static void change_region(uint8_t *data, size_t size, uint64_t *random) {
    struct region_header *h = (void *)data;
    struct region_directory *d = (void *)(data + REGION_DIRECTORY_OFFSET);
    struct region_directory t;
    memcpy(&t, d + fuzz_below(random, REGION_TABLE_COUNT), sizeof t);
    switch (fuzz_below(random, 8)) {
    case 0:
        fuzz_poke(data, offsetof(struct region_header, run_id), sizeof *h, size, random);
        break;
    case 1:
        fuzz_poke(data, REGION_DIRECTORY_OFFSET,
                  REGION_DIRECTORY_OFFSET + REGION_TABLE_COUNT * sizeof t, size, random);
        break;
    default: {
        uint64_t row = fuzz_below(random, t.capacity), at = t.offset + row * t.row_size;
        if (t.row_size <= size && at <= size - t.row_size)
            fuzz_poke(data, at, at + t.row_size, t.type == REGION_STRINGS ? 256 : t.capacity,
                      random);
    }
    }
}

/* What every reader asks for first. */
static void repair_region(uint8_t *data, size_t size) {
    struct region_header *h = (void *)data;
    memcpy(h->magic, REGION_MAGIC, sizeof h->magic);
    h->version = REGION_VERSION;
    h->byte_order = REGION_BYTE_ORDER;
    h->header_size = REGION_HEADER_SIZE;
    h->directory_offset = REGION_DIRECTORY_OFFSET;
    h->directory_count = REGION_TABLE_COUNT;
    h->bound = size;
}

/* The region within what a dump holds; 0 = none. */
static size_t find_image(const uint8_t *data, size_t size) {
    const uint8_t *at = size > 8 ? memmem(data + 8, size - 8, REGION_MAGIC, 8) : NULL;
    return at && (size_t)(at - data) + REGION_HEADER_SIZE <= size ? (size_t)(at - data) : 0;
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    static uint8_t image[65536 + 64] __attribute__((aligned(64)));
    bool is_plain = size >= 8 && memcmp(data, UNPACKED, 8) == 0;
    size_t at = is_plain ? find_image(data, size) : 0;
    bool has_region = (is_plain ? at != 0 : size >= REGION_HEADER_SIZE) && size <= fuzz_longest;
    if (is_plain && has_region && fuzz_below(random, 4) == 0) { /* records and names */
        bool in_front = fuzz_below(random, 2);
        fuzz_poke(data, in_front ? 8 : at, in_front ? at : size, size, random);
    } else if (has_region && fuzz_below(random, 8)) {
        memcpy(image, data + at, size - at);
        change_region(image, size - at, random);
        if (!is_plain && fuzz_below(random, 16))
            repair_region(image, size);
        memcpy(data + at, image, size - at);
    } else {
        size = fuzz_bytes(data, size, room, random);
    }
    return size;
}
