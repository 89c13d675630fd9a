/* mapping: anonymous mappings that malloc does not account for.
 *
 * Why: a program may keep its blocks in pools that it maps itself (arenas of an interpreter, the
 * heap of a virtual machine, an allocator linked into a module). What is in them cannot be seen;
 * how much there is and who made it can, and a report that did not say so would look complete.
 *
 * mmap, munmap and mremap of the C library get detours, as codec functions do: nothing is exported,
 * and every caller counts. Counted is what is anonymous, writable when it is made and at least
 * `large` bytes long, unless it is a thread's stack or the next allocator's own. What is reserved
 * without access and made writable later (mprotect) is not: a reservation says little about memory.
 * Nor is what the C library maps for itself, its malloc's above all.
 *
 * Who writes what: rows of REGION_ANON are written here and nowhere else, atomically. The table of
 * mappings that were counted is private; any thread takes a slot, changes it and gives it back, and
 * who finds one taken passes it by. */
#ifndef SQUALL_SHIM_MAPPING_H
#define SQUALL_SHIM_MAPPING_H

#include "base/base.h"

/* Once per region; in a forked child it forgets the parent's mappings. Returns 0 or -errno. */
int mapping_init(void);
/* At start, while the process has one thread, unless args:off: from now on mappings are seen. */
void mapping_follow(void);

/* Grows when memory was unmapped or mapped over through the C library, by whomever, its malloc
 * included. 0: that is not seen. */
extern uint64_t mapping_changes HIDDEN;

#endif
