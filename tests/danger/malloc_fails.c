/* danger: the Nth allocation of a run fails, and all from the Nth on, for every N: start, threads, fork, exit
 * library: libnth.so nth_fails.c
 * deadline: 100
 *
 * An allocator behind squall does so. What the program sees (which calls failed, with what errno,
 * how it ended) is the same. */
#include <dlfcn.h>

#include "danger.h"

/* ---- the program ---- */

static void seen(const char *what, const void *p) {
    if (!p)
        dprintf(1, "%s failed, errno %d; ", what, errno);
    errno = 0;
}

static void *thread(void *unused) {
    void *p = malloc(70000);
    seen("a thread's", p);
    free(p);
    p = calloc(7, 100);
    seen("a thread's calloc", p);
    free(p);
    return unused;
}

static void *at_end;
static void end(void) {
    free(at_end);
    void *p = malloc(1000);
    seen("at exit", p);
    free(p);
}

static int be_run(void) {
    pthread_t t;
    errno = 0;
    atexit(end);
    at_end = malloc(100000);
    seen("malloc", at_end);
    for (size_t n = 1; n < 200000; n *= 20) {
        char *p = malloc(n), *q = calloc(2, n);
        seen("malloc", p);
        seen("calloc", q);
        char *grown = realloc(p, 3 * n);
        seen("realloc", grown);
        free(grown ? grown : p);
        void *aligned = NULL;
        int error = posix_memalign(&aligned, 64, n);
        if (error)
            dprintf(1, "posix_memalign %d, errno %d; ", error, errno);
        free(error ? NULL : aligned);
        aligned = aligned_alloc(64, 64 * n);
        seen("aligned_alloc", aligned);
        free(aligned);
        free(q);
    }
    int error = pthread_create(&t, NULL, thread, NULL);
    if (error)
        dprintf(1, "pthread_create %d; ", error);
    else
        pthread_join(t, NULL);
    pid_t pid = fork();
    if (!pid) {
        void *p = malloc(80000);
        seen("a child's", p);
        free(p);
        exit(3);
    }
    if (pid > 0)
        dprintf(1, "child %d; ", danger_wait(pid));
    void *library = dlopen("libz.so.1", RTLD_NOW);
    if (library)
        dlclose(library);
    return 0;
}

/* ---- for every N ---- */

#define RUNS 40 /* some more than it makes */

static void run(char *self, const char *nth) {
    setenv("NTH", nth, 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        execl(self, self, "run", (char *)NULL);
        _exit(127);
    }
    int ended = danger_wait(pid);
    dprintf(1, "%s: %d\n", nth, ended);
}

/* Behind squall, before the allocator. */
static void preload_behind(char *list, size_t size, const char *library) {
    const char *given = getenv("LD_PRELOAD");
    const char *rest = given && strstr(given, "/libsquall.so") ? strchr(given, ':') : given;
    if (given && rest != given)
        snprintf(list, size, "%.*s:%s%s", rest ? (int)(rest - given) : 4096, given, library, rest ? rest : "");
    else
        snprintf(list, size, "%s%s%s", library, given ? ":" : "", given ? given : "");
}

int main(int argc, char **argv) {
    char nth[24], self[4096], library[4200], preload[9000];
    (void)argv;
    if (argc > 1)
        return be_run();
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n] = 0;
    snprintf(library, sizeof library, "%s", self);
    snprintf(strrchr(library, '/'), 100, "/libnth.so");
    preload_behind(preload, sizeof preload, library);
    setenv("LD_PRELOAD", preload, 1);
    for (long i = 0; i < RUNS; i++) {
        snprintf(nth, sizeof nth, "%ld", i);
        run(self, nth);
        snprintf(nth, sizeof nth, "%ld+", i);
        if (i % 6 == 1)
            run(self, nth);
    }
}
