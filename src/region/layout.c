/* Where each table lies. Shares of the file in 1/1024; the ratios come from real producers: about
 * 22 addresses a stack, 1.7 cells a site, one cell in three with large blocks. */
#include "region.h"

static const struct {
    uint32_t row_size;
    uint32_t share;
} plan[REGION_TABLE_COUNT + 1] = {
    [REGION_THREADS] = {sizeof(struct region_thread), 16},
    [REGION_MODULES] = {sizeof(struct region_module), 8},
    [REGION_STRINGS] = {1, 24},
    [REGION_STACKS] = {sizeof(struct region_stack), 24},
    [REGION_FRAMES] = {sizeof(uint64_t), 180},
    [REGION_SITES] = {sizeof(struct region_site), 96},
    [REGION_CELLS] = {sizeof(struct region_cell), 160},
    [REGION_REMOTE] = {sizeof(struct region_remote), 80},
    [REGION_LARGE] = {sizeof(struct region_large), 96},
    [REGION_HISTOGRAMS] = {sizeof(struct region_histogram), 152},
    [REGION_CODEC_FUNCTIONS] = {sizeof(struct region_codec_function), 8},
    [REGION_CODEC_CALLS] = {sizeof(struct region_codec_call), 16},
    [REGION_CODEC_SIZES] = {sizeof(struct region_codec_size), 64},
    [REGION_CONCURRENCY] = {sizeof(struct region_concurrency), 40},
    [REGION_CONTEXTS] = {sizeof(struct region_context), 8},
    [REGION_GO] = {sizeof(struct region_go), 16},
    [REGION_ANON] = {sizeof(struct region_anon), 8},
    [REGION_TIMELINE] = {sizeof(struct region_tick), 24},
};

/* Row numbers travel in 32 bits, those of sites, stacks and cells in 24 (the shim's indexes). */
#define ROWS_MAX (1u << 24)

uint64_t region_layout(uint64_t bound, struct region_directory *directory) {
    uint64_t at = REGION_HEADER_SIZE;
    for (uint32_t type = 1; type <= REGION_TABLE_COUNT; type++) {
        struct region_directory *d = &directory[type - 1];
        uint64_t bytes = (bound / 1024 * plan[type].share) & ~4095ull;
        uint64_t rows = bytes / plan[type].row_size;
        if (rows > ROWS_MAX && type != REGION_STRINGS && type != REGION_FRAMES)
            rows = ROWS_MAX;
        d->type = type;
        d->row_size = plan[type].row_size;
        d->offset = at;
        d->capacity = rows;
        d->committed = 0;
        d->used = 0;
        d->reserved = 0;
        at += bytes;
    }
    /* A cell and its remote counters have the same number. */
    struct region_directory *cells = &directory[REGION_CELLS - 1];
    struct region_directory *remote = &directory[REGION_REMOTE - 1];
    uint64_t both = cells->capacity < remote->capacity ? cells->capacity : remote->capacity;
    cells->capacity = remote->capacity = both;
    return at;
}
