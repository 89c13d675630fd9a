/* danger: RLIMIT_NOFILE of 3 from the start, of a static loader's own need: only what is open counts
 * lines: 3
 *
 * The loader itself needs a descriptor for each library, so the program starts with 3 closed ones. */
#include <fcntl.h>
#include <sys/resource.h>

#include "danger.h"

int main(int argc, char **argv) {
    struct rlimit l = {3, 3};
    (void)argv;
    if (argc == 1) {
        /* 0 and 1 are closed, so that the loader has them; stderr stays. */
        int out = dup2(1, 2);
        CHECK(out == 2);
        close(0);
        close(1);
        CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
        execl("/proc/self/exe", "limited", "now", (char *)NULL);
        _exit(127);
    }
    danger_churn(100, 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(100, 2);
        exit(3);
    }
    dprintf(2, "child %d\n", danger_wait(pid));
    CHECK(open("/dev/null", O_RDONLY) == 0);
    danger_churn(100, 3);
    return 0;
}
