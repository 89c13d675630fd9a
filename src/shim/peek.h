/* peek: reads memory of this process that may not be there.
 *
 * Why: a walk on a stack that nobody can vouch for (a coroutine in malloc'ed memory, an alternate
 * signal stack), and the loader's list of modules, which another thread may be changing, must
 * give an error where a plain load would crash the program. Nothing here writes anything that is
 * shared, except the note that the kernel refuses process_vm_readv. */
#ifndef SQUALL_SHIM_PEEK_H
#define SQUALL_SHIM_PEEK_H

#include "base/base.h"

#define PEEK_PAGE 4096ull

/* Copies up to `size` bytes from `address`; returns how many could be read, from the start on.
 * One system call for each three pages. */
size_t peek_read(void *dst, uint64_t address, size_t size);

/* True when the 8 bytes at `address`, which is aligned, can be read now. One system call. */
bool peek_can_read(uint64_t address);

#endif
