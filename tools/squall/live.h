/* What the live commands share: ps.c, live.c, snapshot.c, top*.c. */
#ifndef SQUALL_LIVE_H
#define SQUALL_LIVE_H

#include "command.h"

/* A time between two reads, at least 10 ms. Returns 0 or an exit status, and says why. */
int live_parse_every(const char *command, const char *text, uint64_t *every_ns);
/* The number of a process. Returns 0 or an exit status, and says why. */
int live_parse_pid(const char *command, const char *text, int *pid);
/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t live_now(void);

#endif
