/* danger: fork then exec from many threads; forks within forks
 * processes: 10 */
#include "danger.h"

static char self[4096];

static void *executor(void *number) {
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            free(malloc(100000));
            char *const argv[] = {self, i % 2 ? "churn" : "leave", NULL};
            execv(self, argv);
            _exit(99);
        }
        CHECK(danger_wait(pid) == 3);
    }
    return number;
}

/* Each generation allocates before and after it has a child. */
static int generations(int left) {
    char *p = malloc(90000 + (size_t)left);
    memset(p, left, 1000);
    pid_t pid = left ? fork() : -1;
    if (!pid)
        _exit(generations(left - 1));
    int below = pid > 0 ? danger_wait(pid) : 0;
    CHECK(p[999] == left);
    free(p);
    return below + 1;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        danger_churn(argv[1][0] == 'c' ? 100 : 0, 1);
        return 3;
    }
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    pthread_t churners[2], executors[3];
    danger_start(churners, 2, danger_churner);
    danger_start(executors, 3, executor);
    danger_join(executors, 3);
    printf("%d generations\n", generations(6));
    danger_ending = 1;
    danger_join(churners, 2);
}
