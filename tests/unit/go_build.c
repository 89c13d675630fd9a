#include "go_build.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const go_build_names[FUNCTIONS] = {
    "runtime.mallocgc",
    "runtime.(*mcache).allocLarge",
    "runtime.memclrNoHeapPointersChunked",
    "runtime.(*mheap).freeSpanLocked",
    "runtime.gcMarkTermination",
    "example.com/app/vendor/github.com/klauspost/compress/zstd.(*Encoder).EncodeAll",
};

/* cmp 0x10(%r14),%rsp; jbe grow; push %rbp; sub $32,%rsp; ...; add $32,%rsp; pop %rbp; ret; grow:
 */
static const uint8_t code[] = {
    0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x16, 0,    0,    0,    0x55, 0x48, 0x83,
    0xec, 0x20, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x48, 0x83,
    0xc4, 0x20, 0x5d, 0xc3, 0x90, 0x90, 0x48, 0x89, 0x44, 0x24, 0x08,
};

static uint32_t put(uint8_t *to, uint32_t at, const void *bytes, size_t size) {
    memcpy(to + at, bytes, size);
    return at + (uint32_t)size;
}

static void put32(uint8_t *to, uint32_t at, uint32_t v) {
    memcpy(to + at, &v, sizeof v);
}

static void put64(uint8_t *to, uint32_t at, uint64_t v) {
    memcpy(to + at, &v, sizeof v);
}

/* A table of values by address: pairs of (zigzag step, length), from -1 on. */
static const uint8_t depths[] = {2,  PUSHED, 16, FRAMED - PUSHED,   64, RETURN - FRAMED,
                                 79, 1,      80, GROW - RETURN - 1, 79, SIZE - GROW,
                                 0};
static const uint8_t lines[] = {22, FRAMED, 2, SIZE - FRAMED, 0}; /* 10, then 11 */
static const uint8_t zeros[] = {2, SIZE, 0};
static const uint8_t inlined[] = {0, FRAMED, 2, 5, 1, SIZE - FRAMED - 5, 0}; /* -1, 0, -1 */

static void make_info(uint8_t *d, uint32_t number, uint32_t name, bool is_118) {
    uint32_t at = TABLE + ENTRIES + 8 * (FUNCTIONS + 1) + 64 * number;
    uint32_t fixed = is_118 ? 40 : 44;
    put32(d, TABLE + ENTRIES + 8 * number, number * SIZE);
    put32(d, TABLE + ENTRIES + 8 * number + 4, at - TABLE - ENTRIES);
    put32(d, at, number * SIZE);
    put32(d, at + 4, name);
    put32(d, at + 16, 1);
    put32(d, at + 20, 1 + sizeof depths + sizeof lines);
    put32(d, at + 24, 1 + sizeof depths);
    put32(d, at + 28, number == ENCODE ? 3 : 0);
    d[at + fixed - 1] = number == ENCODE ? 4 : 0;
    if (number != ENCODE)
        return;
    put32(d, at + fixed + 8, 1 + sizeof depths + sizeof lines + sizeof zeros);
    put32(d, at + fixed + 12 + 12, 0); /* of the inlined calls: at gofunc */
}

void go_build_make(struct go_build *p, unsigned minor) {
    bool is_118 = minor < 20;
    uint8_t *d = p->data = calloc(1, ROOM);
    assert(d);
    uint32_t name = TABLE + NAMES, pcs = TABLE + PCS + 1;
    char version[16];
    memcpy(d + INFO, "\xff Go buildinf:\x08\x02", 16);
    d[32] = (uint8_t)snprintf(version, sizeof version, "go1.%u.3", minor);
    memcpy(d + 33, version, d[32]);
    put32(d, TABLE, is_118 ? 0xfffffff0 : 0xfffffff1);
    d[TABLE + 6] = 1;
    d[TABLE + 7] = 8;
    put64(d, TABLE + 8, FUNCTIONS);
    put64(d, TABLE + 32, NAMES);
    put64(d, TABLE + 40, UNITS);
    put64(d, TABLE + 48, FILES);
    put64(d, TABLE + 56, PCS);
    put64(d, TABLE + 64, ENTRIES);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        make_info(d, i, name - TABLE - NAMES, is_118);
        name = put(d, name, go_build_names[i], strlen(go_build_names[i]) + 1);
        memcpy(p->text + i * SIZE, code, sizeof code);
    }
    put32(d, TABLE + ENTRIES + 8 * FUNCTIONS, FUNCTIONS * SIZE);
    uint32_t inner = name;
    put(d, name, "app.inner", 10);
    pcs = put(d, pcs, depths, sizeof depths);
    pcs = put(d, pcs, lines, sizeof lines);
    pcs = put(d, pcs, zeros, sizeof zeros);
    put(d, pcs, inlined, sizeof inlined);
    put(d, TABLE + FILES, "/src/app.go", 12);
    put64(d, MODULE, DATA + TABLE);
    put64(d, MODULE + 8, DATA + TABLE + NAMES);
    put64(d, MODULE + 160, TEXT);
    put64(d, MODULE + 176, TEXT);
    put64(d, MODULE + (minor < 20 ? 304 : minor < 27 ? 320 : 344), DATA + INLINED);
    put32(d, INLINED + (is_118 ? 12 : 4), inner - TABLE - NAMES);
    put32(d, INLINED + (is_118 ? 16 : 8), FRAMED + 6); /* called from there */
    p->image = (struct go_image){.segment_count = 2};
    p->image.segments[0] = (struct go_segment){TEXT, sizeof p->text, p->text};
    p->image.segments[1] = (struct go_segment){DATA, ROOM, d};
}
