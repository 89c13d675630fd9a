/* unwind: the return addresses of the calling thread, without libc, locks or allocation.
 *
 * Why of our own: libunwind in the target replaces libgcc's unwinder for every C++ exception and
 * pulls in a codec (liblzma). This walker compiles each address's rule from .eh_frame once, and
 * verifies the remembered outer part of the last stack instead of walking it again.
 *
 * Who writes what: `struct unwind_thread` belongs to one thread (and to nobody while it is in a
 * signal handler that interrupted a hook: the caller does not call then). The rule table is
 * shared by all threads, written with relaxed stores of whole words. */
#ifndef SQUALL_SHIM_UNWIND_H
#define SQUALL_SHIM_UNWIND_H

#include <squall/region.h>

#include "base/base.h"

/* Where a walk begins: the registers in the frame whose caller is the first frame wanted. */
struct unwind_start {
    uint64_t pc; /* a return address: the first frame of the result */
    uint64_t sp; /* value of rsp in that frame, after the return */
    uint64_t bp; /* value of rbp in that frame */
};

/* The start for a hook: its caller is the first frame. A macro, because it must stand in the hook
 * itself. __builtin_frame_address(0) makes gcc and clang set up rbp as frame pointer of the
 * function it stands in, whatever the flags: so the caller's rbp is where it points to, and can
 * be lost in no register. The hook must not have been inlined. */
#define UNWIND_START(s)                                                              \
    do {                                                                             \
        const uint64_t *unwind_frame = (const uint64_t *)__builtin_frame_address(0); \
        (s)->bp = unwind_frame[0];                                                   \
        (s)->pc = unwind_frame[1];                                                   \
        (s)->sp = (uint64_t)(unwind_frame + 2);                                      \
    } while (0)

/* Private to a thread; from memory that the caller zeroed. Size: sizeof, about 80 KiB. It may be
 * handed to another thread later, or inherited over fork, as it is. */
struct unwind_thread;
size_t unwind_thread_size(void);

struct unwind_result {
    const uint64_t *frames; /* innermost first; valid until the next walk of this thread */
    uint32_t count;         /* at most REGION_FRAMES_MAX */
    uint32_t end;           /* enum region_stack_end */
    uint64_t hash;          /* of frames, count and end; equal stacks have equal hashes */
};

/* Once per process image, before any walk, by the initial thread on its own stack (that is how
 * its bound is found); again in a forked child it is not needed.
 * Maps the rule table (private, MADV_DONTDUMP). Returns 0 or -errno: then no stack is walked. */
int unwind_init(void);

/* Walks. Never fails: a stack that cannot be walked has count 0 or ends early and says why.
 * Reads only between start->sp and the bound of the stack it is on; a stack that is neither the
 * initial thread's nor the one that the C library gave to this thread (a coroutine, an alternate
 * signal stack) is read through the kernel, because nobody can say where it ends: slower, by
 * a microsecond or two, and never remembered. */
void unwind_walk(struct unwind_thread *t, const struct unwind_start *start,
                 struct unwind_result *result);

/* The stack that was walked last, which the walker remembers, may be known from now on by the
 * caller's `number`: see unwind_find_known. */
void unwind_keep_known(struct unwind_thread *t, uint64_t hash, uint32_t number);
/* The numbers mean nothing any more. */
void unwind_forget_known(struct unwind_thread *t);

/* Whether `sp` is on the calling thread's own stack, above its stack pointer. */
bool unwind_owns(struct unwind_thread *t, uint64_t sp);

/* Asks for pages of the initial thread's stack that it may come to use, before nothing can be asked
 * for any more. */
void unwind_look_ahead(void);

/* All rules compiled so far may be wrong: a module was unloaded or its range reused. */
void unwind_invalidate(void);

/* A module became known: addresses that were outside every module may now be inside one. */
void unwind_module_added(void);

#endif
