/* What is recorded of Go programs beside their sites. */
#include <errno.h>

#include "internal.h"

static void decode_site(const struct profile_process *p, const struct region_go *row,
                        struct profile_go *go) {
    *go = (struct profile_go){
        .entries = row->entries,
        .exits = row->exits,
        .assist_ns = clock_ns(p->ticks_per_ns, row->assist_ticks),
        .heap_ns = clock_ns(p->ticks_per_ns, row->heap_ticks),
        .zero_ns = clock_ns(p->ticks_per_ns, row->zero_ticks),
        .at_once_max = row->at_once_max,
        .longest_ns = clock_ns(p->ticks_per_ns, row->longest_ticks),
        .longest_goroutine = row->longest_goroutine,
    };
}

int decode_go(struct profile_process *p, struct memory *memory) {
    const struct region_view *view = &memory->image.view;
    const struct region_header *h = view->header;
    uint64_t rows = view->used[REGION_GO];
    p->go = (struct profile_go_runtime){
        .state = h->go_state <= REGION_GO_DETACHED ? h->go_state : (uint32_t)REGION_GO_NONE,
        .version = region_view_string(view, h->go_version),
        .reason = region_view_string(view, h->go_reason),
        .threshold = h->go_threshold,
        .entries = h->go_entries,
        .exits = h->go_exits,
        .at_once = (int64_t)h->go_now < 0 ? 0 : h->go_now,
        .at_once_max = h->go_at_once_max,
        .cycles = h->go_cycles,
        .stop_ns = h->go_stop_ns,
    };
    for (uint32_t i = 1; i < p->site_count; i++) {
        const struct region_site *site = region_view_row(view, REGION_SITES, i);
        if (!site || site->runtime != REGION_RUNTIME_GO || !site->go || site->go >= rows)
            continue;
        const struct region_go *row = region_view_row(view, REGION_GO, site->go);
        struct profile_go *go = row ? arena_take(&memory->arena, sizeof *go) : NULL;
        if (row && !go)
            return -ENOMEM;
        if (go)
            decode_site(p, row, go);
        p->sites[i].go = go;
    }
    return 0;
}
