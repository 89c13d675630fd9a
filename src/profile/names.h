/* The names that go into a dump; between names.c, which collects them, and pack.c, which writes
 * them. */
#ifndef SQUALL_PROFILE_NAMES_H
#define SQUALL_PROFILE_NAMES_H

#include "internal.h"

struct names {
    struct place *places;
    struct text *texts;
    struct dump_symbol *symbols; /* sorted by address, then module */
    size_t count, room;
    char *strings;
    size_t strings_size, strings_room;
};

/* Asks `namer` for every address of every stack. Returns 0 or -ENOMEM, nothing kept then. */
int names_collect(struct names *names, const struct profile_process *p, profile_namer *namer,
                  void *data);
/* Takes those that `p` came with, from a dump. The same. */
int names_keep(struct names *names, const struct profile_process *p);
void names_free(struct names *names);

#endif
