/* Regions of processes that run, and of those that ran. */
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

#include "profile/internal.h"
#include "profile_help.h"

/* ---- live ---- */

static void pause_a_little(void) {
    for (int i = 0; i < 10; i++)
        __builtin_ia32_pause();
}

/* A writer that holds numbers equal under its sequence word, and half the time is between two of
 * them. */
static void write_for_ever(volatile struct region_cell *c) {
    for (uint64_t n = 1;; n++) {
        c->sequence++;
        __asm__ volatile("" ::: "memory");
        c->allocs = n;
        c->bytes = n;
        pause_a_little();
        c->size_max = n;
        c->samples = n;
        __asm__ volatile("" ::: "memory");
        c->sequence++;
        pause_a_little();
    }
}

static pid_t start_writer(int fd, const struct region_build *b, bool leave_odd) {
    uint64_t at = b->directory[REGION_CELLS - 1].offset + sizeof(struct region_cell);
    pid_t child = fork();
    if (child)
        return child;
    uint8_t *map = mmap(NULL, b->bound, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (leave_odd) {
        ((struct region_cell *)(void *)(map + at))->sequence = 5;
        pause();
    }
    write_for_ever((void *)(map + at));
    _exit(1);
}

static void use_own_namespace(struct region_build *b, pid_t pid) {
    struct stat s;
    b->header->pid = pid;
    b->header->start_ticks = 0;
    b->header->ended = 0;
    b->header->end_raw_ns = 0;
    memset(b->header->boot_id, 0, 16);
    b->header->pid_namespace = stat("/proc/self/ns/pid", &s) == 0 ? s.st_ino : 0;
}

static void stop(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void reads_rows_whole_while_they_are_written(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *path = in_folder("live");
    unsigned torn = 0, moved = 0;
    uint64_t last = 0;
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    int fd = region_build_write(&b, path);
    pid_t child = start_writer(fd, &b, false);
    for (unsigned i = 0; i < 400 || (moved < 50 && i < 10000); i++) {
        assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
        const struct profile_process *p = &profile.processes[0];
        for (uint32_t k = 0; k < p->sites[1].cell_count; k++) {
            const struct profile_cell *c = cell_of(p, 1, k);
            if (c->sampled || c->thread != 2)
                continue;
            torn += c->torn;
            moved += c->allocs != last;
            last = c->allocs;
            if (!c->torn && c->allocs != 10)
                assert_true(c->allocs == c->bytes && c->allocs == c->size_max &&
                            c->allocs == c->samples);
        }
        profile_free(&profile);
    }
    stop(child);
    assert_true(moved >= 50);
    if (torn > 100)
        print_error("%u reads were torn\n", torn);
    assert_true(torn <= 100);
    close(fd);
    unlink(path);
    region_build_close(&b);
}

/* The second look at rows goes through a mapping: a file that was cut must not be a SIGBUS. */
static void survives_a_cut_under_the_mapping(void **state) {
    enum { ROWS = 1000 };
    struct region_cell *rows = calloc(ROWS, sizeof *rows);
    int fd = open(in_folder("cut"), O_RDWR | O_CREAT, 0600);
    struct sigaction before, after;
    (void)state;
    assert_int_equal(ftruncate(fd, 4096), 0);
    sigaction(SIGBUS, NULL, &before);
    rows_settle(fd, 0, (uint8_t *)rows, sizeof *rows, ROWS);
    sigaction(SIGBUS, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    close(fd);
    free(rows);
}

/* A child that a signal handler forked within a hook may have freed a block once more. */
static void sum_below_zero_is_no_peak(void **state) {
    struct region_build b;
    struct profile profile;
    struct profile_error error;
    const char *path = in_folder("below");
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    use_own_namespace(&b, 1);
    b.header->large_live = (uint64_t)-5000;
    b.header->large_peak = 70000;
    close(region_build_write(&b, path));
    assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
    assert_int_equal(profile.processes[0].large_live, 0);
    assert_int_equal(profile.processes[0].large_peak, 70000);
    profile_free(&profile);
    unlink(path);
    region_build_close(&b);
}

static enum profile_state state_now(const char *path, bool *mapped) {
    struct profile profile;
    struct profile_error error;
    assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
    enum profile_state s = profile.processes[0].state;
    *mapped = profile.processes[0].mapped;
    profile_free(&profile);
    return s;
}

static void wait_for_odd(int fd, const struct region_build *b) {
    uint32_t sequence = 0;
    uint64_t at = b->directory[REGION_CELLS - 1].offset + sizeof(struct region_cell);
    while (sequence != 5)
        assert_int_equal(pread(fd, &sequence, sizeof sequence, (off_t)at), sizeof sequence);
}

static void tells_running_from_dead(void **state) {
    struct region_build b;
    struct profile_error error;
    struct profile profile;
    const char *path = in_folder("state");
    bool mapped;
    (void)state;
    region_build_open(&b, REGION_BOUND_MIN);
    region_build_sample(&b);
    int fd = region_build_write(&b, path);
    pid_t child = start_writer(fd, &b, true);
    wait_for_odd(fd, &b);
    use_own_namespace(&b, child);
    assert_int_equal(pwrite(fd, b.header, sizeof *b.header, 0), sizeof *b.header);
    assert_int_equal(state_now(path, &mapped), PROFILE_RUNNING);
    assert_true(mapped);
    /* Packed, but not taken away from under it. */
    const char *output = in_folder("state.squall");
    assert_int_equal(profile_pack(&path, 1, output, NULL, 0, NULL, NULL, true, &error), 0);
    assert_int_equal(access(path, F_OK), 0);
    stop(child);
    assert_int_equal(state_now(path, &mapped), PROFILE_DIED);
    assert_false(mapped);
    /* Alive, but with another image. */
    b.header->pid = getpid();
    assert_int_equal(pwrite(fd, b.header, sizeof *b.header, 0), sizeof *b.header);
    assert_int_equal(state_now(path, &mapped), PROFILE_REPLACED);
    assert_int_equal(profile_load(path, &profile, NULL, NULL, NULL, &error), 0);
    assert_int_equal(profile.processes[0].torn, 2); /* what the kill left odd, and the sample's */
    profile_free(&profile);
    /* The number given again. */
    b.header->start_ticks = 1;
    assert_int_equal(pwrite(fd, b.header, sizeof *b.header, 0), sizeof *b.header);
    assert_int_equal(state_now(path, &mapped), PROFILE_DIED);
    close(fd);
    unlink(path);
    unlink(output);
    region_build_close(&b);
}

enum { IMAGES = 60 };

struct images {
    unsigned replaced, died;
    uint64_t last;
};

static int count_images(void *data, const struct profile_file *file) {
    struct images *images = data;
    images->replaced += file->state == PROFILE_REPLACED;
    if (file->state == PROFILE_DIED) {
        images->died++;
        images->last = file->key;
    }
    return 0;
}

/* Many images of one process, one after the other by exec: only the last one's end is its own. Each
 * file is opened to be read and once to see whose it is, not once for each of the others. */
static void tells_images_of_one_process(void **state) {
    struct region_build b;
    struct images images = {0};
    char name[128];
    uint8_t events[65536];
    unsigned opened = 0;
    (void)state;
    assert_int_equal(mkdir(in_folder("images"), 0700), 0);
    region_build_small(&b, 8);
    use_own_namespace(&b, 1);
    b.header->start_ticks = 7; /* not of the first process that there is */
    for (unsigned i = 1; i <= IMAGES; i++) {
        b.header->random = i * 0x9e3779b97f4a7c15u; /* names are in no order */
        b.header->start_raw_ns = i;
        snprintf(name, sizeof name, "images/squall.1.7.%016llx.region",
                 (unsigned long long)b.header->random);
        close(region_build_write(&b, in_folder(name)));
    }
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, in_folder("images"), IN_OPEN) >= 0);
    assert_int_equal(profile_list(in_folder("images"), count_images, &images), 0);
    assert_int_equal(images.replaced, IMAGES - 1);
    assert_int_equal(images.died, 1);
    assert_int_equal(images.last, b.header->random);
    for (ssize_t got; (got = read(watch, events, sizeof events)) > 0;)
        for (ssize_t at = 0; at < got; opened++)
            at += (ssize_t)sizeof(struct inotify_event) +
                  ((struct inotify_event *)(void *)(events + at))->len;
    assert_in_range(opened, IMAGES, 3 * IMAGES);
    close(watch);
    region_build_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows_whole_while_they_are_written),
        cmocka_unit_test(survives_a_cut_under_the_mapping),
        cmocka_unit_test(sum_below_zero_is_no_peak),
        cmocka_unit_test(tells_running_from_dead),
        cmocka_unit_test(tells_images_of_one_process),
    };
    return cmocka_run_group_tests_name("profile_live", tests, make_folder, remove_folder);
}
