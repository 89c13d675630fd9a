/* lifecycle: start, fork, exit. The only writer of `shim`. */
#ifndef SQUALL_SHIM_LIFECYCLE_H
#define SQUALL_SHIM_LIFECYCLE_H

#include "shim.h"

/* Ticks of the timeline: called on slow paths with the clock's value; one caller in each interval
 * does the work. */
void lifecycle_tick(uint64_t now);
extern uint64_t lifecycle_next_tick HIDDEN;

#endif
