/* danger: the program's file, its libraries and its working directory are removed while it runs
 * build: -ldl
 *
 * A relative SQUALL_DIR or library path leads nowhere then. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "danger.h"

static void copy(const char *from, const char *to) {
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    CHECK(in >= 0 && out >= 0);
    while (sendfile(out, in, NULL, 1 << 20) > 0)
        ;
    CHECK(close(in) == 0 && close(out) == 0);
}

static void *thread(void *seed) {
    danger_churn(50, (unsigned)(uintptr_t)seed);
    return NULL;
}

static int removed(void) {
    pthread_t t[3];
    void *z = dlopen("./libcopy.so", RTLD_NOW);
    CHECK(z);
    danger_churn(20, 1);
    CHECK(unlink("program") == 0 && unlink("libcopy.so") == 0);
    CHECK(chdir("..") == 0 && rename("inner", "renamed") == 0 && chdir("renamed") == 0);
    CHECK(rmdir("../renamed") == 0);
    char path[100];
    CHECK(!getcwd(path, sizeof path));
    danger_churn(100, 2);
    danger_start(t, 3, thread);
    danger_join(t, 3);
    unsigned long (*bound)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(z, "compressBound");
    CHECK(bound && bound(1000) > 1000);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        danger_churn(100, 3);
        dlclose(z);
        CHECK(!dlopen("./libcopy.so", RTLD_NOW));
        CHECK(dlopen("libbz2.so.1.0", RTLD_NOW));
        danger_churn(100, 3);
        exit(3);
    }
    CHECK(danger_wait(pid) == 3);
    CHECK(execl("/proc/self/exe", "program", "again", "once", (char *)NULL) == 0);
    return 1;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc == 3) {
        danger_churn(20, 4);
        puts("executed again from a removed file");
        return 0;
    }
    if (argc == 2)
        return removed();
    CHECK(mkdir("inner", 0700) == 0 && chdir("inner") == 0);
    copy("/proc/self/exe", "program");
    copy("/lib/x86_64-linux-gnu/libz.so.1", "libcopy.so");
    execl("./program", "./program", "copy", (char *)NULL);
    return 127;
}
