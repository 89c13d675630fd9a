/* danger: fork in a signal handler, at any moment of what it interrupts
 * library: libsafe.so signal_safe_malloc.c
 * build: -L$DANGER_BIN -l:libsafe.so
 * allocators: glibc (the program brings an allocator that may be interrupted; the others may not be)
 * allow: sums frees negative
 *
 * What the fork interrupted within squall is done by both processes, so that a block, or its end, may count twice.
 * The child returns from the handler into what was interrupted, and goes on with it. The next signal
 * comes some microseconds after the last one is through: a steady timer would leave no time between
 * two handlers for the rest. */
#include <sys/time.h>

#include "danger.h"

static pid_t parent;
static _Atomic unsigned forks, stopped;

static void come_again(void) {
    struct itimerval next = {.it_value.tv_usec = 50 + forks * 37 % 400};
    CHECK(setitimer(ITIMER_REAL, &next, NULL) == 0);
}

static void handler(int s) {
    (void)s;
    if (stopped)
        return;
    pid_t pid = _Fork();
    CHECK(pid >= 0);
    if (!pid) {
        if (forks % 2)
            danger_churn(5, 1);
        return;
    }
    int ended = danger_wait(pid);
    if (ended != 9)
        dprintf(2, "child ended with %d\n", ended);
    forks++;
    come_again();
}

static void child_ends(void) {
    danger_churn(15, 1);
    _exit(9);
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    parent = getpid();
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    come_again();
    for (unsigned i = 0; forks < 40; i++) {
        danger_churn(1, i);
        if (getpid() != parent)
            child_ends();
    }
    stopped = 1;
    printf("done\n");
}
