/* mark: codec calls that the program marks itself, see squall/squall.h.
 *
 * Who writes what: the hooks of a module are written once, when it is registered, by the holder of
 * module.c's claim. The table of marks only grows; its rows are written here and nowhere else. */
#ifndef SQUALL_SHIM_MARK_H
#define SQUALL_SHIM_MARK_H

#include "base/base.h"

/* Gives our functions to the struct squall_hooks at `hooks`, an address that a module's note names:
 * nothing else about it is believed. */
void mark_offer(uint64_t hooks);

#endif
