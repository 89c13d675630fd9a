/* Builds regions by hand, for tests of the reading half: no shim, every byte is the test's. */
#ifndef SQUALL_TESTS_REGION_BUILD_H
#define SQUALL_TESTS_REGION_BUILD_H

#include "region/region.h"

struct region_build {
    uint8_t *bytes; /* the whole file, aligned to 64 */
    uint64_t bound;
    struct region_header *header;
    struct region_directory *directory; /* [type - 1] */
};

/* A valid region without rows but the overflow ones; of process 4242, ended, on another boot. */
void region_build_open(struct region_build *b, uint64_t bound);
/* The same, made compact: only `rows` rows of each table fit. For tests that flip every bit. */
void region_build_small(struct region_build *b, uint64_t rows);
void region_build_close(struct region_build *b);

void *region_build_row(struct region_build *b, enum region_table table, uint64_t row);
/* Takes `count` rows; returns the first one's number. */
uint32_t region_build_take(struct region_build *b, enum region_table table, uint32_t count);
uint64_t region_build_string(struct region_build *b, const char *s, size_t size);

uint32_t region_build_thread(struct region_build *b, int tid, const char *name);
uint32_t region_build_module(struct region_build *b, const char *path, uint64_t start,
                             uint64_t end);
uint32_t region_build_stack(struct region_build *b, const uint64_t *frames, uint16_t count);
uint32_t region_build_site(struct region_build *b, uint32_t stack);
struct region_cell *region_build_cell(struct region_build *b, uint32_t site, uint32_t thread,
                                      enum region_cell_kind kind);
/* A program with two threads, three stacks, a sampled and a shared cell, remote frees and ticks. */
void region_build_sample(struct region_build *b);

uint32_t region_build_codec_function(struct region_build *b, const char *name, uint16_t codec,
                                     enum region_direction direction);
/* Takes a row for calls of a function, with `sizes` and `levels` blocks of its own if asked. */
struct region_codec_call *region_build_codec_call(struct region_build *b, uint32_t function,
                                                  uint32_t stack, bool sizes, bool levels);
/* Rows that belong to a call, by its number: see region.h. */
struct region_codec_size *region_build_size(struct region_build *b,
                                            const struct region_codec_call *call, uint32_t class);
struct region_concurrency *region_build_level(struct region_build *b, uint32_t first, uint32_t row);
/* Two functions; calls of which all, some and none were timed, one row that nobody used and one
 * that is only nested; contexts, a mapping, and a site whose blocks served the first call. */
void region_build_codec(struct region_build *b);

/* Writes a sparse file as the shim would; returns its descriptor. */
int region_build_write(const struct region_build *b, const char *path);

#endif
