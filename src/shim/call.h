/* call: the codec calls of the program, seen at their entry and their return.
 *
 * Why: what an allocation is for is told by the call that it serves: which buffer is its source,
 * which its destination, how large they are beside each other, how long it took.
 *
 * A detour leads to call_stub, which saves the arguments, asks call_enter, calls the function and
 * tells call_leave. A call may be left without returning: longjmp, an exception, a coroutine that
 * is never resumed, the end of the thread. So each open call is listed in the thread's private
 * memory with the address of its frame and a cookie that is in the frame, and what is stale is
 * found by the next call.
 *
 * Who writes what: the list belongs to its thread; rows of REGION_CODEC_CALLS and of their sizes
 * and levels to the thread that is named in them; rows of blocks and contexts as their headers
 * say. Signal handlers that interrupt this room find `busy` and pass through unseen. */
#ifndef SQUALL_SHIM_CALL_H
#define SQUALL_SHIM_CALL_H

#include "block.h"
#include "codec.h"
#include "context.h"
#include "shim.h"

/* In the stub's frame; the first part is written by it. */
struct call_frame {
    uint64_t args[6];
    uint64_t rax, r10, r11;
    uint64_t after[9]; /* rax rdx rcx rsi rdi r8 r9 r10 r11 as the function left them */
    uint64_t original; /* where the function goes on; written by call_enter */
    /* Ours. */
    uint64_t cookie;
    const struct codec_function *function;
    const uint64_t *stack_args; /* of the caller */
    uint64_t start;             /* clock */
    uint64_t source, source_size, destination, capacity, produced;
    uint64_t context; /* address */
    uint64_t message;
    uint64_t cpu_ns;
    uint32_t page_faults, context_switches;
    uint32_t call;                    /* row */
    uint32_t level;                   /* calls at once, 0 = not counted */
    uint32_t source_block, out_block; /* of blocks, 0 = none */
    uint32_t context_number;
    uint16_t epoch;
    uint8_t is_timed;
    uint8_t is_odd : 1;   /* its arguments make no sense: no call of what it is named after */
    uint8_t has_made : 1; /* its context, as it began */
    uint64_t readable, readable_size; /* 8 bytes can be read at these, found in this passage */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct call_frame) == 320, "the stub makes room for it");

/* Where detours lead. Not a function to call. */
void call_stub(void);

/* Once, and in a forked child, before its first event: forgets what was under way. */
void call_init(void);
void call_begin_child(void);
/* A new region: the rows of the last one are gone. Private indexes of its calls and contexts.
 * Returns 0 or -errno. */
int call_rows_open(void);

/* A thread ended in calls: they are left. Its number is dead, or its row gets another owner. */
void call_reap(struct shim_private *p);

/* The call that the thread is in: its row, 0 = none. */
INLINE uint32_t call_current(const struct shim_self *self) {
    const struct shim_private *p = self->private;
    return p && p->call_depth ? p->calls[p->call_depth - 1].row : 0;
}
/* The direction of that call; NONE when there is none or it is not known. */
uint32_t call_direction(const struct shim_self *self);

/* The row of the program's own mark that the thread is in, 0 = none. */
INLINE uint32_t call_mark(const struct shim_self *self) {
    const struct shim_private *p = self->private;
    for (uint32_t i = p ? p->call_depth : 0; i-- > 0;)
        if (p->calls[i].mark)
            return p->calls[i].mark;
    return 0;
}

/* ---- large blocks, for account.c ---- */

enum call_role { CALL_WORKSPACE = 1, CALL_OUTPUT = 2, CALL_INPUT = 4 };

/* A large block was made; `in_codec`: its stack passes through a codec function. */
void call_block_made(struct shim_self *self, uint32_t block, bool in_codec);
/* It is freed: how many messages it served. */
uint32_t call_block_freed(struct shim_self *self, uint32_t block);

#endif
