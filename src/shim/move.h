/* move: the first instructions of a function, moved to where they run as well.
 *
 * Why: a detour's jump takes 5 bytes behind a function's first instruction (see first.h). What
 * stood there runs from a trampoline that then jumps back behind them, so every instruction moved
 * must mean the same elsewhere, and nothing may jump among those that were there. What cannot be
 * shown to be safe is refused.
 *
 * Pure functions of the bytes given: the caller writes the trampoline and the jump. */
#ifndef SQUALL_SHIM_MOVE_H
#define SQUALL_SHIM_MOVE_H

#include "base/base.h"

#define MOVE_JUMP_SIZE 5 /* of the jump that takes the place */
#define MOVE_OUT_MOST 48 /* no moved code is longer */

struct move {
    uint8_t skip;  /* what stays in front: the first instruction, or its REX prefix, or nothing of a
                      jump */
    uint8_t mark;  /* the same if it is an endbr64; else 0, and what is moved begins with it */
    uint8_t taken; /* bytes moved, from address + skip on: 5 or more */
    uint8_t size;  /* bytes written to `out` */
    bool ends; /* they never fall through, or return behind themselves: no jump back is needed */
    uint32_t undo; /* bytes of stack to be given back behind the jump, before all else */
};

enum move_refusal {
    MOVE_OK,
    MOVE_DECODE,     /* an instruction that is not known or cannot be moved: a loop; or a
                        first one that cannot stay */
    MOVE_JUMP,       /* the function jumps to its own first instructions */
    MOVE_SHORT,      /* no room for the jump */
    MOVE_BREAKPOINT, /* a debugger's, or a trap */
    MOVE_ROOM,       /* `out` is too small, or too far away for what is relative to rip */
};

/* `code` is the function's `size` bytes, or a copy of them; they run at `address`. What is moved is
 * written to `out` (room for MOVE_OUT_MOST is always enough) and will run at `out_address`, with
 * the stack as at the function's entry; going on at address + skip + taken behind it does what the
 * function does. Of the moved part a call can only be the last: it returns to where it stood, for
 * there is unwind information. Anything but MOVE_OK leaves *m and `out` undefined. */
enum move_refusal move_prologue(const uint8_t *code, uint64_t address, uint64_t size, uint8_t *out,
                                size_t out_room, uint64_t out_address, struct move *m);

const char *move_refusal_name(enum move_refusal refusal);

#endif
