/* danger: the monotonic clock jumps: a child is born into a time namespace years away, and back
 * needs: root
 *
 * CLOCK_MONOTONIC_RAW, by which squall pairs its ticks, jumps as well. The time of day is not
 * touched: it is the machine's. */
#include <fcntl.h>
#include <sched.h>
#include <time.h>

#include "danger.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static long seconds(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC_RAW, &t) == 0);
    return t.tv_sec;
}

static void *thread(void *seed) {
    danger_churn(100, (unsigned)(uintptr_t)seed);
    return NULL;
}

static void enough(void) {
    pthread_t t[3];
    danger_churn(200, 1);
    danger_start(t, 3, thread);
    danger_join(t, 3);
}

/* A child whose clocks are `jump` seconds further; it goes back in a child of its own. */
static int born_away(long jump) {
    char text[100];
    long before = seconds();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return danger_wait(pid);
    enough(); /* its region begins in the old time */
    if (unshare(CLONE_NEWTIME))
        _exit(9);
    int fd = open("/proc/self/timens_offsets", O_WRONLY);
    int n = snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", jump, jump);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(9);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        long now = seconds();
        enough();
        exit(labs(now - before - jump) < 100 ? 3 : 4);
    }
    int ended = danger_wait(pid);
    enough();
    exit(ended);
}

int main(void) {
    enough();
    long up = seconds();
    printf("%d\n", born_away(400000000));
    printf("%d\n", born_away(up > 200 ? -(up - 100) : 100));
    enough();
}
