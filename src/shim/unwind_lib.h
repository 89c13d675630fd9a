/* unwind_lib: stacks by libunwind, for who asks for it (unwind:libunwind).
 *
 * Why not the default: it takes the loader's lock when it meets a new module, it costs ten times
 * as much, and it pulls liblzma into the program. It is opened in a scope of its own, so at least
 * its _Unwind_RaiseException does not replace libgcc's. */
#ifndef SQUALL_SHIM_UNWIND_LIB_H
#define SQUALL_SHIM_UNWIND_LIB_H

#include "unwind.h"

/* In the constructor. Returns 0 or -ENOENT: the own walker is used, and one line says so. */
int unwind_lib_open(void);
/* As unwind_walk; `t` serves as the buffer of the frames. */
void unwind_lib_walk(struct unwind_thread *t, const struct unwind_start *start,
                     struct unwind_result *result);

#endif
