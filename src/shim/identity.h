/* identity: who this process is, as /proc tells it. Where /proc is missing the fields are empty
 * and the report says so. */
#ifndef SQUALL_SHIM_IDENTITY_H
#define SQUALL_SHIM_IDENTITY_H

#include "base/base.h"

struct identity {
    uint8_t boot_id[16];
    uint64_t pid_namespace;
    uint64_t start_ticks;
    uint64_t threads; /* when it was read; 0 = not known */
    char exe[4096];
    char arguments[4096]; /* ended by zeros; cut at the size */
    uint64_t arguments_size;
};

/* Returns 0, or -errno when /proc is not readable: exe is then argv[0]. */
int identity_read(struct identity *id, char *const *argv);
/* In a forked child: what is not inherited. */
void identity_refresh(struct identity *id);
/* A resource limit in force, UINT64_MAX = none. */
uint64_t identity_limit(int resource);
/* RLIMIT_AS or RLIMIT_DATA, the lower: private memory counts for both. UINT64_MAX = none. */
uint64_t identity_space_limit(void);
/* vm.overcommit_memory is 2: what is private and may be written counts, used or not, MAP_NORESERVE or not, and
 * again in each forked child. */
bool identity_counts_commit(void);

#endif
