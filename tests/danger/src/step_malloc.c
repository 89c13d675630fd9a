/* An allocator that is not stepped through, by a program that sets the trap flag. */
#include <stddef.h>

int step_is_on;

void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_realloc(void *, size_t);

#define FLAG(change)                                                                            \
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; " change "; popfq; lea 128(%%rsp), %%rsp" \
                     ::: "memory", "cc")

void step_begin(void) {
    if (step_is_on)
        FLAG("orq $0x100, (%%rsp)");
}
void step_pause(void) {
    if (step_is_on)
        FLAG("andq $~0x100, (%%rsp)");
}

#define WITHOUT(type, work)   \
    do {                      \
        step_pause();         \
        type result = (work); \
        step_begin();         \
        return result;        \
    } while (0)

void *malloc(size_t n) {
    WITHOUT(void *, __libc_malloc(n));
}
void free(void *p) {
    step_pause();
    __libc_free(p);
    step_begin();
}
void *realloc(void *p, size_t n) {
    WITHOUT(void *, __libc_realloc(p, n));
}
