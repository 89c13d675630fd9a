/* Nothing that a file says can do harm. Meant for SAN=address,undefined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profile_help.h"

/* ---- hostile bytes ---- */

static void survives_every_truncation(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *path = in_folder("truncated");
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    int fd = region_build_write(&b, path);
    for (uint64_t size = b.bound - 1024; size > 0; size -= 1024) {
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_true(profile_load(path, &profile, NULL, NULL, NULL, &error) < 0);
        assert_non_null(strstr(error.text, "truncated: offset "));
    }
    close(fd);
    unlink(path);
    region_build_close(&b);
}

/* Whoever looks for a word in a text looks as far as it goes, and once for each frame or site. */
static void a_text_that_is_absurdly_long_is_none(void **state) {
    static const char program[] = "/bin/program";
    static char text[70000];
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    (void)state;
    region_build_open(&b, 64u << 20);
    memset(text, 'x', sizeof text - 1);
    uint32_t absurd = region_build_codec_function(&b, text, 1, REGION_COMPRESS);
    text[65536] = 0;
    uint32_t longest = region_build_codec_function(&b, text, 1, REGION_COMPRESS);
    text[4097] = 0;
    b.header->exe = region_build_string(&b, text, strlen(text));
    uint32_t no_path = region_build_module(&b, text, 0x1000, 0x2000);
    text[4096] = 0;
    uint32_t longest_path = region_build_module(&b, text, 0x2000, 0x3000);
    uint32_t usual = region_build_module(&b, program, 0x3000, 0x4000);
    assert_int_equal(profile_load_memory(b.bytes, b.bound, "texts", &profile, &error), 0);
    const struct profile_process *p = &profile.processes[0];
    assert_string_equal(p->codec_functions[absurd].name, "");
    assert_int_equal(strlen(p->codec_functions[longest].name), 65536);
    assert_string_equal(p->exe, "");
    assert_string_equal(p->modules[no_path].path, "");
    assert_string_equal(p->modules[longest_path].path, text);
    assert_string_equal(p->modules[usual].path, program);
    profile_free(&profile);
    region_build_close(&b);
}

static uint64_t random_number(void) {
    static uint64_t seed = 42;
    return base_mix(seed += 0x9e3779b97f4a7c15ull);
}

/* Uses all that a profile points to, so that a sanitizer sees what leads astray. */
static uint64_t use_everything(const struct profile *profile) {
    uint64_t sum = 0;
    for (uint32_t k = 0; k < profile->count; k++) {
        const struct profile_process *p = &profile->processes[k];
        sum += strlen(p->exe) + strlen(p->codec_patterns);
        for (uint32_t i = 0; i < p->argument_count; i++)
            sum += strlen(p->arguments[i]);
        for (uint32_t i = 0; i < p->thread_count; i++)
            sum += strlen(p->threads[i].name);
        for (uint32_t i = 0; i < p->module_count; i++)
            sum += strlen(p->modules[i].path);
        for (uint32_t i = 0; i < p->stack_count; i++)
            for (uint32_t f = 0; f < p->stacks[i].count; f++)
                sum += p->stacks[i].frames[f] +
                       profile_find_module(p, &p->stacks[i], p->stacks[i].frames[f]);
        for (uint32_t i = 0; i < p->site_count; i++) {
            const struct profile_site *s = &p->sites[i];
            sum += p->stacks[s->stack].count + strlen(p->codec_functions[s->codec_function].name);
            for (uint32_t c = 0; c < REGION_CLASSES && s->size_classes; c++)
                sum += s->size_classes[c] + s->life_classes[c] + s->allocator_classes[c];
            for (uint32_t c = 0; c < s->cell_count; c++)
                sum += p->threads[p->cells[s->first_cell + c].thread].allocs;
        }
        for (uint32_t i = 0; i < p->symbol_count; i++)
            sum += strlen(p->symbols[i].function) + strlen(p->symbols[i].file);
    }
    return sum;
}

/* With `sealed` by a checksum, whatever still loads has to be what was written. */
static void flip(uint8_t *bytes, size_t size, unsigned rounds, bool sealed) {
    uint64_t sum = 0;
    unsigned loaded = 0;
    for (unsigned i = 0; i < rounds; i++) {
        struct profile profile;
        struct profile_error error;
        size_t places[8];
        unsigned count = 1 + random_number() % 8;
        for (unsigned k = 0; k < count; k++) {
            /* Half of them where the numbers are that lead everywhere. */
            size_t span = random_number() % 2 && size > 3072 ? 3072 : size;
            places[k] = random_number() % span;
            bytes[places[k]] ^= (uint8_t)(1u << random_number() % 8);
        }
        if (profile_load_memory(bytes, size, "flipped", &profile, &error) == 0) {
            sum += use_everything(&profile);
            if (sealed)
                check_sample(&profile.processes[0]);
            profile_free(&profile);
            loaded++;
        }
        for (unsigned k = 0; k < count; k++)
            bytes[places[k]] = bytes[places[k] + size];
    }
    assert_true(loaded < rounds);
    assert_true(loaded == 0 || sum != 0);
}

/* The bytes twice, the second half being what flips are undone from. */
static uint8_t *twice(const uint8_t *bytes, size_t size) {
    uint8_t *both = aligned_alloc(64, (2 * size + 63) & ~(size_t)63);
    memcpy(both, bytes, size);
    memcpy(both + size, bytes, size);
    return both;
}

static void survives_flipped_bits(void **state) {
    struct region_build b;
    size_t size;
    (void)state;
    region_build_small(&b, 8);
    region_build_sample(&b);
    uint8_t *both = twice(b.bytes, b.bound);
    flip(both, b.bound, 20000, false);
    free(both);
    region_build_close(&b);
    uint8_t *bytes = read_bytes(pack_sample(8, true, ""), &size);
    both = twice(bytes, size);
    flip(both, size, 20000, true);
    free(both);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_every_truncation),
        cmocka_unit_test(a_text_that_is_absurdly_long_is_none),
        cmocka_unit_test(survives_flipped_bits),
    };
    return cmocka_run_group_tests_name("profile_hostile", tests, make_folder, remove_folder);
}
