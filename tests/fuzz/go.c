/* Go's tables in the memory of a program: found, read and verified, whatever stands in them.
 *
 * An input is the code of some functions, and behind it the data with the tables. */
#include <stdlib.h>
#include <string.h>

#include "../unit/go_build.h"
#include "fuzz.h"

#define CODE ((size_t)FUNCTIONS * SIZE)

const size_t fuzz_longest = 32768;
const char fuzz_name[] = "go";

static uint64_t used;

static bool use_piece(void *data, uint64_t from, uint64_t to, int32_t value) {
    FUZZ_MUST(from < to);
    used += (uint32_t)value;
    return ++*(uint32_t *)data < 10000;
}

static void use_frames(const struct go_image *image, uint64_t address) {
    struct go_frame frames[64];
    uint32_t count = go_frames(image, address, frames, ARRAY_SIZE(frames));
    FUZZ_MUST(count <= ARRAY_SIZE(frames));
    for (uint32_t i = 0; i < count; i++)
        used += (frames[i].function ? strlen(frames[i].function) : 0) +
                (frames[i].file ? strlen(frames[i].file) : 0);
    FUZZ_MUST(!count || !frames[count - 1].inlined);
}

static void use_plan(const struct go_image *image) {
    static struct go_plan plan;
    memset(&plan, 0, sizeof plan);
    plan.near = 0x300000;
    plan.calls = true;
    if (go_plan_look(&plan, image) != 0 || go_plan_make(&plan, image) != 0)
        return;
    FUZZ_MUST(plan.patch_count <= GO_PATCHES_MAX && plan.used <= GO_NEAR_CODE);
    for (uint32_t i = 0; i < plan.patch_count;
         i++) { /* what is written over is code that was read */
        const struct go_patch *p = &plan.patches[i];
        const uint8_t *at = go_image_at(image, p->at, p->size);
        FUZZ_MUST(p->size <= GO_PATCH_MAX && at && memcmp(at, p->old, p->size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct go_image image = {.segment_count = 2};
    struct go_function f;
    if (size < CODE)
        return 0;
    /* Apart, so that a sanitizer sees the end of each. */
    uint8_t *text = memcpy(malloc(CODE), data, CODE), *rest = malloc(size - CODE + 1);
    memcpy(rest, data + CODE, size - CODE);
    image.segments[0] = (struct go_segment){TEXT, CODE, text};
    image.segments[1] = (struct go_segment){DATA, size - CODE, rest};
    if (go_image_find(&image) == 0) {
        for (uint64_t i = 0; i < FUNCTIONS + 2; i++) {
            uint32_t pieces = 0;
            if (go_function_at(&image, i, &f) &&
                go_function_walk(&image, &f, GO_TABLE_STACK, use_piece, &pieces))
                use_frames(&image, f.start);
        }
        for (uint64_t at = 0; at < CODE; at += 5)
            use_frames(&image, TEXT + at);
        use_plan(&image);
    }
    free(text);
    free(rest);
    return 0;
}

void fuzz_seeds(void) {
    static const unsigned minors[] = {18, 20, 22, 27};
    for (unsigned i = 0; i < ARRAY_SIZE(minors); i++) {
        struct go_build p = {0};
        char name[16];
        uint8_t bytes[CODE + ROOM];
        go_build_make(&p, minors[i]);
        memcpy(bytes, p.text, CODE);
        memcpy(bytes + CODE, p.data, ROOM);
        snprintf(name, sizeof name, "go1.%u", minors[i]);
        fuzz_seed(name, bytes, CODE + INLINED + 32);
        free(p.data);
    }
}

/* Half of them in the tables, the rest in code, moduledata and what was inlined. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    static const size_t parts[][2] = {
        {TABLE, NAMES + TABLE},
        {TABLE + PCS, TABLE + ENTRIES},
        {TABLE + ENTRIES, TABLE + ENTRIES + 8 * (FUNCTIONS + 1) + 64 * FUNCTIONS},
        {TABLE + ENTRIES, TABLE + ENTRIES + 8 * (FUNCTIONS + 1) + 64 * FUNCTIONS},
        {MODULE, MODULE + 352},
        {INLINED, INLINED + 32},
        {INFO, INFO + 64},
    };
    uint64_t choice = fuzz_below(random, 10);
    if (size < CODE + INLINED + 32 || choice > ARRAY_SIZE(parts))
        return fuzz_bytes(data, size, room, random);
    if (choice == ARRAY_SIZE(parts))
        fuzz_poke(data, 0, CODE, size, random);
    else
        fuzz_poke(data, CODE + parts[choice][0], CODE + parts[choice][1], size, random);
    return size;
}
