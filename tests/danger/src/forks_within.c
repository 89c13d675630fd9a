/* A library whose constructor forks: the child has the loader's lock, and allocates and execs. */
#include "danger.h"

int forks_ended;

__attribute__((constructor)) static void begin(void) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(20, 1);
        _exit(1);
    }
    forks_ended = danger_wait(pid);
    if (!(pid = fork())) {
        free(malloc(80000));
        execl("/bin/sh", "sh", "-c", "exit 2", NULL);
    }
    forks_ended += danger_wait(pid);
}

__attribute__((destructor)) static void end(void) {
    danger_churn(20, 2);
}
