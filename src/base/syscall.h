/* Raw system calls: they return -errno and never touch errno, are no cancellation points and
 * cannot be interposed. One definition for each architecture, chosen here and nowhere else. */
#ifndef SQUALL_BASE_SYSCALL_H
#define SQUALL_BASE_SYSCALL_H

#include <linux/mman.h>
#include <sys/syscall.h>

#include "base.h"

#if defined(__x86_64__)
INLINE long base_syscall6(long n, long a, long b, long c, long d, long e, long f) {
    long r;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}
#else
#error "squall runs on x86-64"
#endif

/* A sandbox may kill for a call that it does not know, or for an argument. Once the program has made one
 * (sandbox.h), the shim makes no call but those that every malloc makes, with malloc's arguments: others
 * fail as they would by a mild filter.
 *
 * The word is a futex's: the number of a thread of another process that shares this memory (vfork)
 * and made the sandbox for itself, until the kernel marks it as dead; BASE_SANDBOX_OWN where it is this
 * process's. Nobody's number is as large. Written by the thread that makes the sandbox. */
#define BASE_SANDBOX_OWN 0x3fffffffu
#define BASE_SANDBOX_DIED 0x40000000u   /* FUTEX_OWNER_DIED */
#define BASE_SANDBOX_SILENT 0x80000000u /* no call whatever */
#ifdef SQUALL_SHIM
extern uint32_t base_sandboxed __attribute__((visibility("hidden")));
/* The kernel leaves the highest bit of a dead one's word. */
INLINE uint32_t base_sandbox(void) {
    uint32_t word = RELAXED_LOAD(&base_sandboxed);
    return word & BASE_SANDBOX_DIED ? 0 : word;
}
#define BASE_SANDBOXED base_sandbox()
#else
#define BASE_SANDBOXED 0u
#endif

/* By a call's third and fourth argument. */
INLINE bool base_is_of_malloc(long n, long c, long d) {
    return n == SYS_munmap || (n == SYS_madvise && c == MADV_DONTNEED) ||
           (n == SYS_mprotect && c == (PROT_READ | PROT_WRITE)) ||
           (n == SYS_mmap && c == (PROT_READ | PROT_WRITE) && d == (MAP_PRIVATE | MAP_ANONYMOUS));
}

INLINE long base_syscall_if(long n, long a, long b, long c, long d, long e, long f) {
    uint32_t sandbox = BASE_SANDBOXED;
    if (UNLIKELY(sandbox) && (sandbox & BASE_SANDBOX_SILENT || !base_is_of_malloc(n, c, d)))
        return -1; /* EPERM */
    return base_syscall6(n, a, b, c, d, e, f);
}

#define BASE_SYSCALL_PICK(_1, _2, _3, _4, _5, _6, _7, NAME, ...) NAME
#define base_syscall(...)                                                                 \
    BASE_SYSCALL_PICK(__VA_ARGS__, BASE_SYS6, BASE_SYS5, BASE_SYS4, BASE_SYS3, BASE_SYS2, \
                      BASE_SYS1, BASE_SYS0, )                                             \
    (__VA_ARGS__)
#define BASE_SYS0(n) base_syscall_if(n, 0, 0, 0, 0, 0, 0)
#define BASE_SYS1(n, a) base_syscall_if(n, (long)(a), 0, 0, 0, 0, 0)
#define BASE_SYS2(n, a, b) base_syscall_if(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define BASE_SYS3(n, a, b, c) base_syscall_if(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define BASE_SYS4(n, a, b, c, d) base_syscall_if(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define BASE_SYS5(n, a, b, c, d, e) \
    base_syscall_if(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define BASE_SYS6(n, a, b, c, d, e, f) \
    base_syscall_if(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* mmap returns an address or a small negative errno. */
INLINE bool base_is_error(long r) {
    return (unsigned long)r > -4096ul;
}

#endif
