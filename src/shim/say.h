/* say: one line on the program's stderr, for what a person must know before the program runs.
 *
 * Never harms: it does not block on a full pipe, raises no SIGPIPE or SIGXFSZ, and after the
 * constructor says nothing unless descriptor 2 is still what it was then (a daemon may have
 * put a socket there). */
#ifndef SQUALL_SHIM_SAY_H
#define SQUALL_SHIM_SAY_H

/* Remembers what descriptor 2 is. */
void say_init(void);
/* "squall: " and the strings up to a NULL, ended by a newline; at most 511 bytes. */
void say(const char *first, ...) __attribute__((sentinel));
/* A few words for an errno that files and folders give. */
const char *say_error(int error);

#endif
