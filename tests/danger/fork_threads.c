/* danger: fork from many threads while others allocate
 * processes: 1
 *
 * Each forker's children allocate, too, and end by exit or by _exit. */
#include "danger.h"

static _Atomic int children;

static void *forker(void *number) {
    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(30, (unsigned)(uintptr_t)number);
            if (i % 2)
                exit(7);
            _exit(7);
        }
        CHECK(danger_wait(pid) == 7);
        children++;
    }
    return NULL;
}

int main(void) {
    pthread_t churners[3], forkers[4];
    danger_start(churners, 3, danger_churner);
    danger_start(forkers, 4, forker);
    danger_join(forkers, 4);
    danger_ending = 1;
    danger_join(churners, 3);
    printf("%d children\n", children);
}
