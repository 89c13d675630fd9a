/* codec: which codec call a stack is in, by the addresses of codec functions.
 *
 * Why by address: the functions of a module are found once, when it is registered, in its symbol
 * tables; a stack is then classified by comparing numbers, in any thread, without a lock. What is
 * known of a function also serves its detour (call.h).
 *
 * Who writes what: modules are added by the holder of module.c's claim, one at a time; what is
 * published never changes but for the row in a forked child, which has one thread then. Rows of
 * REGION_CODEC_FUNCTIONS are written here and nowhere else. */
#ifndef SQUALL_SHIM_CODEC_H
#define SQUALL_SHIM_CODEC_H

#include "base/codec_table.h"
#include "module.h"
#include "unwind.h"

/* How a call says that the message is complete. */
enum codec_finish {
    CODEC_FINISH_NOT, /* the next start, reset or end of the context tells */
    CODEC_FINISH_ALWAYS,
    CODEC_FINISH_0, /* it returns this */
    CODEC_FINISH_1,
    CODEC_FINISH_4,
    CODEC_FINISH_0_IF_END, /* 0, with ZSTD_e_end as argument 3 */
    CODEC_FINISH_BROTLI,   /* operation 2 (finish), and room is left */
    CODEC_FINISH_ISAL      /* end_of_stream is set, and room is left */
};

struct codec_function {
    uint64_t start, end;
    uint64_t jump_at;                /* where its detour is */
    uint64_t original;               /* its first instructions, moved; 0 = no detour */
    const struct codec_entry *entry; /* NULL: the user's */
    const struct codec_shape *shape;
    uint64_t name; /* in names */
    uint32_t name_length;
    uint32_t rows[3]; /* by enum region_direction of the call; [0] where the function says it */
    uint8_t direction, kind, codec, finish;
    uint8_t entered;  /* bytes from its start to where something else begins; 0 = not near */
    uint16_t refused; /* enum region_refused */
    bool is_common;
    bool makes_context;  /* that its result or argument 0 is */
    bool starts_message; /* what its context did before is complete */
    bool has_detour;
    bool is_mark; /* the program's own, see mark.h */
    /* Perhaps only of the name: a local function, or one whose calls made no sense. */
    bool is_doubtful;
};

/* Its calls carry data of messages; the others make, prepare or end contexts. */
INLINE bool codec_moves_data(const struct codec_function *f) {
    return f->kind == CODEC_ONE_SHOT || f->kind == CODEC_STREAM;
}

/* Before the first module. `patterns`: names with `*` that the user added, each ended by a newline;
 * they must stay there. `stub`: where detours lead, NULL = there are none (args:off). */
void codec_init(const char *patterns, void (*stub)(void));

/* Finds the functions of a module, which has its row. `path` is its file. */
void codec_add(struct region *r, const struct module *m, const char *path);

/* Puts detours at the functions of a module that is not running yet; `refused` is why not, if it
 * is (enum region_refused). Until then they count as running. */
void codec_detour(struct region *r, const struct module *m, uint16_t refused);
/* Modules were unloaded: the memory of their detours is given back. */
void codec_collect(void);

const struct codec_function *codec_function_at(uint32_t number);
/* The row of a function for calls of this direction; 0 = no room. */
uint32_t codec_function_row(const struct codec_function *f, uint32_t direction);

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
