/* What unwind_check.c counted. */
#ifndef UNWIND_CHECK_RESULT_H
#define UNWIND_CHECK_RESULT_H

#include <squall/region.h>

struct check_counts {
    unsigned long long samples, agreed, frames, groups, groups_failed;
    unsigned long long ends[REGION_END_COUNT];
};
extern struct check_counts check_total;

#endif
