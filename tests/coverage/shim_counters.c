/* shim_counters: the library's line counters in one file, for `make coverage` only.
 *
 * Why: gcov's runtime needs the C library, and writes when a process ends in order. The library has
 * none, and the processes it is in fork, exec and are killed. So its counters lie in pages of
 * their own (counters.ld), and a shared file is mapped over these at the start: all processes add
 * up in one place, and the kernel keeps what a killed one counted. counters_dump.c makes of it what
 * gcov reads. Counters are added to without a lock: a few are missed, none is made up.
 *
 * The name of the file is compiled in: tests clear their environment. */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/syscall.h"

extern uint64_t counters_start[] HIDDEN, counters_end[] HIDDEN;

/* What the compiler's tables of counters refer to; nobody calls it. */
HIDDEN void __gcov_merge_add(void);
void __gcov_merge_add(void) {}

/* Of the tables themselves; exported in this build alone. */
extern const struct gcov_info *const __start_squall_infos[] HIDDEN, *const __stop_squall_infos[] HIDDEN;
EXPORT const void *squall_infos(uint64_t *count);
const void *squall_infos(uint64_t *count) {
    *count = (uint64_t)(__stop_squall_infos - __start_squall_infos);
    return __start_squall_infos;
}

/* Before the library's own constructor. A process that may not open the file counts for itself. */
__attribute__((constructor(101))) static void map_counters(void) {
    uint64_t bytes = (uint64_t)counters_end - (uint64_t)counters_start;
    long fd = base_syscall(SYS_openat, AT_FDCWD, COUNTERS_FILE, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long at = base_syscall(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!base_is_error(at)) {
        /* Constructors of other libraries may have allocated before. */
        for (uint64_t i = 0; i < bytes / 8; i++)
            if (counters_start[i])
                RELAXED_ADD(&((uint64_t *)at)[i], counters_start[i]);
        base_syscall(SYS_mmap, counters_start, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        base_syscall(SYS_munmap, at, bytes);
    }
    base_syscall(SYS_close, fd);
}
