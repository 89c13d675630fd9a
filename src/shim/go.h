/* go: puts the hook of a Go program's allocator in, where the program is one (see go/go.h).
 *
 * In the constructor, before Go's runtime has run: no code that runs is ever changed. What does not
 * verify is left alone, and the region's header says why. */
#ifndef SQUALL_SHIM_GO_H
#define SQUALL_SHIM_GO_H

#include "base/base.h"

/* Once, when the region is complete. `headers`: the program's, as the kernel tells (AT_PHDR,
 * AT_PHNUM). `is_alone`: the process has this one thread only. */
void go_start(uint64_t headers, uint64_t header_count, bool is_alone);
/* In a forked child: Go programs have none that go on, so nothing is recorded there. */
void go_begin_child(void);

#endif
