/* first: whether the first instruction of a function may stay where it is in front of a detour.
 *
 * Why: a probe of the kernel's (uprobe: perf, bpftrace, systemtap) at a function by name puts a
 * breakpoint over its first byte, runs the first instruction of the *file* elsewhere, goes on
 * behind it, and puts the file's first byte back in the end. A jump that begins there is entered in
 * its midst then, or loses its first byte. So the jump goes behind the first instruction, which
 * then has run when squall sees the call, and runs again as the function goes on: it must be one
 * that can be undone, or that may run twice without anybody seeing it.
 *
 * Pure functions of the bytes given. Only what compilers begin functions with is known. */
#ifndef SQUALL_SHIM_FIRST_H
#define SQUALL_SHIM_FIRST_H

#include "base/base.h"

struct first {
    uint8_t length;
    bool is_mark;  /* endbr64: need not run again */
    uint32_t undo; /* bytes that it took from the stack, to be given back before it runs again */
};

/* False: it is none that may stay. */
bool first_stays(const uint8_t *code, uint64_t size, struct first *first);

#endif
