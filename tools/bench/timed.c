/* timed: what one program took.
 *
 *   timed FILE [NAME=VALUE]… PROGRAM [ARGUMENT]…
 *
 * Runs PROGRAM with these variables and writes to FILE, on a line: nanoseconds by the clock,
 * microseconds of user and of system time, peak resident KiB, wait status. The exit status is the
 * program's. Small, so that the child's peak is not this program's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long long microseconds(struct timeval t) {
    return t.tv_sec * 1000000ll + t.tv_usec;
}

static void run(char **words) {
    for (; *words && strchr(*words, '='); words++)
        putenv(*words);
    execvp(words[0], words);
    perror(words[0]);
    _exit(127);
}

int main(int argc, char **argv) {
    struct rusage used;
    int status;
    if (argc < 3) {
        fputs("usage: timed FILE [NAME=VALUE]... PROGRAM [ARGUMENT]...\n", stderr);
        return 2;
    }
    long long began = nanoseconds();
    pid_t pid = fork();
    if (pid == 0)
        run(argv + 2);
    while (pid < 0 || wait4(pid, &status, 0, &used) < 0) {
        if (pid > 0 && errno == EINTR)
            continue;
        perror("timed");
        return 125;
    }
    long long ended = nanoseconds();
    FILE *out = fopen(argv[1], "w");
    if (!out ||
        fprintf(out, "%lld %lld %lld %ld %d\n", ended - began, microseconds(used.ru_utime),
                microseconds(used.ru_stime), used.ru_maxrss, status) < 0 ||
        fclose(out)) {
        perror(argv[1]);
        return 125;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
