/* Unwind information made by hand: what it says is taken, and what nobody could have meant is
 * RULE_HARD, at once. The walk is done within malloc: it must end whatever a module holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/unwind_rule.h"

/* A module of one page: .eh_frame_hdr, a CIE, an entry for the code, the code. */
enum { HEADER = 0, CIE = 64, FDE = 128, CODE = 1024, CODE_SIZE = 512, MODULE_SIZE = 4096 };

static uint8_t *page;

static size_t put32(size_t at, uint32_t value) {
    memcpy(page + at, &value, sizeof value);
    return at + sizeof value;
}

/* `program` stands in the entry; lengths are filled in. What may vanish is read through `scratch`.
 */
static uint32_t rule_in(struct module m, uint8_t *scratch, const char *program, size_t size) {
    static const uint8_t cie[] = {1,    'z', 'R', 0,    1,
                                  0x78, 16,  1,   0x1b,     /* version, ..., encoding */
                                  0x0c, 7,   8,   0x90, 1}; /* CFA = rsp + 8, ra at -8 */
    m.start = m.base = (uint64_t)page;
    m.end = m.start + MODULE_SIZE;
    m.eh_frame_hdr = m.start + HEADER;
    memset(page, 0, MODULE_SIZE);
    size_t at = put32(HEADER, 0x3b031b01);
    at = put32(at, (uint32_t)(CIE - at));
    at = put32(at, 1);
    at = put32(at, CODE - HEADER);
    put32(at, FDE - HEADER);
    memcpy(page + put32(put32(CIE, 4 + sizeof cie), 0), cie, sizeof cie);
    at = put32(FDE, (uint32_t)(4 + 4 + 4 + 1 + size));
    at = put32(at, (uint32_t)(at - CIE));
    at = put32(at, (uint32_t)(CODE - at));
    at = put32(at, CODE_SIZE);
    page[at++] = 0;
    memcpy(page + at, program, size);
    return rule_compile(&m, (uint64_t)page + CODE + 100, scratch);
}

static uint32_t rule_of(const char *program, size_t size) {
    return rule_in((struct module){.steady = 1}, NULL, program, size);
}

#define RULE_OF(program) rule_of(program, sizeof program - 1)
/* A length just below 2^64: a step back to where the instruction began, if it wrapped around. */
#define BACK(low) low "\xff\xff\xff\xff\xff\xff\xff\xff\x01"

static void what_is_said(void **state) {
    (void)state;
    assert_int_equal(RULE_OF("\0"), rule_make(RULE_RSP, 1, RULE_PLACE_SAME));
    assert_int_equal(RULE_OF("\x0e\x20"), rule_make(RULE_RSP, 4, RULE_PLACE_SAME));
    assert_int_equal(RULE_OF("\x0e\x10\x86\x02\x0d\x06"), rule_make(RULE_RBP, 2, 2));
    assert_int_equal(RULE_OF("\x0f\x02\x77\x18"), rule_make(RULE_RSP, 3, RULE_PLACE_SAME));
    assert_int_equal(RULE_OF("\x16\x03\x02\x77\x08\x0e\x20"), rule_make(RULE_RSP, 4, 0));
    assert_int_equal(rule_kind(RULE_OF("\x07\x10")), RULE_OUTERMOST);
}

/* Tables of a program with gaps are read where they are, as they were loaded with it; what lies
 * outside their segment, and all of what may be unloaded, through the kernel. */
static void what_is_read_directly(void **state) {
    const char program[] = "\x0e\x20";
    uint32_t rule = rule_make(RULE_RSP, 4, RULE_PLACE_SAME);
    uint64_t start = (uint64_t)page;
    struct module split = {.permanent = 1, .tables = start, .tables_end = start + CODE};
    struct module parted = {.permanent = 1, .tables = start, .tables_end = start + FDE};
    struct module plugin = {.tables = start, .tables_end = start + CODE};
    uint8_t scratch[RULE_SCRATCH];
    (void)state;
    assert_int_equal(rule_in(split, NULL, program, 2), rule);
    assert_int_equal(rule_in(parted, scratch, program, 2), rule);
    assert_int_equal(rule_kind(rule_in(parted, NULL, program, 2)), RULE_HARD);
    assert_int_equal(rule_in(plugin, scratch, program, 2), rule);
    assert_int_not_equal(rule_in(plugin, NULL, program, 2), rule);
}

static void what_nobody_meant(void **state) {
    (void)state;
    alarm(30); /* an endless walk fails */
    assert_int_equal(rule_kind(RULE_OF("\x16\x06" BACK("\xf4"))), RULE_HARD);
    assert_int_equal(rule_kind(RULE_OF("\x10\x06" BACK("\xf4"))), RULE_HARD);
    assert_int_equal(rule_kind(RULE_OF("\x0f" BACK("\xf5"))), RULE_HARD);
    assert_int_equal(rule_kind(RULE_OF("\x01")), RULE_HARD);         /* set_loc */
    assert_int_equal(rule_kind(RULE_OF("\x0b")), RULE_HARD);         /* restore of nothing */
    assert_int_equal(rule_kind(RULE_OF("\x0e\x07")), RULE_HARD);     /* no multiple of 8 */
    assert_int_equal(rule_kind(RULE_OF("\x0f\x01\x22")), RULE_HARD); /* plus, of nothing */
    assert_int_equal(rule_kind(RULE_OF("\x16\x06\x80\x80\x80\x80")), RULE_HARD);
    alarm(0);
}

static int set_up(void **state) {
    (void)state;
    page = aligned_alloc(4096, MODULE_SIZE);
    return page == NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said),
        cmocka_unit_test(what_is_read_directly),
        cmocka_unit_test(what_nobody_meant),
    };
    return cmocka_run_group_tests_name("rule", tests, set_up, NULL);
}
