/* codec: which codec call a stack is in, by the addresses of codec functions.
 *
 * Why by address: the functions of a module are found once, when it is registered, in its symbol
 * tables; a stack is then classified by comparing numbers, in any thread, without a lock. Nothing
 * of the program is changed.
 *
 * Who writes what: modules are added by the holder of module.c's claim, one at a time; what is
 * published never changes but for the row in a forked child, which has one thread then. Rows of
 * REGION_CODEC_FUNCTIONS are written here and nowhere else. */
#ifndef SQUALL_SHIM_CODEC_H
#define SQUALL_SHIM_CODEC_H

#include "module.h"
#include "unwind.h"

/* Names with `*` that the user added, each ended by a newline; they must stay there. Before the
 * first module. */
void codec_init(const char *patterns);

/* Finds the functions of a module, which has its row. `path` is its file. */
void codec_add(struct region *r, const struct module *m, const char *path);

/* In a forked child that got a region of its own, after the modules have their rows. */
void codec_adopt(struct region *r);

struct codec_context {
    uint32_t function;  /* row, 0 = not in a codec call as far as names tell */
    uint32_t direction; /* enum region_direction */
};

/* The call that the program made: the outermost codec function of the stack. Where that serves
 * both directions (lzma_code), one further in tells which. */
struct codec_context codec_classify(const struct unwind_result *stack);

#endif
