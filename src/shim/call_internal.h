/* The inside of call: reading arguments, rows, messages and what blocks serve. */
#ifndef SQUALL_SHIM_CALL_INTERNAL_H
#define SQUALL_SHIM_CALL_INTERNAL_H

#include "call.h"

/* ---- call.c: a call begins and ends ---- */

/* What is ours of a frame. By stores: before as little as this "rep stos" takes longer than they
 * do. */
INLINE void call_clear(struct call_frame *f) {
    uint64_t *words = &f->cookie;
    _Static_assert(offsetof(struct call_frame, reserved) % sizeof *words == 0, "whole words");
    for (size_t i = 0;
         i < (offsetof(struct call_frame, reserved) - offsetof(struct call_frame, cookie)) / 8; i++)
        RELAXED_STORE(&words[i], 0);
}

/* Whether it can be recorded at all; else it is counted as lost. What follows is done with `busy`
 * set. */
bool call_may_record(struct shim_self *self);
/* `f` is in memory that lasts as long as the call, cleared, with its function and arguments. False:
 * it is not recorded, and has no end. */
bool call_begin(struct shim_self *self, struct call_frame *f, const struct unwind_start *at,
                const struct shim_call *outer);
/* The call around one with this frame, by the program's own nesting; NULL = it is outermost. Those
 * that were left are taken off the list. */
const struct shim_call *call_find_outer(struct shim_private *p, uint64_t frame);
/* Counts a call that the newest one makes of its own codec, as codecs do several times a message;
 * false: nothing was done, and it is to be looked at in full. */
bool call_is_known_nested(struct shim_self *self, uint64_t frame,
                          const struct codec_function *function);
struct call_result;
bool call_may_end(struct shim_self *self, const struct call_frame *f);
/* `value` is what the function returned. */
void call_end(struct shim_self *self, struct call_frame *f, uint64_t now, uint64_t value,
              const struct call_result *result);
/* The newest call of the stack that we are on is passed by an exception. */
void call_unwound(struct shim_self *self, uint64_t here);

/* ---- call_read.c: what arguments point to ---- */

/* It may be one as far as its number goes. */
INLINE bool call_is_pointer(uint64_t at) {
    return at >= 4096 && at < 1ull << 47;
}
/* Whether the first and the last of `size` bytes can be read now: all, if they are few. */
bool call_can_read(struct call_frame *f, uint64_t at, uint64_t size);
union call_unaligned {
    uint64_t of_8;
    uint32_t of_4;
    uint16_t of_2;
} __attribute__((packed, may_alias));
/* The number of 2, 4 or 8 bytes there; where it cannot be read 0, and the call is odd. */
INLINE uint64_t call_read(struct call_frame *f, uint64_t at, unsigned size) {
    const union call_unaligned *from = (const void *)at;
    if (UNLIKELY(at - f->readable >= f->readable_size) && !call_can_read(f, at, size)) {
        f->is_odd = 1;
        return 0;
    }
    return size == 8 ? from->of_8 : size == 4 ? from->of_4 : from->of_2;
}
/* The call is odd, and lost. */
void call_doubt(const struct call_frame *f);

/* ---- call_args.c: by the function's shape ---- */

/* Source, destination and their sizes, before the call. False: they make no sense. */
bool call_args_read(struct call_frame *f);

struct call_result {
    uint64_t consumed, produced;
    bool failed;
    bool finished; /* the message is complete */
};
/* After it, with `value` returned. The frame's is_odd: the rest makes no sense. */
void call_args_result(struct call_frame *f, uint64_t value, struct call_result *r);

/* ---- call_rows.c ---- */

/* The row of a call of this thread; 0 = no room. */
uint32_t call_rows_find(struct shim_self *self, const struct call_frame *f,
                        const struct unwind_start *at, uint32_t direction);
/* Counts a call that `outer`, one of the same codec, makes. False: no room. */
bool call_rows_add_nested(struct shim_self *self, const struct codec_function *function,
                          const struct shim_call *outer);
/* The same where the thread knows the row already; false: nothing was done. */
bool call_rows_add_known(struct shim_private *p, const struct codec_function *function,
                         uint32_t outer);

/* Whether CPU time and faults are taken of the next call of this row. */
bool call_rows_is_timed(uint32_t row);
void call_rows_usage(uint64_t *cpu_ns, uint32_t *page_faults, uint32_t *context_switches);

/* What one call, or the calls of one message, took. */
struct call_cost {
    uint64_t ticks, cpu_ns, timed_ticks; /* timed_ticks 0: cpu_ns and below are not known */
    uint32_t page_faults, context_switches;
};
void call_rows_add(uint32_t row, const struct call_frame *f, const struct call_result *r,
                   const struct call_cost *cost);
void call_rows_add_message(uint32_t row, uint64_t source, uint64_t produced,
                           const struct call_cost *cost);
/* Of a call that began at one level and ended at another (0 = not known). */
void call_rows_add_level(uint32_t row, uint32_t level, uint32_t end_level, uint64_t source,
                         const struct call_cost *cost);
/* The process had `level` (above 0) calls under way for so long. */
void call_rows_add_wall(uint32_t level, uint64_t ticks);
/* The row for contexts that this call makes; 0 = no room. */
uint32_t call_rows_context(uint32_t call);

/* ---- call_serve.c: messages, and the blocks that serve them ---- */

/* Before the call: its context, the message it belongs to, the blocks of its arguments. */
void call_serve_begin(struct shim_self *self, struct call_frame *f, uint32_t direction);
/* After it. */
void call_serve_end(struct shim_self *self, struct call_frame *f, struct shim_call *call,
                    uint64_t value, const struct call_result *r, const struct call_cost *cost);

#endif
