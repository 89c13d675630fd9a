/* The room src/go on a program that is made here, byte by byte: its tables are found and read, its
 * functions verified; and whatever single byte of it is another, nothing is read outside of it (run
 * this with SAN=address,undefined). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "go/go.h"

#define TEXT 0x401000ull
#define DATA 0x500000ull
#define ROOM 8192u

enum { MALLOCGC, HEAP, ZERO, FREE, CYCLE, ENCODE, FUNCTIONS };
#define SIZE 112u /* bytes of each function */

static const char *const names[FUNCTIONS] = {
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
enum { PUSHED = 11, FRAMED = 15, ENDING = 24, RETURN = 29, GROW = 32 };

struct program {
    uint8_t text[FUNCTIONS * SIZE], *data;
    struct go_image image;
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

static void make(struct program *p, unsigned minor) {
    bool is_118 = minor < 20;
    uint8_t *d = p->data = calloc(1, ROOM);
    assert_non_null(d);
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
        name = put(d, name, names[i], strlen(names[i]) + 1);
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

static const unsigned minors[] = {18, 19, 20, 21, 22, 26, 27};

static void tables_are_read(void **state) {
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(minors); i++) {
        struct program p = {0};
        struct go_function f;
        struct go_frame frames[4];
        make(&p, minors[i]);
        assert_int_equal(go_image_find(&p.image), 0);
        assert_int_equal(p.image.minor, minors[i]);
        assert_int_equal(p.image.text, TEXT);
        assert_true(go_function_find(&p.image, TEXT + SIZE + 5, &f));
        assert_string_equal(f.name, names[HEAP]);
        assert_int_equal(f.start, TEXT + SIZE);
        assert_false(go_function_find(&p.image, TEXT + FUNCTIONS * SIZE, &f));
        assert_false(go_function_find(&p.image, TEXT - 1, &f));
        assert_int_equal(go_frames(&p.image, TEXT + SIZE + 20, frames, 4), 1);
        assert_int_equal(frames[0].line, 11);
        assert_string_equal(frames[0].file, "/src/app.go");
        /* What was inlined, and where it was called. */
        assert_int_equal(go_frames(&p.image, TEXT + ENCODE * SIZE + FRAMED + 1, frames, 4), 2);
        assert_string_equal(frames[0].function, "app.inner");
        assert_true(frames[0].inlined);
        assert_string_equal(frames[1].function, names[ENCODE]);
        assert_false(frames[1].inlined);
        free(p.data);
    }
}

static struct go_plan *new_plan(void) {
    struct go_plan *plan = calloc(1, sizeof *plan);
    assert_non_null(plan);
    plan->near = 0x300000;
    plan->calls = true;
    plan->threshold = 65536;
    return plan;
}

static void what_verifies_is_hooked(void **state) {
    (void)state;
    struct program p = {0};
    struct go_plan *plan = new_plan();
    make(&p, 22);
    assert_int_equal(go_image_find(&p.image), 0);
    assert_int_equal(go_plan_look(plan, &p.image), 0);
    assert_int_equal(plan->codec_count, 1);
    assert_int_equal(plan->codecs[0].entry->codec, CODEC_ZSTD);
    assert_int_equal(go_plan_make(plan, &p.image), 0);
    assert_int_equal(plan->codecs[0].patched, 1);
    /* Five entries and mallocgc's return; EncodeAll's entry and return. */
    assert_int_equal(plan->patch_count, 8);
    assert_int_equal(plan->patches[0].at, TEXT);
    assert_int_equal(plan->patches[0].size, 10);
    assert_int_equal(plan->patches[1].at, TEXT + ENDING);
    assert_int_equal(plan->patches[1].size, RETURN + 1 - ENDING);
    for (uint32_t i = 0; i < plan->patch_count; i++) {
        const struct go_patch *patch = &plan->patches[i];
        int32_t distance;
        memcpy(&distance, patch->new + 1, 4);
        uint64_t to = patch->at + 5 + (uint64_t)(int64_t)distance;
        assert_int_equal(patch->new[0], 0xe9);
        assert_in_range(to, plan->near + GO_NEAR_DATA, plan->near + GO_NEAR_DATA + plan->used);
        assert_memory_equal(patch->old, p.text + (patch->at - TEXT), patch->size);
    }
    free(p.data);
    free(plan);
}

static int try_with(uint32_t at, uint8_t byte, unsigned minor, const char **refused) {
    struct program p = {0};
    struct go_plan *plan = new_plan();
    make(&p, minor);
    p.text[at] = byte;
    int error = go_image_find(&p.image);
    if (!error)
        error = go_plan_look(plan, &p.image);
    if (!error)
        error = go_plan_make(plan, &p.image);
    *refused = plan->refused;
    free(p.data);
    free(plan);
    return error;
}

static void what_does_not_verify_is_left_alone(void **state) {
    (void)state;
    const char *refused;
    static const uint32_t entry[] = {0, 1, 2, 3, 4, 5};
    for (uint32_t k = MALLOCGC; k <= CYCLE; k++)
        for (unsigned i = 0; i < ARRAY_SIZE(entry); i++) {
            assert_true(try_with(k * SIZE + entry[i], 0x90, 22, &refused) < 0);
            assert_string_equal(refused, names[k]);
        }
    /* A return that undoes another depth than there is, or none that is known. */
    assert_true(try_with(ENDING + 3, 0x28, 22, &refused) < 0);
    assert_string_equal(refused, "runtime.mallocgc");
    assert_true(try_with(RETURN - 1, 0x5b, 22, &refused) < 0);
    assert_true(try_with(GROW, 0xc3, 22, &refused) < 0); /* a second return */
    /* The growing of the stack is in the function. */
    assert_true(try_with(7, 0x7f, 22, &refused) < 0);
    assert_true(try_with(0, 0x49, 17, &refused) < 0);
    assert_true(try_with(0, 0x49, 28, &refused) < 0);
    assert_int_equal(try_with(0, 0x49, 22, &refused), 0);
    /* A codec function that does not verify is no reason. */
    assert_int_equal(try_with(ENCODE * SIZE, 0x90, 22, &refused), 0);
}

static bool count_piece(void *data, uint64_t from, uint64_t to, int32_t value) {
    (void)value;
    assert_true(from < to);
    return ++*(uint32_t *)data < 100000;
}

static void use_all(struct program *p, struct go_plan *plan) {
    struct go_frame frames[8];
    struct go_function f;
    if (go_image_find(&p->image))
        return;
    for (uint64_t at = 0; at < FUNCTIONS * SIZE; at += 3)
        go_frames(&p->image, p->image.text + at, frames, ARRAY_SIZE(frames));
    for (uint64_t i = 0; i < 2 * FUNCTIONS; i++) {
        uint32_t pieces = 0;
        if (go_function_at(&p->image, i, &f))
            go_function_walk(&p->image, &f, GO_TABLE_STACK, count_piece, &pieces);
    }
    memset(plan, 0, sizeof *plan);
    plan->near = 0x300000;
    plan->calls = true;
    if (go_plan_look(plan, &p->image) == 0)
        go_plan_make(plan, &p->image);
}

static void any_byte_may_be_wrong(void **state) {
    (void)state;
    static const uint8_t flips[] = {0xff, 0x80, 0x01};
    struct go_plan *plan = new_plan();
    for (unsigned minor = 19; minor <= 22; minor += 3)
        for (uint32_t at = 0; at < INLINED + 32; at++)
            for (unsigned i = 0; i < ARRAY_SIZE(flips); i++) {
                struct program p = {0};
                make(&p, minor);
                p.data[at] ^= flips[i];
                use_all(&p, plan);
                free(p.data);
            }
    free(plan);
}

static void codec_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t codec, direction, kind;
    } known[] = {
        {"github.com/klauspost/compress/zstd.(*Encoder).EncodeAll", CODEC_ZSTD, CODEC_COMPRESS,
         CODEC_ONE_SHOT},
        {"k8s.io/x/vendor/github.com/klauspost/compress/zstd.(*Decoder).DecodeAll", CODEC_ZSTD,
         CODEC_DECOMPRESS, CODEC_ONE_SHOT},
        {"github.com/klauspost/compress/s2.Encode", CODEC_S2, CODEC_COMPRESS, CODEC_ONE_SHOT},
        {"github.com/golang/snappy.Decode", CODEC_SNAPPY, CODEC_DECOMPRESS, CODEC_ONE_SHOT},
        {"compress/gzip.(*Writer).Write", CODEC_ZLIB, CODEC_COMPRESS, CODEC_STREAM},
        {"compress/flate.NewWriter", CODEC_ZLIB, CODEC_COMPRESS, CODEC_CREATE},
        {"compress/zlib.(*reader).Read", CODEC_ZLIB, CODEC_DECOMPRESS, CODEC_STREAM},
        {"github.com/pierrec/lz4/v4.CompressBlock", CODEC_LZ4, CODEC_COMPRESS, CODEC_ONE_SHOT},
        {"github.com/pierrec/lz4.CompressBlockBound", CODEC_LZ4, CODEC_COMPRESS, CODEC_BOUND},
        {"github.com/andybalholm/brotli.(*Writer).Flush", CODEC_BROTLI, CODEC_COMPRESS,
         CODEC_STREAM},
        {"github.com/DataDog/zstd.CompressLevel", CODEC_ZSTD, CODEC_COMPRESS, CODEC_ONE_SHOT},
        {"github.com/valyala/gozstd.compress", CODEC_ZSTD, CODEC_COMPRESS, CODEC_ONE_SHOT},
        {"github.com/valyala/gozstd.Decompress", CODEC_ZSTD, CODEC_DECOMPRESS, CODEC_ONE_SHOT},
    };
    static const char *const others[] = {
        "main.main",
        "compress/gzipx.(*Writer).Write",
        "github.com/klauspost/compress/zstd.(*fastEncoder).Encode",
        "github.com/klauspost/compress/zstdx.(*Encoder).EncodeAll",
        "github.com/klauspost/compress/zstd",
        "",
        "g",
        "compress/",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        const struct codec_entry *e = codec_table_find_go(known[i].name);
        assert_non_null(e);
        assert_int_equal(e->codec, known[i].codec);
        assert_int_equal(e->direction, known[i].direction);
        assert_int_equal(e->kind, known[i].kind);
        assert_ptr_equal(codec_table_find_readable(known[i].name), e);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        assert_null(codec_table_find_go(others[i]));
    assert_true(
        codec_table_is_go_codec("github.com/klauspost/compress/zstd.(*fastEncoder).Encode"));
    assert_false(codec_table_is_go_codec("main.(*batcher).encode"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(what_verifies_is_hooked),
        cmocka_unit_test(what_does_not_verify_is_left_alone),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(codec_names),
    };
    return cmocka_run_group_tests_name("go", tests, NULL, NULL);
}
