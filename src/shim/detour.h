/* detour: jumps right behind the first instructions of functions, so that their calls pass through
 * squall.
 *
 * Why: nothing that the program can look up changes (no symbol, no GOT), and static, bundled and
 * RTLD_LOCAL copies are reached like any other. A detour is put in while the module is not yet
 * running, or while the process has one thread: no code that runs is ever changed.
 *
 * A function's first instructions are moved to memory within reach of a jump, where a thunk for
 * each function leads to a stub (of call.c) with the number of the function. What cannot be moved
 * without doubt is left alone and says why.
 *
 * Who writes what: only the holder of module.c's claim, in the thread that loads. */
#ifndef SQUALL_SHIM_DETOUR_H
#define SQUALL_SHIM_DETOUR_H

#include "codec.h"

/* Memory of one module's thunks. */
struct detour_room {
    uint64_t at, size; /* 0 = none */
};

/* Whether the process certainly has this one thread: no by itself. */
void detour_alone(bool alone);

/* Puts detours to `stub` at the functions (of one module, by address) that have refused == NOT
 * and sets their `original`, or `refused` where it does not work. Numbers are counted from
 * first_number; the stub finds its own above the return address. `room` is filled; give it back
 * with detour_forget when the module is gone. */
void detour_put(const struct module *m, struct codec_function *functions, uint32_t count,
                uint32_t first_number, void (*stub)(void), struct detour_room *room);
void detour_forget(struct detour_room *room);
/* Whether the function's jump, which was put in once, is there now. */
bool detour_is_there(const struct codec_function *f);

/* Makes the empty function at `address` (a return, then padding) jump to `target`. Returns 0 or a
 * negative errno: then nothing was changed. */
int detour_hook_empty(uint64_t address, void (*target)(void));

#endif
