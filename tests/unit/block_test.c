/* Which block holds an address: against a list, in crowds, at its bounds, among threads, in a
 * child. */
#include "shim/block.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka needs the above first. */
#include <cmocka.h>

struct known {
    uint64_t start, size;
    uint32_t row;
};

static uint64_t chance(uint64_t *seed) {
    return base_mix(*seed += 0x9e3779b97f4a7c15ull);
}

/* 1 KiB to 1 GiB, each power of two as likely; often just one. */
static uint64_t some_size(uint64_t *seed) {
    uint64_t size = 1024ull << chance(seed) % 20;
    return chance(seed) % 4 ? size + chance(seed) % size : size;
}

static int use_all(void **state) {
    (void)state;
    return block_init(0);
}

static int use_little(void **state) {
    (void)state;
    return block_init(65536);
}

/* ---- one thread ---- */

#define LIST 1500u
static struct known list[LIST];

static uint32_t listed(uint64_t address) {
    for (uint32_t i = 0; i < LIST; i++)
        if (list[i].row && address - list[i].start < list[i].size)
            return list[i].row;
    return 0;
}

static bool is_taken(uint64_t start, uint64_t size) {
    for (uint32_t i = 0; i < LIST; i++)
        if (list[i].row && list[i].start < start + size && start < list[i].start + list[i].size)
            return true;
    return false;
}

/* Somewhere in 64 GiB, or touching another block on either side. */
static void place_block(struct known *k, uint64_t *seed) {
    const struct known *n = &list[chance(seed) % LIST];
    do {
        k->size = some_size(seed);
        k->start = 0x7e0000000000 + (chance(seed) % (1ull << 36) & ~15ull);
        if (n->row && chance(seed) % 2)
            k->start = chance(seed) % 2 ? n->start + n->size : n->start - k->size;
        n = &list[chance(seed) % LIST];
    } while (is_taken(k->start, k->size));
    uint32_t row = block_add(k->start, k->size, (uint32_t)k->size, 3);
    assert_int_not_equal(row, 0);
    k->row = row;
    assert_int_equal(block_at(row)->start, k->start);
    assert_int_equal(block_at(row)->size, k->size);
    assert_int_equal(block_at(row)->cell, (uint32_t)k->size);
    assert_int_equal(block_at(row)->epoch, 3);
    assert_int_equal(block_at(row)->served | block_at(row)->roles, 0);
    block_at(row)->served = block_at(row)->roles = 1;
}

static void ask_around(const struct known *k, uint64_t *seed) {
    const uint64_t at[] = {k->start,
                           k->start + k->size - 1,
                           k->start + k->size,
                           k->start - 1,
                           k->start + chance(seed) % k->size,
                           0x7e0000000000 + chance(seed) % (1ull << 36)};
    for (size_t i = 0; i < ARRAY_SIZE(at); i++)
        assert_int_equal(block_find(at[i]), listed(at[i]));
}

static void says_what_a_list_says(void **state) {
    uint64_t seed = 1;
    (void)state;
    for (uint32_t round = 0; round < 30000; round++) {
        struct known *k = &list[chance(&seed) % (round / 20 + 1)];
        if (k->row) {
            block_remove(k->row);
            k->row = 0;
        } else
            place_block(k, &seed);
        ask_around(k, &seed);
    }
    for (uint32_t i = 0; i < LIST; i++)
        block_remove(list[i].row);
    for (uint32_t i = 0; i < LIST; i++)
        assert_int_equal(block_find(list[i].start), 0);
}

#define CROWD 200000u
static struct known crowd[CROWD];

/* Blocks that touch, more than the small level holds; three times, to see that it all comes back.
 */
static void crowd_fits(void **state) {
    uint64_t seed = 2;
    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        uint64_t at = 0x7f0000000010;
        for (uint32_t i = 0; i < CROWD; i++, at += crowd[i - 1].size) {
            uint64_t size = 1024 + chance(&seed) % (1ull << (10 + chance(&seed) % 8));
            crowd[i] = (struct known){at, size, block_add(at, size, i, 0)};
            assert_in_range(crowd[i].row, 1, CROWD);
        }
        for (uint32_t i = 0; i < CROWD; i += 2)
            block_remove(crowd[i].row);
        for (uint32_t i = 0; i < CROWD; i++) {
            uint32_t row = i % 2 ? crowd[i].row : 0;
            assert_int_equal(block_find(crowd[i].start), row);
            assert_int_equal(block_find(crowd[i].start + crowd[i].size - 1), row);
            assert_int_equal(block_find(crowd[i].start + chance(&seed) % crowd[i].size), row);
        }
        for (uint32_t i = 1; i < CROWD; i += 2)
            block_remove(crowd[i].row);
        for (uint32_t i = 0; i < CROWD; i++)
            assert_int_equal(block_find(crowd[i].start), 0);
    }
}

static void odd_blocks(void **state) {
    (void)state;
    assert_int_equal(block_find(0), 0);
    assert_int_equal(block_add(0, 65536, 1, 1), 0);
    assert_int_equal(block_add(65536, 0, 1, 1), 0);
    assert_int_equal(block_add(65536, ~0ull - 65536, 1, 1), 0);
    assert_int_equal(block_add(~0ull - 4096, 65536, 1, 1), 0);
    uint32_t row = block_add(0x100000001000, 1ull << 40, 1, 1), in;
    assert_int_not_equal(row, 0);
    assert_int_equal(block_find(0x100000000fff), 0);
    assert_int_equal(block_find(0x100000001000), row);
    assert_int_equal(block_find(0x110000000fff), row);
    assert_int_equal(block_find(0x110000001000), 0);
    /* The inner one of two. */
    in = block_add(0x108000000000, 65536, 1, 1);
    assert_int_equal(block_find(0x108000000000 + 65535), in);
    assert_int_equal(block_find(0x108000000000 + 65536), row);
    block_remove(row);
    assert_int_equal(block_find(0x108000000000 + 65536), 0);
    /* A row is not given back twice, nor one that was never taken in use. */
    block_remove(in);
    block_remove(in);
    block_remove(0);
    row = block_add(65536, 65536, 1, 1);
    assert_int_not_equal(row, block_add(1 << 20, 65536, 1, 1));
    assert_int_equal(block_find(65536), row);
}

/* ---- its bounds ---- */

static void no_row_left(void **state) {
    uint32_t n = 0, row;
    (void)state;
    for (; (row = block_add(0x10000000 + 65536ull * n, 65536, n, 0)); n++)
        crowd[n].row = row;
    assert_int_equal(n, 511);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(block_find(0x10000000 + 65536ull * i + 77), crowd[i].row);
    assert_int_equal(block_find(0x10000000 + 65536ull * n), 0);
    block_remove(crowd[100].row);
    assert_int_equal(block_find(0x10000000 + 65536ull * 100), 0);
    assert_int_equal(block_add(0x70000000, 65536, 0, 0), crowd[100].row);
    assert_int_equal(block_add(0x80000000, 65536, 0, 0), 0);
}

/* Too many blocks of one granule, as no allocator has them: the one that does not fit leaves
 * nothing behind, neither in the granule before it nor a row. */
static void no_word_left(void **state) {
    const uint64_t at = 0x7f0000400000; /* where a granule of 256 KiB begins */
    uint32_t n = 0, row;
    (void)state;
    for (; (row = block_add(at, 65536, 0, 0)); n++)
        crowd[n].row = row;
    assert_in_range(n, 6 * 2 + 6 * 2, 510);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(block_add(at - 65536, 2 * 65536, 0, 0), 0);
        assert_int_equal(block_find(at - 1), 0);
    }
    assert_int_not_equal(row = block_add(at - 65536, 65536, 0, 0), 0);
    assert_int_equal(block_find(at - 1), row);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_not_equal(block_find(at + 9), 0);
        block_remove(crowd[i].row);
    }
    assert_int_equal(block_find(at + 9), 0);
    assert_int_equal(block_find(at - 1), row);
}

/* A word or row that stays behind is missed here before long. */
static void little_room_lasts(void **state) {
    uint64_t seed = 3;
    (void)state;
    for (uint32_t i = 0; i < 300000; i++) {
        struct known *k = &crowd[i % 400];
        if (i >= 400) {
            assert_int_equal(block_find(k->start + k->size / 2), k->row);
            block_remove(k->row);
        }
        k->start = 0x7f0000000000 + (i % 400 * 2ull << 30) + chance(&seed) % (1 << 30);
        k->size = some_size(&seed);
        k->row = block_add(k->start, k->size, 0, 0);
        assert_int_not_equal(k->row, 0);
    }
}

static void limit_is_kept(void **state) {
    (void)state;
    assert_true(block_init(1000) < 0);
    assert_int_equal(block_init(32768), 0);
    uint32_t n = 0;
    while (block_add(0x10000000 + 65536ull * n, 65536, n, 0))
        n++;
    assert_int_equal(n, 255);
}

/* ---- threads, a child ---- */

/* Places of 4 MiB, a granule each: even ones hold 1 MiB and a page, odd ones 3 MiB, and rows wander
 * between them. Who takes the start of one and the size of the other finds a block where no even
 * place ever has one, though close enough for the row to be read. */
#define THREADS 4u
#define PLACES 48u
static const uint64_t place_size = 4 << 20;

static uint64_t address_of(uint64_t thread, uint64_t place) {
    return 0x600000000000 + (thread << 36) + place * place_size;
}

static void *churn(void *arg) {
    uint64_t me = (uint64_t)arg, seed = me, wrong = 0;
    uint32_t rows[PLACES] = {0};
    for (uint32_t round = 0; round < 300000; round++) {
        uint64_t p = chance(&seed) % PLACES, size = p % 2 ? 3 << 20 : (1 << 20) + 4096;
        uint64_t at = address_of(me, p), other = address_of(seed % THREADS, p & ~1ull);
        wrong += block_find(at + size - 1) != rows[p];
        wrong += block_find(at + size) != 0;
        wrong += block_find(other + (3 << 19)) != 0;
        if (rows[p]) {
            block_remove(rows[p]);
            rows[p] = 0;
        } else {
            rows[p] = block_add(at, size, 0, 0);
            wrong += !rows[p];
        }
        wrong += block_find(at) != rows[p];
    }
    for (uint32_t p = 0; p < PLACES; p++)
        block_remove(rows[p]);
    return (void *)wrong;
}

static void threads_do_not_meet(void **state) {
    pthread_t t[THREADS];
    (void)state;
    for (uint64_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, churn, (void *)i);
    for (uint32_t i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_int_equal((uint64_t)wrong, 0);
    }
    for (uint32_t i = 0; i < THREADS * PLACES; i++)
        assert_int_equal(block_find(address_of(i % THREADS, i / THREADS)), 0);
}

/* Neighbours in a granule whose bucket has one slot left: they race for it and count each other. */
#define GRANULE 0x610000000000ull

static void *jostle(void *arg) {
    uint64_t at = GRANULE + ((uint64_t)arg << 20), wrong = 0;
    for (uint32_t round = 0; round < 400000; round++) {
        uint32_t row = block_add(at, 1 << 20, 0, 0);
        wrong += !row || block_find(at + round) != row;
        block_remove(row);
        wrong += block_find(at + round) != 0;
    }
    return (void *)wrong;
}

static void threads_share_a_bucket(void **state) {
    pthread_t t[3];
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_not_equal(block_add(GRANULE + (3 << 20), 1 << 20, 0, 0), 0);
    for (uint64_t i = 0; i < ARRAY_SIZE(t); i++)
        pthread_create(&t[i], NULL, jostle, (void *)i);
    for (uint32_t i = 0; i < ARRAY_SIZE(t); i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_int_equal((uint64_t)wrong, 0);
    }
}

static void child_sees_them(void **state) {
    const uint64_t at = 0x7f1234567010;
    int status;
    (void)state;
    uint32_t row = block_add(at, 100000, 5, 0);
    pid_t child = fork();
    if (!child) {
        bool ok = row && block_find(at + 99999) == row && block_at(row)->cell == 5;
        block_remove(row);
        _exit(ok && !block_find(at) && block_add(at, 100000, 6, 1) == row ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(block_find(at + 99999), row);
    assert_int_equal(block_at(row)->cell, 5);
}

static void nothing_before_init(void **state) {
    (void)state;
    assert_int_equal(block_find(65536), 0);
    assert_int_equal(block_add(65536, 65536, 0, 0), 0);
    block_remove(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_init), /* the first */
        cmocka_unit_test_setup(says_what_a_list_says, use_all),
        cmocka_unit_test_setup(crowd_fits, use_all),
        cmocka_unit_test_setup(odd_blocks, use_all),
        cmocka_unit_test_setup(no_row_left, use_little),
        cmocka_unit_test_setup(no_word_left, use_little),
        cmocka_unit_test_setup(little_room_lasts, use_little),
        cmocka_unit_test_setup(limit_is_kept, use_little),
        cmocka_unit_test_setup(threads_do_not_meet, use_little),
        cmocka_unit_test_setup(threads_share_a_bucket, use_little),
        cmocka_unit_test_setup(child_sees_them, use_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
