/* What the tests of the room profile share: a folder, the sample of region_build.c and what has to
 * be read from it. Failures are cmocka's. */
#ifndef SQUALL_TESTS_PROFILE_HELP_H
#define SQUALL_TESTS_PROFILE_HELP_H

#include "profile/profile.h"
#include "region_build.h"

/* A new folder under /tmp for each group of tests. */
extern char folder[64];
int make_folder(void **state);
int remove_folder(void **state);
/* A path in it; the last 16 stay valid. */
const char *in_folder(const char *name);
void write_bytes(const char *path, const void *bytes, size_t size);
uint8_t *read_bytes(const char *path, size_t *size); /* free() it; one byte longer than size */

const struct profile_cell *cell_of(const struct profile_process *p, uint32_t site, uint32_t index);
void check_sample(const struct profile_process *p);
/* Bytes that must not load, with a line that holds `reason`. */
void expect_refusal(const void *bytes, size_t size, const char *reason);
/* Packs the sample in a region of `rows` rows a table (0 = of usual size); returns the dump. */
const char *pack_sample(uint64_t rows, bool remove, const char *ended_by);

#endif
