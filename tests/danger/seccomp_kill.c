/* danger: a seccomp filter that allows what malloc needs and kills for anything else
 * deadline: 60
 *
 * Installed in steady state, before a thread's first allocation, before the first large block and before
 * a first codec call; on all threads at once and on the calling one alone. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "danger.h"

/* ---- the filter ---- */

/* What the four allocators call as they work, and what threads and the end of a process need. */
static const int allowed[] = {
    SYS_brk,        SYS_mmap,          SYS_munmap,      SYS_mprotect,   SYS_mremap,
    SYS_madvise,    SYS_futex,         SYS_exit_group,  SYS_exit,       SYS_rt_sigreturn,
    SYS_getrandom,  SYS_sched_getaffinity, SYS_write,   SYS_getcpu,
};
static const int for_threads[] = {SYS_clone3, SYS_clone, SYS_set_robust_list, SYS_rseq, SYS_rt_sigprocmask};

static void sandbox(int threads, unsigned flags) {
    enum { MAX = 64 };
    struct sock_filter f[MAX];
    unsigned n = 0, i;
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    for (i = 0; threads && i < sizeof for_threads / sizeof *for_threads; i++) {
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)for_threads[i], 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = f};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
}

/* ---- moments ---- */

/* A thread's end calls for more: these wait for the process to end. */
static pthread_barrier_t ready, done;

static void start_waiting(unsigned n, void *(*run)(void *)) {
    pthread_t threads[8];
    pthread_barrier_init(&ready, NULL, n + 1);
    pthread_barrier_init(&done, NULL, n + 1);
    danger_start(threads, n, run);
}

static void *wait_for_ever(void) {
    for (;;)
        pthread_barrier_wait(&ready);
    return NULL;
}

static void *worker(void *seed) {
    for (int when = 0; when < 2; when++) {
        for (int round = 0; round < 40; round++)
            danger_churn(40, (unsigned)(uintptr_t)seed);
        pthread_barrier_wait(when ? &done : &ready);
        if (!when)
            pthread_barrier_wait(&ready);
    }
    return wait_for_ever();
}

static void steady(void) {
    start_waiting(3, worker);
    pthread_barrier_wait(&ready);
    sandbox(0, SECCOMP_FILTER_FLAG_TSYNC);
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&done);
}

/* Its own allocations are the first of the thread. */
static void *alone(void *seed) {
    pthread_barrier_wait(&ready);
    sandbox(0, 0);
    for (int round = 0; round < 20; round++)
        danger_churn(40, (unsigned)(uintptr_t)seed);
    pthread_barrier_wait(&done);
    return wait_for_ever();
}

static void first_of_thread(void) {
    start_waiting(3, alone);
    pthread_barrier_wait(&ready);
    danger_churn(200, 1);
    pthread_barrier_wait(&done);
}

static void *later(void *seed) {
    danger_churn(200, (unsigned)(uintptr_t)seed);
    return NULL;
}

static void new_threads(void) {
    pthread_t threads[40];
    sandbox(1, 0);
    danger_churn(200, 1);
    danger_start(threads, 40, later);
    danger_join(threads, 40);
}

static void first_large(void) {
    void *p[30];
    sandbox(0, 0);
    for (int i = 0; i < 30; i++)
        CHECK((p[i] = malloc(100000u * (unsigned)(i + 1))));
    for (int i = 0; i < 30; i++)
        free(p[i]);
}

static void forks(void) {
    sandbox(1, 0);
    CHECK(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0);
    danger_churn(200, 1);
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } moments[] = {{"steady", steady},           {"first of a thread", first_of_thread},
                   {"new threads", new_threads}, {"first large", first_large},
                   {"fork", forks}};
    pthread_t t; /* the first one needs more than the later ones */
    danger_start(&t, 1, later);
    danger_join(&t, 1);
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(100, 0);
            moments[i].run();
            _exit(3);
        }
        printf("%s: %d\n", moments[i].name, danger_wait(pid));
    }
}
