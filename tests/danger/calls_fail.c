/* danger: every system call of the library's own fails, one at a time and all from the Nth on
 * allocators: glibc
 * deadline: 100
 * lines: 1000
 * allow: negative
 *
 * A tracer lets calls fail whose instruction is in libsquall.so: at the start, in steady state, in
 * new threads, in a forked child, at the end. The program must not notice. Alone, nothing is let
 * fail. Of many calls that are alike only some are tried, EVERY=1 tries all; ONLY=N only that one;
 * CALLS=1 tells on stderr which calls are made when. */
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "danger.h"

/* ---- what is traced ---- */

static void *thread(void *seed) {
    danger_churn(12, (unsigned)(uintptr_t)seed);
    return NULL;
}

/* A call that does nothing tells the tracer where the program is. */
static void phase(int number) {
    syscall(SYS_getpriority, 7000 + number, 0);
}

static int be_traced(void) {
    pthread_t threads[2];
    phase(1);
    danger_churn(20, 1);
    phase(2);
    danger_churn(20, 1);
    phase(3);
    for (int i = 0; i < 2; i++) { /* one after the other: the order of calls is the same each time */
        danger_start(threads, 1, thread);
        danger_join(threads, 1);
    }
    phase(4);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(20, 3);
        exit(3);
    }
    int ended = danger_wait(pid);
    if (ended != 3)
        return 100 + ended % 1000;
    phase(5);
    danger_churn(20, 4);
    phase(6);
    return 7;
}

/* ---- the tracer ---- */

enum { PROCESSES = 64 };
static struct process {
    pid_t pid;
    int inside;       /* in a call: the next stop is its end */
    long result;      /* to be given, 1 = the true one */
} processes[PROCESSES];
static unsigned long long text_start, text_end; /* of libsquall.so, the same in all of a run */
static long made;                               /* calls of its own so far */
static int now_in;
static long counts[8][512];
static unsigned char is_tried[8192]; /* by number of the call in the first run */

static struct process *find(pid_t pid) {
    for (int i = 0; i < PROCESSES; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    for (int i = 0; i < PROCESSES; i++)
        if (!processes[i].pid) {
            processes[i] = (struct process){.pid = pid, .result = 1};
            return &processes[i];
        }
    CHECK(!"room for a process");
    return NULL;
}

/* The address of a call that is not the program's, once the library is there. */
static void look_for_library(pid_t pid) {
    char path[64], line[600];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "r");
    CHECK(f);
    while (fgets(line, sizeof line, f)) {
        unsigned long long start, end;
        char mode[8];
        if (strstr(line, "/libsquall.so") && sscanf(line, "%llx-%llx %7s", &start, &end, mode) == 3 &&
            mode[2] == 'x') {
            text_start = start;
            text_end = end;
        }
    }
    fclose(f);
}

/* The first few of a kind in each phase, and some of the later ones. */
static void choose(long of_its_kind) {
    if (made < (long)sizeof is_tried && (getenv("EVERY") || of_its_kind < 2 || of_its_kind % 70 == 0))
        is_tried[made] = 1;
}

static void enter(struct process *p, long fails_at, long error, int all) {
    struct __ptrace_syscall_info call;
    struct user_regs_struct r;
    CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof call, &call) > 0);
    p->inside = call.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (!p->inside)
        return;
    unsigned long number = call.entry.nr;
    if (number == SYS_getpriority && call.entry.args[0] > 7000 && call.entry.args[0] < 7008)
        now_in = (int)call.entry.args[0] - 7000;
    /* The first executable mapping of a library comes before one of these. */
    if (!text_end && (number == SYS_mprotect || number == SYS_arch_prctl || number == SYS_set_tid_address))
        look_for_library(p->pid);
    if (call.instruction_pointer < text_start || call.instruction_pointer >= text_end)
        return;
    made++;
    if (number < 512)
        choose(++counts[now_in][number]);
    if (made != fails_at && !(all && made > fails_at))
        return;
    p->result = -error;
    if (getenv("CALLS"))
        dprintf(2, "call %lu (%lx, %lx, %lx) fails, %d\n", number, (long)call.entry.args[0],
                (long)call.entry.args[1], (long)call.entry.args[2], now_in);
    CHECK(ptrace(PTRACE_GETREGS, p->pid, 0, &r) == 0);
    r.orig_rax = (unsigned long long)-1;
    CHECK(ptrace(PTRACE_SETREGS, p->pid, 0, &r) == 0);
}

static void leave(struct process *p) {
    struct user_regs_struct r;
    if (p->result > 0)
        return;
    CHECK(ptrace(PTRACE_GETREGS, p->pid, 0, &r) == 0);
    r.rax = (unsigned long long)p->result;
    p->result = 1;
    CHECK(ptrace(PTRACE_SETREGS, p->pid, 0, &r) == 0);
}

static void tell_where(pid_t pid, int signal) {
    struct user_regs_struct r;
    CHECK(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0);
    dprintf(2, "signal %d at %llx, libsquall.so's text begins at %llx\n", signal, r.rip, text_start);
}

/* Runs the program once; how it ended, as danger_wait says. */
static int run(char *self, long fails_at, long error, int all) {
    pid_t first = fork();
    CHECK(first >= 0);
    if (!first) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execl(self, self, "traced", (char *)NULL);
        _exit(127);
    }
    int status, ended = -1;
    memset(processes, 0, sizeof processes);
    text_start = text_end = 0;
    made = now_in = 0;
    CHECK(waitpid(first, &status, __WALL) == first && WIFSTOPPED(status));
    CHECK(ptrace(PTRACE_SETOPTIONS, first, 0,
                 PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) == 0);
    find(first);
    ptrace(PTRACE_SYSCALL, first, 0, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        struct process *p = find(pid);
        int signal = 0;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                ended = WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
            p->pid = 0;
            continue;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            enter(p, fails_at, error, all);
            if (!p->inside)
                leave(p);
        } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
            signal = WSTOPSIG(status);
            if (getenv("CALLS"))
                tell_where(pid, signal);
        }
        ptrace(PTRACE_SYSCALL, pid, 0, signal);
    }
    return ended;
}

static void tell_calls(void) {
    static const char *names[8] = {"start", "first blocks", "steady state", "threads", "fork", "after", "end", ""};
    for (int i = 0; i < 8; i++)
        for (int n = 0; n < 512; n++)
            if (counts[i][n])
                dprintf(2, "%-13s call %d, %ld times\n", names[i], n, counts[i][n]);
}

int main(int argc, char **argv) {
    static const int errors[] = {ENOMEM, EPERM, ENOSYS};
    (void)argv;
    if (argc > 1)
        return be_traced();
    /* Where the library records when a call for its folder fails. */
    char folder[4096];
    CHECK(getcwd(folder, sizeof folder) && setenv("XDG_RUNTIME_DIR", folder, 1) == 0);
    /* The tracer itself records nothing, nor do the processes that it makes before exec. */
    CHECK(run("/proc/self/exe", -1, 0, 0) == 7);
    long all = made;
    unsigned char tried[sizeof is_tried];
    memcpy(tried, is_tried, sizeof tried); /* later runs choose, too */
    CHECK(all < (long)sizeof tried);
    if (getenv("CALLS"))
        tell_calls();
    for (int wholly = 0; wholly < 2; wholly++)
        for (long n = 1; n <= all; n++) {
            long error = errors[(n + wholly) % 3];
            if (getenv("ONLY") ? atol(getenv("ONLY")) != n : !tried[n])
                continue;
            if (wholly && !getenv("EVERY") && n % 8) /* these end soon after each other */
                continue;
            int ended = run("/proc/self/exe", n, error, wholly);
            if (ended != 7)
                printf("%s call %ld of %ld, error %ld: ended %d\n", wholly ? "from" : "only", n, all,
                       error, ended);
        }
    puts("done");
}
