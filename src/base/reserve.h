/* reserve: private address space for tables of the target that grow with use. */
#ifndef SQUALL_BASE_RESERVE_H
#define SQUALL_BASE_RESERVE_H

#include <linux/mman.h>

#include "syscall.h"

/* Zeroed, and memory only where it is written: a page at a time, and none of it in core dumps.
 * Returns the address or -errno, as mmap does (base_is_error). */
INLINE long base_reserve(uint64_t bytes, int protection) {
    long at = base_syscall(SYS_mmap, 0, bytes, protection,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base_is_error(at))
        return at;
    base_syscall(SYS_madvise, at, bytes, MADV_NOHUGEPAGE);
    base_syscall(SYS_madvise, at, bytes, MADV_DONTDUMP);
    return at;
}

#endif
