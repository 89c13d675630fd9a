/* danger: patterns of the user's match functions that return twice or look at their caller: setjmp, vfork, dlsym
 * library: next.so next.c
 * build: -Wl,--no-as-needed $DANGER_BIN/next.so -rdynamic
 * conf: codec:*setjmp*,codec:*getcontext,codec:*vfork,codec:dl*,codec:answer
 *
 * They have no business in SQUALL_CONF, but * is easily written. */
#include <dlfcn.h>
#include <setjmp.h>
#include <ucontext.h>

#include "danger.h"

int answer(void);
int answer(void) {
    return 1;
}
int next_answers(void);

/* Writes over what lies below. */
static __attribute__((noinline)) void overwrite(int depth) {
    volatile char room[500];
    memset((char *)room, depth, sizeof room);
    if (depth)
        overwrite(depth - 1);
}

static jmp_buf place;
static sigjmp_buf signal_place;
static __attribute__((noinline)) void leave(int n) {
    overwrite(10);
    n % 2 ? longjmp(place, n) : siglongjmp(signal_place, n);
}

static void jump(void) {
    volatile int sum = 0, n = 1;
    int got = setjmp(place);
    sum += got;
    got = sigsetjmp(signal_place, 1);
    sum += got;
    if (n < 100)
        leave(n++);
    CHECK(sum == 4950);
}

static void switch_context(void) {
    static ucontext_t context;
    volatile int times = 0;
    CHECK(getcontext(&context) == 0);
    times++;
    overwrite(10);
    if (times < 10)
        setcontext(&context);
    CHECK(times == 10);
}

static void fork_twice(void) {
    int status;
    pid_t pid = vfork();
    if (!pid) {
        overwrite(10);
        _exit(7);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(void) {
    for (int i = 0; i < 20; i++) {
        jump();
        switch_context();
        fork_twice();
    }
    CHECK(answer() == 1 && next_answers() == 0);
    puts("done");
}
