/* danger: system calls from anywhere but the C library go to a handler of the program's (PR_SET_SYSCALL_USER_DISPATCH)
 *
 * As emulators have it. The handler ends the program: it must not be called. In a child the dispatch is
 * off again. */
#include <link.h>
#include <sys/prctl.h>

#include "danger.h"

#define SET_SYSCALL_USER_DISPATCH 59
static char selector; /* 1: what is not in the range goes to the handler */

static void trapped(int signal) {
    (void)signal;
    selector = 0;
    _exit(9);
}

static int find_libc(struct dl_phdr_info *info, size_t size, void *range) {
    (void)size;
    if (strstr(info->dlpi_name, "/libc.so."))
        for (int i = 0; i < info->dlpi_phnum; i++)
            if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
                ((unsigned long *)range)[0] = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
                ((unsigned long *)range)[1] = info->dlpi_phdr[i].p_memsz;
            }
    return 0;
}

__attribute__((noinline)) static void *at_depth(int n, size_t size) {
    void *p = n ? at_depth(n - 1, size) : malloc(size);
    __asm__ volatile("");
    return p;
}

static void *later(void *seed) {
    danger_churn(200, (unsigned)(uintptr_t)seed);
    return NULL;
}

int main(void) {
    unsigned long range[2] = {0, 0};
    pthread_t t;
    dl_iterate_phdr(find_libc, range);
    CHECK(range[1]);
    signal(SIGSYS, trapped);
    if (prctl(SET_SYSCALL_USER_DISPATCH, 1, range[0], range[1], &selector) == 0) /* Linux 5.11 */
        selector = 1;
    for (int i = 0; i < 3000; i++)
        free(at_depth(i % 30, 70000 + (size_t)i));
    danger_churn(4000, 1);
    danger_start(&t, 1, later);
    danger_join(&t, 1);
    selector = 0;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(100, 2);
        exit(3);
    }
    printf("child %d\n", danger_wait(pid));
}
