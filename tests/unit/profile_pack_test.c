/* Dumps, and folders of dumps and regions. */
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
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profile_help.h"

static void packs_and_reads_back(void **state) {
    struct profile profile;
    struct profile_error error;
    struct stat s;
    (void)state;
    const char *dump = pack_sample(0, true, "signal 9");
    assert_int_equal(stat(dump, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_true(s.st_size < 64 * 1024);
    assert_int_equal(profile_load(dump, &profile, NULL, NULL, NULL, &error), 0);
    assert_int_equal(profile.count, 1);
    const struct profile_process *p = &profile.processes[0];
    check_sample(p);
    assert_string_equal(p->ended_by, "signal 9");
    assert_int_equal(p->symbol_count, 8);
    assert_int_equal(p->symbols[0].address, 0x400123);
    assert_true(p->symbols[0].inlined && !p->symbols[1].inlined);
    assert_string_equal(p->symbols[0].function, "inner");
    assert_string_equal(p->symbols[1].function, "f_400123");
    assert_string_equal(p->symbols[7].function, "f_7f0000001000");
    assert_int_equal(p->symbols[7].line, 70);
    profile_free(&profile);
}

static void packs_several_and_none_by_half(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *paths[] = {in_folder("one"), in_folder("two")};
    const char *output = in_folder("both");
    (void)state;
    region_build_small(&b, 8);
    close(region_build_write(&b, paths[0]));
    b.header->random++;
    b.header->pid++;
    b.header->start_realtime_ns--;
    close(region_build_write(&b, paths[1]));
    assert_int_equal(profile_pack(paths, 2, output, NULL, 0, NULL, NULL, false, &error), 0);
    assert_int_equal(profile_load(output, &profile, NULL, NULL, NULL, &error), 0);
    assert_int_equal(profile.count, 2);
    assert_int_equal(profile.processes[0].pid, 4243); /* oldest first */
    assert_null(profile.processes[0].ended_by);
    profile_free(&profile);
    unlink(output);
    assert_int_equal(truncate(paths[1], 5000), 0);
    assert_true(profile_pack(paths, 2, output, NULL, 0, NULL, NULL, true, &error) < 0);
    assert_non_null(strstr(error.text, "two: offset 5000: cut short"));
    assert_int_equal(access(output, F_OK), -1);
    assert_int_equal(access(paths[0], F_OK), 0);
    unlink(paths[0]);
    unlink(paths[1]);
    region_build_close(&b);
}

static void replaces_only_regular_files(void **state) {
    struct profile_error error;
    struct region_build b;
    struct stat s;
    char part[256];
    const char *region = in_folder("region"), *output = in_folder("dump");
    (void)state;
    region_build_small(&b, 8);
    close(region_build_write(&b, region));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(symlink("/dev/null", in_folder("null")), 0);
    for (const char *const *to = (const char *const[]){in_folder("fifo"), in_folder("null"), folder,
                                                       in_folder("none/x"), "", NULL};
         *to; to++) {
        assert_true(profile_pack_check(*to, &error) < 0);
        assert_true(profile_pack(&region, 1, *to, NULL, 0, NULL, NULL, true, &error) < 0);
        assert_non_null(strstr(error.text, ": offset 0: cannot be made: "));
    }
    assert_true(lstat(in_folder("fifo"), &s) == 0 && S_ISFIFO(s.st_mode));
    assert_true(lstat(in_folder("null"), &s) == 0 && S_ISLNK(s.st_mode));
    /* What a killed one with our number left does not stand in the way. */
    snprintf(part, sizeof part, "%s/.dump.%d.part", folder, (int)getpid());
    write_bytes(part, "half", 4);
    assert_int_equal(profile_pack(&region, 1, output, NULL, 0, NULL, NULL, true, &error), 0);
    assert_int_equal(access(region, F_OK), -1);
    assert_true(profile_pack(&output, 1, region, NULL, 0, NULL, NULL, true, &error) < 0);
    assert_non_null(strstr(error.text, "dump: offset 0: is packed already"));
    assert_int_equal(access(output, F_OK), 0);
    unlink(output);
    unlink(part);
    unlink(in_folder("fifo"));
    unlink(in_folder("null"));
    region_build_close(&b);
}

static int count_file(void *data, const struct profile_file *file) {
    assert_true(file->packed || file->pid >= 4242);
    ++*(unsigned *)data;
    return 0;
}

/* To open a device may do something, and whoever waits for a reader of a FIFO goes on. */
static void opens_only_regular_files(void **state) {
    struct profile profile;
    struct profile_error error;
    unsigned files = 0;
    char events[4096];
    const char *fifo = in_folder("fifos/squall.1.2.0000000000000003.region");
    const char *fifos = in_folder("fifos"), *led = in_folder("fifos/led");
    (void)state;
    assert_int_equal(mkdir(fifos, 0700), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(fifo, led), 0);
    int opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(opened, fifo, IN_OPEN) >= 0);
    assert_int_equal(profile_list(fifos, count_file, &files), 0);
    assert_int_equal(profile_load(fifos, &profile, NULL, NULL, NULL, &error), 0);
    profile_free(&profile);
    for (const char *const *path = (const char *const[]){fifo, led, NULL}; *path; path++) {
        assert_true(profile_load(*path, &profile, NULL, NULL, NULL, &error) < 0);
        assert_non_null(strstr(error.text, "is not a regular file"));
    }
    assert_true(profile_pack(&fifo, 1, in_folder("dump"), NULL, 0, NULL, NULL, true, &error) < 0);
    assert_int_equal(files, 0);
    assert_int_equal(read(opened, events, sizeof events), -1);
    close(opened);
    unlink(fifo);
    unlink(led);
}

/* Whoever owns a folder puts another in its place while its region is packed. */
static uint32_t swap_folders(void *data, const struct profile_process *p, uint32_t module,
                             uint64_t address, struct profile_symbol *out, uint32_t max) {
    bool *is_swapped = data;
    (void)p, (void)module, (void)address, (void)out, (void)max;
    if (!*is_swapped) {
        assert_int_equal(rename(in_folder("its"), in_folder("away")), 0);
        assert_int_equal(symlink("victim", in_folder("its")), 0);
    }
    *is_swapped = true;
    return 0;
}

static void stays_in_the_folder_that_it_began_in(void **state) {
    struct region_build b;
    struct profile_error error = {.text = ""};
    const char *region = in_folder("its/region"), *output = in_folder("its/dump");
    bool is_swapped = false;
    (void)state;
    assert_int_equal(mkdir(in_folder("its"), 0700), 0);
    assert_int_equal(mkdir(in_folder("victim"), 0700), 0);
    region_build_small(&b, 8);
    region_build_sample(&b);
    close(region_build_write(&b, region));
    assert_int_equal(link(region, in_folder("victim/region")), 0);
    assert_int_equal(
        profile_pack(&region, 1, output, NULL, 0, swap_folders, &is_swapped, true, &error), 0);
    assert_true(is_swapped);
    assert_int_equal(access(in_folder("victim/region"), F_OK), 0);
    assert_int_equal(access(in_folder("victim/dump"), F_OK), -1);
    assert_int_equal(access(in_folder("away/region"), F_OK), -1);
    assert_int_equal(access(in_folder("away/dump"), F_OK), 0);
    unlink(in_folder("its"));
    region_build_close(&b);
}

static void refuses_broken_dumps(void **state) {
    size_t size;
    const char *dump = pack_sample(8, true, "");
    uint8_t *bytes = read_bytes(dump, &size);
    (void)state;
    assert_true(bytes[16 + 4] & 4); /* the frame has a checksum */
    bytes[8]++;
    expect_refusal(bytes, size, "newer version");
    bytes[8]--;
    bytes[size - 1] ^= 1; /* the checksum of the frame */
    expect_refusal(bytes, size, "damaged");
    bytes[size - 1] ^= 1;
    bytes[size] = 0;
    expect_refusal(bytes, size + 1, "something follows");
    for (size_t cut = 0; cut < size; cut++) {
        struct profile profile;
        struct profile_error error;
        assert_true(profile_load_memory(bytes, cut, "cut", &profile, &error) < 0);
    }
    free(bytes);
}

/* ---- folders ---- */

static unsigned warnings;

static void count_warning(const char *line) {
    assert_non_null(strstr(line, "offset 0: "));
    warnings++;
}

static void loads_folders(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    unsigned files = 0;
    char newest[256];
    (void)state;
    const char *dump = pack_sample(8, false, "exit 0"); /* the region stays beside its dump */
    region_build_small(&b, 8);
    b.header->random = 1;
    b.header->pid = 5000;
    b.header->start_realtime_ns++;
    close(region_build_write(&b, in_folder("other")));
    write_bytes(in_folder("foreign"), "hello", 5);
    write_bytes(in_folder("squall.7.8.0000000000000009.region"), "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(symlink("foreign", in_folder("link")), 0);
    warnings = 0;
    assert_int_equal(profile_load(folder, &profile, NULL, NULL, count_warning, &error), 0);
    assert_int_equal(warnings, 3); /* foreign, just being made, link */
    assert_int_equal(profile.count, 2);
    assert_string_equal(profile.processes[0].ended_by, "exit 0"); /* the dump, not its region */
    assert_int_equal(profile.processes[1].pid, 5000);
    profile_free(&profile);
    assert_int_equal(profile_list(folder, count_file, &files), 0);
    assert_int_equal(files, 3);
    assert_int_equal(profile_newest(folder, newest, sizeof newest), 0);
    /* One that is ours and broken fails. */
    assert_int_equal(truncate(dump, 100), 0);
    assert_true(profile_load(folder, &profile, NULL, NULL, count_warning, &error) < 0);
    assert_int_equal(profile.count, 0);
    region_build_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_and_reads_back),
        cmocka_unit_test(packs_several_and_none_by_half),
        cmocka_unit_test(replaces_only_regular_files),
        cmocka_unit_test(opens_only_regular_files),
        cmocka_unit_test(stays_in_the_folder_that_it_began_in),
        cmocka_unit_test(refuses_broken_dumps),
        cmocka_unit_test(loads_folders),
    };
    return cmocka_run_group_tests_name("profile_pack", tests, make_folder, remove_folder);
}
