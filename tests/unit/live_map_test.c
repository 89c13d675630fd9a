/* The map of exact mode's small blocks, beside the table: who has a word, who an entry. */
#include "shim/live.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka needs the above first. */
#include <cmocka.h>

#define EPOCH 0xfffe
#define CELL_MAX 0xffffffu

static bool put(uint64_t p, uint32_t cell, uint64_t size, uint64_t born) {
    return live_insert(p, EPOCH, &(struct live_entry){.cell = cell, .size = size, .born = born});
}

static void take(uint64_t p, uint32_t cell, uint64_t size, uint64_t born) {
    struct live_entry e;
    assert_true(live_take(p, &e));
    assert_int_equal(e.cell, cell);
    assert_int_equal(e.size, size);
    assert_int_equal(e.born, born);
    assert_int_equal(live_epoch(&e), EPOCH);
    assert_int_equal(e.key & LIVE_ADDRESS, p);
    assert_false(live_take(p, &e));
}

static void word_holds_the_largest_values(void **state) {
    const uint64_t p = 0x7f1234567ff0;
    (void)state;
    assert_true(put(p, CELL_MAX, LIVE_MAP_SIZE_MAX, 0));
    uint64_t word = *live_word(p);
    assert_true(live_word_is_ours(word, EPOCH));
    assert_false(live_word_is_ours(word, EPOCH + 1));
    assert_int_equal(live_word_cell(word), CELL_MAX);
    assert_int_equal(live_word_size(word), LIVE_MAP_SIZE_MAX);
    take(p, CELL_MAX, LIVE_MAP_SIZE_MAX, 0);
    assert_int_equal(*live_word(p), 0);
}

/* The least: cell 0, size 0, epoch 0 are values like others. */
static void word_of_zeros_is_there(void **state) {
    const uint64_t p = 0x7f1234560010;
    struct live_entry e;
    (void)state;
    assert_true(live_insert(p, 0, &(struct live_entry){.size = 0}));
    assert_true(live_word_is_ours(*live_word(p), 0));
    assert_true(live_take(p, &e));
    assert_int_equal(e.size, 0);
    assert_int_equal(live_epoch(&e), 0);
}

static void others_have_an_entry(void **state) {
    const uint64_t p = 0x7f0000000020;
    (void)state;
    assert_true(put(p, 1, 100, 77)); /* timed */
    assert_true(!live_word(p) || *live_word(p) == 0);
    take(p, 1, 100, 77);
    assert_true(put(p, 1, LIVE_MAP_SIZE_MAX + 1, 0));
    take(p, 1, LIVE_MAP_SIZE_MAX + 1, 0);
    assert_true(put(p + 8, 1, 8, 0)); /* jemalloc's smallest */
    assert_null(live_word(p + 8));
    take(p + 8, 1, 8, 0);
}

/* Each address is asked for that may come: by a wild free, say. */
static void wild_addresses_have_none(void **state) {
    const uint64_t wild[] = {0,           1,         15,         0x800000000000, 0xffffffffff600000,
                             UINT64_MAX, 1ull << 63, 0xfffffff0, 0x7ffffffffff0};
    struct live_entry e;
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
        uint64_t *word = live_word(wild[i]);
        assert_true(!word || *word == 0);
        assert_false(live_take(wild[i], &e));
    }
}

/* A block whose free was missed: the next one at the address takes its place. */
static void stale_word_is_replaced(void **state) {
    const uint64_t p = 0x7f0000004000;
    (void)state;
    assert_true(put(p, 1, 100, 0));
    assert_true(put(p, 2, 200, 0));
    take(p, 2, 200, 0);
    assert_true(put(p, 1, 100, 0));
    assert_true(put(p, 3, 300, 9)); /* an entry this time: the word must not speak for it */
    take(p, 3, 300, 9);
}

static void *churn(void *arg) {
    uint64_t base = 0x600000000000 + ((uint64_t)arg << 20), ok = 0;
    struct live_entry e;
    for (uint64_t round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 5000; i++)
            put(base + 16 * i, (uint32_t)i, round, i % 16 == 0);
        for (uint64_t i = 0; i < 5000; i++)
            ok += live_take(base + 16 * i, &e) && e.cell == (uint32_t)i && e.size == round;
    }
    return (void *)ok;
}

/* They all want the same leaf at once. */
static void threads_share_a_leaf(void **state) {
    pthread_t t[8];
    (void)state;
    for (uint64_t i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, churn, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        assert_int_equal((uint64_t)ok, 250000);
    }
}

/* More leaves than there may be: the table takes what the map cannot. */
static void far_blocks_find_room(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 400; i++)
        assert_true(put(0x100000000000 + (i << 26), (uint32_t)i, 50, 0));
    unsigned in_map = 0;
    for (uint64_t i = 0; i < 400; i++)
        in_map += live_word(0x100000000000 + (i << 26)) != NULL;
    assert_in_range(in_map, 200, 256);
    for (uint64_t i = 0; i < 400; i++)
        take(0x100000000000 + (i << 26), (uint32_t)i, 50, 0);
}

/* In a child: the block has room, and no leaf. */
static void is_left_to_the_table(uint64_t p) {
    bool taken = put(p, 5, 50, 0);
    struct live_entry e;
    _exit(taken && !live_word(p) && live_take(p, &e) && e.cell == 5 && e.size == 50 ? 0 : 1);
}

static void narrow(void) {
    struct rlimit l = {1ull << 40, 1ull << 40};
    if (setrlimit(RLIMIT_AS, &l))
        _exit(2);
}

static void lock(void) {
    struct rlimit l = {1ull << 28, 1ull << 28};
    setrlimit(RLIMIT_MEMLOCK, &l); /* only some may */
    if (mlockall(MCL_FUTURE))
        _exit(2);
}

static void nothing(void) {
    is_left_to_the_table(0x200000000000); /* the map has it: 1 */
}

static int status_after(void (*change)(void)) {
    int status;
    pid_t child = fork();
    if (!child) {
        change();
        is_left_to_the_table(0x200000000000);
    }
    waitpid(child, &status, 0);
    return status;
}

/* A leaf would be what the program has left of its memory. */
static void scarce_memory_is_left_alone(void **state) {
    (void)state;
    assert_int_equal(WEXITSTATUS(status_after(nothing)), 1);
    assert_int_equal(status_after(narrow), 0);
    assert_int_equal(status_after(lock), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_holds_the_largest_values),
        cmocka_unit_test(word_of_zeros_is_there),
        cmocka_unit_test(others_have_an_entry),
        cmocka_unit_test(wild_addresses_have_none),
        cmocka_unit_test(stale_word_is_replaced),
        cmocka_unit_test(threads_share_a_leaf),
        cmocka_unit_test(scarce_memory_is_left_alone),
        cmocka_unit_test(far_blocks_find_room),
    };
    if (live_init(true, 0))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
