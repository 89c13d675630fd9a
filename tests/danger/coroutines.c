/* danger: coroutines (makecontext, swapcontext) with stacks in malloc'ed memory, freed after use, and migrating between threads
 * build: -lz */
#include <ucontext.h>
#include <zlib.h>

#include "danger.h"

enum { COROUTINES = 8, TURNS = 6, STACK = 64 << 10 };

struct coroutine {
    ucontext_t itself, *back;
    char *stack;
    int number, turns;
};

static void leave(struct coroutine *c) {
    ucontext_t *to = c->back;
    CHECK(swapcontext(&c->itself, to) == 0);
}

/* zlib's allocator hands control over in the middle of a call. */
static void *yielding_alloc(void *c, unsigned n, unsigned m) {
    void *p = calloc(n, m);
    leave(c);
    return p;
}
static void yielding_free(void *c, void *p) {
    (void)c;
    free(p);
}

static void run(unsigned high, unsigned low) {
    struct coroutine *c = (void *)((uintptr_t)high << 32 | low);
    static unsigned char text[20000];
    unsigned char *out = malloc(30000);
    z_stream z = {.zalloc = yielding_alloc, .zfree = yielding_free, .opaque = c};
    CHECK(deflateInit(&z, 1) == Z_OK);
    for (; c->turns < TURNS; c->turns++) {
        danger_churn(10, (unsigned)c->number);
        leave(c);
    }
    z.next_in = text, z.avail_in = sizeof text, z.next_out = out, z.avail_out = 30000;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    CHECK(deflateEnd(&z) == Z_OK);
    free(out);
    c->turns++;
    leave(c);
}

static void start(struct coroutine *c, int number) {
    CHECK(getcontext(&c->itself) == 0);
    c->number = number;
    c->turns = 0;
    c->stack = malloc(STACK);
    c->itself.uc_stack.ss_sp = c->stack;
    c->itself.uc_stack.ss_size = STACK;
    makecontext(&c->itself, (void (*)(void))run, 2, (unsigned)((uintptr_t)c >> 32),
                (unsigned)(uintptr_t)c);
}

static struct coroutine all[COROUTINES];
static pthread_mutex_t lock[COROUTINES];
static _Atomic unsigned finished;

/* Each thread takes any coroutine that no other runs, and goes on with it for one turn. */
static void *scheduler(void *number) {
    for (unsigned i = (unsigned)(uintptr_t)number; finished < COROUTINES * 10; i++) {
        struct coroutine *c = &all[i % COROUTINES];
        if (pthread_mutex_trylock(&lock[i % COROUTINES]))
            continue;
        if (c->turns <= TURNS) {
            ucontext_t here;
            c->back = &here;
            CHECK(swapcontext(&here, &c->itself) == 0);
            if (c->turns > TURNS) {
                memset(c->stack, 0xee, STACK);
                free(c->stack);
                if (++finished + COROUTINES <= COROUTINES * 10)
                    start(c, (int)i);
            }
        }
        pthread_mutex_unlock(&lock[i % COROUTINES]);
        danger_churn(2, i);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[3];
    for (int i = 0; i < COROUTINES; i++) {
        pthread_mutex_init(&lock[i], NULL);
        start(&all[i], i);
    }
    danger_start(threads, 3, scheduler);
    danger_join(threads, 3);
    printf("%u coroutines\n", finished);
}
