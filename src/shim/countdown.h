/* countdown: bytes until a thread's next sample, which its sum of bytes is taken from as well.
 *
 * Why: the sum is the difference of two words of the thread's row, so that the fast path does one
 * subtraction for both. Where both change they change at once: a kill between two stores would
 * leave bytes that nobody asked for, and a reader would see them in passing.
 *
 * Who writes what: a thread and its signal handlers the two words of its own row. */
#ifndef SQUALL_SHIM_COUNTDOWN_H
#define SQUALL_SHIM_COUNTDOWN_H

#include "shim.h"

_Static_assert(offsetof(struct region_thread, byte_left) % 16 == 0 &&
                   offsetof(struct region_thread, byte_goal) ==
                       offsetof(struct region_thread, byte_left) + 8,
               "one word of 16 bytes");

/* A new countdown, and `size` more bytes requested. Without a lock: one instruction is enough
 * against a kill and against a handler of the thread's own, whose change it finds and keeps. */
INLINE void countdown_begin(struct region_thread *row, uint64_t size, uint64_t interval) {
    uint64_t left = row->byte_left, goal = row->byte_goal;
    unsigned __int128 *both = (unsigned __int128 *)(void *)&row->byte_left;
    bool done;
    do
        __asm__("cmpxchg16b %0"
                : "+m"(*both), "+a"(left), "+d"(goal), "=@ccz"(done)
                : "b"(interval), "c"(goal + size + interval - left)
                : "memory");
    while (UNLIKELY(!done));
}

#endif
