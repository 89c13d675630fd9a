/* danger: allocation in signal handlers on an alternate stack at 1 kHz, while all threads allocate
 * library: libsafe.so signal_safe_malloc.c
 * build: -L$DANGER_BIN -l:libsafe.so -lz
 * allocators: glibc (the program brings an allocator that may be interrupted; the others may not be) */
#include <sys/time.h>
#include <time.h>
#include <zlib.h>

#include "danger.h"

static _Atomic unsigned handled;

static void handler(int s, siginfo_t *info, void *context) {
    int before = errno;
    (void)info;
    (void)context;
    danger_churn(3, handled++);
    if (s == SIGALRM)
        free(calloc(1, 300000));
    errno = before;
}

static void *worker(void *number) {
    static unsigned char text[20000];
    stack_t stack = {.ss_sp = malloc(64 << 10), .ss_size = 64 << 10};
    CHECK(sigaltstack(&stack, NULL) == 0);
    for (unsigned i = 0; !danger_ending; i++) {
        uLongf size = 30000;
        unsigned char *out = malloc(size);
        danger_churn(20, (unsigned)(uintptr_t)number + i);
        CHECK(compress2(out, &size, text, sizeof text, 1) == Z_OK);
        errno = 4711;
        free(out);
        CHECK(errno == 4711);
    }
    stack_t none = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&none, NULL) == 0);
    free(stack.ss_sp);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    action.sa_flags |= SA_NODEFER;
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    pthread_t threads[3];
    danger_start(threads, 3, worker);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec ms = {{0, 1000000}, {0, 1000000}};
    CHECK(timer_settime(timer, 0, &ms, NULL) == 0);
    while (handled < 1000)
        danger_churn(20, 1);
    CHECK(timer_delete(timer) == 0);
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
    danger_ending = 1;
    danger_join(threads, 3);
    printf("done\n");
}
