/* A Go program made by hand, byte by byte: what of its memory squall reads. For tests of src/go and
 * for its fuzzer. */
#ifndef SQUALL_TESTS_GO_BUILD_H
#define SQUALL_TESTS_GO_BUILD_H

#include "go/go.h"

#define TEXT 0x401000ull
#define DATA 0x500000ull
#define ROOM 8192u

enum { MALLOCGC, HEAP, ZERO, FREE, CYCLE, ENCODE, FUNCTIONS };
#define SIZE 112u /* bytes of each function */

/* Offsets in the code of each. */
enum { PUSHED = 11, FRAMED = 15, ENDING = 24, RETURN = 29, GROW = 32 };

/* Offsets in the data. The table: names, units, files, pcs, functions, all counted from it. */
enum {
    INFO = 0,
    TABLE = 64,
    NAMES = 128,
    UNITS = 1024,
    FILES = 1088,
    PCS = 1152,
    ENTRIES = 1280,
    MODULE = 4096,
    INLINED = 5000
};

struct go_build {
    uint8_t text[FUNCTIONS * SIZE], *data; /* of ROOM bytes; free() it */
    struct go_image image;
};

extern const char *const go_build_names[FUNCTIONS];
/* As Go 1.minor makes it. */
void go_build_make(struct go_build *p, unsigned minor);

#endif
