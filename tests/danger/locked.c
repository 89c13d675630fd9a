/* danger: mlockall(MCL_FUTURE), then threads, forks, large blocks; RLIMIT_MEMLOCK low beside it
 * needs: root
 * folder: 1777
 * lines: 4
 *
 * What is mapped from then on is filled and locked at once. Also mlockall(MCL_ONFAULT) and, as a user
 * with little RLIMIT_MEMLOCK, what fails alone. */
#include <sys/mman.h>
#include <sys/resource.h>

#include "danger.h"

static void *thread(void *seed) {
    danger_churn(50, (unsigned)(uintptr_t)seed);
    return NULL;
}

static long locked_kib(void) {
    char line[200];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    CHECK(f);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "VmLck:", 6))
            kib = atol(line + 6);
    fclose(f);
    return kib;
}

static int work(int flags, int stays) {
    pthread_t t[40];
    CHECK(mlockall(flags) == 0);
    danger_churn(300, 1);
    for (unsigned i = 0; i < 40; i += 10) {
        danger_start(t, 10, thread);
        danger_join(t, 10);
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(300, 2);
        exit(3);
    }
    CHECK(danger_wait(pid) == 3);
    if (getenv("TELL"))
        dprintf(2, "%ld KiB locked\n", locked_kib());
    return stays ? 4 : 5;
}

/* A user who may lock 64 KiB: what the program tries fails, or not, as it does alone. */
static int poor(void) {
    struct rlimit l = {65536, 65536};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &l) == 0 && setuid(65534) == 0);
    CHECK(mlockall(MCL_CURRENT) == -1 && errno == ENOMEM);
    char *p = malloc(200000);
    CHECK(p && mlock(p, 200000) == -1 && errno == ENOMEM);
    CHECK(mlock(p, 8192) == 0 && munlock(p, 8192) == 0);
    free(p);
    danger_churn(300, 3);
    return 6;
}

int main(void) {
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(20, 1);
            exit(i == 0 ? work(MCL_FUTURE, 1) : i == 1 ? work(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT, 0) : poor());
        }
        printf("%d\n", danger_wait(pid));
    }
}
