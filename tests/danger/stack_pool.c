/* danger: a thread's stack cut from a pool, without a guard page, coroutines right below it, whose stacks are unmapped
 * build: -pthread
 *
 * Nothing but the C library's own word tells where the thread's stack ends and the pool goes on. Once
 * with the same stack pointer as in the coroutine before, whose stack went on higher, and once with
 * another. */
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "danger.h"

#define POOL (8u << 20)
#define STACK (1u << 20)
#define PAGE 4096u

static char *pool;
static ucontext_t thread, coroutine;
static char *volatile lowest; /* stack pointer of the last coroutine, nearly */
static volatile int is_deep;

__attribute__((noinline)) static void leaf(void) {
    char here;
    lowest = &here;
    for (int i = 0; i < 200; i++) {
        char *volatile a = malloc(24);
        char *volatile b = malloc(i % 8 ? 32 : 100000);
        CHECK(a && b);
        free(a);
        free(b);
    }
}

__attribute__((noinline)) static void deep(void) {
    volatile char frame[3 * PAGE];
    frame[0] = 1;
    leaf();
    frame[1] = frame[0];
}

__attribute__((noinline)) static void shallow(void) {
    leaf();
    __asm__ volatile("");
}

static void entry(void) {
    if (is_deep)
        deep();
    else
        shallow();
}

static void run(char *low, char *top) {
    CHECK(!getcontext(&coroutine));
    coroutine.uc_stack.ss_sp = low;
    coroutine.uc_stack.ss_size = (size_t)(top - low);
    coroutine.uc_link = &thread;
    makecontext(&coroutine, entry, 0);
    CHECK(!swapcontext(&thread, &coroutine));
}

static void *body(void *argument) {
    char *low = pool + POOL - STACK - 16 * PAGE * (argument ? 2 : 1), *top = low + 16 * PAGE;
    leaf();
    is_deep = 0;
    run(low, low + 10 * PAGE);
    long used = low + 10 * PAGE - lowest;
    leaf();
    is_deep = argument == NULL;
    run(low, top);
    char *before = lowest;
    leaf();
    CHECK(!munmap(top - PAGE, PAGE));
    is_deep = 0;
    /* As deep in the end as the one before, from a lower top; or a page lower. */
    run(low, argument ? top - 2 * PAGE : before + used);
    leaf();
    return NULL;
}

int main(void) {
    for (long i = 0; i < 2; i++) {
        pthread_attr_t a;
        pthread_t t;
        pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
        CHECK(pool != MAP_FAILED);
        pthread_attr_init(&a);
        CHECK(!pthread_attr_setstack(&a, pool + POOL - STACK, STACK));
        CHECK(!pthread_create(&t, &a, body, (void *)i));
        pthread_join(t, NULL);
    }
    puts("done");
    return 0;
}
