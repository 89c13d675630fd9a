/* danger: threads, detached and not, that allocate while the process ends: return, exit, _exit, quick_exit, pthread_exit of main
 * allow: sums
 *
 * Who is stopped between the count of a block and its site leaves a difference of one a thread. */
#include "danger.h"

static _Atomic unsigned begun;

static void *endless(void *number) {
    if ((uintptr_t)number % 2)
        pthread_detach(pthread_self());
    for (unsigned i = 0;; i++) {
        danger_churn(20, i);
        begun++;
    }
    return NULL;
}

static void *ender(void *number) {
    (void)number;
    danger_churn(50, 1);
    exit(6);
}

static void late(void) {
    danger_churn(100, 2);
}

static void leave(int how) {
    pthread_t threads[4], last;
    atexit(late);
    at_quick_exit(late);
    danger_start(threads, 4, endless);
    while (begun < 8)
        sched_yield();
    switch (how) {
    case 0:
        exit(6);
    case 1:
        _exit(6);
    case 2:
        quick_exit(6);
    case 3: /* the thread that goes on ends the process */
        danger_start(&last, 1, ender);
        pthread_exit(NULL);
    case 4:
        kill(getpid(), SIGKILL);
        pause();
    default:
        abort();
    }
}

int main(void) {
    for (int how = 0; how < 6; how++)
        for (int i = 0; i < 3; i++) {
            pid_t pid = fork();
            CHECK(pid >= 0);
            if (!pid)
                leave(how);
            int ended = danger_wait(pid);
            if (!i)
                printf("%d ", ended);
        }
    printf("\n");
    fflush(stdout);
    pthread_t thread;
    danger_start(&thread, 1, endless);
    return 0;
}
