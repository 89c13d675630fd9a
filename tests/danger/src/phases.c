/* Tells in its system calls which phase it is in (a write that fails), and on standard output where the
 * code of libsquall.so is: 1 begins, 2 the same again, 3 makes a sandbox that allows everything, 4 what is
 * new in it: places, threads, a child, codec calls. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <zlib.h>

#include "danger.h"

static void tell(const char *phase) {
    ssize_t ignored = write(-1, phase, strlen(phase));
    (void)ignored;
}

static void tell_text(void) {
    char line[600];
    FILE *f = fopen("/proc/self/maps", "r");
    CHECK(f);
    while (fgets(line, sizeof line, f))
        if (strstr(line, "/libsquall.so") && strstr(line, " r-xp "))
            printf("%.*s\n", (int)strcspn(line, " "), line);
    fclose(f);
    fflush(stdout);
}

static void *later(void *seed) {
    danger_churn(300, (unsigned)(uintptr_t)seed);
    return NULL;
}

static void deflate_some(void) {
    static unsigned char from[100000], to[200000];
    uLongf n = sizeof to;
    CHECK(compress2(to, &n, from, sizeof from, 1) == Z_OK);
}

int main(void) {
    static const char *const phases[] = {"phase 1", "phase 2"};
    struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &all};
    pthread_t t[3];
    tell_text();
    for (volatile int phase = 0; phase < 2; phase++) { /* not unrolled: the same places in both */
        tell(phases[phase]);
        for (int i = 0; i < 3000; i++) {
            free(malloc(100));
            free(calloc(3, 100000));
        }
    }
    tell("phase 3");
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    tell("phase 4");
    danger_churn(300, 1);
    danger_start(t, 3, later);
    for (int i = 0; i < 10; i++)
        deflate_some();
    danger_join(t, 3);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(300, 2);
        exit(0);
    }
    CHECK(danger_wait(pid) == 0);
}
