/* danger: clone with odd flags: CLONE_VM without CLONE_THREAD, CLONE_VFORK, CLONE_FILES, bare forks
 * processes: 5
 *
 * Children that share the memory run on a stack of their own while the parent waits, as it must: they
 * have its thread-local storage too. */
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>

#include "danger.h"

static void *volatile left;

static int child(void *how) {
    danger_churn(60, 3);
    left = malloc(120000);
    return *(int *)how;
}

static int run(int flags, int status) {
    size_t size = 256 << 10;
    char *stack = malloc(size);
    CHECK(stack);
    left = NULL;
    pid_t pid = clone(child, stack + size, flags, &status);
    CHECK(pid > 0);
    int ended = danger_wait(pid);
    if (flags & CLONE_VM) {
        CHECK(left);
        free(left);
    }
    free(stack);
    danger_churn(20, 4);
    return ended;
}

static pid_t bare(int i) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    switch (i) {
    case 0:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    case 1:
        return (pid_t)syscall(SYS_fork);
    case 2:
        return (pid_t)syscall(SYS_clone3, &args, sizeof args);
    case 3:
        return _Fork();
    default:
        return (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_FS, 0, 0, 0, 0);
    }
}

int main(void) {
    danger_churn(20, 1);
    printf("%d", run(CLONE_VM | SIGCHLD, 1));
    printf(" %d", run(CLONE_VM | CLONE_VFORK | SIGCHLD, 2));
    printf(" %d", run(CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | SIGCHLD, 3));
    printf(" %d", run(CLONE_VM, 4));
    printf(" %d", run(CLONE_FILES | CLONE_FS | SIGCHLD, 5));
    printf(" %d\n", run(SIGCHLD, 6));
    for (int i = 0; i < 5; i++) {
        fflush(stdout);
        pid_t pid = bare(i);
        if (pid < 0 && errno == ENOSYS)
            continue;
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(60, 5);
            _exit(20);
        }
        CHECK(danger_wait(pid) == 20);
    }
    printf("done\n");
}
