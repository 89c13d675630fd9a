/* One process: totals, sites that the options keep, findings, visibility. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static void add_threads(struct analyse_totals *totals, const struct profile_process *p) {
    for (uint32_t i = 0; i < p->thread_count; i++) {
        totals->allocs += p->threads[i].allocs;
        totals->frees += p->threads[i].frees;
        totals->bytes += p->threads[i].bytes;
    }
}

/* All cells, whatever the options keep. The peak of the process is known only for blocks from
 * `large` up; no moment had less than that, than what is live now, or than any one cell had. */
static void add_cells(struct analyse_totals *totals, const struct profile_process *p) {
    uint64_t bytes = 0, large_bytes = 0, peak = p->large_peak;
    for (uint32_t i = 0; i < p->cell_count; i++) {
        const struct profile_cell *cell = &p->cells[i];
        totals->freed_bytes += cell->freed_bytes;
        totals->live_bytes += cell->live_bytes;
        totals->allocator_ns += cell->allocator_ns;
        totals->estimated |= cell->sampled;
        bytes += cell->bytes;
        large_bytes += cell->large.bytes;
        if (!cell->shared && !cell->sampled && cell->peak_bytes > peak)
            peak = cell->peak_bytes;
    }
    if (totals->live_bytes > peak)
        peak = totals->live_bytes;
    totals->peak_live_bytes = peak;
    /* Small blocks that no sample met stand in no cell; what threads allocated has them. */
    bool small = totals->bytes > large_bytes;
    totals->peak_is_lower_bound = small || bytes != large_bytes;
    totals->estimated |= small && p->configuration.mode != REGION_MODE_EXACT;
}

static int add_sites(struct analysis *a, const struct analyse_options *options) {
    const struct profile_process *p = a->process;
    int error = 0;
    a->sites = calloc(p->site_count ? p->site_count : 1, sizeof(*a->sites));
    if (!a->sites)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->site_count && !error; i++) {
        const struct profile_site *site = &p->sites[i];
        if (site->cell_count == 0)
            continue;
        a->sites_recorded++;
        if (options->one_site && site->id != options->site)
            continue;
        if (analyse_sites_sum(&a->sites[a->site_count], a, site, options, &error))
            a->site_count++;
    }
    analyse_sites_sort(a->sites, a->site_count, options->sort);
    a->sites_before_top = a->site_count;
    return error;
}

/* Findings are about all sites, however few are listed. */
static void cut(struct analysis *a, uint32_t top) {
    if (top && a->site_count > top)
        a->site_count = top;
}

int analyse_process(struct analysis *a, const struct profile_process *p,
                    const struct analyse_options *options, struct analyse_names *names) {
    *a = (struct analysis){.process = p, .seconds = (double)p->seconds_ns / 1e9};
    add_threads(&a->totals, p);
    add_cells(&a->totals, p);
    int error = add_sites(a, options);
    if (!error)
        error = analyse_calls_sort(a);
    if (!error)
        error = analyse_codec_complete(a, options->top, names);
    if (!error)
        error = analyse_flags_set(a);
    if (!error)
        error = analyse_findings_make(a, options, names);
    cut(a, options->top);
    if (!error)
        error = analyse_visible_state(a, names, !options->brief);
    if (error)
        analyse_free(a);
    return error;
}

void analyse_free(struct analysis *a) {
    for (uint32_t i = 0; i < a->sites_before_top; i++)
        free(a->sites[i].rows);
    for (uint32_t i = 0; i < a->finding_count; i++)
        analyse_finding_free(&a->findings[i]);
    for (uint32_t i = 0; i < a->statement_count; i++)
        free(a->statements[i].statement);
    free(a->sites);
    free(a->codec_calls);
    free(a->findings);
    free(a->statements);
    *a = (struct analysis){0};
}
