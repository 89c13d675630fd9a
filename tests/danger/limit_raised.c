/* danger: a limit that made the region small is raised before a fork: the child's region is larger
 * lines: 20
 *
 * Tables beside the region must grow with it, and not into what lies behind them. */
#include <sys/resource.h>

#include "danger.h"

static int limited(void) {
    struct rlimit l;
    danger_churn(100, 1);
    CHECK(getrlimit(RLIMIT_FSIZE, &l) == 0);
    l.rlim_cur = l.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &l) == 0);
    for (int i = 0; i < 6; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(300, 2);
            exit(3);
        }
        CHECK(danger_wait(pid) == 3);
    }
    return 4;
}

/* Several times: what lies behind a table is another thing each time. */
int main(int argc, char **argv) {
    struct rlimit l;
    (void)argv;
    if (argc > 1)
        return limited();
    CHECK(getrlimit(RLIMIT_FSIZE, &l) == 0);
    for (int i = 0; i < 8; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            l.rlim_cur = 8 << 20;
            CHECK(setrlimit(RLIMIT_FSIZE, &l) == 0);
            execl("/proc/self/exe", "limited", "now", (char *)NULL);
            _exit(127);
        }
        printf("%d\n", danger_wait(pid));
    }
}
