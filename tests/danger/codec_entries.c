/* danger: functions with a codec's name that hand-written code enters behind their first instructions, too
 * conf: codec:enter_*,large:64k
 * What begins there has a name of its own: a function's, or a label's. A jump over it would be entered
 * in its midst. */
#include "danger.h"

/* Each gives back its argument + 1, what begins behind rax + 1. */
#define ENTERED(name, first, type)                                                            \
    __asm__(".text\n.globl enter_" #name "\n.type enter_" #name ",@function\nenter_" #name    \
            ":\n" first "\n.globl behind_" #name "\n.type behind_" #name "," type "\nbehind_" \
            #name ":\nnop\nlea 1(%rax),%rax\nnop\nret\n.size enter_" #name ",.-enter_" #name  \
            "\n");                                                                            \
    long enter_##name(long);                                                                  \
    long behind_##name(long);
ENTERED(one, "mov %rdi,%rax", "@function")
ENTERED(two, "mov %rdi,%rax\nnop\nnop", "@function")
ENTERED(label, "mov %rdi,%rax\nxor %ecx,%ecx", "@notype")
ENTERED(marked, "endbr64\nmov %rdi,%rax", "@function")
ENTERED(mark_only, "mov %rdi,%rax\nendbr64", "@function")
ENTERED(codec, "push %rdi\npop %rax", "@function")

/* rax as it is at the entry. */
static long enter(long (*f)(long), long rax) {
    __asm__ volatile("call *%1" : "+a"(rax) : "r"(f) : "rcx", "rdx", "rdi", "memory", "cc");
    return rax;
}

int main(void) {
    long sum = 0;
    for (long i = 0; i < 1000; i++) {
        sum += enter_one(i) + enter_two(i) + enter_label(i) + enter_marked(i) + enter_mark_only(i) +
               enter_codec(i);
        sum += enter(behind_one, i) + enter(behind_two, i) + enter(behind_label, i) +
               enter(behind_marked, i) + enter(behind_mark_only, i) + enter(behind_codec, i);
        danger_churn(2, (unsigned)i);
    }
    printf("%ld\n", sum);
}
