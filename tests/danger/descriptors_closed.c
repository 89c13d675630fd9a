/* danger: every descriptor is closed, again and again, and the numbers are used for something else
 * processes: 1
 * ends: 4
 *
 * closefrom and close_range as daemons call them, and close by number in a thread while others
 * allocate; what is written to a number must be what the program wrote. */
#include <fcntl.h>
#include <sys/stat.h>

#include "danger.h"

enum { FILES = 40 };

/* Opens as many files as it can on the lowest numbers; each gets its number, nothing else. */
static void use_numbers(const char *folder) {
    int fds[FILES];
    char path[64], text[32], got[64];
    CHECK(mkdir(folder, 0700) == 0 || errno == EEXIST);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        fds[i] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fds[i] < 0 || (i && fds[i] != fds[i - 1] + 1))
            _exit(20);
    }
    for (int round = 0; round < 3; round++) {
        danger_churn(60, (unsigned)round);
        for (int i = 0; i < FILES; i++) {
            int n = snprintf(text, sizeof text, "%d.%d\n", i, round);
            if (write(fds[i], text, (size_t)n) != n)
                _exit(21);
        }
    }
    for (int i = 0; i < FILES; i++) {
        int n = snprintf(text, sizeof text, "%d.0\n%d.1\n%d.2\n", i, i, i);
        if (pread(fds[i], got, sizeof got, 0) != n || memcmp(got, text, (size_t)n))
            _exit(22);
        close(fds[i]);
    }
}

static void *closer(void *unused) {
    while (!danger_ending)
        close_range(0, ~0u, 0);
    return unused;
}

/* In a child, with nothing open; how it went is in its status. */
static void without_any(void) {
    pthread_t threads[3], c;
    closefrom(0);
    use_numbers("a");
    CHECK(close_range(0, ~0u, 0) == 0);
    danger_churn(100, 1);
    pid_t pid = fork();
    if (!pid) {
        danger_churn(100, 2);
        use_numbers("b");
        exit(3);
    }
    if (danger_wait(pid) != 3)
        _exit(23);
    danger_start(threads, 3, danger_churner);
    danger_start(&c, 1, closer);
    danger_churn(300, 3);
    danger_ending = 1;
    danger_join(threads, 3);
    danger_join(&c, 1);
    exit(4);
}

int main(void) {
    danger_churn(20, 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        without_any();
    printf("child %d\n", danger_wait(pid));
    fflush(stdout);
    without_any();
}
