/* danger: stacks of the program's own mapped below the initial one, nothing in between, under code without unwind tables
 * build: -lz
 *
 * rbp is any number there: it may point to the hole, to the other stack, to the end of its own. */
#include <sys/mman.h>
#include <zlib.h>

#include "danger.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define STACK 65536ul
#define PAGE 4096ul
#define MIB (1ul << 20)

static void work(void) {
    char from[500] = "text", to[2000];
    uLongf n = sizeof to;
    for (unsigned i = 0; i < 20; i++)
        free(malloc(70000 + i * 1000));
    for (unsigned i = 0; i < 2000; i++)
        free(malloc(i));
    void *m = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED && munmap(m, MIB) == 0);
    CHECK(compress((void *)to, &n, (void *)from, sizeof from) == Z_OK);
}

/* Goes to another stack with another rbp and calls. */
void on_stack(void *top, uintptr_t rbp, void (*call)(void));
__asm__(".text\n"
        ".type on_stack,@function\n"
        "on_stack: push %rbx\n"
        "push %rbp\n"
        "mov %rsp, %rbx\n"
        "mov %rdi, %rsp\n"
        "mov %rsi, %rbp\n"
        "call *%rdx\n"
        "mov %rbx, %rsp\n"
        "pop %rbp\n"
        "pop %rbx\n"
        "ret\n"
        ".size on_stack, .-on_stack\n");

/* Pages of the initial stack are met after those below it, too. */
__attribute__((noinline)) static void deep(void) {
    volatile char frame[40 * PAGE];
    frame[0] = frame[sizeof frame - 1] = 1;
    work();
    frame[1] = frame[0];
}

int main(void) {
    static const unsigned long below[] = {2, 16, 60, 100, 110, 125};
    char here;
    uintptr_t base = (uintptr_t)&here & ~(PAGE - 1);
    for (unsigned i = 0; i < sizeof below / sizeof *below; i++) {
        char *low = mmap((void *)(base - below[i] * MIB), STACK, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), *top = low + STACK;
        if (low == MAP_FAILED)
            continue;
        const uintptr_t rbp[] = {(uintptr_t)top + MIB / 2, 0x1234567890, base - 300 * PAGE,
                                 (uintptr_t)top - 8, (uintptr_t)low + 60000};
        for (unsigned k = 0; k < sizeof rbp / sizeof *rbp; k++) {
            on_stack(top, rbp[k], work);
            if (k == 2)
                deep();
        }
        CHECK(munmap(low, STACK) == 0);
    }
    puts("ok");
}
