/* danger: no argv[0], a huge environment, odd bytes in the name, PR_SET_DUMPABLE 0, no random addresses
 * lines: 10
 *
 * And a personality, a title written over argv and environment, malloc on huge pages. */
#include <sys/personality.h>
#include <sys/prctl.h>

#include "danger.h"

static void *thread(void *number) {
    char name[16];
    for (int i = 0; i < 15; i++)
        name[i] = (char)(i * 37 + 1 + (int)(intptr_t)number * 3);
    name[15] = 0;
    name[0] = "\x1b\n<\xff"[(uintptr_t)number % 4];
    prctl(PR_SET_NAME, name);
    danger_churn(50, 1);
    return NULL;
}

static int work(void) {
    pthread_t t[4];
    prctl(PR_SET_DUMPABLE, 0);
    danger_churn(100, 1);
    danger_start(t, 4, thread);
    danger_join(t, 4);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(100, 2);
        exit(3);
    }
    return danger_wait(pid);
}

/* As setproctitle does, over all that the kernel put there. */
static void overwrite(char **argv) {
    char *end = argv[0];
    extern char **environ;
    for (char **e = environ; *e; e++)
        end = *e + strlen(*e);
    if (end > argv[0])
        memset(argv[0], 'x', (size_t)(end - argv[0]));
}

static int start(int how) {
    enum { MANY = 3000 };
    static char *environment[MANY + 40], *no_arguments[] = {NULL}, *arguments[] = {"", "child", NULL};
    int n = 0;
    extern char **environ;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return danger_wait(pid);
    for (char **e = environ; *e && n < 30; e++)
        if (how != 4 || strncmp(*e, "GLIBC_TUNABLES=", 15))
            environment[n++] = *e;
    if (how == 4)
        environment[n++] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
    for (int i = 0; how == 1 && i < MANY; i++) {
        environment[n] = malloc(400);
        memset(environment[n], 'a' + i % 26, 399);
        environment[n][i % 300] = i % 3 ? '=' : 1;
        environment[n++][399] = 0;
    }
    if (how == 1) /* a value of 100 KiB */
        memset(environment[n++] = calloc(1, 100001), 'S', 100000);
    if (how == 2)
        CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
    if (how == 3) {
        environment[n++] = "SQUALL_CONF";
        environment[n++] = "=";
        environment[n++] = "";
    }
    execve("/proc/self/exe", how == 0 ? no_arguments : arguments, environment);
    _exit(127);
}

int main(int argc, char **argv) {
    if (argc < 2 && (!argv[0] || !*argv[0]))
        return work();
    if (argc == 2) {
        overwrite(argv);
        return work();
    }
    danger_churn(10, 1);
    for (int how = 0; how < 5; how++)
        printf("%d: %d\n", how, start(how));
}
