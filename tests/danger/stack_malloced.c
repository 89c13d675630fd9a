/* danger: threads and handlers on stacks in malloc'ed memory, that is freed and comes back as other blocks */
#include "danger.h"

static _Atomic unsigned handled;

static void handler(int s) {
    (void)s;
    volatile char deep[8000];
    deep[0] = deep[7999] = 1;
    handled += deep[0];
}

/* While it runs on this stack, other blocks come and go beside it. */
static void *run(void *number) {
    size_t size = 32 << 10;
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size}, none = {.ss_flags = SS_DISABLE};
    CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
    danger_churn(20, (unsigned)(uintptr_t)number);
    raise(SIGUSR1);
    danger_churn(20, (unsigned)(uintptr_t)number);
    CHECK(sigaltstack(&none, NULL) == 0);
    memset(stack.ss_sp, 0xee, size);
    free(stack.ss_sp);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (unsigned i = 0; i < 100; i++) {
        pthread_t thread;
        pthread_attr_t attributes;
        size_t size = 128 << 10;
        void *stack = i % 2 ? malloc(size) : aligned_alloc(4096, size);
        CHECK(stack && pthread_attr_init(&attributes) == 0);
        CHECK(pthread_attr_setstack(&attributes, stack, size) == 0);
        CHECK(pthread_create(&thread, &attributes, run, (void *)(uintptr_t)i) == 0);
        danger_churn(20, i);
        CHECK(pthread_join(thread, NULL) == 0);
        memset(stack, 0xee, size);
        free(stack);
    }
    printf("%u handled\n", handled);
}
