/* The table of live blocks: dense heaps, many threads, its bound. */
#include "shim/live.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the above first. */
#include <cmocka.h>

static void put(uint64_t p, uint32_t cell) {
    assert_true(live_insert(p, 7, &(struct live_entry){.cell = cell, .size = p ^ 5, .born = 9}));
}

static void take(uint64_t p, uint32_t cell) {
    struct live_entry e;
    assert_true(live_take(p, &e));
    assert_int_equal(e.cell, cell);
    assert_int_equal(e.size, p ^ 5);
    assert_int_equal(live_epoch(&e), 7);
    assert_false(live_take(p, &e));
}

/* A heap of 16-byte blocks without a gap: more than the first places hold. */
static void dense_heap_fits(void **state) {
    const uint64_t base = 0x7f0012340010, n = 300000;
    (void)state;
    for (uint64_t i = 0; i < n; i++)
        put(base + 16 * i, (uint32_t)i);
    for (uint64_t i = 0; i < n; i++)
        assert_int_not_equal(live_filter[live_hash(base + 16 * i)], 0);
    for (uint64_t i = n; i-- > 0;)
        take(base + 16 * i, (uint32_t)i);
}

/* Blocks of mmap: a page and 16 bytes apart. */
static void mapped_blocks_fit(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 20000; i++)
        put(0x7f8000000010 + 0x41000 * i, (uint32_t)i);
    for (uint64_t i = 0; i < 20000; i++)
        take(0x7f8000000010 + 0x41000 * i, (uint32_t)i);
}

static void filter_lets_strangers_pass(void **state) {
    unsigned passed = 0;
    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        put(0x7f9000000010 + 0x41000 * i, 1);
    for (uint64_t i = 0; i < 65536; i++)
        passed += live_filter[live_hash(0x555555560000 + 48 * i)] == 0;
    assert_true(passed > 64000);
    for (uint64_t i = 0; i < 200; i++)
        take(0x7f9000000010 + 0x41000 * i, 1);
    assert_int_equal(live_filter[live_hash(0)], 255);
}

static void *churn(void *arg) {
    uint64_t base = 0x600000000000 + ((uint64_t)arg << 32), ok = 0;
    struct live_entry e;
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < 5000; i++)
            live_insert(base + 32 * i, 7, &(struct live_entry){.cell = (uint32_t)i});
        for (uint64_t i = 0; i < 5000; i++)
            ok += live_take(base + 32 * i, &e) && e.cell == (uint32_t)i;
    }
    return (void *)ok;
}

static void threads_do_not_meet(void **state) {
    pthread_t t[4];
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        assert_int_equal((uint64_t)ok, 100000);
    }
}

/* Full: an insert says no, and what was there is still found. */
static void full_table_says_no(void **state) {
    uint64_t i = 0;
    (void)state;
    while (live_insert(0x10000 + 16 * i, 7, &(struct live_entry){.cell = (uint32_t)i}))
        i++;
    assert_true(i > 500000);
    struct live_entry e;
    for (uint64_t k = 0; k < i; k++)
        assert_true(live_take(0x10000 + 16 * k, &e) && e.cell == (uint32_t)k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_heap_fits),
        cmocka_unit_test(mapped_blocks_fit),
        cmocka_unit_test(filter_lets_strangers_pass),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(full_table_says_no),
    };
    if (live_init(false, 0))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
