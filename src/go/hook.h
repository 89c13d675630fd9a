/* What hook.c and rows.c share: what happens in the program, and what is written of it. */
#ifndef SQUALL_GO_HOOK_H
#define SQUALL_GO_HOOK_H

#include "go.h"

/* As go_entry pushed them. */
struct go_registers {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rbx, rax, r15, r12;
};

/* Where a goroutine is: at a function's entry, its return address at sp. */
struct go_walk {
    uint64_t sp, bp, g, low, high;
};

/* The site of a stack; 0 = the overflow site. */
uint32_t go_rows_site(struct go_state *state, const struct go_walk *walk);
/* Its row of Go's own sums; row 0 where there is none. */
struct region_go *go_rows_go(const struct go_state *state, uint32_t site);
/* A block was made; `call`: of the codec call the goroutine is in, NULL = none is known. */
void go_rows_add(struct go_state *state, const struct go_flight *f, const struct go_call *call,
                 uint64_t ticks);
/* It is the destination of a call: once it is an output, and the second time a kept one. */
void go_rows_used(struct go_state *state, struct go_live *block, const struct go_call *call);
/* It was swept. */
void go_rows_swept(struct go_state *state, const struct go_live *block, uint64_t life);
/* The row of calls of a codec function from here; 0 = no room. */
uint32_t go_rows_call(struct go_state *state, uint32_t function, const struct go_walk *walk);
void go_rows_called(struct go_state *state, const struct go_call *call, uint64_t produced,
                    uint64_t ticks);

#endif
