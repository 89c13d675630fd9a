/* The room src/go on a program that is made here, byte by byte: its tables are found and read, its
 * functions verified; and whatever single byte of it is another, nothing is read outside of it (run
 * this with SAN=address,undefined). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "go_build.h"

static const unsigned minors[] = {18, 19, 20, 21, 22, 26, 27};

static void tables_are_read(void **state) {
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(minors); i++) {
        struct go_build p = {0};
        struct go_function f;
        struct go_frame frames[4];
        go_build_make(&p, minors[i]);
        assert_int_equal(go_image_find(&p.image), 0);
        assert_int_equal(p.image.minor, minors[i]);
        assert_int_equal(p.image.text, TEXT);
        assert_true(go_function_find(&p.image, TEXT + SIZE + 5, &f));
        assert_string_equal(f.name, go_build_names[HEAP]);
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
        assert_string_equal(frames[1].function, go_build_names[ENCODE]);
        assert_false(frames[1].inlined);
        free(p.data);
    }
}

static void an_older_go_is_named(void **state) {
    (void)state;
    struct go_build p = {0};
    go_build_make(&p, 17);
    p.data[INFO + 15] = 0; /* where its version is, pointers tell */
    memset(p.data + TABLE, 0, 8);
    assert_int_equal(go_image_find(&p.image), -ENOTSUP);
    assert_string_equal(p.image.version, "go1.17 or older");
    memset(p.data + INFO, 0, 16);
    assert_int_equal(go_image_find(&p.image), -ENOENT);
    free(p.data);
}

/* Of each it is looked in all of memory whether it is the program's: a program made of them would
 * be searched for ever. */
static void few_tables_are_tried(void **state) {
    (void)state;
    static uint64_t words[64 * 10 + 10];
    static const uint64_t header[] = {0x08010000fffffff1, 1, 0, 0, 8, 8, 8, 8, 8};
    for (unsigned count = 63; count <= 64; count++) {
        struct go_build p = {0};
        go_build_make(&p, 20);
        for (unsigned i = 0; i < count; i++)
            memcpy(words + 10 * (size_t)i, header, sizeof header);
        memmove(p.image.segments + 1, p.image.segments,
                p.image.segment_count * sizeof p.image.segments[0]);
        p.image.segments[0] =
            (struct go_segment){0x200000, sizeof words, (const uint8_t *)(const void *)words};
        p.image.segment_count++;
        assert_int_equal(go_image_find(&p.image), count == 63 ? 0 : -ENOTSUP);
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
    struct go_build p = {0};
    struct go_plan *plan = new_plan();
    go_build_make(&p, 22);
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
    struct go_build p = {0};
    struct go_plan *plan = new_plan();
    go_build_make(&p, minor);
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
            assert_string_equal(refused, go_build_names[k]);
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

static void use_all(struct go_build *p, struct go_plan *plan) {
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
                struct go_build p = {0};
                go_build_make(&p, minor);
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
        cmocka_unit_test(an_older_go_is_named),
        cmocka_unit_test(few_tables_are_tried),
        cmocka_unit_test(what_verifies_is_hooked),
        cmocka_unit_test(what_does_not_verify_is_left_alone),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(codec_names),
    };
    return cmocka_run_group_tests_name("go", tests, NULL, NULL);
}
