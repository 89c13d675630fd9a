#include "region_build.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void start(struct region_build *b, uint64_t bound) {
    b->bound = bound;
    b->bytes = aligned_alloc(64, bound);
    assert(b->bytes);
    memset(b->bytes, 0, bound);
    b->header = (void *)b->bytes;
    b->directory = (void *)(b->bytes + REGION_DIRECTORY_OFFSET);
    *b->header = (struct region_header){
        .version = REGION_VERSION,
        .byte_order = REGION_BYTE_ORDER,
        .header_size = REGION_HEADER_SIZE,
        .directory_count = REGION_TABLE_COUNT,
        .directory_offset = REGION_DIRECTORY_OFFSET,
        .bound = bound,
        .run_id = 0x1122334455667788ull,
        .random = 0xfeedfacecafebeefull,
        .boot_id = {1, 2, 3},
        .pid_namespace = 77,
        .pid = 4242,
        .parent = 4000,
        .uid = 1000,
        .start_ticks = 123456,
        .start_realtime_ns = 1700000000000000000ull,
        .start_raw_ns = 5000000000ull,
        .start_clock = 1000000000ull,
        .clock = REGION_CLOCK_TSC,
        .ended = 1,
        .end_raw_ns = 15000000000ull,
        .end_clock = 31000000000ull, /* 3 ticks a nanosecond */
    };
    memcpy(b->header->magic, REGION_MAGIC, 8);
}

static void take_overflow_rows(struct region_build *b) {
    for (unsigned t = 1; t <= REGION_TABLE_COUNT; t++)
        if (t != REGION_TIMELINE)
            region_build_take(b, t, 1);
}

void region_build_open(struct region_build *b, uint64_t bound) {
    start(b, bound);
    assert(region_layout(bound, b->directory) <= bound);
    take_overflow_rows(b);
}

void region_build_small(struct region_build *b, uint64_t rows) {
    struct region_directory wide[REGION_TABLE_COUNT];
    uint64_t at = REGION_HEADER_SIZE;
    region_layout(REGION_BOUND_MIN, wide);
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++) {
        wide[i].offset = at;
        wide[i].capacity = wide[i].type == REGION_STRINGS ? 1024 : rows;
        at = (at + wide[i].capacity * wide[i].row_size + 63) & ~63ull;
    }
    start(b, at);
    memcpy(b->directory, wide, sizeof wide);
    take_overflow_rows(b);
}

void region_build_close(struct region_build *b) {
    free(b->bytes);
    b->bytes = NULL;
}

void *region_build_row(struct region_build *b, enum region_table table, uint64_t row) {
    const struct region_directory *d = &b->directory[table - 1];
    assert(row < d->capacity);
    return b->bytes + d->offset + row * d->row_size;
}

uint32_t region_build_take(struct region_build *b, enum region_table table, uint32_t count) {
    struct region_directory *d = &b->directory[table - 1];
    uint64_t first = d->used;
    assert(first + count <= d->capacity);
    d->used += count;
    d->committed = d->used;
    return (uint32_t)first;
}

uint64_t region_build_string(struct region_build *b, const char *s, size_t size) {
    uint32_t at = region_build_take(b, REGION_STRINGS, (uint32_t)size + 1);
    memcpy(region_build_row(b, REGION_STRINGS, at), s, size);
    return at;
}

uint32_t region_build_thread(struct region_build *b, int tid, const char *name) {
    uint32_t row = region_build_take(b, REGION_THREADS, 1);
    struct region_thread *t = region_build_row(b, REGION_THREADS, row);
    t->tid = tid;
    /* A full name has no zero: the reader must cope. */
    memcpy(t->name, name, strnlen(name, sizeof t->name));
    return row;
}

uint32_t region_build_module(struct region_build *b, const char *path, uint64_t first,
                             uint64_t end) {
    uint32_t row = region_build_take(b, REGION_MODULES, 1);
    struct region_module *m = region_build_row(b, REGION_MODULES, row);
    m->base = m->start = first;
    m->end = end;
    m->path = region_build_string(b, path, strlen(path));
    return row;
}

uint32_t region_build_stack(struct region_build *b, const uint64_t *frames, uint16_t count) {
    uint32_t row = region_build_take(b, REGION_STACKS, 1);
    uint32_t first = region_build_take(b, REGION_FRAMES, count);
    struct region_stack *s = region_build_row(b, REGION_STACKS, row);
    s->first = first;
    s->count = count;
    s->end = REGION_END_OUTERMOST;
    for (uint16_t i = 0; i < count; i++)
        *(uint64_t *)region_build_row(b, REGION_FRAMES, first + i) = frames[i];
    return row;
}

uint32_t region_build_site(struct region_build *b, uint32_t stack) {
    uint32_t row = region_build_take(b, REGION_SITES, 1);
    struct region_site *s = region_build_row(b, REGION_SITES, row);
    s->hash = 0x1000 + row;
    s->stack = stack;
    return row;
}

struct region_cell *region_build_cell(struct region_build *b, uint32_t site, uint32_t thread,
                                      enum region_cell_kind kind) {
    uint32_t row = region_build_take(b, REGION_CELLS, 1);
    region_build_take(b, REGION_REMOTE, 1);
    struct region_cell *c = region_build_row(b, REGION_CELLS, row);
    c->site = site;
    c->thread = thread;
    c->kind = kind;
    return c;
}

static void sample_ticks(struct region_build *b) {
    struct region_directory *d = &b->directory[REGION_TIMELINE - 1];
    uint64_t written = d->capacity + 3; /* the ring has gone round */
    d->committed = d->capacity;
    d->used = written;
    for (uint64_t number = 1; number <= written; number++) {
        struct region_tick *t = region_build_row(b, REGION_TIMELINE, number % d->capacity);
        t->number = number;
        t->raw_ns = b->header->start_raw_ns + number * 100000000ull;
        t->clock = b->header->start_clock + number * 300000000ull;
        t->live_bytes = number * 10;
    }
}

static void sample_owned(struct region_build *b, uint32_t site, uint32_t thread) {
    struct region_cell *c = region_build_cell(b, site, thread, REGION_CELL_EXACT);
    uint32_t row = region_build_take(b, REGION_LARGE, 1);
    struct region_large *l = region_build_row(b, REGION_LARGE, row);
    struct region_remote *r =
        region_build_row(b, REGION_REMOTE, b->directory[REGION_REMOTE - 1].used - 1);
    c->allocs = 10;
    c->frees = 4;
    c->bytes = 1000000;
    c->freed_bytes = 400000;
    c->peak_bytes = 700000;
    c->size_min = c->size_max = 100000;
    c->samples = 10;
    c->freed_samples = 4;
    c->life_min = 300;
    c->life_max = 3000;
    c->life_sum = 6000;
    c->allocator_ticks = 30000;
    c->large = row;
    *r = (struct region_remote){.frees = 3,
                                .freed_bytes = 300000,
                                .life_min_inverted = ~150ull,
                                .life_max = 9000,
                                .life_sum = 9300,
                                .freed_samples = 3};
    *l = (struct region_large){.cell = 1,
                               .allocs = 10,
                               .frees = 7,
                               .remote_frees = 3,
                               .bytes = 1000000,
                               .freed_bytes = 700000,
                               .size_min_inverted = ~100000ull,
                               .size_max = 100000,
                               .source_ratio_count = 2,
                               .source_ratio_min_inverted = ~65536ull,
                               .source_ratio_max = 131072,
                               .source_ratio_sum = 196608};
}

void region_build_sample(struct region_build *b) {
    const uint64_t deep[] = {0x400123, 0x400456, 0x7f0000001000}, shallow[] = {0x400999};
    uint32_t main_row = region_build_thread(b, 4242, "main");
    uint32_t worker = region_build_thread(b, 4243, "a-name-of-16-byt");
    struct region_thread *t = region_build_row(b, REGION_THREADS, main_row);
    struct region_cell *c;
    uint32_t first = region_build_site(b, region_build_stack(b, deep, 3));
    uint32_t second = region_build_site(b, region_build_stack(b, shallow, 1));
    struct region_site *s = region_build_row(b, REGION_SITES, first);
    region_build_module(b, "/usr/bin/producer", 0x400000, 0x500000);
    region_build_module(b, "/usr/lib/libx.so", 0x7f0000000000, 0x7f0000010000);
    b->header->exe = region_build_string(b, "/usr/bin/producer", 17);
    b->header->arguments = region_build_string(b, "producer\0-v\0\0two words", 22);
    b->header->arguments_size = 22;
    t->allocs = 100;
    t->frees = 90;
    t->byte_goal = 500;
    t->byte_left = (uint64_t)-1500;
    sample_owned(b, first, worker);
    c = region_build_cell(b, first, main_row, REGION_CELL_SAMPLED);
    c->allocs = 10 * REGION_SAMPLED_UNIT + REGION_SAMPLED_UNIT / 2; /* 10.5 */
    c->frees = 3 * REGION_SAMPLED_UNIT + 1;
    c->bytes = 5000000;
    c->freed_bytes = 6000000; /* read between two stores: more freed than was given */
    c->samples = 3;
    c = region_build_cell(b, second, 0, REGION_CELL_EXACT);
    c->sequence = 7;
    c->allocs = 1;
    c->bytes = 8;
    s->histogram = region_build_take(b, REGION_HISTOGRAMS, 1);
    ((struct region_histogram *)region_build_row(b, REGION_HISTOGRAMS, s->histogram))->size[33] =
        10;
    sample_ticks(b);
}

uint32_t region_build_codec_function(struct region_build *b, const char *name, uint16_t codec,
                                     enum region_direction direction) {
    uint32_t row = region_build_take(b, REGION_CODEC_FUNCTIONS, 1);
    struct region_codec_function *f = region_build_row(b, REGION_CODEC_FUNCTIONS, row);
    f->name = region_build_string(b, name, strlen(name));
    f->codec = codec;
    f->direction = (uint8_t)direction;
    f->found = REGION_FOUND_NAME;
    return row;
}

struct region_codec_call *region_build_codec_call(struct region_build *b, uint32_t function,
                                                  uint32_t stack, bool sizes, bool levels) {
    uint64_t level_rows = b->directory[REGION_CONCURRENCY - 1].used;
    uint32_t row = region_build_take(b, REGION_CODEC_CALLS, 1);
    struct region_codec_call *c = region_build_row(b, REGION_CODEC_CALLS, row);
    c->function = function;
    c->stack = stack;
    if (level_rows < REGION_LEVELS) /* the process's own come first */
        region_build_take(b, REGION_CONCURRENCY, (uint32_t)(REGION_LEVELS - level_rows));
    if (sizes)
        c->sizes = region_build_take(b, REGION_CODEC_SIZES, REGION_SIZE_CLASSES);
    if (levels)
        c->concurrency = region_build_take(b, REGION_CONCURRENCY, REGION_LEVELS);
    return c;
}

struct region_codec_size *region_build_size(struct region_build *b,
                                            const struct region_codec_call *call, uint32_t class) {
    return region_build_row(b, REGION_CODEC_SIZES, call->sizes + class);
}

struct region_concurrency *region_build_level(struct region_build *b, uint32_t first,
                                              uint32_t row) {
    return region_build_row(b, REGION_CONCURRENCY, first + row);
}

/* Every call timed: its figures are to be passed on as they are, though timed_ticks are fewer. */
static void codec_timed(struct region_build *b, uint32_t function, uint32_t stack) {
    struct region_codec_call *c = region_build_codec_call(b, function, stack, true, true);
    c->calls = c->timed = 10;
    c->failures = 2;
    c->left = 1;
    c->source_bytes = 1000000;
    c->produced_bytes = 250000;
    c->output_capacity = 1200000;
    c->ticks = 3000000;
    c->timed_ticks = 2000000;
    c->cpu_ns = 900001;
    c->page_faults = 77;
    c->context_switches = 5;
    c->thread = 1;
    c->messages = 9;
    *region_build_size(b, c, 0) = (struct region_codec_size){.messages = 1, .ticks = 300};
    *region_build_size(b, c, 11) = (struct region_codec_size){.messages = 6,
                                                              .source_bytes = 9000,
                                                              .produced_bytes = 3000,
                                                              .ticks = 90000,
                                                              .cpu_ns = 4000,
                                                              .page_faults = 8,
                                                              .context_switches = 2,
                                                              .timed_ticks = 30000};
    *region_build_size(b, c, 47) = (struct region_codec_size){.messages = 2, .timed_ticks = 1};
    *region_build_level(b, c->concurrency, 0) = (struct region_concurrency){
        .calls = 4, .source_bytes = 400, .ticks = 600, .cpu_ns = 100, .timed_ticks = 300};
    region_build_level(b, c->concurrency, 63)->calls = 6;
}

/* One call in ten timed. */
static void codec_sampled(struct region_build *b, uint32_t function, uint32_t stack) {
    struct region_codec_call *c = region_build_codec_call(b, function, stack, false, false);
    c->calls = 100;
    c->timed = 10;
    c->ticks = 30000;
    c->timed_ticks = 3000;
    c->cpu_ns = 500;
    c->page_faults = 3;
    c->context_switches = 1;
}

static void codec_served(struct region_build *b, uint32_t stack, uint32_t thread) {
    uint32_t site = region_build_site(b, stack), row = region_build_take(b, REGION_LARGE, 1);
    struct region_cell *c = region_build_cell(b, site, thread, REGION_CELL_EXACT);
    struct region_large *l = region_build_row(b, REGION_LARGE, row);
    struct region_site *s = region_build_row(b, REGION_SITES, site);
    s->codec_call = 1;
    c->allocs = c->samples = 1;
    c->bytes = 100000;
    c->large = row;
    l->served_call = 1;
    l->allocs = l->output_allocs = 1;
    l->bytes = l->output_bytes = 100000;
    l->grown = 4;
    l->handed_over = 5;
    l->served_source_bytes = 600;
    l->served_produced_bytes = 700;
}

void region_build_codec(struct region_build *b) {
    const uint64_t frames[] = {0x400123, 0x400456};
    uint32_t stack = region_build_stack(b, frames, 2);
    uint32_t first = region_build_codec_function(b, "ZSTD_compress", 2, REGION_COMPRESS);
    uint32_t second = region_build_codec_function(b, "deflate", 3, REGION_COMPRESS);
    struct region_codec_call *c;
    struct region_context *context;
    struct region_anon *anon;
    codec_timed(b, first, stack);
    codec_sampled(b, second, stack);
    region_build_codec_call(b, second, 0, false, false);
    c = region_build_codec_call(b, first, 0, false, false);
    c->calls = c->nested = 4;
    for (uint32_t i = 31; i < 33; i++)
        region_build_level(b, 0, i)->calls = i;
    context = region_build_row(b, REGION_CONTEXTS, region_build_take(b, REGION_CONTEXTS, 1));
    *context = (struct region_context){first, stack, 11, 10, 9, 12, 13, 14, 0};
    anon = region_build_row(b, REGION_ANON, region_build_take(b, REGION_ANON, 1));
    *anon = (struct region_anon){
        .stack = stack, .maps = 3, .unmaps = 2, .bytes = 300, .unmapped_bytes = 200};
    codec_served(b, stack, region_build_thread(b, 4242, "main"));
    b->header->codec_bytes = 1000000;
}

int region_build_write(const struct region_build *b, const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0 && ftruncate(fd, (off_t)b->bound) == 0);
    assert(pwrite(fd, b->bytes, REGION_HEADER_SIZE, 0) == (ssize_t)REGION_HEADER_SIZE);
    for (unsigned i = 0; i < REGION_TABLE_COUNT; i++) {
        const struct region_directory *d = &b->directory[i];
        uint64_t size = d->committed * d->row_size;
        if (size)
            assert(pwrite(fd, b->bytes + d->offset, size, (off_t)d->offset) == (ssize_t)size);
    }
    return fd;
}
