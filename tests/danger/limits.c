/* danger: RLIMIT_FSIZE 0 and more, RLIMIT_NOFILE 3 and 0, RLIMIT_NPROC 1, RLIMIT_STACK 64 KiB, RLIMIT_CORE
 * lines: 100
 *
 * From the start, and set by the program itself before it forks. What goes over RLIMIT_FSIZE would be
 * SIGXFSZ. */
#include <fcntl.h>
#include <sys/resource.h>

#include "danger.h"

static void *thread(void *seed) {
    danger_churn(20, (unsigned)(uintptr_t)seed);
    return NULL;
}

static int limited(void) {
    pthread_t t[2];
    danger_churn(200, 1);
    for (unsigned i = 0; i < 2; i++)
        if (pthread_create(&t[i], NULL, thread, NULL) == 0)
            pthread_join(t[i], NULL);
    int fd = open("/dev/null", O_RDONLY);
    pid_t pid = fork();
    if (!pid) {
        danger_churn(200, 2);
        exit(3);
    }
    CHECK(pid < 0 || danger_wait(pid) == 3);
    return fd >= 0 ? 1 : 0;
}

static int run(int resource, unsigned long value, int starts, unsigned uid) {
    struct rlimit l = {value, value};
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        CHECK(setrlimit(resource, &l) == 0);
        if (uid && geteuid() == 0)
            CHECK(setuid(uid) == 0);
        if (!starts)
            exit(limited());
        execl("/proc/self/exe", "limited", "now", (char *)NULL);
        _exit(127);
    }
    return danger_wait(pid);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int resource, starts;
        unsigned long value;
        unsigned uid;
    } all[] = {
        {"fsize 0", RLIMIT_FSIZE, 1, 0, 0},
        {"fsize 1", RLIMIT_FSIZE, 1, 1, 0},
        {"fsize 64 KiB", RLIMIT_FSIZE, 1, 65536, 0},
        {"fsize 1 MiB", RLIMIT_FSIZE, 1, 1 << 20, 0},
        {"fsize 0 later", RLIMIT_FSIZE, 0, 0, 0},
        {"fsize 64 KiB later", RLIMIT_FSIZE, 0, 65536, 0},
        {"nofile 3 later", RLIMIT_NOFILE, 0, 3, 0},
        {"nofile 0 later", RLIMIT_NOFILE, 0, 0, 0},
        {"nofile 4", RLIMIT_NOFILE, 1, 4, 0},
        {"nproc 1 later", RLIMIT_NPROC, 0, 1, 64321},
        {"nproc 0 later", RLIMIT_NPROC, 0, 0, 64322},
        {"stack 64 KiB", RLIMIT_STACK, 1, 65536, 0},
        {"stack 64 KiB later", RLIMIT_STACK, 0, 65536, 0},
        {"stack unlimited", RLIMIT_STACK, 1, RLIM_INFINITY, 0},
        {"core unlimited", RLIMIT_CORE, 1, 0, 0},
        {"memlock 0", RLIMIT_MEMLOCK, 1, 0, 0},
        {"signals 0", RLIMIT_SIGPENDING, 1, 0, 0},
    };
    (void)argv;
    if (argc > 1)
        return limited();
    danger_churn(20, 1);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        printf("%s: %d\n", all[i].name, run(all[i].resource, all[i].value, all[i].starts, all[i].uid));
        fflush(stdout);
    }
}
