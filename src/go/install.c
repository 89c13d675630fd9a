/* Prepares what the hook works with; for whoever installs it. */
#include <errno.h>

#include "go.h"
#include "internal.h"

void go_state_init(struct go_state *state, uint64_t stacks) {
    for (uint32_t i = 0; i < ARRAY_SIZE(state->busy); i++)
        state->busy[i] = UINT64_MAX;
    state->stacks = stacks;
    state->transient_cycles = 2;
    state->region.on_full = NULL;
}

int go_state_open(struct region *r) {
    static const uint8_t tables[] = {REGION_THREADS, REGION_STACKS,  REGION_FRAMES,
                                     REGION_SITES,   REGION_REMOTE,  REGION_CELLS,
                                     REGION_MODULES, REGION_STRINGS, REGION_GO};
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        int error = region_open(r, tables[i]);
        if (error)
            return error;
    }
    return 0;
}

void go_state_ranges(struct go_state *state, const struct go_plan *plan) {
    state->grow_start = plan->grow_start;
    state->grow_end = plan->grow_end;
    for (uint32_t i = 0; i < plan->codec_count; i++) { /* by address, as the functions are */
        const struct go_codec *c = &plan->codecs[i];
        state->ranges[i] = (struct go_range){.start = c->start,
                                             .end = c->end,
                                             .row = c->row,
                                             .direction = c->entry->direction,
                                             .kind = c->entry->kind,
                                             .shape = c->entry->shape};
    }
    state->range_count = plan->codec_count;
}
