/* stub: how a hook hands over to the function behind it without losing where its caller stands.
 * Not a door: interpose's own. */
#ifndef SQUALL_SHIM_STUB_H
#define SQUALL_SHIM_STUB_H

#include "unwind.h"

/* A stub is entered by a jump, so the stack is as the program left it: pc, sp and rbp of the
 * caller are at hand. It passes the hook's first three arguments on and a pointer to the three
 * words as the fourth. Unwinders pass through it. */
#define STUB(name)                                            \
    __asm__(".pushsection .text.cold,\"ax\",@progbits\n"      \
            ".hidden slow_" #name "\n.globl slow_" #name "\n" \
            ".type slow_" #name ",@function\n"                \
            "slow_" #name ":\n"                               \
            ".cfi_startproc\n"                                \
            "sub $40, %rsp\n"                                 \
            ".cfi_adjust_cfa_offset 40\n"                     \
            "mov 40(%rsp), %rax\n"                            \
            "mov %rax, (%rsp)\n"                              \
            "lea 48(%rsp), %rax\n"                            \
            "mov %rax, 8(%rsp)\n"                             \
            "mov %rbp, 16(%rsp)\n"                            \
            "mov %rsp, %rcx\n"                                \
            "call record_" #name "\n"                         \
            "add $40, %rsp\n"                                 \
            ".cfi_adjust_cfa_offset -40\n"                    \
            "ret\n"                                           \
            ".cfi_endproc\n"                                  \
            ".size slow_" #name ", .-slow_" #name "\n"        \
            ".popsection\n")
_Static_assert(offsetof(struct unwind_start, pc) == 0 && offsetof(struct unwind_start, sp) == 8 &&
                   offsetof(struct unwind_start, bp) == 16,
               "the stub writes them");

/* Declares the stub and the function behind it. */
#define SLOW(type, name, ...)                                            \
    STUB(name);                                                          \
    __attribute__((visibility("hidden"))) type slow_##name(__VA_ARGS__); \
    __attribute__((visibility("hidden"), used)) type record_##name

#endif
