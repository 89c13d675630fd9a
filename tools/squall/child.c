/* Runs the program as if we were not there. It shares our process group, so the terminal's signals
 * (^C, ^Z, a new size) reach it without us; what somebody sends to us alone is meant for it. All
 * signals are blocked here and taken one by one, so none falls between two waits. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

struct signals {
    sigset_t before; /* our mask when we were started: the program's */
    struct sigaction child_before, pipe_before;
};

static void take_signals(struct signals *s, sigset_t *waited) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    sigfillset(waited);
    /* Faults of our own must not wait. */
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        sigdelset(waited, faults[i]);
    sigprocmask(SIG_BLOCK, waited, &s->before);
    /* Ignored children leave no status; a reader of our stderr may go. */
    sigaction(SIGCHLD, &plain, &s->child_before);
    sigaction(SIGPIPE, &ignore, &s->pipe_before);
}

static void give_signals_back(const struct signals *s) {
    sigaction(SIGCHLD, &s->child_before, NULL);
    sigaction(SIGPIPE, &s->pipe_before, NULL);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
}

/* In the child. The pipe tells the parent why nothing was executed; it closes itself on success.
 * `stops`: at the exec, for the parent; it is told (a negative number) if that does not work. */
static void become(char **argv, const struct signals *s, int pipe_end, bool stops) {
    if (stops && ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        int refused = -errno;
        if (write(pipe_end, &refused, sizeof refused) < 0)
            _exit(126);
    }
    give_signals_back(s);
    execvp(argv[0], argv);
    int error = errno;
    if (write(pipe_end, &error, sizeof error) < 0)
        _exit(126);
    _exit(error == ENOENT ? 127 : 126);
}

/* Field 22 of /proc/PID/stat: with it a number that is given again is not taken for ours. */
static uint64_t start_of(pid_t pid) {
    char path[64], text[1024];
    uint64_t start = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    char *after = strrchr(text, ')');
    if (!after || sscanf(after,
                         ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                         "%*d %*d %" SCNu64,
                         &start) != 1)
        return 0;
    return start;
}

/* Takes what children there are to report; true when ours has ended. */
static bool reap(struct child *child) {
    int status;
    pid_t pid;
    /* Any child: as process 1 of a container we inherit orphans. */
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != child->pid)
            continue;
        if (!WIFSTOPPED(status)) {
            child->status = status;
            return true;
        }
        int by = WSTOPSIG(status);
        /* Stopped from the terminal: the shell waits for us to stop, too. */
        if (by == SIGTSTP || by == SIGTTIN || by == SIGTTOU)
            raise(SIGSTOP);
    }
    return pid < 0 && errno == ECHILD;
}

static void wait_for(struct child *child, const sigset_t *waited,
                     child_while_running *while_running, void *data) {
    siginfo_t info;
    while (!reap(child)) {
        uint64_t ns = while_running ? while_running(data, child) : 0;
        struct timespec pause = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        if (child->has_ended)
            return;
        int number = sigtimedwait(waited, &info, ns ? &pause : NULL);
        if (number <= 0 || number == SIGCHLD)
            continue;
        /* What the kernel sends (the terminal's), it sent to the whole group. */
        if (info.si_code != SI_KERNEL)
            kill(child->pid, number);
    }
}

/* Why it was not executed, or -errno if it will not stop at its exec; false: neither. */
static bool read_error(int fd, int *error) {
    ssize_t got;
    do
        got = read(fd, error, sizeof *error);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *error;
}

/* The stop of its exec: what is to be done there is done, and it goes on. */
static void meet_at_exec(struct child *child, child_at_exec *at_exec, void *data) {
    int status;
    pid_t got;
    do
        got = waitpid(child->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got != child->pid)
        return;
    if (!WIFSTOPPED(status)) { /* killed before it came there */
        child->status = status;
        child->has_ended = true;
        return;
    }
    at_exec(data, child);
    int signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    if (!child->has_ended)
        ptrace(PTRACE_DETACH, child->pid, NULL, (void *)(uintptr_t)signal);
}

int child_run(char **argv, struct child *child, child_at_exec *at_exec,
              child_while_running *while_running, void *data) {
    struct signals signals;
    struct timespec end;
    sigset_t waited;
    int ends[2];
    memset(child, 0, sizeof *child);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    take_signals(&signals, &waited);
    child->pid = fork();
    if (child->pid == 0)
        become(argv, &signals, ends[1], at_exec != NULL);
    int error = child->pid < 0 ? -errno : 0;
    close(ends[1]);
    if (error == 0) {
        child->start_ticks = start_of(child->pid);
        bool stops = at_exec != NULL;
        while (read_error(ends[0], &child->exec_error)) {
            stops = false;
            if (child->exec_error > 0)
                break;
            child->exec_error = 0;
        }
        if (stops)
            meet_at_exec(child, at_exec, data);
        if (!child->has_ended)
            wait_for(child, &waited, while_running, data);
        clock_gettime(CLOCK_MONOTONIC_RAW, &end);
        child->end_raw_ns = (uint64_t)end.tv_sec * 1000000000ull + (uint64_t)end.tv_nsec;
    }
    close(ends[0]);
    give_signals_back(&signals);
    return error;
}

void child_imitate(const struct child *child) {
    struct rlimit none = {0, 0};
    sigset_t one;
    fflush(NULL);
    if (WIFEXITED(child->status))
        _exit(WEXITSTATUS(child->status));
    int number = WTERMSIG(child->status);
    /* The core, if there is one, is the program's. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
    _exit(128 + number); /* process 1 survives its own signals */
}
