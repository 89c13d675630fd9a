/* become: allocates at a steady pace and does what it is told by lines on standard input:
 *   exec         becomes itself again, by exec
 *   alone        becomes `sleep`, without the library
 *   fork         makes a child that does the same, and prints its number
 *   die          ends by SIGKILL
 *   end          ends by exit
 * Says "ready PID" when it begins. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static void allocate_some(void) {
    for (int i = 0; i < 20; i++) {
        void *volatile block = malloc(100000);
        free(block);
    }
}

/* A line of what it is to do, within a millisecond; byte by byte, so that nothing is read that a
 * successor should have. */
static int read_line(char *line, size_t size) {
    struct pollfd in = {.fd = 0, .events = POLLIN};
    size_t at = 0;
    if (poll(&in, 1, 1) <= 0)
        return 0;
    while (at + 1 < size && read(0, line + at, 1) == 1 && line[at] != '\n')
        at++;
    line[at] = 0;
    return at == 0 ? -1 : 1;
}

static void make_child(void) {
    pid_t child = fork();
    if (child > 0) {
        printf("child %d\n", child);
        fflush(stdout);
        return;
    }
    for (pid_t parent = getppid(); getppid() == parent;) {
        allocate_some();
        usleep(1000);
    }
    _exit(0);
}

int main(int count, char **arguments) {
    char line[64];
    (void)count;
    printf("ready %d\n", getpid());
    fflush(stdout);
    for (;;) {
        allocate_some();
        int got = read_line(line, sizeof line);
        if (got < 0 || (got && strcmp(line, "end") == 0))
            return 0;
        if (got && strcmp(line, "exec") == 0)
            execv("/proc/self/exe", arguments);
        if (got && strcmp(line, "alone") == 0) {
            unsetenv("LD_PRELOAD");
            execlp("sleep", "sleep", "600", (char *)NULL);
        }
        if (got && strcmp(line, "fork") == 0)
            make_child();
        if (got && strcmp(line, "die") == 0)
            kill(getpid(), SIGKILL);
    }
}
