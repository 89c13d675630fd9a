/* Between the two halves of the roles oracle: roles_calls.c tells roles_oracle.c of codec calls. */
#ifndef ROLES_ORACLE_H
#define ROLES_ORACLE_H

#include <stddef.h>

#define HOOK __attribute__((visibility("default")))

/* The codec's own function; ends the program when there is none. */
void *roles_find(const char *name, void *caller);
/* Around each call; nested ones are of no interest. `destination` is NULL where nothing can be
 * written; `end` is how far it was. */
void roles_enter(int is_compressing, const void *source, size_t source_size, void *destination);
void roles_leave(int is_compressing, const char *destination, const char *end);
/* The state of a compressing zlib stream: where it lies in a block that the program made, that
 * block was handed over. */
void roles_hand_over(const void *state);

#endif
