/* One site for people: what, how much, how long, by whom. */
#include <string.h>

#include "internal.h"

#define INDENT 4u
#define NAMES_MAX 6u /* names of threads on a line */

static const char *bytes(char *out, uint64_t value) {
    return analyse_format_bytes(out, 32, value);
}

static const char *count(char *out, uint64_t value) {
    return analyse_format_count(out, 32, value);
}

static const char *duration(char *out, double ns) {
    return analyse_format_time(out, 32, ns);
}

/* "123 × 3.49 MiB (3,658,041 B)" or "1,234 × 64.0 KiB…3.49 MiB, mean 1.20 MiB". */
static void add_blocks(struct line *line, const struct analyse_site *site) {
    const struct analyse_spread *size = &site->size;
    char a[32], b[32], c[32];
    line_add(line, BOLD, "%s%s × %s", site->sums.estimated ? "~" : "", count(a, site->sums.allocs),
             bytes(b, size->min));
    if (size->min == size->max) {
        if (size->min >= 1024)
            line_add(line, PLAIN, " (%s B)", count(c, size->min));
        return;
    }
    if (size->min >= 1024 && strcmp(b, bytes(c, size->max)) == 0) { /* told apart by bytes only */
        line_add(line, PLAIN, " (%s…", count(a, size->min));
        line_add(line, PLAIN, "%s B)", count(c, size->max));
        return;
    }
    line_add(line, BOLD, "…%s", bytes(c, size->max));
    line_add(line, PLAIN, ", mean %s", bytes(a, analyse_whole(size->mean + 0.5)));
    if (size->quantiles)
        line_add(line, PLAIN, ", p50 %s", bytes(b, size->p50));
}

/* "workspace"; what is made while decompressing has no role, but should be told apart. */
static const char *role_of(const struct analyse_site *site) {
    const char *role = analyse_role_name(site->role);
    if (role || !site->codec_function)
        return role;
    if (site->direction == REGION_DECOMPRESS && site->codec && strcmp(site->codec, "zlib") == 0)
        return "inflate";
    return analyse_direction_name(site->direction);
}

void text_site_head(struct line *line, const struct analysis *a, const struct analyse_site *site,
                    unsigned rank) {
    const char *role = role_of(site);
    char total[32];
    line_add(line, DIM, "%3u ", rank);
    line_add(line, BOLD, "%s%s", site->sums.estimated ? "~" : "", bytes(total, site->sums.bytes));
    line_pad(line, INDENT + 10);
    if (a->totals.bytes)
        line_add(line, PLAIN, "%5.1f %%",
                 100.0 * (double)site->sums.bytes / (double)a->totals.bytes);
    line_pad(line, INDENT + 20);
    add_blocks(line, site);
    if (site->codec || role) {
        line_pad(line, line->columns + 2);
        line_add(line, ACCENT, "%s%s%s", site->codec ? site->codec : "",
                 site->codec && role ? " " : "", role ? role : "");
    }
    if (site->flagged)
        line_add(line, WARN, "  flagged");
    if (site->site->runtime == REGION_RUNTIME_GO)
        line_add(line, DIM, "  Go");
    line_add(line, DIM, "  site %u", site->site->id);
    line_end(line);
}

static void add_life(struct line *line, const struct analyse_spread *life, bool is_go) {
    char a[32], b[32], c[32], d[32];
    const char *lives = is_go ? "swept after" : "lives";
    if (!life->known)
        line_add(line, PLAIN, is_go ? " · none swept yet" : " · none freed yet");
    else if (life->min == life->max)
        line_add(line, PLAIN, " · %s %s", lives, duration(a, (double)life->min));
    else if (life->quantiles)
        line_add(line, PLAIN, " · %s %s p50, %s mean, %s…%s", lives, duration(a, (double)life->p50),
                 duration(b, life->mean), duration(c, (double)life->min),
                 duration(d, (double)life->max));
    else
        line_add(line, PLAIN, " · %s %s mean, %s…%s", lives, duration(b, life->mean),
                 duration(c, (double)life->min), duration(d, (double)life->max));
}

/* Of all messages together: a mean over the messages would be that of the smallest ones, of which a
 * block is many thousand times as large. */
static double times_source(const struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    if (!large->served_source_bytes || !large->allocs)
        return site->source_ratio.mean;
    return (double)large->bytes / (double)large->allocs * (double)site->source_ratio.count /
           (double)large->served_source_bytes;
}

static void add_rates(struct line *line, const struct analysis *a,
                      const struct analyse_site *site) {
    const struct profile_large *large = &site->large;
    char x[32], y[32];
    line_pad(line, INDENT);
    if (a->seconds > 0)
        line_add(line, PLAIN, "%s/s · ", bytes(x, analyse_whole(site->bytes_per_second)));
    if (a->seconds > 0 && site->allocs_per_second < 10)
        line_add(line, PLAIN, "%.1f blocks/s", site->allocs_per_second);
    else if (a->seconds > 0)
        line_add(line, PLAIN, "%s blocks/s", count(y, analyse_whole(site->allocs_per_second + 0.5)));
    else
        line_add(line, PLAIN, "rate not known");
    if (site->sums.allocator_ns && site->sums.allocs)
        line_add(line, PLAIN, " · %s in the allocator (%s a block)",
                 duration(x, (double)site->sums.allocator_ns),
                 duration(y, (double)site->sums.allocator_ns / (double)site->sums.allocs));
    if (large->transient)
        line_add(line, PLAIN,
                 site->site->go ? " · %s swept within two collections" : " · %s transient",
                 count(x, large->transient));
    if (large->mmapped)
        line_add(line, PLAIN, " · %s by mmap", count(x, large->mmapped));
    if (site->reused)
        line_add(line, PLAIN, " · %s reused", count(x, large->reused));
    if (site->source_ratio.count)
        line_add(line, PLAIN, " · %.2f × its source", times_source(site));
    if (site->sums.torn)
        line_add(line, WARN, " · torn");
    line_end(line);
}

/* Threads by name, most bytes first: "rdk:broker1 ×3". Rows are sorted by bytes. */
static void add_threads(struct line *line, const struct analysis *a,
                        const struct analyse_site *site) {
    const struct profile_process *p = a->process;
    unsigned shown = 0, more = 0;
    char number[32];
    line_pad(line, INDENT);
    line_add(line, PLAIN, "by ");
    for (uint32_t i = 0; i < site->row_count; i++) {
        const char *name = p->threads[site->rows[i].thread].name;
        uint32_t before = 0, same = 1;
        /* Beyond some hundred rows names are not told apart: that would take their square. */
        uint32_t end = site->row_count < 400 ? site->row_count : i + 1;
        while (before < i && i < 400 &&
               strcmp(p->threads[site->rows[before].thread].name, name) != 0)
            before++;
        if (i < 400 && before < i)
            continue;
        for (uint32_t k = i + 1; k < end; k++)
            same += strcmp(p->threads[site->rows[k].thread].name, name) == 0;
        if (shown >= NAMES_MAX) {
            more += same;
            continue;
        }
        if (shown++)
            line_add(line, PLAIN, ", ");
        if (site->rows[i].shared)
            line_add(line, PLAIN, "threads without a row");
        else
            line_add_name(line, PLAIN, *name ? name : "(no name)", 20);
        if (same > 1)
            line_add(line, PLAIN, " ×%u", same);
    }
    if (more)
        line_add(line, DIM, " and %u more threads", more);
    if (site->sums.remote_frees)
        line_add(line, PLAIN, " · %s freed by other threads",
                 count(number, site->sums.remote_frees));
    line_end(line);
}

/* Goroutines migrate: there is no thread to name. */
static void add_go(struct line *line, const struct profile_go *go) {
    char a[32], b[32], c[32], d[32];
    line_pad(line, INDENT);
    if (go->at_once_max > 1)
        line_add(line, PLAIN, "by up to %s goroutines at once in mallocgc",
                 count(d, go->at_once_max));
    else
        line_add(line, PLAIN, "by one goroutine at a time in mallocgc");
    line_add(line, PLAIN, " · GC assist %s · heap %s · zeroing %s",
             duration(a, (double)go->assist_ns), duration(b, (double)go->heap_ns),
             duration(c, (double)go->zero_ns));
    if (go->longest_goroutine)
        line_add(line, PLAIN, " · longest %s (goroutine %s)", duration(a, (double)go->longest_ns),
                 count(b, go->longest_goroutine));
    line_end(line);
}

void text_site_details(struct line *line, const struct analysis *a,
                       const struct analyse_site *site) {
    char x[32], y[32];
    line_pad(line, INDENT);
    const char *about = site->sums.estimated ? "~" : "";
    line_add(line, PLAIN, "live %s%s in %s%s", about, bytes(x, site->sums.live_bytes), about,
             count(y, site->sums.live_blocks));
    line_add(line, PLAIN, " · peak %s%s", site->sums.peak_is_upper_bound ? "≤ " : about,
             bytes(x, site->sums.peak_bytes));
    add_life(line, &site->life, site->site->runtime == REGION_RUNTIME_GO);
    line_end(line);
    add_rates(line, a, site);
    if (site->site->go)
        add_go(line, site->site->go);
    else
        add_threads(line, a, site);
}
