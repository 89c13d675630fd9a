/* What the tests of the room profile share. */
#include "profile_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a folder of our own ---- */

char folder[64];

int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/squall-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

const char *in_folder(const char *name) {
    static char paths[16][256];
    static unsigned turn;
    char *path = paths[turn++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void write_bytes(const char *path, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

uint8_t *read_bytes(const char *path, size_t *size) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

/* ---- what a sample holds ---- */

const struct profile_cell *cell_of(const struct profile_process *p, uint32_t site, uint32_t index) {
    assert_true(site < p->site_count);
    assert_true(index < p->sites[site].cell_count);
    return &p->cells[p->sites[site].first_cell + index];
}

static void check_owned_cell(const struct profile_cell *c) {
    assert_false(c->sampled || c->shared || c->torn || c->peak_is_bound);
    assert_int_equal(c->thread, 2);
    assert_int_equal(c->allocs, 10);
    assert_int_equal(c->frees, 7);
    assert_int_equal(c->remote_frees, 3);
    assert_int_equal(c->bytes, 1000000);
    assert_int_equal(c->freed_bytes, 700000);
    assert_int_equal(c->live_bytes, 300000);
    assert_int_equal(c->live_blocks, 3);
    assert_int_equal(c->peak_bytes, 700000);
    assert_int_equal(c->allocator_ns, 10000);
    assert_int_equal(c->life.count, 7);
    assert_int_equal(c->life.min, 50); /* the remote one, of 150 ticks */
    assert_int_equal(c->life.max, 3000);
    assert_int_equal(c->life.sum, 5100);
    assert_int_equal(c->large.allocs, 10);
    assert_int_equal(c->large.frees, 7);
    assert_int_equal(c->large.size_min, 100000);
    assert_int_equal(c->large.source_ratio_count, 2);
    assert_true(c->large.source_ratio_min == 1.0 && c->large.source_ratio_max == 2.0);
    assert_true(c->large.source_ratio_mean == 1.5);
}

static void check_who(const struct profile_process *p) {
    assert_int_equal(p->pid, 4242);
    assert_string_equal(p->exe, "/usr/bin/producer");
    assert_int_equal(p->argument_count, 4);
    assert_string_equal(p->arguments[1], "-v");
    assert_string_equal(p->arguments[2], "");
    assert_string_equal(p->arguments[3], "two words");
    assert_null(p->arguments[4]);
    assert_int_equal(p->state, PROFILE_ENDED);
    assert_true(p->ticks_per_ns > 2.999999 && p->ticks_per_ns < 3.000001);
    assert_false(p->clock_guessed);
    assert_int_equal(p->seconds_ns, 10000000000ull);
    assert_int_equal(p->thread_count, 3);
    assert_string_equal(p->threads[2].name, "a-name-of-16-byt");
    assert_int_equal(p->threads[1].bytes, 2000);
}

void check_sample(const struct profile_process *p) {
    check_who(p);
    assert_int_equal(p->site_count, 3);
    assert_int_equal(p->cell_count, 3);
    /* By bytes, largest first: the sampled one. */
    const struct profile_cell *c = cell_of(p, 1, 0);
    assert_true(c->sampled);
    assert_int_equal(c->allocs, 11); /* 10.5 blocks, rounded */
    assert_int_equal(c->frees, 3);
    assert_int_equal(c->live_bytes, 0); /* never below nothing */
    check_owned_cell(cell_of(p, 1, 1));
    c = cell_of(p, 2, 0);
    assert_true(c->shared && c->torn && c->peak_is_bound);
    assert_int_equal(p->torn, 1);
    assert_int_equal(p->sites[1].size_classes[33], 10);
    assert_null(p->sites[2].size_classes);
    const struct profile_stack *s = &p->stacks[p->sites[1].stack];
    assert_int_equal(s->count, 3);
    assert_int_equal(s->frames[2], 0x7f0000001000);
    assert_string_equal(p->modules[profile_find_module(p, s, s->frames[2])].path,
                        "/usr/lib/libx.so");
    assert_int_equal(profile_find_module(p, s, 0x10), 0);
    for (uint32_t i = 1; i < p->tick_count; i++)
        assert_true(p->ticks[i].ns > p->ticks[i - 1].ns);
    assert_true(p->tick_count >= 3);
    assert_int_equal(p->ticks[p->tick_count - 1].live_bytes, (p->tick_count + 3) * 10);
}

/* ---- refusals ---- */

void expect_refusal(const void *bytes, size_t size, const char *reason) {
    struct profile profile;
    struct profile_error error = {.text = ""};
    int status = profile_load_memory(bytes, size, "FILE", &profile, &error);
    if (status >= 0 || !strstr(error.text, reason))
        print_error("wanted \"%s\", got %d \"%s\"\n", reason, status, error.text);
    assert_true(status < 0);
    assert_non_null(strstr(error.text, reason));
    assert_int_equal(strncmp(error.text, "FILE: offset ", 13), 0);
    assert_int_equal(profile.count, 0);
}

/* ---- packing ---- */

static uint32_t name_it(void *data, const struct profile_process *p, uint32_t module,
                        uint64_t address, struct profile_symbol *out, uint32_t max) {
    static char name[32];
    ++*(unsigned *)data;
    assert_true(module > 0 && module < p->module_count && max >= 2);
    snprintf(name, sizeof name, "f_%llx", (unsigned long long)address);
    out[0] =
        (struct profile_symbol){.function = "inner", .file = "a.c", .line = 7, .inlined = true};
    out[1] = (struct profile_symbol){.function = name, .file = "a.c", .line = 70};
    return 2;
}

/* Packs the sample (of a large or a small region) and returns the name of the dump. */
const char *pack_sample(uint64_t rows, bool remove, const char *ended_by) {
    struct region_build b;
    struct profile_error error = {.text = ""};
    struct profile_end end = {.pid = 4242, .start_ticks = 123456};
    const char *path = in_folder("squall.4242.123456.feedfacecafebeef.region");
    const char *output = in_folder("squall.4242.123456.feedfacecafebeef.squall");
    unsigned asked = 0;
    if (rows)
        region_build_small(&b, rows);
    else
        region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    close(region_build_write(&b, path));
    snprintf(end.ended_by, sizeof end.ended_by, "%s", ended_by);
    int status = profile_pack(&path, 1, output, &end, 1, name_it, &asked, remove, &error);
    if (status)
        print_error("%s\n", error.text);
    assert_int_equal(status, 0);
    assert_int_equal(asked, 4);
    assert_int_equal(access(path, F_OK), remove ? -1 : 0);
    region_build_close(&b);
    return output;
}
