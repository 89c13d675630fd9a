/* danger: pthread_atfork handlers that allocate, and hold locks, while all threads fork */
#include "danger.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *block;
static _Atomic unsigned prepared;

static void prepare(void) {
    pthread_mutex_lock(&lock);
    block = malloc(90000);
    danger_churn(5, 1);
    prepared++;
}
static void parent(void) {
    free(block);
    danger_churn(5, 2);
    pthread_mutex_unlock(&lock);
}
static void child(void) {
    free(block);
    block = malloc(300);
    danger_churn(5, 3);
    pthread_mutex_unlock(&lock);
}

static void *forker(void *number) {
    for (int i = 0; i < 15; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            pthread_mutex_lock(&lock);
            free(block);
            _exit(4);
        }
        CHECK(danger_wait(pid) == 4);
    }
    return number;
}

int main(void) {
    pthread_t churners[2], forkers[3];
    CHECK(pthread_atfork(prepare, parent, child) == 0);
    danger_start(churners, 2, danger_churner);
    danger_start(forkers, 3, forker);
    danger_join(forkers, 3);
    danger_ending = 1;
    danger_join(churners, 2);
    printf("%u forks\n", prepared);
}
