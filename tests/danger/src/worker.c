/* An ordinary program: threads, files that are synced, a clock, a forked child, an end by exit. What
 * it prints is the same each time. With an argument it waits for a line on its standard input first,
 * and for one more before its end. */
#include <fcntl.h>
#include <time.h>

#include "danger.h"

static void *thread(void *seed) {
    for (int i = 0; i < 20; i++)
        danger_churn(50, (unsigned)(uintptr_t)seed);
    return NULL;
}

static void wait_for_line(void) {
    char c;
    while (read(0, &c, 1) == 1 && c != '\n')
        ;
}

int main(int argc, char **argv) {
    pthread_t t[3];
    (void)argv;
    if (argc > 1) {
        danger_churn(20, 7);
        puts("ready");
        fflush(stdout);
        wait_for_line();
    }
    danger_start(t, 3, thread);
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "text", 4) == 4 && fsync(fd) == 0 && close(fd) == 0);
    struct timespec before, after;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    danger_churn(500, 1);
    danger_join(t, 3);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK(after.tv_sec >= before.tv_sec);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(100, 2);
        exit(3);
    }
    printf("child %d\n", danger_wait(pid));
    fflush(stdout);
    if (argc > 1)
        wait_for_line();
    danger_churn(50, 3);
    time_t now = time(NULL);
    if (getenv("SHOW"))
        printf("in %d\n", gmtime(&now)->tm_year + 1900);
    puts("worked");
    return 5;
}
