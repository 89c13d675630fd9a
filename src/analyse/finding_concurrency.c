/* How many calls at once are of use: beyond that, threads wait for a processor and for the
 * allocator, and only the memory that they hold grows. */
#include <stdio.h>

#include "base/codec_table.h"
#include "finding.h"

#define CALLS 64u        /* at a level, for it to count, */
#define CALLS_SHARE 0.01 /* and of all calls; */
#define FEW_CALLS 16u    /* or this few, */
#define FEW_SHARE 0.05   /* if they are that much of all: threads that begin or end pass by */
#define NEARLY 0.95      /* of the best throughput is as good, */
#define NEARLY_WALL 0.9  /* measured by the wall clock: levels that last long differ by noise; */
#define WALL_SHARE 0.02  /* of the time at any level, for one to count; */
#define ROUGHLY 0.6      /* or this, where the calls had as many processors as any had: */
#define AS_MANY 0.8      /* such a part of them */
#define ABOVE_SHARE 0.2  /* of the calls, beyond the useful level */
#define EXACT_LEVELS 32u /* above, a row stands for eight levels */

struct level {
    uint32_t level;
    double throughput, calls, ns, cpu_ns;
    bool has_wall; /* throughput is that of the whole process while it was at this level */
};

static double at_once(uint32_t level) {
    return level > EXACT_LEVELS ? level + 3.5 : level;
}

static bool is_enough(double calls, double all) {
    return (calls >= CALLS && calls >= CALLS_SHARE * all) ||
           (calls >= FEW_CALLS && calls >= FEW_SHARE * all);
}

/* Levels with enough calls; returns how many. */
static uint32_t take_levels(const struct profile_process *p, struct level *levels, double *calls) {
    uint32_t count = 0;
    double wall = 0;
    *calls = 0;
    for (uint32_t i = 0; i < p->level_count; i++) {
        *calls += (double)p->levels[i].calls;
        wall += (double)p->levels[i].wall_ns;
    }
    for (uint32_t i = 0; i < p->level_count && count < REGION_LEVELS; i++) {
        const struct profile_concurrency *from = &p->levels[i];
        bool has_wall = wall > 0;
        if (has_wall ? (double)from->wall_ns < WALL_SHARE * wall || from->calls < FEW_CALLS
                     : !is_enough((double)from->calls, *calls) || !from->ns)
            continue;
        levels[count++] = (struct level){
            .level = from->level,
            .throughput = has_wall ? (double)from->flow_bytes * 1e9 / (double)from->wall_ns
                                   : at_once(from->level) * (double)from->source_bytes * 1e9 /
                                         (double)from->ns,
            .has_wall = has_wall,
            .calls = (double)from->calls,
            .ns = (double)from->ns,
            .cpu_ns = (double)from->cpu_ns,
        };
    }
    return count;
}

static double middle(double a, double b, double c) {
    double low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* The median with both neighbours: takes single outliers away and leaves a ramp as it is. */
static double smoothed(const struct level *levels, uint32_t count, uint32_t i) {
    if (i == 0 || i + 1 == count)
        return levels[i].throughput;
    return middle(levels[i - 1].throughput, levels[i].throughput, levels[i + 1].throughput);
}

bool finding_has_workers(const struct finding_work *work) {
    const struct profile_process *p = work->a->process;
    for (uint32_t i = 0; i < p->site_count; i++) {
        uint32_t function = p->sites[i].codec_function;
        if (function && function < p->codec_function_count &&
            p->codec_functions[function].kind == CODEC_WORKER)
            return true;
    }
    return false;
}

/* Processors that the calls of these levels had: those at once, times the part of their time that
 * they ran. */
static double processors(const struct level *levels, uint32_t count) {
    double cpu = 0, ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        cpu += at_once(levels[i].level) * levels[i].cpu_ns;
        ns += levels[i].ns;
    }
    return ns > 0 ? cpu / ns : 0;
}

/* The lowest level with such a part of the best throughput, and of `cpus` processors. */
static uint32_t find_level(const struct level *levels, uint32_t count, double part, double cpus) {
    double best = 0;
    uint32_t i = 0;
    for (uint32_t n = 0; n < count; n++)
        if (smoothed(levels, count, n) > best)
            best = smoothed(levels, count, n);
    while (i + 1 < count &&
           (smoothed(levels, count, i) < part * best || processors(&levels[i], 1) < AS_MANY * cpus))
        i++;
    return i;
}

void finding_find_knee(struct finding_work *work) {
    const struct profile_process *p = work->a->process;
    struct level levels[REGION_LEVELS];
    struct finding_knee *knee = &work->knee;
    double calls, above = 0, ns = 0, cpu = 0;
    uint32_t count = take_levels(p, levels, &calls);
    knee->levels = count;
    if (count == 0)
        return;
    bool has_wall = levels[0].has_wall;
    uint32_t i = find_level(levels, count, has_wall ? NEARLY_WALL : NEARLY, 0);
    double cpus = finding_has_workers(work) ? 0 : processors(levels + i, count - i);
    uint32_t by_cpu = cpus <= 0 ? 0 : cpus < 1 ? 1 : cpus < 1e6 ? (uint32_t)(cpus + 0.5) : 1000000;
    if (by_cpu && by_cpu < levels[i].level) {
        /* A busy machine gives more to more threads: as many processors are as good. */
        uint32_t lower = find_level(levels, count, ROUGHLY, cpus);
        i = lower < i ? lower : i;
    }
    knee->level = levels[i].level;
    knee->throughput = levels[i].throughput;
    knee->max = levels[count - 1].level;
    knee->throughput_max = levels[count - 1].throughput;
    if (i == 0 && knee->level > 1) { /* lower ones may be as good, but were not seen */
        knee->is_lowest = !by_cpu || by_cpu >= knee->level;
        if (!by_cpu)
            return;
        knee->from_cpu = by_cpu < knee->level;
        knee->level = knee->from_cpu ? by_cpu : knee->level;
    }
    for (uint32_t n = 0; n < p->level_count; n++) {
        if (p->levels[n].level <= knee->level)
            continue;
        above += (double)p->levels[n].calls;
        ns += (double)p->levels[n].ns;
        cpu += (double)p->levels[n].cpu_ns;
    }
    knee->share_above = calls > 0 ? above / calls : 0;
    knee->waiting = ns > 0 && cpu > 0 && cpu < ns ? 1 - cpu / ns : 0;
    knee->known = knee->share_above >= ABOVE_SHARE &&
                  (knee->max >= 2 * knee->level || knee->max >= knee->level + 2);
}

/* Adds what every storm of the process takes: a cap is for all of them. */
static void add_all(struct finding_work *work, struct finding_sum *sum) {
    for (uint32_t i = 0; i < work->site_count; i++) {
        bool done = work->sites[i].done;
        if (!work->sites[i].site->flagged)
            continue;
        finding_add(work, sum, &work->sites[i], false);
        work->sites[i].done = done;
    }
}

static void add_evidence(struct finding_work *work, struct analyse_finding *f,
                         const struct finding_sum *sum) {
    const struct finding_knee *knee = &work->knee;
    finding_integer(work, f, "knee", knee->level);
    finding_integer(work, f, "level_max", knee->max);
    finding_text(work, f, "knee_from", knee->from_cpu ? "cpu time" : "throughput");
    if (!knee->from_cpu)
        finding_number(work, f, "throughput_at_knee", knee->throughput);
    finding_number(work, f, "throughput_at_max", knee->throughput_max);
    finding_number(work, f, "calls_above_share", knee->share_above);
    finding_number(work, f, "waiting_share", knee->waiting);
    finding_integer(work, f, "allocs", sum->allocs);
    finding_integer(work, f, "bytes", sum->bytes);
    finding_integer(work, f, "peak_bytes", sum->peak_bytes);
    finding_integer(work, f, "capped_peak_bytes", sum->capped_bytes);
    finding_integer(work, f, "saved_peak_bytes", sum->peak_bytes - sum->capped_bytes);
}

void finding_concurrency(struct finding_work *work) {
    const struct finding_knee *knee = &work->knee;
    struct finding_sum sum = {0};
    char a[32], b[32], c[32], few[32];
    if (!knee->known)
        return;
    add_all(work, &sum);
    struct analyse_finding *f = finding_begin(work, "concurrency-past-throughput", sum.worst,
                                              analyse_whole((double)sum.bytes * knee->share_above));
    if (!f)
        return;
    uint64_t spared = sum.peak_bytes - sum.capped_bytes;
    analyse_format_count(few, sizeof(few), knee->level);
    finding_say(work, &f->summary,
                "more than %s %s compressing at once gave %s more throughput: %.0f %% of the calls "
                "began while more were running, up to %u",
                few, knee->level == 1 ? "thread" : "threads",
                knee->from_cpu || knee->throughput_max * NEARLY <= knee->throughput ? "no"
                                                                                    : "hardly",
                knee->share_above * 100, knee->max);
    if (knee->from_cpu)
        finding_say(
            work, &f->summary,
            "; fewer were hardly ever seen, so this is estimated from the CPU time that the "
            "calls had");
    else
        finding_say(work, &f->summary, " (%s/s with %s, %s/s with %u)",
                    analyse_format_bytes(a, sizeof(a), analyse_whole(knee->throughput)), few,
                    analyse_format_bytes(b, sizeof(b), analyse_whole(knee->throughput_max)), knee->max);
    if (knee->waiting > 0)
        finding_say(work, &f->summary, "; beyond it, calls waited %.0f %% of their time",
                    knee->waiting * 100);
    finding_say(work, &f->fix,
                "Let no more than %s compress at once: a semaphore around the call, a pool of %s "
                "encoders, fewer worker threads",
                few, few);
    if (finding_has_go(work))
        finding_say(work, &f->fix, " (in Go: an encoder concurrency or GOMAXPROCS of %s)", few);
    finding_say(work, &f->fix, ".");
    if (spared)
        finding_say(work, &f->fix, " That takes the peak of what the calls allocate from %s to %s.",
                    analyse_format_bytes(a, sizeof(a), sum.peak_bytes),
                    analyse_format_bytes(b, sizeof(b), sum.capped_bytes));
    finding_say(work, &f->caution,
                "Where threads wait is not always what makes them wait: waiting is shown, but the "
                "order of findings is by bytes and rate. Another machine, or other load, has "
                "another limit.");
    add_evidence(work, f, &sum);
    struct analyse_remedy *remedy = finding_remedy(work, f, "cap_concurrency");
    if (!remedy)
        return;
    remedy->saves = true;
    remedy->saved_peak_bytes = spared;
    finding_say(work, &remedy->text, "cap the concurrency at %s: %s less at the peak", few,
                analyse_format_bytes(c, sizeof(c), spared));
}
