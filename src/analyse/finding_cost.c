/* Whether the blocks that a finding is about cost anything beside the work that they serve: 2 MiB
 * for each second of xz are a pattern, but nobody would be helped by hearing of it. */
#include "finding.h"

#define PAGE 4096.0
#define FAULT_NS 250.0   /* an estimate: what the kernel takes to hand out a page */
#define MATTERS 0.0005   /* of the work of the calls; */
#define FEW_MATTER 0.002 /* of few blocks it has to be beyond doubt */
#define FEW 32u          /* blocks: of fewer, the time in the allocator is left to chance */
#define MUCH_MEMORY (64ull << 20) /* at once: memory is a cost of its own */

/* Calls of Go's encoders wait for one that is free, and goroutines for a processor: the time of the
 * calls says little of the work in them. */
static bool is_go(const struct finding_sum *sum) {
    return sum->worst && sum->worst->site->runtime == REGION_RUNTIME_GO;
}

/* Work is what the calls did, not how long they took: where more threads compress than there are
 * processors, calls mostly wait, and beside that anything is little. Threads that a codec has of its
 * own work for a call that waits; then, as where it is not known, its time has to do. */
static double work_ns(const struct finding_work *work, const struct finding_calls *calls) {
    bool known = calls->cpu_ns && calls->cpu_ns < calls->ns && !finding_has_workers(work);
    return (double)(known ? calls->cpu_ns : calls->ns);
}

/* The time that the allocator took for these blocks beside the time of the calls that they served,
 * both by the clock on the wall, and what the kernel takes to fill each with pages once beside their
 * work. Measured time of a few blocks is left to chance: for the 16 of pixz it was 2 to 6 µs a block
 * in five of seven runs, and 200 in the other two. */
double finding_cost_share(const struct finding_work *work, const struct finding_sum *sum,
                          const struct finding_calls *calls) {
    if (is_go(sum) || !calls->ns)
        return -1;
    double share = (double)sum->bytes / PAGE * FAULT_NS / work_ns(work, calls);
    if (sum->allocs >= FEW)
        share += (double)sum->allocator_ns / (double)calls->ns;
    return share;
}

bool finding_matters(const struct finding_work *work, const struct finding_sum *sum,
                     const struct finding_calls *calls) {
    return !calls->ns || is_go(sum) || sum->peak_bytes >= MUCH_MEMORY ||
           finding_cost_share(work, sum, calls) >= (sum->allocs < FEW ? FEW_MATTER : MATTERS);
}
