/* Allocates in signal handlers, on the alternate stack too, while all threads allocate. Counts. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static volatile long in_handler, in_threads;
static __thread void *volatile mine;
static void *volatile sink;
static volatile int stop;

/* Only while the thread is not in the allocator itself would this be allowed; mallocs of the
 * allocator are not reentrant, so the handler's blocks come from a size that the fast cache of
 * each thread serves. What is tested is squall's own part: see outside(). */
static __thread volatile int outside;

static void handler(int s) {
    (void)s;
    if (!outside)
        return;
    free(sink = malloc(90000));
    __atomic_fetch_add(&in_handler, 1, __ATOMIC_RELAXED);
}

static void *run(void *arg) {
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    (void)arg;
    sigaltstack(&ss, NULL);
    while (!stop) {
        free(mine = malloc(77777));
        __atomic_fetch_add(&in_threads, 1, __ATOMIC_RELAXED);
        outside = 1;
        for (volatile int i = 0; i < 2000; i++)
            ;
        outside = 0;
    }
    return NULL;
}

int main(void) {
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    pthread_t t[3];
    sigaction(SIGALRM, &sa, NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, run, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    while (in_handler < 300) {
        outside = 1;
        for (volatile int i = 0; i < 100000; i++)
            ;
        outside = 0;
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("%ld %ld\n", in_handler, in_threads);
    return 0;
}
