/* Flags and findings: each rule on what it is for, and silent beside what only looks like it; what
 * a remedy spares; the order; where throughput ends; messages that do not shrink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyse/internal.h"
#include "base/codec_table.h"

#define KIB 1024ull
#define MIB (1024ull * 1024)
#define MOST 16

/* A process in the making: rows are appended, row 0 is there. */
struct world {
    struct profile_process p;
    struct profile_thread threads[9];
    struct profile_module modules[MOST];
    struct profile_stack stacks[MOST];
    uint64_t frames[MOST][8];
    struct profile_symbol symbols[4 * MOST];
    struct profile_site sites[MOST];
    struct profile_cell cells[MOST];
    struct profile_codec_function functions[MOST];
    struct profile_codec_call calls[MOST];
    struct profile_codec_size sizes[MOST];
    struct profile_concurrency levels[MOST];
    struct profile_context contexts[MOST];
    struct analysis a;
    struct analyse_names *names;
    bool made;
};

static int by_address(const void *a, const void *b) {
    const struct profile_symbol *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static int setup(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    struct profile_process *p = &w->p;
    for (int i = 0; i < 9; i++)
        w->threads[i] = (struct profile_thread){.row = (uint32_t)i, .tid = 100 + i, .name = "t"};
    w->modules[0].path = w->functions[0].name = "";
    p->threads = w->threads;
    p->thread_count = 9;
    p->modules = w->modules;
    p->stacks = w->stacks;
    p->symbols = w->symbols;
    p->sites = w->sites;
    p->cells = w->cells;
    p->codec_functions = w->functions;
    p->codec_calls = w->calls;
    p->contexts = w->contexts;
    p->levels = w->levels;
    p->module_count = p->stack_count = p->site_count = p->codec_function_count = 1;
    p->codec_call_count = p->context_count = 1;
    p->file = p->exe = p->codec_patterns = "";
    p->seconds_ns = 10000000000ull;
    p->state = PROFILE_ENDED;
    p->ticks_per_ns = 1;
    p->configuration =
        (struct region_configuration){.large = 64 * KIB, .sample = 512 * KIB, .args = 1};
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    if (w->made) {
        analyse_free(&w->a);
        analyse_names_close(w->names);
    }
    free(w);
    return 0;
}

static uint32_t add_module(struct world *w, const char *path) {
    uint32_t i = w->p.module_count++;
    w->modules[i] = (struct profile_module){.path = path,
                                            .base = (uint64_t)i << 32,
                                            .start = (uint64_t)i << 32,
                                            .end = (uint64_t)(i + 1) << 32};
    return i;
}

/* Up to three frames, innermost first; each a module's path and a function ("" = no name). */
static uint32_t add_stack(struct world *w, const char *const frames[][2], uint32_t count) {
    uint32_t s = w->p.stack_count++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t module = 1;
        while (module < w->p.module_count && strcmp(w->modules[module].path, frames[i][0]) != 0)
            module++;
        if (module == w->p.module_count)
            add_module(w, frames[i][0]);
        uint64_t address = w->modules[module].base + 0x1000 * s + 0x10 * i + 0x10;
        w->frames[s][i] = address;
        w->symbols[w->p.symbol_count++] = (struct profile_symbol){
            .address = address, .module = module, .function = frames[i][1], .file = ""};
    }
    w->stacks[s] = (struct profile_stack){.frames = w->frames[s], .count = count};
    return s;
}
#define STACK(w, ...)                                   \
    add_stack(w, (const char *const[][2]){__VA_ARGS__}, \
              sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(char *[2]))

static uint32_t add_function(struct world *w, const char *name) {
    const struct codec_entry *entry = codec_table_find_readable(name);
    uint32_t i = w->p.codec_function_count++;
    assert_non_null(entry);
    w->functions[i] = (struct profile_codec_function){.name = name,
                                                      .codec = entry->codec,
                                                      .direction = entry->direction,
                                                      .kind = entry->kind,
                                                      .patched = 1};
    return i;
}

static uint32_t add_call(struct world *w, uint32_t function, uint32_t stack, uint64_t messages,
                         uint64_t source) {
    uint32_t i = w->p.codec_call_count++;
    w->calls[i] = (struct profile_codec_call){.function = function,
                                              .stack = stack,
                                              .calls = messages,
                                              .messages = messages,
                                              .source_bytes = messages * source,
                                              .produced_bytes = messages * source / 4,
                                              .ns = messages * 1000000,
                                              .cpu_ns = messages * 900000,
                                              .timed = messages,
                                              .threads = 4};
    return i;
}

/* A site of `allocs` blocks, one message each, all gone; at most `at_once` alive. */
static struct profile_cell *add_site(struct world *w, uint32_t stack, uint64_t allocs,
                                     uint64_t size, uint64_t at_once) {
    uint32_t i = w->p.site_count++, c = w->p.cell_count++;
    w->sites[i] = (struct profile_site){.id = 10 + i,
                                        .stack = stack,
                                        .first_cell = c,
                                        .cell_count = 1,
                                        .large_peak = at_once * size};
    w->cells[c] = (struct profile_cell){.thread = 1,
                                        .allocs = allocs,
                                        .frees = allocs,
                                        .bytes = allocs * size,
                                        .freed_bytes = allocs * size,
                                        .peak_bytes = at_once * size,
                                        .size_min = size,
                                        .size_max = size,
                                        .samples = allocs,
                                        .allocator_ns = 1000000,
                                        .life = {allocs, 100, 2000000, allocs * 1000000}};
    w->cells[c].large = (struct profile_large){.allocs = allocs,
                                               .frees = allocs,
                                               .bytes = allocs * size,
                                               .freed_bytes = allocs * size,
                                               .size_min = size,
                                               .size_max = size,
                                               .transient = allocs,
                                               .transient_bytes = allocs * size};
    w->threads[1].allocs += allocs;
    w->threads[1].bytes += allocs * size;
    return &w->cells[c];
}

static struct profile_cell *add_workspace(struct world *w, uint32_t stack, uint32_t function,
                                          uint32_t call, uint64_t allocs, uint64_t size) {
    struct profile_cell *cell = add_site(w, stack, allocs, size, 2);
    struct profile_site *site = &w->sites[w->p.site_count - 1];
    site->codec_function = function;
    site->codec_call = call;
    site->direction = w->functions[function].direction;
    cell->large.workspace_allocs = allocs;
    cell->large.workspace_bytes = allocs * size;
    return cell;
}

static struct profile_cell *add_output(struct world *w, uint32_t stack, uint32_t call,
                                       uint64_t allocs, uint64_t size, double ratio) {
    struct profile_cell *cell = add_site(w, stack, allocs, size, 2);
    struct profile_large *large = &cell->large;
    large->output_allocs = allocs;
    large->output_bytes = allocs * size;
    large->served = allocs;
    large->served_call = call;
    large->served_source_bytes = (uint64_t)((double)(allocs * size) / ratio);
    large->source_ratio_count = allocs;
    large->source_ratio_min = large->source_ratio_max = large->source_ratio_mean = ratio;
    return cell;
}

static struct profile_context *add_context(struct world *w, uint32_t function, uint32_t stack,
                                           uint64_t created, uint64_t messages) {
    uint32_t i = w->p.context_count++;
    w->contexts[i] = (struct profile_context){.function = function,
                                              .stack = stack,
                                              .created = created,
                                              .ended = created,
                                              .single = messages <= created ? created : 0,
                                              .messages = messages,
                                              .calls = messages};
    return &w->contexts[i];
}

static void add_level(struct world *w, uint32_t level, uint64_t calls, double bytes_per_ns,
                      double cpu_share) {
    uint64_t ns = calls * 1000000;
    w->levels[w->p.level_count++] =
        (struct profile_concurrency){.level = level,
                                     .calls = calls,
                                     .source_bytes = (uint64_t)((double)ns * bytes_per_ns / level),
                                     .ns = ns,
                                     .cpu_ns = (uint64_t)((double)ns * cpu_share)};
}

static const struct analysis *analyse(struct world *w, const struct analyse_options *options) {
    static const struct analyse_options everything;
    if (w->made) {
        analyse_free(&w->a);
        analyse_names_close(w->names);
    }
    qsort(w->symbols, w->p.symbol_count, sizeof(*w->symbols), by_address);
    w->names = analyse_names_open(NULL);
    w->made = true;
    assert_int_equal(analyse_process(&w->a, &w->p, options ? options : &everything, w->names), 0);
    return &w->a;
}

static const struct analyse_finding *find(const struct analysis *a, const char *rule) {
    for (uint32_t i = 0; i < a->finding_count; i++)
        if (strcmp(a->findings[i].rule, rule) == 0)
            return &a->findings[i];
    return NULL;
}

/* The rules of all findings, worst first, a space before each. */
static const char *rules(const struct analysis *a) {
    static char text[512];
    *text = 0;
    for (uint32_t i = 0; i < a->finding_count; i++) {
        strcat(text, " ");
        strcat(text, a->findings[i].rule);
    }
    return text;
}

static double evidence(const struct analyse_finding *f, const char *name) {
    for (uint32_t i = 0; f && i < f->evidence_count; i++)
        if (strcmp(f->evidence[i].name, name) == 0)
            return f->evidence[i].kind == ANALYSE_NUMBER ? f->evidence[i].number
                                                         : (double)f->evidence[i].integer;
    return NAN;
}

static const struct analyse_remedy *remedy(const struct analyse_finding *f, const char *name) {
    for (uint32_t i = 0; i < f->remedy_count; i++)
        if (strcmp(f->remedies[i].name, name) == 0)
            return &f->remedies[i];
    fail_msg("no remedy %s", name);
    return NULL;
}

static bool says(const char *text, const char *what) {
    return text && strstr(text, what);
}

/* What the only site of a world had alive at once. */
static void set_peak(struct world *w, uint64_t bytes) {
    w->cells[0].peak_bytes = w->sites[1].large_peak = bytes;
}

#define PROGRAM "/usr/bin/app"
#define LIBZSTD "/usr/lib/libzstd.so.1"

/* A program that allocates a destination for each of 800 calls and frees it after. */
static struct profile_cell *make_output(struct world *w, double ratio) {
    uint32_t call, function = add_function(w, "ZSTD_compressCCtx");
    uint32_t stack = STACK(w, {"/lib/libc.so.6", "malloc"}, {PROGRAM, "send_batch"});
    call = add_call(w, function, stack, 800, MIB);
    return add_output(w, stack, call, 800, (uint64_t)(ratio * MIB), ratio);
}

/* ---- flags ---- */

static bool flag_of(struct world *w) {
    return analyse(w, NULL)->sites[0].flagged;
}

static void test_flag_of_outputs(void **state) {
    struct world *w = *state;
    struct profile_cell *cell = make_output(w, 1);
    assert_true(flag_of(w));
    cell->large.transient = 16;
    w->calls[1].messages = 64;
    assert_true(flag_of(w)); /* one for every four messages */
    w->calls[1].messages = 65;
    assert_false(flag_of(w));
    w->calls[1].messages = 0;
    w->calls[1].calls = 65; /* messages not known: calls */
    assert_false(flag_of(w));
    cell->large.served_call = 0; /* nor calls */
    assert_true(flag_of(w));
    cell->large.transient = 15;
    assert_false(flag_of(w));
    cell->large.transient = 800;
    cell->large.reused = 399;
    assert_true(flag_of(w));
    cell->large.reused = 400;
    assert_false(flag_of(w));
    w->p.configuration.mode = REGION_MODE_EXACT;
    cell->large.reused = 0;
    assert_true(flag_of(w));
}

/* As many sites as contexts and calls: each looked at with all of the others would take days. */
static void test_flag_of_very_many(void **state) {
    enum { MANY = 100000 };
    struct world *w = *state;
    struct profile_site *sites = calloc(MANY, sizeof(*sites));
    struct profile_cell *cells = calloc(MANY, sizeof(*cells));
    struct profile_context *contexts = calloc(MANY, sizeof(*contexts));
    struct profile_codec_call *calls = calloc(MANY, sizeof(*calls));
    struct profile_cell *cell = make_output(w, 1);
    uint32_t function = w->calls[1].function;
    cell->large.transient = 16;
    for (uint32_t i = 0; i < MANY; i++) {
        sites[i] = w->sites[1];
        sites[i].first_cell = i;
        cells[i] = *cell;
        calls[i] = (struct profile_codec_call){.function = function, .calls = 1, .messages = 1};
        contexts[i] = (struct profile_context){.function = function, .created = 1};
        if (i % 2) { /* one that is handed over, of which no call is known */
            cells[i].large.output_allocs = cells[i].large.served_call = 0;
            cells[i].large.workspace_allocs = cells[i].large.handed_over = 800;
            cells[i].large.workspace_bytes = cells[i].large.bytes;
        }
    }
    calls[1].messages = 65; /* more than one site's blocks, less than those of all */
    w->p.sites = sites;
    w->p.cells = cells;
    w->p.contexts = contexts;
    w->p.codec_calls = calls;
    w->p.site_count = w->p.cell_count = w->p.context_count = w->p.codec_call_count = MANY;
    const struct analysis *a = analyse(w, NULL);
    assert_int_equal(a->site_count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(a->sites[i].flagged);
    analyse_free(&w->a);
    analyse_names_close(w->names);
    w->made = false;
    free(sites);
    free(cells);
    free(contexts);
    free(calls);
}

/* Of the bytes that served, most as input: it is the program's data. */
static void test_flag_never_of_inputs(void **state) {
    struct world *w = *state;
    struct profile_cell *cell = make_output(w, 1);
    cell->large.input_allocs = cell->large.output_allocs;
    cell->large.input_bytes = cell->large.output_bytes + 1;
    assert_false(flag_of(w));
    assert_int_equal(w->a.sites[0].role, ANALYSE_INPUT);
    assert_int_equal(w->a.finding_count, 0);
}

static void test_flag_of_workspaces(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compress"), stack;
    stack = STACK(w, {LIBZSTD, "ZSTD_compress"}, {PROGRAM, "send_batch"});
    uint32_t call = add_call(w, function, stack, 100, MIB);
    add_workspace(w, stack, function, call, 100, MIB);
    assert_true(flag_of(w));
    w->calls[call].messages = 401;
    assert_false(flag_of(w));
    w->calls[call].messages = 400;
    assert_true(flag_of(w));
    w->sites[1].direction = REGION_DECOMPRESS;
    assert_false(flag_of(w));
    assert_int_equal(w->a.finding_count, 0);
}

/* Made in ten places, used in one: together there is one for every message. */
static void test_flag_of_outputs_from_many_places(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compressCCtx");
    uint32_t sender = STACK(w, {PROGRAM, "sender"});
    uint32_t call = add_call(w, function, sender, 200, MIB);
    for (int i = 0; i < 10; i++)
        add_output(w, STACK(w, {PROGRAM, "make"}), call, 20, MIB, 1);
    const struct analysis *a = analyse(w, NULL);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(a->sites[i].flagged);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(evidence(a->findings, "sites") == 10);
    assert_true(evidence(a->findings, "allocs") == 200);
}

/* nginx: taken before deflateInit2, handed over through zalloc. */
static void test_flag_of_blocks_handed_over(void **state) {
    struct world *w = *state;
    uint32_t init = add_function(w, "deflateInit2_");
    uint32_t stack = STACK(w, {"/usr/sbin/nginx", "ngx_http_gzip_filter_memory"});
    struct profile_cell *cell = add_site(w, stack, 100, 270352, 2);
    cell->large.workspace_allocs = cell->large.handed_over = 100;
    cell->large.workspace_bytes = cell->large.bytes;
    add_context(w, init, stack, 100, 100);
    const struct analysis *a = analyse(w, NULL);
    assert_true(a->sites[0].flagged);
    assert_string_equal(rules(a), " context-per-call");
    assert_true(says(a->findings[0].fix, "gzip_static"));
    w->functions[init].direction = REGION_DECOMPRESS;
    assert_false(flag_of(w));
    assert_int_equal(w->a.finding_count, 0);
}

/* ---- outputs ---- */

static void test_output_as_large_as_source(void **state) {
    struct world *w = *state;
    make_output(w, 1.004);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    const struct analyse_finding *f = &a->findings[0];
    assert_true(f->has_site && f->site == 11);
    assert_true(says(f->summary, "send_batch") && says(f->summary, "800 blocks of 1.00 MiB"));
    assert_true(says(f->summary, "ZSTD_compressCCtx") && says(f->fix, "ZSTD_compressBound"));
    assert_non_null(f->caution);
    assert_true(evidence(f, "allocs") == 800);
    assert_true(fabs(evidence(f, "source_ratio_mean") - 1.004) < 1e-6);
    assert_true(evidence(f, "messages") == 800);
    assert_true(fabs(evidence(f, "waiting_share") - .1) < 1e-6);
    assert_true(evidence(f, "allocator_share") == 1e6 / 800e6);
    for (const char *const *name = (const char *const[]){"keep_destination", "low_memory",
                                                         "cap_concurrency", "sizes", NULL};
         *name; name++)
        assert_true(strlen(remedy(f, *name)->text) > 20);
    assert_false(remedy(f, "low_memory")->saves);
    assert_false(strchr(f->summary, '\n') || strchr(f->fix, '\n'));
}

static void test_output_rules_by_ratio(void **state) {
    struct world *w = *state;
    struct profile_cell *cell = make_output(w, 1);
    struct profile_large *large = &cell->large;
    large->source_ratio_mean = large->source_ratio_min = .3; /* small beside the source */
    assert_string_equal(rules(analyse(w, NULL)), "");
    large->source_ratio_mean = 3;
    large->source_ratio_min = 2.5;
    assert_string_equal(rules(analyse(w, NULL)), " worst-case-block");
    large->source_ratio_mean = large->source_ratio_min = .3;
    large->mmapped = 400;
    assert_string_equal(rules(analyse(w, NULL)), " mmap-per-call");
    large->mmapped = 399;
    assert_string_equal(rules(analyse(w, NULL)), "");
    large->grown = 200;
    assert_string_equal(rules(analyse(w, NULL)), " output-grown");
    large->grown = 199;
    assert_string_equal(rules(analyse(w, NULL)), "");
    w->calls[1].messages = 400; /* two blocks a message */
    assert_string_equal(rules(analyse(w, NULL)), " output-grown");
    w->calls[1].messages = 800;
    large->size_max = 4 * MIB;
    assert_string_equal(rules(analyse(w, NULL)), " worst-case-block");
}

/* A pool: few blocks, or many that served again and again. */
static void test_reused_outputs_are_not_accused(void **state) {
    struct world *w = *state;
    struct profile_cell *cell = make_output(w, 1);
    cell->large.transient = 0;
    cell->large.reused = 800;
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
    cell->large.transient = 8;
    cell->large.reused = 0;
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

static void test_redis_keeps_a_scratch_buffer(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "lzf_compress");
    uint32_t stack = STACK(w, {"/usr/bin/redis-check-rdb", "zmalloc"},
                           {"/usr/bin/redis-check-rdb", "rdbSaveLzfStringObject"});
    add_output(w, stack, add_call(w, function, stack, 800, 100000), 800, 99996, .99996);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(says(a->findings[0].fix, "one scratch buffer"));
    assert_true(says(a->findings[0].summary, "rdbSaveLzfStringObject (redis)"));
}

/* ---- what the remedies spare ---- */

/* The same, with an even part of the blocks made by each of so many threads. */
static void share_among(struct world *w, uint32_t threads) {
    struct profile_cell whole = w->cells[0];
    for (uint32_t i = 0; i < threads; i++) {
        struct profile_cell *cell = &w->cells[i];
        *cell = whole;
        cell->thread = 1 + i;
        cell->allocs = cell->frees = cell->samples = whole.allocs / threads;
        cell->bytes = cell->freed_bytes = whole.bytes / threads;
        cell->peak_bytes = whole.peak_bytes / threads;
        cell->life.count = cell->allocs;
        cell->life.sum = whole.life.sum / threads;
        cell->large.allocs = cell->large.frees = cell->large.transient = cell->allocs;
        cell->large.output_allocs = cell->large.served = cell->large.source_ratio_count =
            cell->allocs;
        cell->large.bytes = cell->large.freed_bytes = cell->large.transient_bytes =
            cell->large.output_bytes = cell->bytes;
        cell->large.served_source_bytes = whole.large.served_source_bytes / threads;
    }
    w->sites[1].cell_count = w->p.cell_count = threads;
}

static double pool_of(struct world *w, uint64_t peak) {
    w->sites[1].large_peak = peak;
    const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "saved_allocs") == 800 - evidence(f, "pool_size"));
    assert_true(remedy(f, "keep_destination")->saved_bytes ==
                (uint64_t)(evidence(f, "bytes") - evidence(f, "pool_bytes")));
    return evidence(f, "pool_size");
}

/* Eight threads, 100 calls each: kept, as many buffers remain as were alive at once. */
static void test_saving_of_a_kept_destination(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    set_peak(w, 8 * MIB);
    const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "pool_size") == 8 && evidence(f, "pool_bytes") == 8 * MIB);
    assert_true(evidence(f, "saved_allocs") == 792);
    assert_true(evidence(f, "saved_bytes") == 792 * MIB);
    assert_int_equal(remedy(f, "keep_destination")->saved_allocs, 792);
    assert_int_equal(remedy(f, "keep_destination")->saved_bytes, 792 * MIB);
    /* Small blocks of the same place make a bound of the sum, but not of the large ones' peak. */
    w->cells[0].peak_bytes = 11 * MIB;
    f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "peak_bytes") == 8 * MIB && evidence(f, "pool_size") == 8);
}

static void test_pool_by_threads_and_blocks_alive(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    w->cells[0].peak_bytes = 80 * MIB;
    share_among(w, 8);
    assert_true(pool_of(w, 8 * MIB) == 8);
    assert_true(pool_of(w, 3 * MIB) == 3);  /* threads that hardly ever meet */
    assert_true(pool_of(w, 12 * MIB) == 8); /* one a thread: a call needs no more */
    /* How many calls ran at once has no part in it. */
    w->calls[1].levels = w->levels;
    w->calls[1].level_count = 1;
    for (uint32_t level = 2; level <= 12; level += 10) {
        w->levels[0] = (struct profile_concurrency){.level = level, .calls = 800, .ns = 1};
        assert_true(pool_of(w, 8 * MIB) == 8);
        assert_true(pool_of(w, 3 * MIB) == 3);
    }
    for (int i = 0; i < 8; i++) /* they wait long after the call */
        w->cells[i].life.sum = 100 * 50000000ull;
    assert_true(pool_of(w, 12 * MIB) == 12);
    assert_true(pool_of(w, 6 * MIB) == 6);
}

/* What is promised against a run in which every thread keeps a buffer of the largest message: of
 * the blocks and bytes that remain, too, no more than 10 % is wrong. */
static void test_promise_of_a_kept_destination(void **state) {
    static const uint32_t peaks[] = {6, 7, 8}; /* MiB: as blocks of 512 KiB to 1 MiB come */
    const double kept_allocs = 8, kept_bytes = 8 * MIB, bytes = 600 * MIB;
    for (unsigned i = 0; i < ARRAY_SIZE(peaks); i++) {
        setup(state);
        struct world *w = *state;
        struct profile_cell *cell = make_output(w, 1);
        cell->size_min = cell->large.size_min = 512 * KIB;
        cell->bytes = cell->freed_bytes = cell->large.bytes = cell->large.freed_bytes =
            cell->large.output_bytes = cell->large.served_source_bytes = 600 * MIB;
        cell->peak_bytes = 8 * MIB;
        share_among(w, 8);
        w->sites[1].large_peak = peaks[i] * MIB;
        const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
        assert_true(fabs(evidence(f, "pool_size") - kept_allocs) <= .1 * kept_allocs);
        assert_true(fabs(evidence(f, "pool_bytes") - kept_bytes) <= .1 * kept_bytes);
        assert_true(fabs(evidence(f, "saved_bytes") - (bytes - kept_bytes)) <=
                    .1 * (bytes - kept_bytes));
        teardown(state);
    }
}

static void test_saving_of_a_cap(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    set_peak(w, 8 * MIB);
    const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_false(remedy(f, "cap_concurrency")->saves);
    assert_true(isnan(evidence(f, "saved_peak_bytes")));
    add_level(w, 1, 100, 1, 1);
    add_level(w, 2, 100, 2, 1);
    add_level(w, 8, 600, 2, .25);
    f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "knee") == 2);
    assert_true(evidence(f, "capped_peak_bytes") == 2 * MIB);
    assert_int_equal(remedy(f, "cap_concurrency")->saved_peak_bytes, 6 * MIB);
    assert_true(
        says(remedy(f, "cap_concurrency")->text,
             "up to 8 often were; with 2 the peak of these blocks would be 2.00 MiB in place of "
             "8.00 MiB, 6.00 MiB less"));
    f = find(&w->a, "concurrency-past-throughput");
    assert_true(evidence(f, "saved_peak_bytes") == 6 * MIB);
    /* Blocks that wait long after the call are not shortened by it. */
    set_peak(w, 100 * MIB);
    w->cells[0].life.sum = 800 * 50000000ull;
    w->calls[1].levels = w->levels;
    w->calls[1].level_count = 3;
    f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "saved_peak_bytes") == 6 * MIB);
}

/* Blocks of 64 to 900 KiB, each size as often as any other: four of the largest never meet. Their
 * mean peak in 200 plays by another program was 3266 KiB (deviation 103), of two 1762 (20). */
static void test_saving_of_a_cap_on_many_sizes(void **state) {
    struct world *w = *state;
    uint32_t classes[REGION_CLASSES] = {0};
    struct profile_cell *cell = make_output(w, 1);
    cell->size_min = 64 * KIB;
    cell->size_max = 900 * KIB;
    for (uint64_t size = cell->size_min; size < cell->size_max; size += KIB)
        for (uint32_t c = 0; c + 1 < REGION_CLASSES; c++)
            classes[c] += profile_class_start(c) <= size && size < profile_class_start(c + 1);
    w->sites[1].size_classes = classes;
    set_peak(w, 6 * MIB);
    add_level(w, 1, 100, 1, 1);
    add_level(w, 4, 100, 4, 1);
    add_level(w, 8, 600, 4, .5);
    const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(evidence(f, "knee") == 4);
    assert_true(fabs(evidence(f, "capped_peak_bytes") / KIB - 3266) < .03 * 3266);
    w->p.level_count = 0;
    add_level(w, 1, 100, 1, 1);
    add_level(w, 2, 100, 2, 1);
    add_level(w, 8, 600, 2, .25);
    f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(fabs(evidence(f, "capped_peak_bytes") / KIB - 1762) < .02 * 1762);
}

static const char *cap_text(struct world *w) {
    w->calls[1].levels = w->levels;
    w->calls[1].level_count = w->p.level_count;
    return remedy(find(analyse(w, NULL), "output-as-large-as-source"), "cap_concurrency")->text;
}

/* That throughput grows to the end is said only of what was seen. */
static void test_why_no_cap(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    assert_true(says(cap_text(w), "was not seen"));
    add_level(w, 1, 1000, 1, 1);
    assert_true(says(cap_text(w), "nothing to cap"));
    add_level(w, 2, 10, 2, 1); /* too few calls */
    assert_true(says(cap_text(w), "too little concurrency was seen to tell"));
    w->p.level_count = 1;
    add_level(w, 2, 200, 1, .5); /* no faster, but hardly used */
    assert_true(says(cap_text(w), "throughput stopped growing at 1 at once, but little ran"));
    w->p.level_count = 1;
    add_level(w, 2, 1000, 2, 1);
    assert_true(says(cap_text(w), "a cap would cost throughput"));
    w->p.level_count = 0;
    add_level(w, 3, 1000, 3, 1);
    add_level(w, 4, 1000, 3, 1);
    assert_true(says(cap_text(w), "lower ones were not"));
}

/* ---- what is worth telling ---- */

/* Of calls that did not wait. */
static void set_time(struct world *w, uint32_t call, uint64_t ns) {
    w->calls[call].ns = w->calls[call].cpu_ns = ns;
}

/* pixz: an output for each of 16 messages that take xz 142 ms each, and one slow allocation. */
static void test_cost_that_does_not_matter(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "lzma_code");
    uint32_t stack = STACK(w, {"/usr/bin/pixz", ""});
    w->functions[function].direction = REGION_COMPRESS; /* of what it was given */
    uint32_t call = add_call(w, function, stack, 16, 2 * MIB);
    struct profile_cell *cell = add_output(w, stack, call, 16, 2 * MIB, 1);
    set_time(w, call, 16 * 142000000ull);
    cell->allocator_ns = 3136393;
    assert_true(flag_of(w)); /* it stays what it is */
    assert_int_equal(w->a.finding_count, 0);
    set_peak(w, 64 * MIB); /* memory is a cost, too */
    assert_string_equal(rules(analyse(w, NULL)), " output-as-large-as-source");
    set_peak(w, 64 * MIB - 1);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
    set_time(w, call, 0);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(isnan(evidence(a->findings, "allocation_cost_share")));
    /* 8192 pages of 250 ns, two thousandths of the time */
    set_time(w, call, 1024000000);
    a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(fabs(evidence(a->findings, "allocation_cost_share") - .002) < 1e-9);
    set_time(w, call, 1024000001);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

/* Of many blocks the allocator's time is no accident. */
static void test_cost_of_many_blocks(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "deflate"), stack = STACK(w, {PROGRAM, "send"});
    uint32_t call = add_call(w, function, stack, 32, MIB);
    add_output(w, stack, call, 32, MIB, 1)->allocator_ns = 2048000;
    set_time(w, call, 8192000000);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(fabs(evidence(a->findings, "allocation_cost_share") - .0005) < 1e-9);
    w->cells[0].allocator_ns = 2047000;
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

/* More threads than processors: calls take long, but what they do is as little as before. */
static void test_cost_beside_waiting_calls(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "deflate"), stack = STACK(w, {PROGRAM, "send"});
    uint32_t call = add_call(w, function, stack, 31, MIB);
    uint32_t output = (uint32_t)(add_output(w, stack, call, 31, MIB, 1) - w->cells);
    set_time(w, call, 100000000000);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
    w->calls[call].cpu_ns = 992000000; /* 7936 pages of 250 ns, two thousandths of it */
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    assert_true(fabs(evidence(a->findings, "allocation_cost_share") - .002) < 1e-9);
    /* The allocator's time has waiting in it, as that of the calls has. */
    w->cells[output].large.output_allocs = 32;
    w->cells[output].allocator_ns = 100000000;
    a = analyse(w, NULL);
    assert_true(fabs(evidence(a->findings, "allocation_cost_share") - .003) < 1e-9);
    /* Threads of the codec do the work, and their time is not among the calls'. */
    add_site(w, STACK(w, {"/usr/lib/libzstd.so.1", "ZSTDMT_compressionJob"}), 1, KIB, 1);
    w->sites[w->p.site_count - 1].codec_function = add_function(w, "ZSTDMT_compressionJob");
    assert_true(evidence(analyse(w, NULL)->findings, "allocation_cost_share") < .0011);
}

/* ---- contexts ---- */

static void make_zlib(struct world *w, uint64_t contexts, uint64_t messages, const char *program,
                      const char *caller) {
    uint32_t init = add_function(w, "deflateInit2_"), deflate = add_function(w, "deflate");
    uint32_t call = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t stack = STACK(w, {"/usr/lib/libz.so.1", "deflateInit2_"}, {program, caller});
        if (!call) {
            call = add_call(w, init, stack, 0, 0);
            w->calls[call].calls = contexts;
            add_call(w, deflate, stack, messages, 100 * KIB);
            add_context(w, init, stack, contexts, messages);
        }
        add_workspace(w, stack, init, call, contexts, 64 * KIB);
    }
}

/* The four blocks of a deflateInit are one finding. */
static void test_context_per_call(void **state) {
    struct world *w = *state;
    make_zlib(w, 500, 500, "/usr/bin/git", "git_deflate_init");
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call");
    const struct analyse_finding *f = &a->findings[0];
    assert_true(evidence(f, "sites") == 4 && evidence(f, "allocs") == 2000);
    assert_true(evidence(f, "contexts_created") == 500);
    assert_true(evidence(f, "messages_per_context") == 1);
    assert_true(says(f->summary, "git_deflate_init") && says(f->summary, "500 contexts"));
    assert_true(says(f->fix, "deflateReset"));
    w->calls[2].levels = w->levels;
    w->calls[2].level_count = 1;
    add_level(w, 1, 500, 1, 1);
    assert_true(evidence(analyse(w, NULL)->findings, "pool_size") == 4);
    for (int i = 0; i < 4; i++) { /* the places take turns: one block a message */
        w->cells[i].large.workspace_allocs = 125;
        w->cells[i].large.workspace_bytes = 125 * 64 * KIB;
    }
    assert_true(evidence(analyse(w, NULL)->findings, "pool_size") == 1);
    assert_true(evidence(analyse(w, NULL)->findings, "pool_bytes") == 64 * KIB);
}

/* Two messages each, by reset: nothing is made for every message. */
static void test_kept_contexts_are_not_accused(void **state) {
    struct world *w = *state;
    make_zlib(w, 20, 2000, PROGRAM, "worker");
    for (int i = 0; i < 4; i++) {
        w->cells[i].large.transient = 0;
        w->cells[i].large.reused = 20;
    }
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

static void test_context_per_call_by_binding(void **state) {
    static const struct {
        const char *module, *function, *fix;
    } bindings[] = {
        {"/usr/lib/python3/dist-packages/zstandard/backend_c.cpython-311.so", "", "ZstdCompressor"},
        {"/tmp/libzstd-jni-1.5.so", "", "ZstdCompressCtx"},
        {"/usr/bin/node", "node::(anonymous namespace)::Write(int)", "zlib.createDeflate"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bindings); i++) {
        setup(state);
        struct world *w = *state;
        uint32_t function = add_function(w, "ZSTD_compress2");
        uint32_t stack =
            STACK(w, {LIBZSTD, "ZSTD_compress2"}, {bindings[i].module, bindings[i].function},
                  {"/usr/bin/python3.11", ""});
        uint32_t call = add_call(w, function, stack, 74, MIB);
        add_workspace(w, stack, function, call, 74, MIB);
        add_output(w, STACK(w, {bindings[i].module, bindings[i].function}), call, 74, MIB, 1.004);
        add_context(w, function, stack, 74, 74);
        const struct analysis *a = analyse(w, NULL);
        assert_string_equal(rules(a), " context-per-call-binding");
        assert_true(says(a->findings[0].fix, bindings[i].fix));
        if (*bindings[i].function)
            assert_true(says(a->findings[0].summary, "node::(anonymous namespace)::Write (node)"));
        assert_true(evidence(a->findings, "output_allocs") == 74);
        assert_true(evidence(a->findings, "saved_allocs") == 72);
        teardown(state);
    }
}

static void test_streams_of_the_jvm(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compressStream2");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_compressStream2"},
                           {"/tmp/libzstd-jni-1.5.so", "Java_com_github_luben_zstd_"});
    add_workspace(w, stack, function, add_call(w, function, stack, 300, MIB), 300, MIB);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " stream-without-pool");
    assert_true(says(a->findings[0].fix, "RecyclingBufferPool"));
}

static void test_snappy_has_no_context(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "snappy_compress");
    uint32_t stack =
        STACK(w, {"/usr/lib/libsnappy.so.1", "snappy_compress"},
              {"/tmp/libsnappyjava.so", "Java_org_xerial_snappy_SnappyNative_rawCompress"});
    add_workspace(w, stack, function, add_call(w, function, stack, 1600, MIB), 1600, 104 * KIB);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call-binding");
    assert_true(says(a->findings[0].summary, "in every call"));
}

/* args:off: only stacks and lives. */
static void test_frames_alone(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compress");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_compress"}, {PROGRAM, "send_batch"});
    add_workspace(w, stack, function, 0, 100, MIB);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call");
    assert_true(says(a->findings[0].summary, "arguments of these calls were not seen"));
    assert_true(isnan(evidence(a->findings, "messages")));
    assert_true(evidence(a->findings, "saved_allocs") == 98);
}

/* Below `large` nothing is flagged; contexts tell. */
static void test_small_contexts_by_the_million(void **state) {
    struct world *w = *state;
    uint32_t create = add_function(w, "ZSTD_createCCtx");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_createCCtx"}, {PROGRAM, "hash_one"});
    struct profile_cell *cell = add_workspace(w, stack, create, 0, 1000000, 18340);
    cell->large = (struct profile_large){0};
    cell->sampled = true;
    add_context(w, create, stack, 1000000, 1000000);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call");
    assert_true(evidence(a->findings, "bytes") == 18340e6);
    assert_false(a->sites[0].flagged);
    w->contexts[1].single = 1000;
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

static void add_small(struct world *w, uint32_t stack, uint32_t function, uint64_t allocs) {
    struct profile_cell *cell = add_workspace(w, stack, function, 0, allocs, 16416);
    cell->large = (struct profile_large){0};
    cell->sampled = true;
}

/* Small contexts beside a large output of the same codec and library: one finding, about both. */
static void test_small_contexts_are_evidence(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    uint32_t create = add_function(w, "ZSTD_createCCtx");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_createCCtx"}, {PROGRAM, "send_batch"});
    add_small(w, stack, create, 800);
    add_context(w, create, stack, 800, 800);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-as-large-as-source");
    const struct analyse_finding *f = &a->findings[0];
    assert_true(evidence(f, "allocs") == 800 && evidence(f, "context_allocs") == 800);
    assert_true(evidence(f, "context_bytes") == 800 * 16416);
    assert_true(says(f->fix, "And the context: Keep one ZSTD_CCtx"));
    w->contexts[1].single = 10; /* kept: no part of it */
    w->contexts[1].messages = 8000;
    f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_true(isnan(evidence(f, "context_allocs")) && !says(f->fix, "And the context"));
}

/* Two codecs by one binding are two findings; each has its own small blocks. */
static void test_one_finding_a_codec(void **state) {
    static const char *const functions[] = {"ZSTD_compress", "deflateInit2_"};
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        uint32_t function = add_function(w, functions[i]);
        uint32_t stack = STACK(w, {"/usr/bin/node", functions[i]}, {"/usr/bin/node", "node::Go"});
        uint32_t call = add_call(w, function, stack, 100, 100 * KIB);
        add_workspace(w, stack, function, call, 100, MIB);
        add_workspace(w, stack, function, call, 100, 64 * KIB);
        add_small(w, stack, function, 100u + (uint32_t)i);
        add_context(w, function, stack, 100, 100);
    }
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call-binding context-per-call-binding");
    assert_true(evidence(&a->findings[0], "allocs") == 200);
    assert_true(evidence(&a->findings[0], "context_allocs") == 100);
    assert_true(evidence(&a->findings[1], "context_allocs") == 101);
}

/* Options of Go's libraries are of use only where there is Go. */
static void test_options_of_go(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    add_level(w, 1, 100, 1, 1);
    add_level(w, 8, 600, 1, .125);
    const struct analysis *a = analyse(w, NULL);
    const struct analyse_finding *f = find(a, "output-as-large-as-source");
    assert_true(says(remedy(f, "low_memory")->text, "ZSTD_CCtx_setPledgedSrcSize. What it costs"));
    assert_false(says(find(a, "concurrency-past-throughput")->fix, "Go"));
    w->sites[1].runtime = REGION_RUNTIME_GO;
    a = analyse(w, NULL);
    f = find(a, "output-as-large-as-source");
    assert_true(says(remedy(f, "low_memory")->text, "mode: klauspost/compress: WithLower"));
    assert_true(says(find(a, "concurrency-past-throughput")->fix, "GOMAXPROCS of 1"));
}

/* Evidence and words of Go; and the time of calls, which wait for an encoder, is no measure. */
static void test_go_sites(void **state) {
    static const struct profile_go go = {.entries = 1000,
                                         .exits = 1000,
                                         .at_once_max = 75,
                                         .assist_ns = 700,
                                         .heap_ns = 200,
                                         .zero_ns = 100,
                                         .longest_ns = 90,
                                         .longest_goroutine = 4711};
    struct world *w = *state;
    make_output(w, 1);
    for (uint32_t i = 1; i < w->p.codec_call_count; i++)
        set_time(w, i, UINT64_MAX / 4);
    assert_null(find(analyse(w, NULL), "output-as-large-as-source"));
    w->sites[1].runtime = REGION_RUNTIME_GO;
    w->sites[1].go = &go;
    w->p.go.cycles = 12;
    const struct analyse_finding *f = find(analyse(w, NULL), "output-as-large-as-source");
    assert_non_null(f);
    assert_true(says(f->summary, "drops it after"));
    assert_true(says(f->summary, "up to 75 goroutines were in mallocgc at once"));
    assert_true(says(f->caution, "is not the cause of their waiting"));
    assert_true(says(f->caution, "here 700 ns of 1.00 µs in mallocgc was such help"));
    assert_true(evidence(f, "goroutines_in_mallocgc") == 75);
    assert_true(evidence(f, "mallocgc_ns") == 1000);
    assert_true(evidence(f, "assist_ns") == 700);
    assert_true(evidence(f, "longest_goroutine") == 4711);
    assert_true(evidence(f, "collections") == 12);
    /* Grown: its own rule, whatever the ratio. */
    w->cells[w->sites[1].first_cell].large.grown = 1000;
    assert_non_null(find(analyse(w, NULL), "output-grown"));
}

/* The buffer that a stream of Go's writes into is its output, and no part of its encoder. */
static void test_go_writes_into_a_buffer(void **state) {
    static const struct profile_go go = {.entries = 100, .exits = 100, .at_once_max = 1};
    struct world *w = *state;
    uint32_t function = add_function(w, "github.com/klauspost/compress/gzip.(*Writer).Write");
    uint32_t grows = STACK(w, {PROGRAM, "runtime.growslice"}, {PROGRAM, "bytes.growSlice"},
                           {PROGRAM, "bytes.(*Buffer).grow"}, {PROGRAM, "bytes.(*Buffer).Write"},
                           {PROGRAM, "github.com/klauspost/compress/flate.(*compressor).write"},
                           {PROGRAM, "github.com/klauspost/compress/gzip.(*Writer).Write"},
                           {PROGRAM, "main.send"});
    uint32_t makes = STACK(w, {PROGRAM, "runtime.growslice"},
                           {PROGRAM, "github.com/klauspost/compress/flate.(*compressor).write"},
                           {PROGRAM, "github.com/klauspost/compress/gzip.(*Writer).Write"},
                           {PROGRAM, "main.(*file).Write"}, {PROGRAM, "main.send"});
    add_workspace(w, grows, function, 0, 100, MIB);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call"); /* C has no such thing */
    w->sites[1].runtime = REGION_RUNTIME_GO;
    w->sites[1].go = &go;
    a = analyse(w, NULL);
    assert_string_equal(rules(a), " output-grown");
    assert_true(says(a->findings[0].fix, "bytes.Buffer whose Reset()"));
    assert_true(says(a->findings[0].summary, "main.send"));
    assert_true(
        says(a->findings[0].summary, "for every call of github.com/klauspost/compress/gzip"));
    w->sites[1].stack = makes;
    a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call");
}

static void test_context_reallocates(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compressCCtx");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_compressCCtx"}, {PROGRAM, "rpc_send"});
    uint32_t call = add_call(w, function, stack, 100000, KIB);
    w->calls[call].ns = w->calls[call].cpu_ns = 100000 * 5000;
    add_workspace(w, stack, function, call, 64, MIB)->large.reused = 64;
    w->cells[0].large.transient = 0;
    add_context(w, function, stack, 4, 100000);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-reallocates");
    assert_true(says(a->findings[0].fix, "ZSTD_initStaticCCtx"));
    w->contexts[1].created = w->contexts[1].ended = 17;
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

static void test_contexts_times_cores(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compressStream2");
    uint32_t stack = STACK(w, {LIBZSTD, "ZSTD_compressStream2"}, {PROGRAM, "encode"});
    uint32_t call = add_call(w, function, stack, 10000, KIB);
    struct profile_cell *cell = add_workspace(w, stack, function, call, 64, 8 * MIB);
    cell->large.transient = 0;
    cell->large.reused = 64;
    set_peak(w, 512 * MIB);
    add_context(w, function, stack, 64, 10000);
    assert_int_equal(analyse(w, NULL)->finding_count, 0); /* calls at once not known */
    w->calls[call].levels = w->levels;
    w->calls[call].level_count = 1;
    add_level(w, 4, 10000, 1, 1);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " contexts-times-cores");
    assert_true(evidence(a->findings, "contexts_at_once") == 64);
    assert_true(evidence(a->findings, "saved_peak_bytes") == 480 * MIB);
    set_peak(w, 63 * MIB);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

static void test_never_closed(void **state) {
    struct world *w = *state;
    uint32_t init = add_function(w, "deflateInit2_");
    uint32_t stack = STACK(w, {"/usr/lib/libz.so.1", "deflateInit2_"}, {PROGRAM, "open_stream"});
    struct profile_cell *cell = add_workspace(w, stack, init, 0, 100, 256 * KIB);
    cell->frees = cell->large.frees = cell->large.transient = 10;
    cell->live_blocks = 90;
    cell->live_bytes = 90 * 256 * KIB;
    cell->freed_bytes = 10 * 256 * KIB;
    struct profile_context *context = add_context(w, init, stack, 100, 100);
    context->ended = context->single = 10;
    const struct analysis *a = analyse(w, NULL);
    assert_non_null(find(a, "never-closed"));
    assert_true(evidence(find(a, "never-closed"), "contexts_open") == 90);
    assert_true(says(find(a, "never-closed")->summary, "open_stream"));
    context->messages = 5000; /* a pool, kept to the end */
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
    context->messages = 100;
    w->p.state = PROFILE_RUNNING; /* too early to tell */
    assert_null(find(analyse(w, NULL), "never-closed"));
}

/* ---- librdkafka ---- */

static void test_batches_of_librdkafka(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compressStream");
    uint32_t inner = STACK(w, {LIBZSTD, "ZSTD_compressStream"},
                           {"/usr/lib/librdkafka.so.1", "rd_kafka_zstd_compress"});
    uint32_t outer = STACK(w, {"/usr/lib/librdkafka.so.1", "rd_kafka_zstd_compress"});
    uint32_t call = add_call(w, function, inner, 600, 100 * KIB);
    add_workspace(w, inner, function, call, 600, 3658041);
    add_output(w, outer, call, 600, 101344, 1.0);
    add_context(w, function, inner, 600, 600);
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " batch-buffers");
    const struct analyse_finding *f = &a->findings[0];
    assert_int_equal(f->site, 11);
    assert_true(evidence(f, "workspace_allocs") == 600 && evidence(f, "output_allocs") == 600);
    assert_true(says(f->fix, "linger.ms") && says(f->fix, "batch.size"));
    assert_true(isnan(evidence(f, "context_allocs")));
    uint32_t create = add_function(w, "ZSTD_createCStream");
    add_small(w,
              STACK(w, {LIBZSTD, "ZSTD_createCStream"},
                    {"/usr/lib/librdkafka.so.1", "rd_kafka_zstd_compress"}),
              create, 1100);
    a = analyse(w, NULL);
    assert_string_equal(rules(a), " batch-buffers");
    assert_true(evidence(a->findings, "context_allocs") == 1100);
    assert_true(evidence(a->findings, "allocs") == 1200);
    assert_true(says(a->findings[0].summary, "the contexts take about 1,100 blocks of 16.0 KiB"));
    assert_false(says(a->findings[0].fix, "And the context"));
    /* One call at once: one context and one output do, and no context fits into less than one took.
     */
    w->sites[0].large_peak = w->cells[0].peak_bytes = 3658041;
    w->sites[1].large_peak = w->cells[1].peak_bytes = 3 * 101344;
    w->calls[call].levels = w->levels;
    w->calls[call].level_count = 1;
    add_level(w, 1, 600, 1, 1);
    a = analyse(w, NULL);
    assert_true(evidence(a->findings, "pool_size") == 2);
    assert_true(evidence(a->findings, "pool_bytes") == 3658041);
}

/* ---- concurrency ---- */

static const struct analyse_finding *knee(struct world *w) {
    return find(analyse(w, NULL), "concurrency-past-throughput");
}

static void test_knee_of_a_ramp(void **state) {
    struct world *w = *state;
    for (uint32_t level = 1; level <= 8; level++)
        add_level(w, level, 100, level < 3 ? level : 3, level < 3 ? 1 : 3.0 / level);
    const struct analyse_finding *f = knee(w);
    assert_non_null(f);
    assert_false(f->has_site);
    assert_true(evidence(f, "knee") == 3 && evidence(f, "level_max") == 8);
    assert_true(evidence(f, "waiting_share") > .3);
    assert_true(fabs(evidence(f, "throughput_at_knee") - 3e9) < 1e6);
    w->levels[4].source_bytes *= 3; /* an outlier */
    assert_true(evidence(knee(w), "knee") == 3);
}

/* On a busy machine more threads get a little more of it: CPU time tells what is of use. Where it
 * is not the processors that are short, throughput alone does. */
static void test_knee_by_both(void **state) {
    struct world *w = *state;
    add_level(w, 1, 100, 1, .9);
    add_level(w, 2, 100, 1.7, .95);
    add_level(w, 4, 100, 1.8, .48);
    add_level(w, 8, 100, 1.9, .24);
    add_level(w, 16, 100, 2, .12);
    const struct analyse_finding *f = knee(w);
    assert_true(evidence(f, "knee") == 2);
    assert_true(says(f->summary, "hardly more throughput"));
    for (int i = 0; i < 5; i++)
        w->levels[i].cpu_ns = w->levels[i].ns;
    assert_true(evidence(knee(w), "knee") == 8);
    w->p.level_count = 0;
    for (uint32_t level = 1; level <= 16; level *= 2)
        add_level(w, level, 100, level, .1); /* waits for a disk, say */
    assert_null(knee(w));
}

static void test_no_knee(void **state) {
    struct world *w = *state;
    add_level(w, 1, 1000, 1, 1); /* one thread */
    assert_null(knee(w));
    for (uint32_t level = 2; level <= 8; level++)
        add_level(w, level, 100, level, 1); /* grows to the end */
    assert_null(knee(w));
}

static void test_knee_needs_calls(void **state) {
    struct world *w = *state;
    add_level(w, 1, 1000, 1, 1);
    add_level(w, 4, 15, 1, .25); /* too few to count */
    assert_null(knee(w));
    w->p.level_count = 1;
    add_level(w, 4, 200, 1, .25); /* counts, but is less than a fifth */
    assert_null(knee(w));
    w->p.level_count = 1;
    add_level(w, 4, 300, 1, .25);
    assert_true(evidence(knee(w), "knee") == 1);
}

static void test_knee_by_cpu_time(void **state) {
    struct world *w = *state;
    add_level(w, 8, 1000, 2, .25);
    const struct analyse_finding *f = knee(w);
    assert_true(evidence(f, "knee") == 2);
    assert_true(says(f->summary, "estimated from the CPU time"));
    w->levels[0].cpu_ns = w->levels[0].ns; /* all of them ran */
    assert_null(knee(w));
    w->levels[0].cpu_ns = 0; /* not known */
    assert_null(knee(w));
}

/* A level by the wall clock. What single calls tell is set to mislead: they grow to the end. */
static void add_wall(struct world *w, uint32_t level, uint64_t wall_ms, double bytes_per_ns,
                     double cpu_share) {
    add_level(w, level, 100, level, cpu_share);
    struct profile_concurrency *row = &w->levels[w->p.level_count - 1];
    row->wall_ns = wall_ms * 1000000;
    row->flow_bytes = (uint64_t)((double)row->wall_ns * bytes_per_ns);
}

/* Throughput grows with the level up to `top`, which is as many as run. */
static void ramp(struct world *w, uint32_t top, uint32_t levels) {
    w->p.level_count = 0;
    for (uint32_t level = 1; level <= levels; level++)
        add_wall(w, level, 100, level < top ? level : top, level < top ? 1 : (double)top / level);
}

static void test_knee_by_the_wall_clock(void **state) {
    struct world *w = *state;
    for (uint32_t top = 2; top <= 4; top += 2) {
        ramp(w, top, 8);
        const struct analyse_finding *f = knee(w);
        assert_non_null(f);
        assert_true(evidence(f, "knee") == top && evidence(f, "level_max") == 8);
        assert_true(fabs(evidence(f, "throughput_at_knee") - top * 1e9) < 1e6);
        assert_true(fabs(evidence(f, "throughput_at_max") - top * 1e9) < 1e6);
        /* Calls that seem to gain nothing by themselves say as little. */
        for (uint32_t i = 0; i < w->p.level_count; i++)
            w->levels[i].source_bytes = 1;
        assert_true(evidence(knee(w), "knee") == top);
    }
}

static void test_no_knee_by_the_wall_clock(void **state) {
    struct world *w = *state;
    ramp(w, 8, 8); /* grows to the end */
    assert_null(knee(w));
    ramp(w, 1, 1); /* one thread */
    assert_null(knee(w));
    ramp(w, 1, 2);
    w->levels[0].calls = w->levels[1].calls = 16;
    assert_non_null(knee(w));
    w->levels[1].calls = 15; /* too few */
    assert_null(knee(w));
}

/* Other programs take processors; each further thread wins a little back. */
static void test_knee_of_a_busy_machine(void **state) {
    struct world *w = *state;
    static const double flow[] = {1, 1.7, 1.8, 1.9, 2}, share[] = {.9, .95, .48, .24, .12};
    for (uint32_t i = 0; i < 5; i++)
        add_wall(w, 1u << i, 100, flow[i], share[i]);
    assert_true(evidence(knee(w), "knee") == 2);
    for (int i = 0; i < 5; i++) /* all had what they asked for: throughput alone tells */
        w->levels[i].cpu_ns = w->levels[i].ns;
    assert_true(evidence(knee(w), "knee") == 4);
}

/* Levels that were passed in a moment do not count, nor do those that the clock has nothing of. */
static void test_knee_needs_time(void **state) {
    struct world *w = *state;
    ramp(w, 2, 8);
    add_wall(w, 9, 10, 50, 1); /* 10 ms of 810 */
    assert_true(evidence(knee(w), "knee") == 2 && evidence(knee(w), "level_max") == 8);
    w->levels[8].wall_ns = w->levels[8].flow_bytes = 0;
    assert_true(evidence(knee(w), "knee") == 2 && evidence(knee(w), "level_max") == 8);
    w->levels[8].wall_ns = 20000000;
    w->levels[8].flow_bytes = 20000000 * 50ull;
    assert_true(isnan(evidence(knee(w), "knee")) || evidence(knee(w), "knee") > 2);
}

/* ---- sizes ---- */

static struct profile_codec_size size_class(uint64_t from, uint64_t messages, double ratio) {
    uint64_t source = messages * (from + from / 2);
    return (struct profile_codec_size){.from = from,
                                       .to = 2 * from,
                                       .messages = messages,
                                       .source_bytes = source,
                                       .produced_bytes = (uint64_t)((double)source / ratio),
                                       .ns = messages * 9000};
}

static void test_small_messages(void **state) {
    struct world *w = *state;
    uint32_t function = add_function(w, "ZSTD_compress"), stack = STACK(w, {PROGRAM, "send"});
    uint32_t call = add_call(w, function, stack, 1000, KIB);
    w->sizes[0] = (struct profile_codec_size){.from = 0, .to = 1, .messages = 3};
    w->sizes[1] = size_class(128, 60, .9);
    w->sizes[2] = size_class(256, 40, 1.02);
    w->sizes[3] = size_class(1024, 800, 3);
    w->sizes[4] = size_class(4096, 100, 1); /* larger, and hardly shrinks: no threshold */
    w->calls[call].sizes = w->sizes;
    w->calls[call].size_count = 5;
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " small-messages-hardly-shrink");
    assert_true(evidence(a->findings, "below_bytes") == 512);
    assert_true(evidence(a->findings, "messages") == 100);
    assert_true(
        says(remedy(a->findings, "sizes")->text, "1.00 KiB to 2.00 KiB: 800 messages, 3.00 : 1"));
    w->sizes[1] = size_class(128, 60, 1.2);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
    w->sizes[1] = size_class(128, 5, .9);
    w->sizes[2] = size_class(256, 10, .9);
    assert_int_equal(analyse(w, NULL)->finding_count, 0);
}

/* ---- order and filters ---- */

static void test_order(void **state) {
    struct world *w = *state;
    make_output(w, 1);
    make_zlib(w, 5000, 5000, PROGRAM, "log_line");
    const struct analysis *a = analyse(w, NULL);
    assert_string_equal(rules(a), " context-per-call output-as-large-as-source");
    double bytes = 4 * 5000 * 64.0 * KIB, total = bytes + 800.0 * MIB;
    assert_true(fabs(a->findings[0].rank / (bytes / 10 * bytes / total) - 1) < 1e-9);
    w->cells[0].allocator_ns = 1000000000000ull; /* waiting moves nothing */
    w->calls[1].cpu_ns = 0;
    assert_string_equal(rules(analyse(w, NULL)), " context-per-call output-as-large-as-source");
}

static void test_top_takes_no_finding_away(void **state) {
    struct world *w = *state;
    const struct analyse_options top = {.top = 1}, one = {.one_site = true, .site = 11};
    make_output(w, 1);
    make_zlib(w, 5000, 5000, PROGRAM, "log_line");
    const struct analysis *a = analyse(w, &top);
    assert_int_equal(a->site_count, 1);
    assert_int_equal(a->finding_count, 2);
    a = analyse(w, &one);
    assert_string_equal(rules(a), " output-as-large-as-source");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_flag_of_outputs),
        CASE(test_flag_never_of_inputs),
        CASE(test_flag_of_workspaces),
        CASE(test_flag_of_outputs_from_many_places),
        CASE(test_flag_of_very_many),
        CASE(test_flag_of_blocks_handed_over),
        CASE(test_output_as_large_as_source),
        CASE(test_output_rules_by_ratio),
        CASE(test_reused_outputs_are_not_accused),
        CASE(test_redis_keeps_a_scratch_buffer),
        CASE(test_saving_of_a_kept_destination),
        CASE(test_pool_by_threads_and_blocks_alive),
        cmocka_unit_test(test_promise_of_a_kept_destination),
        CASE(test_saving_of_a_cap),
        CASE(test_saving_of_a_cap_on_many_sizes),
        CASE(test_why_no_cap),
        CASE(test_cost_that_does_not_matter),
        CASE(test_cost_of_many_blocks),
        CASE(test_cost_beside_waiting_calls),
        CASE(test_context_per_call),
        CASE(test_kept_contexts_are_not_accused),
        cmocka_unit_test(test_context_per_call_by_binding),
        CASE(test_streams_of_the_jvm),
        CASE(test_snappy_has_no_context),
        CASE(test_frames_alone),
        CASE(test_small_contexts_by_the_million),
        CASE(test_small_contexts_are_evidence),
        CASE(test_one_finding_a_codec),
        CASE(test_options_of_go),
        CASE(test_go_sites),
        CASE(test_go_writes_into_a_buffer),
        CASE(test_context_reallocates),
        CASE(test_contexts_times_cores),
        CASE(test_never_closed),
        CASE(test_batches_of_librdkafka),
        CASE(test_knee_of_a_ramp),
        CASE(test_knee_by_both),
        CASE(test_no_knee),
        CASE(test_knee_needs_calls),
        CASE(test_knee_by_cpu_time),
        CASE(test_knee_by_the_wall_clock),
        CASE(test_no_knee_by_the_wall_clock),
        CASE(test_knee_of_a_busy_machine),
        CASE(test_knee_needs_time),
        CASE(test_small_messages),
        CASE(test_order),
        CASE(test_top_takes_no_finding_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
