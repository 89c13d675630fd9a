/* place: where the region file is, and what to do where it cannot be. */
#ifndef SQUALL_SHIM_PLACE_H
#define SQUALL_SHIM_PLACE_H

#include "region/region.h"

struct place_wish {
    const char *dir;     /* SQUALL_DIR, NULL = not set */
    const char *runtime; /* XDG_RUNTIME_DIR, NULL = not set */
    const char *name;    /* of the file */
    uint64_t bound;
    uint32_t perm;
};

struct place_found {
    uint32_t place; /* enum region_place */
    uint32_t notes; /* enum region_note */
    uint64_t filesystem;
};

/* Before anything is taken: -ENOMEM, and says so, where limits on memory leave too little for a region. */
int place_check(void);
/* Makes the file in the first place that takes it and maps it; opens it with `start`, which
 * returns 0 or -errno (then the file is removed and the next place is tried). Says one line when
 * it is not where it was asked for. Returns 0 or -errno: nothing can be recorded. */
int place_region(const struct place_wish *wish, struct region *r, struct place_found *found,
                 int (*start)(struct region *r));

#endif
