/* Small blocks of exact mode from a thread's own stack, in turn with blocks from stacks that are not
 * remembered: a coroutine's, a signal handler's. Each function's are its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define ROUNDS 100
static ucontext_t here, there;
static char stack[65536];

static void by_main(void) {
    free(malloc(40));
}
static void by_coroutine(void) {
    free(malloc(50));
}
static void by_handler(int n) {
    (void)n;
    free(malloc(60));
}

static void run(void) {
    for (;;) {
        by_coroutine();
        swapcontext(&there, &here);
    }
}

int main(void) {
    struct sigaction s = {.sa_handler = by_handler};
    sigaction(SIGUSR1, &s, NULL);
    getcontext(&there);
    there.uc_stack.ss_sp = malloc(sizeof stack);
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = NULL;
    makecontext(&there, run, 0);
    for (int i = 0; i < ROUNDS; i++) {
        by_main();
        swapcontext(&here, &there);
    }
    for (int i = 0; i < ROUNDS; i++) {
        by_main();
        raise(SIGUSR1);
    }
    puts("done");
    return 0;
}
