/* The pattern of daemons: fork, and in the child start workers that all allocate at once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 12
#define BLOCKS 200
static pthread_barrier_t start;
static void *worker_block(size_t n) {
    return malloc(n);
}

static void *work(void *arg) {
    pthread_barrier_wait(&start);
    for (int i = 0; i < BLOCKS; i++)
        free(worker_block(70000));
    return arg;
}

int main(void) {
    for (int round = 0; round < 40; round++) {
        int status;
        pid_t pid = fork();
        if (!pid) {
            pthread_t t[WORKERS];
            pthread_barrier_init(&start, NULL, WORKERS);
            for (int i = 0; i < WORKERS; i++)
                pthread_create(&t[i], NULL, work, NULL);
            for (int i = 0; i < WORKERS; i++)
                pthread_join(t[i], NULL);
            exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status)
            return 1;
    }
    puts("done");
    return 0;
}
