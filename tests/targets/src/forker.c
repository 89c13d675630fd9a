/* An allocator that forks when it is told to, as a signal handler may that interrupts one: the child
 * comes back out of the call that its parent made. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_realloc(void *, size_t);

int forker_armed, forker_is_child, forker_status;
void *forker_victim; /* the child frees it at once */

static void go(void) {
    if (!forker_armed)
        return;
    forker_armed = 0;
    pid_t child = fork();
    if (child) {
        waitpid(child, &forker_status, 0);
        return;
    }
    forker_is_child = 1;
    if (forker_victim)
        free(forker_victim);
}

void *malloc(size_t n) {
    go();
    return __libc_malloc(n);
}

void *realloc(void *old, size_t n) {
    go();
    return __libc_realloc(old, n);
}
