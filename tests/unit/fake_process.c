#include "fake_process.h"

#include <string.h>

#include "base/codec_table.h"

static const uint64_t frames[] = {
    FAKE_ZSTD_BASE + 0x100,
    FAKE_ZSTD_BASE + 0x200,
    FAKE_EXE_BASE + 0x300,
    0x1234,
};

static void set_modules(struct fake *f) {
    f->modules[1] = (struct profile_module){.path = "/usr/bin/producer",
                                            .base = FAKE_EXE_BASE,
                                            .start = FAKE_EXE_BASE,
                                            .end = FAKE_EXE_BASE + 0x10000,
                                            .flags = REGION_MODULE_EXECUTABLE};
    f->modules[2] = (struct profile_module){.path = "/usr/lib/libzstd.so.1",
                                            .base = FAKE_ZSTD_BASE,
                                            .start = FAKE_ZSTD_BASE,
                                            .end = FAKE_ZSTD_BASE + 0x10000,
                                            .build_id = {0xab, 0xcd},
                                            .build_id_size = 20};
    f->modules[3] = (struct profile_module){.path = "/opt/addon.so",
                                            .base = 0x7e0000000000,
                                            .start = 0x7e0000000000,
                                            .end = 0x7e0000010000,
                                            .allocator = REGION_ALLOCATOR_MIMALLOC,
                                            .gone = 1,
                                            .unloaded = true};
    f->modules[4] = (struct profile_module){.path = "linux-vdso.so.1",
                                            .base = 0x7fff00000000,
                                            .start = 0x7fff00000000,
                                            .end = 0x7fff00001000,
                                            .flags = REGION_MODULE_VDSO};
    f->process.modules = f->modules;
    f->process.module_count = 5;
}

static void set_stacks(struct fake *f) {
    f->modules[0].path = f->threads[0].name = "";
    f->stacks[1] = (struct profile_stack){frames, 4, REGION_END_JIT, 1};
    f->stacks[2] = (struct profile_stack){frames + 2, 1, REGION_END_OUTERMOST, 1};
    f->stacks[3] = (struct profile_stack){frames + 1, 2, REGION_END_NO_RULE, 1};
    f->stacks[4] = (struct profile_stack){NULL, 0, REGION_END_NOT_WALKED, 1};
    f->process.stacks = f->stacks;
    f->process.stack_count = 5;
    f->symbols[0] = (struct profile_symbol){frames[2], 1, "send_batch", "/src/send.c", 42, false};
    f->symbols[1] = (struct profile_symbol){frames[0], 2, "inner", "zstd.h", 7, true};
    f->symbols[2] = (struct profile_symbol){frames[0], 2, "ZSTD_createCStream", "zstd.c", 9, false};
    f->process.symbols = f->symbols;
    f->process.symbol_count = 3;
}

static struct profile_cell cell(uint32_t thread, uint64_t allocs, uint64_t frees, uint64_t size,
                                uint64_t peak) {
    return (struct profile_cell){.thread = thread,
                                 .allocs = allocs,
                                 .frees = frees,
                                 .bytes = allocs * size,
                                 .freed_bytes = frees * size,
                                 .live_bytes = (allocs - frees) * size,
                                 .live_blocks = allocs - frees,
                                 .peak_bytes = peak * size,
                                 .size_min = size,
                                 .size_max = size,
                                 .samples = allocs};
}

static void make_large(struct profile_cell *c) {
    c->large = (struct profile_large){.allocs = c->allocs,
                                      .frees = c->frees,
                                      .bytes = c->bytes,
                                      .freed_bytes = c->freed_bytes,
                                      .size_min = c->size_min,
                                      .size_max = c->size_max,
                                      .transient = c->frees,
                                      .transient_bytes = c->freed_bytes};
}

static void set_cells(struct fake *f) {
    f->cells[FAKE_WORKSPACE_1] = cell(1, 100, 100, FAKE_WORKSPACE, 2);
    f->cells[FAKE_WORKSPACE_1].life = (struct profile_life){100, 1000, 9000, 500000};
    f->cells[FAKE_WORKSPACE_1].allocator_ns = 5000;
    f->cells[FAKE_WORKSPACE_2] = cell(2, 23, 22, FAKE_WORKSPACE, 1);
    f->cells[FAKE_WORKSPACE_2].life = (struct profile_life){22, 2000, 8000, 110000};
    f->cells[FAKE_WORKSPACE_2].remote_frees = 4;
    f->cells[FAKE_SMALL_EXACT] = cell(1, 10, 5, 100000, 6);
    f->cells[FAKE_SMALL_SAMPLED] = cell(1, 5000, 4000, 100, 1500);
    f->cells[FAKE_SMALL_SAMPLED].sampled = true;
    f->cells[FAKE_SMALL_SAMPLED].samples = 3;
    f->cells[FAKE_SINGLE] = cell(2, 1, 0, 300000, 1);
    f->cells[FAKE_SHARED] = cell(0, 7, 7, 70000, 7);
    f->cells[FAKE_SHARED].shared = true;
    f->cells[FAKE_SHARED].torn = true;
    make_large(&f->cells[FAKE_WORKSPACE_1]);
    make_large(&f->cells[FAKE_WORKSPACE_2]);
    make_large(&f->cells[FAKE_SMALL_EXACT]);
    make_large(&f->cells[FAKE_SINGLE]);
    make_large(&f->cells[FAKE_SHARED]);
    f->process.cells = f->cells;
    f->process.cell_count = FAKE_CELLS;
}

static void set_sites(struct fake *f) {
    static const struct {
        uint32_t id, stack, first, count;
        uint64_t large_peak;
    } sites[] = {
        {0, 0, 0, 0, 0},
        {11, 1, FAKE_WORKSPACE_1, 2, 3 * FAKE_WORKSPACE},
        {12, 2, FAKE_SMALL_EXACT, 2, 600000},
        {13, 3, FAKE_SINGLE, 1, 300000},
        {14, 4, FAKE_SHARED, 1, 210000},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(sites); i++) {
        f->sites[i] = (struct profile_site){.id = sites[i].id,
                                            .stack = sites[i].stack,
                                            .first_cell = sites[i].first,
                                            .cell_count = sites[i].count,
                                            .large_peak = sites[i].large_peak};
    }
    f->sites[1].codec_function = 1;
    f->sites[1].direction = REGION_COMPRESS;
    f->sites[1].life_classes = f->life_classes;
    f->sites[1].size_classes = f->size_classes;
    f->life_classes[24] = 122; /* 4096..6143 ticks */
    f->size_classes[43] = 123;
    f->process.sites = f->sites;
    f->process.site_count = 5;
}

static void set_codec_calls(struct fake *f) {
    f->codec_calls[FAKE_INFLATE] = (struct profile_codec_call){.function = 2,
                                                               .stack = 4,
                                                               .calls = 2,
                                                               .messages = 2,
                                                               .source_bytes = 1000,
                                                               .produced_bytes = 4000,
                                                               .ns = 3000,
                                                               .cpu_ns = 2500,
                                                               .timed = 2,
                                                               .threads = 1};
    f->codec_calls[FAKE_COMPRESS] = (struct profile_codec_call){.function = 1,
                                                                .stack = 2,
                                                                .calls = 1204,
                                                                .nested = 3,
                                                                .failures = 5,
                                                                .left = 6,
                                                                .messages = 600,
                                                                .source_bytes = 123731968,
                                                                .produced_bytes = 32715571,
                                                                .output_capacity = 200000000,
                                                                .ns = 2100000000,
                                                                .cpu_ns = 1900000000,
                                                                .page_faults = 77,
                                                                .context_switches = 8,
                                                                .timed = 120,
                                                                .threads = 3,
                                                                .sizes = f->codec_sizes,
                                                                .size_count = 3,
                                                                .levels = f->levels + 1,
                                                                .level_count = 2};
    f->codec_calls[FAKE_NESTED_ONLY] = (struct profile_codec_call){
        .function = 1, .stack = 3, .calls = 4, .nested = 4, .source_bytes = 5000};
    f->codec_sizes[0] = (struct profile_codec_size){.from = 0, .to = 1, .messages = 1};
    f->codec_sizes[1] =
        (struct profile_codec_size){1024, 2048, 500, 750000, 300000, 5000000, 4000000, 60, 7};
    f->codec_sizes[2] = (struct profile_codec_size){131072,    262144,   99, 16000000, 4000000,
                                                    100000000, 90000000, 17, 1};
}

static void set_codec(struct fake *f) {
    struct profile_process *p = &f->process;
    set_codec_calls(f);
    f->levels[0] = (struct profile_concurrency){2, 30, 31, 32000000, 33000000, 0, 0};
    f->levels[1] = (struct profile_concurrency){1, 1000, 100000000, 1500000000, 1400000000, 0, 0};
    f->levels[2] = (struct profile_concurrency){33, 204, 23731968, 600000000, 500000000, 0, 0};
    f->contexts[1] = (struct profile_context){1, 2, 20, 19, 18, 600, 1204, 123731968};
    f->anons[1] = (struct profile_anon){2, 9, 8, 90000000, 80000000};
    p->codec_calls = f->codec_calls;
    p->codec_call_count = FAKE_CALLS;
    p->levels = f->levels;
    p->level_count = 1;
    p->contexts = f->contexts;
    p->context_count = ARRAY_SIZE(f->contexts);
    p->anons = f->anons;
    p->anon_count = ARRAY_SIZE(f->anons);
    p->codec_bytes = 123732968;
}

void fake_init(struct fake *f) {
    *f = (struct fake){0};
    struct profile_process *p = &f->process;
    set_modules(f);
    set_stacks(f);
    set_cells(f);
    set_sites(f);
    f->threads[1] = (struct profile_thread){1, 4711, 0, "rdk:broker1", 0, 5110, 4205, 400000000};
    f->threads[2] =
        (struct profile_thread){2, 4712, 3, "rdk:broker2", 1500000000, 24, 22, 90000000};
    f->threads[0] = (struct profile_thread){0, 0, 0, "", 0, 7, 7, 490000};
    p->threads = f->threads;
    p->thread_count = 3;
    f->codec_functions[0].name = "";
    f->codec_functions[1] = (struct profile_codec_function){.name = "ZSTD_compressStream2",
                                                            .module = 2,
                                                            .codec = CODEC_ZSTD,
                                                            .direction = REGION_COMPRESS,
                                                            .kind = CODEC_STREAM,
                                                            .found = REGION_FOUND_NAME,
                                                            .patched = 1};
    f->codec_functions[2] = (struct profile_codec_function){.name = "inflate",
                                                            .module = 2,
                                                            .codec = CODEC_ZLIB,
                                                            .direction = REGION_DECOMPRESS,
                                                            .kind = CODEC_STREAM,
                                                            .found = REGION_FOUND_MARK,
                                                            .refused = REGION_REFUSED_SHORT};
    p->codec_functions = f->codec_functions;
    p->codec_function_count = 3;
    set_codec(f);
    f->ticks[0] = (struct profile_tick){100000000, 1, 2, 3, 4, 5};
    f->ticks[1] = (struct profile_tick){200000000, 6, 7, 8, 9, 10};
    p->ticks = f->ticks;
    p->tick_count = 2;
    p->file = "/dev/shm/squall-0/squall.1.2.3.region";
    p->exe = "/usr/bin/producer";
    f->arguments[0] = "producer";
    f->arguments[1] = "-z";
    f->arguments[2] = "zstd";
    p->arguments = f->arguments;
    p->argument_count = 3;
    p->pid = 4711;
    p->parent = 1;
    p->key = 99;
    p->start_realtime_ns = 1700000000123456789ull;
    p->seconds_ns = 2000000000;
    p->state = PROFILE_ENDED;
    p->ended_by = "exit 0";
    p->codec_patterns = "";
    p->configuration = (struct region_configuration){
        .large = 65536, .sample = 524288, .children = 1, .args = 1, .go = 1, .perm = 0600};
    p->ticks_per_ns = 1;
    p->large_peak = 4 * FAKE_WORKSPACE;
    p->large_live = FAKE_WORKSPACE;
    p->large_allocs = 141;
    p->large_bytes = 123ull * FAKE_WORKSPACE;
}
