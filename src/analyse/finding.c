/* Findings: patterns of fixes.md in what was recorded, with evidence and advice. They need the
 * codec calls of the region; until the shim writes those there is nothing to judge by, and nothing
 * is accused. */
#include "internal.h"

int analyse_findings_make(struct analysis *a, struct analyse_names *names) {
    (void)names;
    a->findings = NULL;
    a->finding_count = 0;
    return 0;
}
