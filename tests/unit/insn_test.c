/* Lengths of instructions made by hand, and what is read of code that ends. */
#include "shim/insn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

/* One page, with a page behind it that nobody may touch. */
static uint8_t *page;

static uint8_t *at_the_end(const void *bytes, size_t n) {
    return memcpy(page + 4096 - n, bytes, n);
}

/* Each as a string of its bytes; all of it is one instruction. */
#define CODE(s) s, sizeof(s) - 1

static void lengths(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        uint8_t kind, disp_at;
    } cases[] = {
        {CODE("\x90"), INSN_PLAIN, 0},
        {CODE("\xf3\x0f\x1e\xfa"), INSN_PLAIN, 0},                     /* endbr64 */
        {CODE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00"), INSN_PLAIN, 0}, /* mov %fs:0x28,%rax */
        {CODE("\x66\x66\x2e\x0f\x1f\x84\x00\0\0\0\0"), INSN_PLAIN, 0}, /* data16 cs nopw */
        {CODE("\x66\x90"), INSN_PLAIN, 0},                             /* xchg %ax,%ax */
        {CODE("\x48\xb8\1\2\3\4\5\6\7\x8"), INSN_PLAIN, 0},            /* movabs */
        {CODE("\x66\xb8\1\2"), INSN_PLAIN, 0},                         /* mov $,%ax */
        {CODE("\xa1\1\2\3\4\5\6\7\x8"), INSN_PLAIN, 0},                /* movabs moffs,%eax */
        {CODE("\x67\xa1\1\2\3\4"), INSN_PLAIN, 0},                     /* addr32 of it */
        {CODE("\x8b\x05\1\2\3\4"), INSN_PLAIN, 2},                     /* mov (%rip),%eax */
        {CODE("\x48\xc7\x05\1\2\3\4\5\6\7\x8"), INSN_PLAIN, 3},        /* movq $,(%rip) */
        {CODE("\x66\xc7\x05\1\2\3\4\5\6"), INSN_PLAIN, 3},             /* movw $,(%rip) */
        {CODE("\x67\x8b\x05\1\2\3\4"), INSN_FIXED, 0},                 /* mov (%eip),%eax */
        {CODE("\x8b\x04\x25\1\2\3\4"), INSN_PLAIN, 0},                 /* mov 0x4030201 */
        {CODE("\x8b\x44\x24\x08"), INSN_PLAIN, 0},                     /* mov 8(%rsp) */
        {CODE("\x8b\x84\x24\1\2\3\4"), INSN_PLAIN, 0},                 /* mov disp32(%rsp) */
        {CODE("\xf7\x00\1\2\3\4"), INSN_PLAIN, 0},                     /* testl $,(%rax) */
        {CODE("\xf7\x18"), INSN_PLAIN, 0},                             /* negl (%rax) */
        {CODE("\xf6\x05\1\2\3\4\5"), INSN_PLAIN, 2},                   /* testb $,(%rip) */
        {CODE("\xf3\x48\xab"), INSN_PLAIN, 0},                         /* rep stos */
        {CODE("\xf0\x0f\xb1\x0d\1\2\3\4"), INSN_PLAIN, 4},             /* lock cmpxchg */
        {CODE("\xc8\1\2\3"), INSN_PLAIN, 0},                           /* enter */
        {CODE("\xd9\x6c\x24\x0e"), INSN_PLAIN, 0},                     /* fldcw */
        {CODE("\x0f\x70\xc0\x1b"), INSN_PLAIN, 0},                     /* pshufw */
        {CODE("\x66\x0f\x3a\x0f\xc1\x08"), INSN_PLAIN, 0},             /* palignr */
        {CODE("\x66\x0f\x38\x00\x05\1\2\3\4"), INSN_PLAIN, 5},         /* pshufb (%rip) */
        {CODE("\xf2\x48\x0f\x38\xf1\xc6"), INSN_PLAIN, 0},             /* crc32q */
        {CODE("\xc5\xf8\x77"), INSN_PLAIN, 0},                         /* vzeroupper */
        {CODE("\xc5\xfd\x6f\x05\1\2\3\4"), INSN_PLAIN, 4},             /* vmovdqa (%rip) */
        {CODE("\xc4\xe3\x7d\x39\xc1\x01"), INSN_PLAIN, 0},             /* vextracti128 */
        {CODE("\xc4\xe2\xf9\xf7\x05\1\2\3\4"), INSN_PLAIN, 5},         /* shlx (%rip) */
        {CODE("\x62\xf1\xfd\x48\x6f\x05\1\2\3\4"), INSN_PLAIN, 6},     /* vmovdqa64 (%rip) */
        {CODE("\x62\xf3\x75\x48\x1e\xca\x02"), INSN_PLAIN, 0},         /* vpcmpud */
        {CODE("\x62\xf5\x74\x48\x58\xc2"), INSN_PLAIN, 0},             /* vaddph */
        {CODE("\x8f\xe8\x78\xc2\xec\x0e"), INSN_PLAIN, 0},             /* vprotd of XOP */
        {CODE("\x8f\x00"), INSN_PLAIN, 0},                             /* pop (%rax) */
        {CODE("\x0f\x20\x05"), INSN_PLAIN, 0},                         /* mov %cr0,%rbp */
        {CODE("\x0f\x05"), INSN_PLAIN, 0},                             /* syscall */
        {CODE("\xc3"), INSN_RETURN, 0},
        {CODE("\xf3\xc3"), INSN_RETURN, 0},
        {CODE("\xc2\x08\x00"), INSN_RETURN, 0},
        {CODE("\xff\xe0"), INSN_INDIRECT, 0},
        {CODE("\x3e\xff\x24\xc5\1\2\3\4"), INSN_INDIRECT, 0}, /* notrack jmp table */
        {CODE("\xf2\xff\x25\1\2\3\4"), INSN_INDIRECT, 3},     /* bnd jmp of a PLT */
        {CODE("\xff\x15\1\2\3\4"), INSN_INDIRECT_CALL, 2},
        {CODE("\xff\x35\1\2\3\4"), INSN_PLAIN, 2}, /* push (%rip) */
        {CODE("\xcc"), INSN_STOP, 0},
        {CODE("\xf4"), INSN_STOP, 0},
        {CODE("\x0f\x0b"), INSN_STOP, 0},
    };
    struct insn insn;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = cases[i].size;
        assert_true(insn_decode(at_the_end(cases[i].bytes, size), size, &insn));
        assert_int_equal(insn.length, size);
        assert_int_equal(insn.kind, cases[i].kind);
        assert_int_equal(insn.disp_at, cases[i].disp_at);
        assert_int_equal(insn.rel_at, 0);
        /* Cut short it is none. */
        for (size_t n = 0; n < size; n++)
            assert_false(insn_decode(at_the_end(cases[i].bytes, n), n, &insn));
    }
}

static void branches(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        uint8_t kind, rel_at, rel_size;
        int64_t target;
    } cases[] = {
        {CODE("\xeb\x10"), INSN_JUMP, 1, 1, 0x12},
        {CODE("\xeb\xfe"), INSN_JUMP, 1, 1, 0},
        {CODE("\xe9\xfb\xff\xff\xff"), INSN_JUMP, 1, 4, 0},
        {CODE("\xf2\xe9\1\0\0\0"), INSN_JUMP, 2, 4, 7},
        {CODE("\x74\x80"), INSN_BRANCH, 1, 1, -126},
        {CODE("\x2e\x75\x7f"), INSN_BRANCH, 2, 1, 130},
        {CODE("\x0f\x84\0\0\0\x80"), INSN_BRANCH, 2, 4, 6 - 0x80000000ll},
        {CODE("\xe2\x05"), INSN_BRANCH, 1, 1, 7},
        {CODE("\x67\xe3\x05"), INSN_BRANCH, 2, 1, 8},
        {CODE("\xe8\xff\xff\xff\x7f"), INSN_CALL, 1, 4, 0x80000004ll},
        {CODE("\x67\xe8\0\0\0\0"), INSN_CALL, 2, 4, 6},
        {CODE("\x66\x66\x48\xe8\0\0\0\0"), INSN_CALL, 4, 4, 8}, /* of __tls_get_addr */
        {CODE("\xc7\xf8\1\0\0\0"), INSN_BRANCH, 2, 4, 7},       /* xbegin */
    };
    struct insn insn;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = cases[i].size;
        assert_true(insn_decode(at_the_end(cases[i].bytes, size), size, &insn));
        assert_int_equal(insn.length, size);
        assert_int_equal(insn.kind, cases[i].kind);
        assert_int_equal(insn.rel_at, cases[i].rel_at);
        assert_int_equal(insn.rel_size, cases[i].rel_size);
        assert_int_equal(insn.target, cases[i].target);
        for (size_t n = 0; n < size; n++)
            assert_false(insn_decode(at_the_end(cases[i].bytes, n), n, &insn));
    }
}

/* Followed by bytes enough: they are no instructions in 64-bit mode. */
static void undefined(void **state) {
    static const char *const cases[] = {
        "\x06",         "\x0e",     "\x16",         "\x1f",         "\x27",         "\x2f",
        "\x37",         "\x3f",     "\x60",         "\x61",         "\x82",         "\x9a",
        "\xce",         "\xd4",     "\xd5",         "\xd6",         "\xea",         "\x0f\x04",
        "\x0f\x0a",     "\x0f\x24", "\x0f\x3b",     "\x0f\xb8\xc0", "\xfe\xd0",     "\xff\xf8",
        "\xff\xd8",     "\x8d\xc0", "\x0f\xba\xc0", "\xc6\xc8",     "\x66\xe9",     "\x66\x74",
        "\x48\x66",     "\x48\x48", "\x8c\xf8",     "\x0f\x38\x0c", "\x0f\x3a\x10", "\x66\xc5\xf8",
        "\xf3\xc5",     "\x48\xc5", "\xc4\xe0",     "\xc4\xe4",     "\x62\xf0",     "\x62\xf1\x01",
        "\x62\xf9\x05",
    };
    struct insn insn;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[INSN_LONGEST];
        memset(bytes, 0x90, sizeof(bytes));
        memcpy(bytes, cases[i], strlen(cases[i]));
        assert_false(insn_decode(bytes, sizeof(bytes), &insn));
    }
}

/* 15 bytes and no more, whatever prefixes there are. */
static void longest(void **state) {
    uint8_t bytes[20];
    struct insn insn;
    (void)state;
    memset(bytes, 0x66, sizeof(bytes));
    assert_false(insn_decode(bytes, sizeof(bytes), &insn));
    bytes[14] = 0x90;
    assert_true(insn_decode(bytes, sizeof(bytes), &insn));
    assert_int_equal(insn.length, 15);
    bytes[14] = 0x66;
    bytes[15] = 0x90;
    assert_false(insn_decode(bytes, sizeof(bytes), &insn));
}

/* Random bytes, every size of room: nothing beyond it is read, and more room changes nothing. */
static void stays_in_room(void **state) {
    uint64_t random = 1;
    (void)state;
    for (int i = 0; i < 2000000; i++) {
        uint8_t bytes[16];
        struct insn part, whole;
        for (int j = 0; j < 2; j++) {
            uint64_t r = base_mix(random += 0x9e3779b97f4a7c15ull);
            memcpy(bytes + 8 * j, &r, 8);
        }
        bool good = insn_decode(bytes, sizeof(bytes), &whole);
        size_t room = random >> 32 & 15;
        if (!insn_decode(at_the_end(bytes, room), room, &part)) {
            assert_true(!good || whole.length > room);
            continue;
        }
        assert_true(good);
        assert_in_range(part.length, 1, room);
        assert_int_equal(part.length, whole.length);
        assert_int_equal(part.kind, whole.kind);
        assert_int_equal(part.target, whole.target);
        assert_true(part.rel_at + part.rel_size <= part.length);
        assert_true(!part.disp_at || part.disp_at + 4 <= part.length);
    }
}

static int set_up(void **state) {
    (void)state;
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED || mprotect(page + 4096, 4096, PROT_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths), cmocka_unit_test(branches),      cmocka_unit_test(undefined),
        cmocka_unit_test(longest), cmocka_unit_test(stays_in_room),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
