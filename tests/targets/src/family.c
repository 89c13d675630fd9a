/* fork, exec, threads: family WHAT [N]. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;
static void parent_block(void) {
    free(sink = malloc(100000));
}
static void child_block(void) {
    free(sink = malloc(200000));
}
static void thread_block(void) {
    free(sink = malloc(150000));
}
static void small_block(void) {
    free(sink = malloc(50));
}

static void reap(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid || status)
        abort();
}

/* A child that records, through fork, through _Fork's bare system call, through vfork. */
static void do_fork(void) {
    void *inherited = malloc(300000);
    parent_block();
    pid_t pid = fork();
    if (!pid) {
        child_block();
        free(inherited);
        parent_block();
        pid = fork(); /* and a grandchild */
        if (!pid) {
            child_block();
            exit(0);
        }
        reap(pid);
        exit(0);
    }
    reap(pid);
    free(inherited);
    parent_block();
}

static void do_clone(void) {
    parent_block();
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (!pid) {
        child_block();
        _exit(0);
    }
    reap(pid);
    parent_block();
}

/* Short children that record nothing leave no file. */
static void do_short(int n) {
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (!pid) {
            small_block();
            _exit(0);
        }
        reap(pid);
    }
    parent_block();
}

static void do_vfork(void) {
    parent_block();
    pid_t pid = vfork();
    if (!pid) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    reap(pid);
    parent_block();
}

static void *thread(void *arg) {
    thread_block();
    small_block();
    return arg;
}

/* Thousands of threads one after the other, some at once. */
static void do_threads(int n) {
    pthread_t t[8];
    for (int i = 0; i < n; i += 8) {
        for (int k = 0; k < 8; k++)
            if (pthread_create(&t[k], NULL, thread, NULL))
                abort();
        for (int k = 0; k < 8; k++)
            pthread_join(t[k], NULL);
    }
}

static pthread_barrier_t all_there;
static void *waiting_thread(void *arg) {
    char name[16];
    snprintf(name, sizeof name, "worker-%ld", (long)arg);
    pthread_setname_np(pthread_self(), name);
    pthread_barrier_wait(&all_there);
    thread_block();
    pthread_barrier_wait(&all_there);
    return NULL;
}

/* More threads at once than there are rows: those that find none share one. */
static void do_crowd(int n) {
    pthread_t *t = calloc((size_t)n, sizeof *t);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    pthread_barrier_init(&all_there, NULL, (unsigned)n);
    for (long i = 0; i < n; i++)
        if (pthread_create(&t[i], &small, waiting_thread, (void *)i))
            abort();
    for (int i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    free(t);
}

int main(int argc, char **argv) {
    int n = argc > 2 ? atoi(argv[2]) : 0;
    if (!strcmp(argv[1], "fork"))
        do_fork();
    else if (!strcmp(argv[1], "clone"))
        do_clone();
    else if (!strcmp(argv[1], "short"))
        do_short(n);
    else if (!strcmp(argv[1], "vfork"))
        do_vfork();
    else if (!strcmp(argv[1], "threads"))
        do_threads(n);
    else if (!strcmp(argv[1], "crowd"))
        do_crowd(n);
    else if (!strcmp(argv[1], "exec")) {
        parent_block();
        execl(argv[0], argv[0], "threads", "8", NULL);
    }
    puts("done");
    return 0;
}
