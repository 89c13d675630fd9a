/* Evidence of Go: time in mallocgc and who waited there. */
#include "finding.h"

#define MUCH_ASSIST 0.25 /* of the time in mallocgc */

static const char *time_of(char *out, uint64_t ns) {
    return analyse_format_time(out, 32, (double)ns);
}

/* What a goroutine waits for in mallocgc is made by all that allocate: the collector is behind, and
 * whoever allocates next has to help it. */
static void say_caution(struct finding_work *work, struct analyse_finding *f,
                        const struct profile_go *go, uint64_t all) {
    char a[32], b[32];
    finding_say(
        work, &f->caution,
        "%sThe site where goroutines wait in mallocgc is not the cause of their waiting: they "
        "help the collector (GC assist) because of all that was allocated before them",
        f->caution ? " " : "");
    if ((double)go->assist_ns >= MUCH_ASSIST * (double)all)
        finding_say(work, &f->caution, "; here %s of %s in mallocgc was such help",
                    time_of(a, go->assist_ns), time_of(b, all));
    finding_say(work, &f->caution, ".");
}

void finding_go(struct finding_work *work, struct analyse_finding *f,
                const struct finding_sum *sum) {
    const struct profile_go *go = sum->worst ? sum->worst->site->go : NULL;
    if (!go)
        return;
    uint64_t all = go->assist_ns + go->heap_ns + go->zero_ns;
    finding_integer(work, f, "goroutines_in_mallocgc", go->at_once_max);
    finding_integer(work, f, "mallocgc_ns", all);
    finding_integer(work, f, "assist_ns", go->assist_ns);
    finding_integer(work, f, "heap_ns", go->heap_ns);
    finding_integer(work, f, "zero_ns", go->zero_ns);
    if (go->longest_goroutine) {
        finding_integer(work, f, "longest_ns", go->longest_ns);
        finding_integer(work, f, "longest_goroutine", go->longest_goroutine);
    }
    finding_integer(work, f, "collections", work->a->process->go.cycles);
    if (go->at_once_max > 1)
        finding_say(work, &f->summary, "; up to %llu goroutines were in mallocgc at once",
                    (unsigned long long)go->at_once_max);
    say_caution(work, f, go, all);
}
