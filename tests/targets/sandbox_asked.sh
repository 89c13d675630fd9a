#!/bin/bash
# A program that only asks whether there is seccomp, with a filter at NULL, has no sandbox: its children
# are recorded and the report speaks of none. Nor has one of which a child of vfork installs a filter, or
# has system calls handed to itself. One that installs a filter itself has.
. "$(dirname "$0")/lib.sh"
cat >"$TMPDIR/asks.c" <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile block;
static char let_pass; /* SYSCALL_DISPATCH_FILTER_ALLOW */
static int in_child(const struct sock_fprog *filter) {
    int status;
    pid_t pid = vfork();
    if (!pid && !filter) { /* PR_SET_SYSCALL_USER_DISPATCH, since Linux 5.11 */
        prctl(59, 1, 0, 0, &let_pass);
        _exit(0);
    }
    if (!pid)
        _exit(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) ? 2 : 0);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}
static void churn(void) {
    for (int i = 0; i < 100; i++) {
        block = malloc(100000);
        free(block);
    }
}
int main(int argc, char **argv) {
    struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &all}, *filter = argv[1][1] ? &program : NULL;
    long bad = filter ? 0 : -1, r;
    (void)argc;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return 1;
    if (*argv[1] == 'p')
        r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0);
    else if (*argv[1] == 'v')
        r = in_child(&program) - 1;
    else if (*argv[1] == 'w')
        r = in_child(NULL) - 1;
    else if (*argv[1] == 's')
        r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
    else
        r = syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0);
    if (r != bad)
        return 2;
    churn();
    pid_t pid = fork();
    churn();
    return pid && waitpid(pid, NULL, 0) != pid;
}
C
gcc -O1 -fno-builtin "$TMPDIR/asks.c" -o "$TMPDIR/asks" || not_ok asks "does not build"
for how in p s y v w pi si yi; do
    fresh
    env SQUALL_DIR="$dumps" LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/asks" $how || not_ok "$how" "ended by $?"
    report "$TMPDIR/json"
    check "asked by $how" "$TMPDIR/json" $how <<'P'
from squall import *
processes = load(argument(1))
installed = len(argument(2)) > 1
same("processes", len(processes), 1 if installed else 2)
told = ["sandbox" in [v["subject"] for v in p["visibility"]] for p in processes]
same("a sandbox", told, [installed] * len(processes))
P
done
finish
