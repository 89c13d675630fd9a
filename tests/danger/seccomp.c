/* danger: a seccomp filter that allows what malloc needs and kills for anything else
 * build: -lz
 * deadline: 60
 * lines: 3
 * processes: 15
 *
 * Installed in steady state, before a thread's first allocation, before the first large block and before
 * a first codec call, and before a codec is opened; on all threads at once and on the calling one alone. Over
 * glibc one looks at arguments, too. A child of vfork makes it for itself alone. */
#include <dlfcn.h>
#include <malloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <zlib.h>

#include "danger.h"

/* ---- the filter ---- */

/* What the four allocators call as they work, and what threads and the end of a process need. */
static const int allowed[] = {
    SYS_brk,        SYS_mmap,          SYS_munmap,      SYS_mprotect,   SYS_mremap,
    SYS_madvise,    SYS_futex,         SYS_exit_group,  SYS_exit,       SYS_rt_sigreturn,
    SYS_getrandom,  SYS_sched_getaffinity, SYS_write,   SYS_getcpu,
};
static const int for_threads[] = {SYS_clone3, SYS_clone, SYS_set_robust_list, SYS_rseq, SYS_rt_sigprocmask};

static unsigned add(struct sock_filter *f, unsigned n, const int *calls, unsigned count, unsigned result) {
    for (unsigned i = 0; i < count; i++) {
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result);
    }
    return n;
}

/* Calls in `calls` have the one result, all others the other. */
static void install(const int *calls, unsigned count, const int *more, unsigned more_count, unsigned one,
                    unsigned other, unsigned flags) {
    struct sock_filter f[128];
    unsigned n = 0;
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    n = add(f, n, calls, count, one);
    n = add(f, n, more, more_count, one);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = f};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (flags & SECCOMP_FILTER_FLAG_TSYNC)
        CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
    else
        CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#define LENGTH(a) (sizeof(a) / sizeof *(a))
static unsigned refusal = SECCOMP_RET_KILL_PROCESS;
static void sandbox(int threads, unsigned flags) {
    install(allowed, LENGTH(allowed), for_threads, threads ? LENGTH(for_threads) : 0, SECCOMP_RET_ALLOW,
            refusal, flags);
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

/* Some calls of zlib before, which learn what there is to learn, and some after. */
static void codec(void) {
    static unsigned char from[100000], to[200000];
    for (int i = 0; i < 12; i++) {
        uLongf n = sizeof to;
        if (i == 4)
            sandbox(0, SECCOMP_FILTER_FLAG_TSYNC);
        CHECK(compress2(to, &n, from, sizeof from, 1) == Z_OK && n < 2000);
    }
}

static void trapped(int signal) {
    (void)signal;
    _exit(9);
}

/* Where calls raise SIGSYS instead, the program's handler sees none. */
static void trap(void) {
    signal(SIGSYS, trapped);
    refusal = SECCOMP_RET_TRAP;
    steady();
}

/* A codec that is opened where memory with code in it may only come from a file. */
static void codec_opened(void) {
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = LENGTH(f), .filter = f};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    CHECK(dlopen("libzstd.so.1", RTLD_NOW));
    danger_churn(200, 1);
}

/* No argument but those of glibc's malloc. */
static unsigned add_argument(struct sock_filter *f, unsigned n, int call, unsigned which, unsigned value) {
    const struct sock_filter part[] = {
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args[which])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    memcpy(f + n, part, sizeof part);
    return n + LENGTH(part);
}

static void install_by_argument(void) {
    static const int others[] = {SYS_brk, SYS_munmap, SYS_mremap, SYS_futex, SYS_write, SYS_exit_group};
    struct sock_filter f[64];
    unsigned n = 0;
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    n = add(f, n, others, LENGTH(others), SECCOMP_RET_ALLOW);
    n = add_argument(f, n, SYS_madvise, 2, MADV_DONTNEED);
    n = add_argument(f, n, SYS_mmap, 3, MAP_PRIVATE | MAP_ANONYMOUS);
    n = add_argument(f, n, SYS_mprotect, 2, PROT_READ | PROT_WRITE);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = f};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Each way through the tree is another stack, on pages that were not used before. */
__attribute__((noinline)) static void at_places(unsigned depth, unsigned path) {
    volatile char frame[600];
    frame[0] = 1;
    if (!depth)
        danger_churn(9, path);
    else if (path & 1)
        at_places(depth - 1, path >> 1);
    else
        at_places(depth - 1, path >> 1), frame[1] = 1;
    frame[2] = frame[0];
}

static void arguments(void) {
    if (!danger_has_other_allocator())
        install_by_argument();
    for (unsigned path = 0; path < 4096; path++)
        at_places(12, path);
    for (unsigned depth = 12; depth < 1000; depth *= 2)
        at_places(depth, 0x5555);
}

/* What the child may not call its parent calls still: the children after it are recorded. */
static void vforked(void) {
    pid_t pid = vfork();
    if (!pid) {
        sandbox(0, 0);
        danger_churn(100, 1);
        _exit(3);
    }
    CHECK(danger_wait(pid) == 3);
    for (int i = 0; i < 3; i++) {
        pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(100, 2);
            _exit(3);
        }
        CHECK(danger_wait(pid) == 3);
    }
}

/* What squall calls at its start and later and the loader does not, refused from before the start. */
static void started_inside(void) {
    static const int refused[] = {
        SYS_ftruncate,  SYS_fchmod,     SYS_mkdir,    SYS_fstatfs,  SYS_memfd_create,  SYS_process_vm_readv,
        SYS_getrusage,  SYS_prctl,      SYS_gettid,   SYS_tgkill,   SYS_pwrite64,      SYS_clock_gettime,
        SYS_readlink,   SYS_getcwd,     SYS_getrlimit, SYS_geteuid, SYS_getppid,       SYS_rt_sigprocmask,
    };
    install(refused, LENGTH(refused), NULL, 0, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, 0);
    execl("/proc/self/exe", "inside", "now", (char *)NULL);
    _exit(127);
}

/* The first thread of all needs more than the later ones; so does glibc when it first makes a
 * thread's heap smaller. */
static void *first(void *unused) {
    static void *p[100];
    for (int i = 0; i < 100; i++)
        CHECK((p[i] = malloc(100000)));
    for (int i = 100; i-- > 0;)
        free(p[i]);
    return unused;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } moments[] = {{"steady", steady},
                   {"first of a thread", first_of_thread},
                   {"new threads", new_threads},
                   {"first large", first_large},
                   {"fork", forks},
                   {"codec", codec},
                   {"codec opened", codec_opened},
                   {"trap", trap},
                   {"arguments", arguments},
                   {"vfork", vforked},
                   {"started inside", started_inside}};
    pthread_t t;
    (void)argv;
    mallopt(M_ARENA_MAX, 3); /* to choose a number glibc looks at processors, by a file */
    danger_start(&t, 1, first);
    danger_join(&t, 1);
    if (argc > 1)
        return 3;
    for (unsigned i = 0; i < LENGTH(moments); i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            danger_churn(100, 0);
            moments[i].run();
            _exit(3);
        }
        printf("%s: %d\n", moments[i].name, danger_wait(pid));
        fflush(stdout);
    }
}
