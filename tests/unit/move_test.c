/* Prologues made by hand: what is written for them, what is refused; and some that are run. */
#include "shim/move.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#define CODE(s) s, sizeof(s) - 1
#define AT 0x100000ull       /* where the functions run */
#define OUT 0x101000ull      /* where what was moved will */
#define NOPS "\x90\x90\x90"  /* something to go on with */
#define FIVE NOPS "\x90\x90" /* what a jump takes */

static const struct good {
    const char *code;
    size_t size;
    const char *out;
    size_t out_size;
    struct {
        uint8_t skip, taken, size;
        bool ends;
        uint32_t undo;
    } want;
} good[] = {
    /* push %rbp; mov %rsp,%rbp; push %rbx; ret: the push stays, is undone, and done again */
    {CODE("\x55\x48\x89\xe5\x53\xc3"), CODE("\x55\x48\x89\xe5\x53\xc3"), {1, 5, 6, true, 8}},
    /* The same behind endbr64, which need not run again. */
    {CODE("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x53\xc3"),
     CODE("\x55\x48\x89\xe5\x53"),
     {4, 5, 5, false, 0}},
    /* push %r15 */
    {CODE("\x41\x57" FIVE), CODE("\x41\x57" FIVE), {2, 5, 7, false, 8}},
    /* sub $24,%rsp; mov %fs:0x28,%rax: position independent */
    {CODE("\x48\x83\xec\x18\x64\x48\x8b\x04\x25\x28\0\0\0\xc3"),
     CODE("\x48\x83\xec\x18\x64\x48\x8b\x04\x25\x28\0\0\0"),
     {4, 9, 13, false, 24}},
    /* sub $0x4018,%rsp */
    {CODE("\x48\x81\xec\x18\x40\0\0" FIVE),
     CODE("\x48\x81\xec\x18\x40\0\0" FIVE),
     {7, 5, 12, false, 0x4018}},
    /* mov 0x100(%rip),%rax: 0x1000 nearer */
    {CODE("\x48\x8b\x05\0\1\0\0" FIVE),
     CODE("\x48\x8b\x05\0\xf1\xff\xff" FIVE),
     {7, 5, 12, false, 0}},
    /* cmpl $5,0x100(%rip): the displacement is not last */
    {CODE("\x83\x3d\0\1\0\0\5" FIVE), CODE("\x83\x3d\0\xf1\xff\xff\5" FIVE), {7, 5, 12, false, 0}},
    /* test %rdi,%rdi; je +16; nops: 2 bytes become 6. From 0x101009 to 0x100015. */
    {CODE("\x48\x85\xff\x74\x10" NOPS "\x90"),
     CODE("\x48\x85\xff\x0f\x84\x0c\xf0\xff\xff" NOPS),
     {3, 5, 12, false, 0}},
    /* jmp rel32: a tail jump; the same as the first instruction */
    {CODE("\xf3\x0f\x1e\xfa\xe9\0\0\1\0"), CODE("\xe9\x04\xf0\0\0"), {4, 5, 5, true, 0}},
    {CODE("\xe9\0\0\1\0"), CODE("\xe9\0\xf0\0\0"), {0, 5, 5, true, 0}},
    /* xor %eax,%eax; inc %eax; jmp +16 (short) */
    {CODE("\x31\xc0\xff\xc0\xeb\x10" NOPS),
     CODE("\x31\xc0\xff\xc0\xe9\x0d\xf0\xff\xff\x90"),
     {2, 5, 10, false, 0}},
    /* jne rel32 that leaves the function; the same with a hint, and short */
    {CODE("\x48\x85\xff\x0f\x85\0\2\0\0\xc3"),
     CODE("\x48\x85\xff\x0f\x85\0\xf2\xff\xff"),
     {3, 6, 9, false, 0}},
    {CODE("\x90\x90\x2e\x74\x40" NOPS),
     CODE("\x90\x90\x0f\x84\x3d\xf0\xff\xff\x90"),
     {1, 5, 9, false, 0}},
    /* jmp *0x100(%rip) */
    {CODE("\x48\x85\xff\xff\x25\0\1\0\0"),
     CODE("\x48\x85\xff\xff\x25\0\xf1\xff\xff"),
     {3, 6, 9, true, 0}},
    /* mov $1,%eax; mov $2,%eax: exactly the room */
    {CODE("\xb8\1\0\0\0\xb8\2\0\0\0"), CODE("\xb8\1\0\0\0\xb8\2\0\0\0"), {5, 5, 10, false, 0}},
    /* mov %edi,%eax; add %esi,%eax; ret */
    {CODE("\x89\xf8\x01\xf0\xc3\x90\x90"),
     CODE("\x89\xf8\x01\xf0\xc3\x90\x90"),
     {2, 5, 7, false, 0}},
    /* mov %rsi,%rdx: no third argument; mov %fs:0x28,%rax; lea 8(%rsp),%r10 */
    {CODE("\x48\x89\xf2" FIVE), CODE("\x48\x89\xf2" FIVE), {3, 5, 8, false, 0}},
    {CODE("\x64\x48\x8b\x04\x25\x28\0\0\0" FIVE),
     CODE("\x64\x48\x8b\x04\x25\x28\0\0\0" FIVE),
     {9, 5, 14, false, 0}},
    {CODE("\x4c\x8d\x54\x24\x08" FIVE), CODE("\x4c\x8d\x54\x24\x08" FIVE), {5, 5, 10, false, 0}},
    /* mov %ecx,%ecx; movzbl %cl,%ecx; the latter with REX of what would be ah without: spl */
    {CODE("\x89\xc9" FIVE), CODE("\x89\xc9" FIVE), {2, 5, 7, false, 0}},
    {CODE("\x0f\xb6\xc9" FIVE), CODE("\x0f\xb6\xc9" FIVE), {3, 5, 8, false, 0}},
    {CODE("\x40\x0f\xb6\xc4" FIVE), CODE("\x40\x0f\xb6\xc4" FIVE), {4, 5, 9, false, 0}},
    /* movq $0,(%rdi); mov %rdi,0x40(%rsp,%rax,8): what cannot stay, but for its prefix */
    {CODE("\x48\xc7\x07\0\0\0\0\xc3"), CODE("\x48\xc7\x07\0\0\0\0"), {1, 6, 7, false, 0}},
    {CODE("\x48\x89\xbc\xc4\x40\0\0\0\xeb\xfe" FIVE),
     CODE("\x48\x89\xbc\xc4\x40\0\0\0"),
     {1, 7, 8, false, 0}},
    /* mov $1,%r8d; jmp -0x60 (short): no room behind the first */
    {CODE("\x41\xb8\1\0\0\0\xeb\x98"), CODE("\x41\xb8\1\0\0\0"), {1, 5, 6, false, 0}},
    /* A breakpoint's byte that is none: mov $0xcc,%eax */
    {CODE("\xb8\xcc\0\0\0" FIVE), CODE("\xb8\xcc\0\0\0" FIVE), {5, 5, 10, false, 0}},
    /* A branch of the moved part to just behind it; nop; je +2; nopw */
    {CODE("\x90\x74\x03\x66\x66\x90\xc3"),
     CODE("\x90\x0f\x84\xff\xef\xff\xff\x66\x66\x90"),
     {1, 5, 10, false, 0}},
    /* A call of another, and of itself; it returns behind itself, where a loop is */
    {CODE("\x48\x83\xec\x08\xe8\0\1\0\0\xc3"),
     CODE("\x48\x83\xec\x08\x68\x09\0\x10\0\xc7\x44\x24\4\0\0\0\0\xe9\xf3\xf0\xff\xff"),
     {4, 5, 22, true, 8}},
    {CODE("\xb8\1\0\0\0\xe8\xf6\xff\xff\xff\xeb\xfe"),
     CODE("\xb8\1\0\0\0\x68\x0a\0\x10\0\xc7\x44\x24\4\0\0\0\0\xe9\xe9\xef\xff\xff"),
     {5, 5, 23, true, 0}},
    /* Bytes that look like a jump inside, but are an immediate: mov $0xfaeb,%eax */
    {CODE("\xb8\1\0\0\0" FIVE "\xb8\xeb\xf7\0\0\xc3"),
     CODE("\xb8\1\0\0\0" FIVE),
     {5, 5, 10, false, 0}},
    /* What follows cannot be decoded and holds nothing like a branch. */
    {CODE("\xb8\1\0\0\0" FIVE "\x06\x06\x06\x06"), CODE("\xb8\1\0\0\0" FIVE), {5, 5, 10, false, 0}},
};

static void moves(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        uint8_t out[MOVE_OUT_MOST];
        struct move m;
        const struct good *g = &good[i];
        assert_int_equal(
            move_prologue((const uint8_t *)g->code, AT, g->size, out, sizeof(out), OUT, &m),
            MOVE_OK);
        assert_int_equal(m.skip, g->want.skip);
        assert_int_equal(m.taken, g->want.taken);
        assert_int_equal(m.size, g->want.size);
        assert_int_equal(m.ends, g->want.ends);
        assert_int_equal(m.undo, g->want.undo);
        assert_int_equal(m.size, g->out_size);
        assert_memory_equal(out, g->out, m.size);
    }
}

static void refuses(void **state) {
    static const struct {
        const char *code;
        size_t size;
        enum move_refusal why;
    } cases[] = {
        {CODE(""), MOVE_SHORT},
        {CODE("\x31\xc0\xc3"), MOVE_SHORT},
        {CODE("\xf3\x0f\x1e\xfa\x31\xc0\xc3\x90"), MOVE_SHORT},
        {CODE("\xeb\x10"), MOVE_SHORT},
        {CODE("\xcc"), MOVE_BREAKPOINT},
        {CODE("\xcc\x48\x89\xe5\x53\xc3"), MOVE_BREAKPOINT},
        {CODE("\xcc\x0f\x1e\xfa\x48\x89\xe5\x53\xc3"), MOVE_BREAKPOINT}, /* at endbr64 */
        {CODE("\xf3\x0f\x1e\xfa\xcc\x48\x89\xe5\x53\xc3"), MOVE_BREAKPOINT},
        {CODE("\x55\xcc\x89\xe5\x53\xc3"), MOVE_BREAKPOINT},
        {CODE("\x55\x06\x90\x90\x90\x90"), MOVE_DECODE},
        {CODE("\x55\x90\x90\x90\xb8\0\0\0"), MOVE_DECODE}, /* it ends too early */
        {CODE("\xf3\x0f\x1e\xfa\x48\x83\xec\x08\xe8\0\1\0\0\xc3"), MOVE_DECODE}, /* call */
        {CODE("\x48\x83\xec\x08\xff\x15\0\1\0\0\xc3"), MOVE_DECODE},             /* call *(%rip) */
        {CODE("\x48\x83\xec\x08\xff\xd0\xc3\x90\x90"), MOVE_DECODE},             /* call *%rax */
        {CODE("\x55\xe3\x40\x90\x90\x90\xc3"), MOVE_DECODE},                     /* jrcxz */
        {CODE("\x55\xe2\x40\x90\x90\x90\xc3"), MOVE_DECODE},                     /* loop */
        {CODE("\x67\x8b\x05\0\0\0\0\xc3"), MOVE_DECODE},                   /* mov (%eip),%eax */
        {CODE("\x55\x74\x01\x90\x90\x90\xc3"), MOVE_JUMP},                 /* within */
        {CODE("\x55\x90\x74\xfc\x90\x90\xc3"), MOVE_JUMP},                 /* to the entry */
        {CODE("\x55\x48\x89\xe5\x53\x90\xeb\xf9\xc3"), MOVE_JUMP},         /* from behind */
        {CODE("\x55\x48\x89\xe5\x53\x90\x75\xf8\xc3"), MOVE_JUMP},         /* to the entry */
        {CODE("\x55\x48\x89\xe5\x53\x90\xe9\xf5\xff\xff\xff"), MOVE_JUMP}, /* the same, long */
        {CODE("\x55\x48\x89\xe5\x53\x90\x0f\x84\xf5\xff\xff\xff"), MOVE_JUMP},
        {CODE("\x55\x48\x89\xe5\x53\x90\xe8\xf6\xff\xff\xff\xc3"), MOVE_JUMP}, /* a call inside */
        {CODE("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x53\xeb\xf5"), MOVE_JUMP},     /* to endbr64 */
        {CODE("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x53\xeb\xf9"), MOVE_JUMP},     /* behind it */
        /* Behind something unknown: only bytes, but they would hit. */
        {CODE("\xb8\1\0\0\0" FIVE "\x06\xeb\xfa\xc3"), MOVE_JUMP},
        {CODE("\xb8\1\0\0\0" FIVE "\x06\xe9\xf8\xff\xff\xff"), MOVE_JUMP},
        {CODE("\xb8\1\0\0\0" FIVE "\x90\xb8\xeb\xfa\0\0\x06"), MOVE_JUMP},
        {CODE("\xb8\1\0\0\0" FIVE "\x90\xcc\xfa\0\0\x90"),
         MOVE_JUMP}, /* a breakpoint hides a jump */
        /* A call and a jump behind what stays */
        {CODE("\x55" FIVE "\xe8\xf6\xff\xff\xff"), MOVE_JUMP},
        {CODE("\x55" FIVE "\xeb\xf9"), MOVE_JUMP},
        {CODE("\xb8\1\0\0\0\xb8\2\0\0"), MOVE_SHORT},
        {CODE("\x48\xc7\x07\0\0\0\0\xeb\xf8"), MOVE_JUMP}, /* to the jump */
        /* First instructions that may neither run twice nor be undone. */
        {CODE("\xc7\x07\0\0\0\0" FIVE), MOVE_DECODE},     /* movl $0,(%rdi) */
        {CODE("\x48\x89\x37" FIVE), MOVE_DECODE},         /* mov %rsi,(%rdi) */
        {CODE("\xff\x25\0\1\0\0" FIVE), MOVE_DECODE},     /* jmp *0x100(%rip) */
        {CODE("\xeb\x10" FIVE), MOVE_DECODE},             /* jmp +16 */
        {CODE("\x0f\x85\0\2\0\0" FIVE), MOVE_DECODE},     /* jne */
        {CODE("\x48\x89\xfb" FIVE), MOVE_DECODE},         /* mov %rdi,%rbx */
        {CODE("\x48\x89\xe5" FIVE), MOVE_DECODE},         /* mov %rsp,%rbp */
        {CODE("\x4c\x8b\x27" FIVE), MOVE_DECODE},         /* mov (%rdi),%r12 */
        {CODE("\x48\x8b\x3e" FIVE), MOVE_DECODE},         /* mov (%rsi),%rdi */
        {CODE("\x48\x8b\x36" FIVE), MOVE_DECODE},         /* mov (%rsi),%rsi */
        {CODE("\x4a\x8d\x04\0" FIVE), MOVE_DECODE},       /* lea (%rax,%r8),%rax */
        {CODE("\x4d\x8b\x04\x30" FIVE), MOVE_DECODE},     /* mov (%r8,%rsi),%r8 */
        {CODE("\x48\x8d\x76\x08" FIVE), MOVE_DECODE},     /* lea 8(%rsi),%rsi */
        {CODE("\x0f\xb6\xc4" FIVE), MOVE_DECODE},         /* movzbl %ah,%eax */
        {CODE("\x31\xca" FIVE), MOVE_DECODE},             /* xor %ecx,%edx */
        {CODE("\x31\xff" FIVE), MOVE_DECODE},             /* xor %edi,%edi */
        {CODE("\x44\x31\xc0" FIVE), MOVE_DECODE},         /* xor %r8d,%eax */
        {CODE("\x48\x83\xc6\x08" FIVE), MOVE_DECODE},     /* add $8,%rsi */
        {CODE("\x48\x83\xec\xf8" FIVE), MOVE_DECODE},     /* sub $-8,%rsp */
        {CODE("\x83\xec\x08" FIVE), MOVE_DECODE},         /* sub $8,%esp */
        {CODE("\x49\x83\xec\x08" FIVE), MOVE_DECODE},     /* sub $8,%r12 */
        {CODE("\x66\x50" FIVE), MOVE_DECODE},             /* push %ax */
        {CODE("\x58" FIVE), MOVE_DECODE},                 /* pop %rax */
        {CODE("\x49\x90" FIVE), MOVE_DECODE},             /* xchg %r8,%rax */
        {CODE("\xf0\x48\x0f\xb1\x0e" FIVE), MOVE_DECODE}, /* lock cmpxchg %rcx,(%rsi) */
    };
    uint8_t out[MOVE_OUT_MOST];
    struct move m;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(move_prologue((const uint8_t *)cases[i].code, AT, cases[i].size, out,
                                       sizeof(out), OUT, &m),
                         cases[i].why);
}

/* Too far for 32 bits, to either side; and room for all but one byte. */
static void needs_room(void **state) {
    static const uint8_t load[] = {0x48, 0x8b, 5, 0, 1, 0, 0, 0x90, 0x90, 0x90, 0x90, 0xc3};
    static const uint8_t jump[] = {0xe9, 0, 1, 0, 0};
    static const uint8_t plain[] = {0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3};
    const uint64_t high = 1ull << 40;
    uint8_t out[MOVE_OUT_MOST];
    struct move m;
    (void)state;
#define REFUSED(code, room, to) move_prologue(code, high, sizeof(code), out, room, to, &m)
    assert_int_equal(REFUSED(load, sizeof(out), high + 0x80000100), MOVE_OK);
    assert_int_equal(REFUSED(load, sizeof(out), high + 0x80000101), MOVE_ROOM);
    assert_int_equal(REFUSED(load, sizeof(out), high - 0x7ffffeff), MOVE_OK);
    assert_int_equal(REFUSED(load, sizeof(out), high - 0x7fffff00), MOVE_ROOM);
    assert_int_equal(REFUSED(jump, sizeof(out), high + 0x80000100), MOVE_OK);
    assert_int_equal(REFUSED(jump, sizeof(out), high + 0x80000101), MOVE_ROOM);
    assert_int_equal(REFUSED(plain, sizeof(out), 0), MOVE_OK); /* nothing relative */
    assert_int_equal(REFUSED(plain, 6, 0), MOVE_OK);
    assert_int_equal(REFUSED(plain, 5, 0), MOVE_ROOM);
    assert_int_equal(REFUSED(jump, 4, high), MOVE_ROOM);
}

/* Random bytes behind which no page is: nothing beyond the size is read, what is moved fits. */
static void stays_in_size(void **state) {
    uint64_t random = 1;
    unsigned moved = 0;
    uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(page != MAP_FAILED && !mprotect(page + 4096, 4096, PROT_NONE));
    for (int i = 0; i < 500000; i++) {
        uint8_t out[MOVE_OUT_MOST];
        struct move m;
        size_t size = base_mix(random += 0x9e3779b97f4a7c15ull) % 48;
        for (size_t j = 0; j < size; j++)
            page[4096 - size + j] = (uint8_t)(base_mix(random + j + 1) >> 20);
        if (move_prologue(page + 4096 - size, AT, size, out, sizeof(out), OUT, &m) != MOVE_OK)
            continue;
        moved++;
        assert_in_range(m.taken, MOVE_JUMP_SIZE, size - m.skip);
        assert_in_range(m.size, MOVE_JUMP_SIZE, MOVE_OUT_MOST);
    }
    assert_true(moved > 1000);
    munmap(page, 8192);
}

/* Functions whose first instructions are of a kind that must be fixed up, to be run both ways. */
extern int run_first[], run_last[];
__asm__(".pushsection .rodata\n"
        "number: .long 1000\n"
        ".popsection\n"
        ".text\n"
        ".macro function name\n"
        ".pushsection .data.rel.ro,\"aw\"\n"
        ".quad \\name, \\name\\()_end - \\name\n"
        ".popsection\n"
        "\\name:\n"
        ".endm\n"
        ".pushsection .data.rel.ro,\"aw\"\n"
        ".balign 16\n"
        "run_first:\n"
        ".popsection\n"
        "function load\n" /* relative to rip, with an immediate behind */
        "  cmpl $1000, number(%rip)\n  jne 1f\n  lea 7(%rdi), %eax\n  ret\n"
        "1: xor %eax, %eax\n  ret\n"
        "load_end:\n"
        "function address\n"
        "  endbr64\n  lea number(%rip), %rax\n  mov (%rax), %eax\n  sub %edi, %eax\n  ret\n"
        "address_end:\n"
        "function branch\n" /* short, both ways taken */
        "  endbr64\n  test $1, %dil\n  je 1f\n  mov $3, %eax\n  ret\n"
        "1: mov $4, %eax\n  ret\n"
        "branch_end:\n"
        "function branches\n"
        "  test %edi, %edi\n  js 1f\n  je 2f\n  mov $1, %eax\n  ret\n"
        "1: mov $2, %eax\n  ret\n"
        "2: mov $3, %eax\n  ret\n"
        "branches_end:\n"
        "function leap\n" /* a short jump over something */
        "  mov %edi, %eax\n  neg %eax\n  jmp 1f\n  ud2\n"
        "1: sub $5, %eax\n  ret\n"
        "leap_end:\n"
        "function tail\n" /* a tail jump is all of it */
        "  endbr64\n  .byte 0xe9\n  .long branch - . - 4\n"
        "tail_end:\n"
        "function canary\n"
        "  sub $24, %rsp\n  mov %fs:40, %rax\n  mov %rax, 8(%rsp)\n"
        "  xor %eax, %eax\n  mov 8(%rsp), %rdx\n  sub %fs:40, %rdx\n  sete %al\n"
        "  add $24, %rsp\n  ret\n"
        "canary_end:\n"
        "function whole\n" /* returns within what is moved */
        "  mov %edi, %eax\n  add %edi, %eax\n  ret\n  nop\n  nop\n"
        "whole_end:\n"
        "function called\n" /* a call is the last of what is moved */
        "  sub $8, %rsp\n  call branches\n  lea 1(%rax,%rdi), %eax\n  add $8, %rsp\n  ret\n"
        "called_end:\n"
        ".pushsection .data.rel.ro,\"aw\"\n"
        "run_last:\n"
        ".popsection\n");

/* Appends the jump back, of any distance: jmp *0(%rip); .quad. */
static void go_on(uint8_t *at, uint64_t to) {
    memcpy(at, "\xff\x25\0\0\0\0", 6);
    memcpy(at + 6, &to, 8);
}

static void runs(void **state) {
    const struct runnable {
        int (*function)(int);
        uint64_t size;
    } *first = (const void *)run_first, *last = (const void *)run_last;
    uint64_t here = (uint64_t)(uintptr_t)first[0].function & ~4095ull;
    uint8_t *near = MAP_FAILED;
    (void)state;
    for (uint64_t away = 1 << 24; near == MAP_FAILED && away < 1 << 30; away += 1 << 24)
        near = mmap((void *)(uintptr_t)(here - away), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (near == MAP_FAILED)
        skip();
    assert_int_equal(last - first, 9);
    for (const struct runnable *r = first; r < last; r++) {
        int (*copy)(int) = (int (*)(int))(uintptr_t)near;
        uint64_t address = (uint64_t)(uintptr_t)r->function;
        struct move m;
        assert_int_equal(move_prologue((const uint8_t *)(uintptr_t)address, address, r->size, near,
                                       MOVE_OUT_MOST, (uint64_t)(uintptr_t)near, &m),
                         MOVE_OK);
        if (m.ends)
            memset(near + m.size, 0xcc, 14);
        else
            go_on(near + m.size, address + m.skip + m.taken);
        for (int i = -3; i <= 3; i++)
            assert_int_equal(copy(i), r->function(i));
    }
    munmap(near, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves),         cmocka_unit_test(refuses), cmocka_unit_test(needs_room),
        cmocka_unit_test(stays_in_size), cmocka_unit_test(runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
