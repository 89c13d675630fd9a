/* danger: setuid, setgid and their kin change the ids of all threads, while these allocate
 * needs: root
 * folder: 1777
 * lines: 4
 * deadline: 60
 *
 * The C library interrupts each thread with a signal and makes it call for itself. */
#include <grp.h>

#include "danger.h"

enum { THREADS = 4, NOBODY = 65534 };
static _Atomic unsigned expected = 0;
static _Atomic int changes, checked[THREADS];

static void *churner(void *number) {
    unsigned i = (unsigned)(uintptr_t)number;
    while (!danger_ending) {
        danger_churn(30, i);
        int at = changes;
        unsigned is = geteuid(), wanted = expected;
        CHECK(at % 2 || at != changes || is == wanted);
        checked[i]++;
    }
    CHECK(getuid() == NOBODY && geteuid() == NOBODY && getgid() == NOBODY);
    return NULL;
}

static void *short_lived(void *seed) {
    danger_churn(10, (unsigned)(uintptr_t)seed);
    CHECK(geteuid() == expected);
    return NULL;
}

static void change(unsigned to) {
    pthread_t t;
    changes++;
    CHECK(setegid(to) == 0 || to == 0);
    CHECK(setresuid((uid_t)-1, to, (uid_t)-1) == 0);
    CHECK(setegid(to) == 0);
    expected = to;
    changes++;
    danger_start(&t, 1, short_lived);
    danger_join(&t, 1);
}

int main(void) {
    pthread_t threads[THREADS];
    danger_start(threads, THREADS, churner);
    for (int i = 0; i < 16; i++) {
        change(i % 2 ? 0 : NOBODY);
        danger_churn(5, 1);
    }
    for (int i = 0; i < THREADS; i++)
        while (checked[i] < 3)
            sched_yield();
    pid_t pid = fork(); /* ids that differ: the real one is still root's */
    CHECK(pid >= 0);
    if (!pid) {
        CHECK(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0);
        danger_churn(50, 2);
        exit(3);
    }
    CHECK(danger_wait(pid) == 3);
    changes++;
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    CHECK(setuid(0) == -1 && errno == EPERM);
    danger_ending = 1;
    danger_join(threads, THREADS);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(50, 3);
        exit(geteuid() == NOBODY ? 4 : 5);
    }
    printf("child %d, uid %d\n", danger_wait(pid), (int)getuid());
}
