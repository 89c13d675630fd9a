/* What a detour must leave alone: ways as arguments. Linked, or with -DLIBRARY as a library whose
 * code the loader relocates, and whose resolver allocates before the loader's index knows it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#ifdef TEXT
__asm__(".globl ZSTD_compress\n.type ZSTD_compress,@function\n"
        "ZSTD_compress: movabs $kept_answer, %rax\n mov (%rax), %rax\n ret\n nop\n nop\n nop\n"
        ".size ZSTD_compress,.-ZSTD_compress\n"
        ".data\nkept_answer: .quad 42\n.text\n");
#elif defined LIBRARY
long ZSTD_compress(void) {
    volatile long v = 42;
    return v;
}
static long resolved(void) {
    return 1;
}
static void *resolve(void) {
    free(malloc(200000)); /* a tick is due */
    return resolved;
}
static long indirect(void) __attribute__((ifunc("resolve")));
long call_indirect(void) {
    return indirect();
}
#else
struct large {
    long words[60];
};
__attribute__((noinline)) long my_compress_large(struct large l) {
    long sum = 0;
    for (int i = 0; i < 60; i++)
        sum += l.words[i] * i;
    return sum;
}
__attribute__((noinline)) double my_compress_double(double a, double b) {
    __asm__ volatile("");
    return a * b;
}

/* What a compiler does that knows all callers of a function: r11 lives over the inner call. */
long LZ4_compress_default(long x);
__asm__(".type LZ4_compress_fast,@function\n"
        "LZ4_compress_fast: mov %rsi, %rax\n add $1, %rax\n nop\n ret\n nop\n nop\n nop\n"
        ".size LZ4_compress_fast,.-LZ4_compress_fast\n"
        ".globl LZ4_compress_default\n.type LZ4_compress_default,@function\n"
        "LZ4_compress_default: mov $0x1234, %r11d\n nop\n sub $8, %rsp\n"
        "call LZ4_compress_fast\n add $8, %rsp\n mov %r11, %rax\n ret\n"
        ".size LZ4_compress_default,.-LZ4_compress_default\n");

static void refuse_reading(int error) {
    struct sock_filter s[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog p = {4, s};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
        perror("seccomp");
}

static void wait_for_tick(void) {
    struct timespec t = {0, 150000000};
    nanosleep(&t, NULL);
}

static long call_library(const char *file, int error) {
    long sum = 0;
    wait_for_tick();
    void *h = dlopen(file, RTLD_NOW);
    long (*f)(void) = h ? (long (*)(void))dlsym(h, "ZSTD_compress") : NULL;
    if (!f)
        return -1;
    if (error >= 0)
        refuse_reading(error);
    for (int i = 0; i < 3; i++) {
        void *other = dlopen("libbz2.so.1.0", RTLD_NOW);
        if (other)
            dlclose(other);
        sum += f();
        wait_for_tick();
        free(malloc(200000));
    }
    return sum;
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    struct large l;
    for (int i = 0; i < 60; i++)
        l.words[i] = i;
    if (!strcmp(way, "large"))
        printf("%ld\n", my_compress_large(l));
    else if (!strcmp(way, "double"))
        printf("%f\n", my_compress_double(1.5, 2));
    else if (!strcmp(way, "r11"))
        printf("%lx\n", LZ4_compress_default(1));
    else if (argc > 2)
        printf("%ld\n", call_library(argv[2], argc > 3 ? atoi(argv[3]) : -1));
    return 0;
}
#endif
