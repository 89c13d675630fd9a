/* A process made by hand, for tests of what comes behind the profile room: two threads and one
 * overflow row, four sites, modules of every kind, names in its dump. The fields are open: a test
 * changes what it needs. */
#ifndef SQUALL_TESTS_FAKE_PROCESS_H
#define SQUALL_TESTS_FAKE_PROCESS_H

#include "profile/profile.h"

#define FAKE_WORKSPACE 3658041u

/* Cells of the sites below, in this order. */
enum fake_cell {
    FAKE_WORKSPACE_1,   /* site 1, thread 1: 100 workspaces, exact */
    FAKE_WORKSPACE_2,   /* site 1, thread 2: 23 more */
    FAKE_SMALL_EXACT,   /* site 2, thread 1: large blocks of a mixed site */
    FAKE_SMALL_SAMPLED, /* site 2, thread 1: its small ones */
    FAKE_SINGLE,        /* site 3, thread 2: one block, never freed */
    FAKE_SHARED,        /* site 4: threads without a row */
    FAKE_CELLS
};

/* Codec calls, not in the order of the report. */
enum fake_call {
    FAKE_NO_CALL,     /* row 0: nothing */
    FAKE_INFLATE,     /* zlib, decompress: few bytes, all timed */
    FAKE_NEVER_MADE,  /* a row without a call */
    FAKE_COMPRESS,    /* zstd, compress: most bytes, three sizes, failures, one in ten timed */
    FAKE_NESTED_ONLY, /* made by another call alone */
    FAKE_CALLS
};

struct fake {
    struct profile_process process;
    struct profile_thread threads[3];
    struct profile_module modules[5];
    struct profile_stack stacks[5];
    struct profile_site sites[5];
    struct profile_cell cells[FAKE_CELLS];
    struct profile_symbol symbols[6];
    struct profile_tick ticks[2];
    struct profile_codec_function codec_functions[3];
    struct profile_codec_call codec_calls[FAKE_CALLS];
    struct profile_codec_size codec_sizes[3];
    struct profile_concurrency levels[3];
    struct profile_context contexts[3];
    struct profile_anon anons[2];
    uint32_t life_classes[REGION_CLASSES], size_classes[REGION_CLASSES];
    const char *arguments[4];
};

/* Frames of the stack of site 1: libzstd at +0x100 (named in the dump, with one inlined frame),
 * libzstd at +0x200 (no name), the program at +0x300, and an address outside every module. */
#define FAKE_ZSTD_BASE 0x7f0000000000ull
#define FAKE_EXE_BASE 0x555500000000ull

void fake_init(struct fake *f);

#endif
