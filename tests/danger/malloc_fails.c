/* danger: the Nth allocation of a run fails, and all from the Nth on, for every N: start, codec calls, threads, fork, exit
 * library: libnth.so nth_fails.c
 * build: -lz -lzstd -llz4
 * deadline: 100
 *
 * An allocator behind squall does so. What the program sees (which calls failed, with what errno,
 * how it ended) is the same. */
#include <dlfcn.h>
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

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

/* Codecs say in their own ways that there was no memory. */
static void compress_some(void) {
    static unsigned char text[70000], room[90000], back[70000];
    uLongf n = sizeof room, m = sizeof back;
    int result = compress2(room, &n, text, sizeof text, 1);
    if (result == Z_OK)
        result = uncompress(back, &m, room, n);
    if (result != Z_OK)
        dprintf(1, "zlib %d; ", result);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t size = c ? ZSTD_compressCCtx(c, room, sizeof room, text, sizeof text, 1) : 0;
    if (!c || ZSTD_isError(size))
        dprintf(1, "zstd %s; ", c ? ZSTD_getErrorName(size) : "without a context");
    ZSTD_freeCCtx(c);
    LZ4_stream_t *stream = LZ4_createStream();
    if (!stream || LZ4_compress_fast_continue(stream, (char *)text, (char *)room, sizeof text, sizeof room, 1) <= 0)
        dprintf(1, "lz4; ");
    LZ4_freeStream(stream);
    errno = 0;
}

static void *at_end;
static void end(void) {
    free(at_end);
    void *p = malloc(1000);
    seen("at exit", p);
    free(p);
}

/* With NTH=0 nothing fails, and the exit status says how many allocations there were. */
static int be_run(void) {
    pthread_t t;
    long *made = dlsym(RTLD_DEFAULT, "nth_made");
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
    compress_some();
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
    void *library = dlopen("libbz2.so.1.0", RTLD_NOW);
    if (library)
        dlclose(library);
    return strcmp(getenv("NTH"), "0") ? 0 : (int)*made;
}

/* ---- for every N ---- */

static int run(char *self, const char *nth) {
    setenv("NTH", nth, 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        execl(self, self, "run", (char *)NULL);
        _exit(127);
    }
    int ended = danger_wait(pid);
    dprintf(1, "%s: %d\n", nth, ended);
    return ended;
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
    int made = run(self, "0");
    CHECK(made > 40 && made < 127);
    for (int i = 1; i <= made + 2; i++) { /* one more is made at exit */
        snprintf(nth, sizeof nth, "%d", i);
        run(self, nth);
        snprintf(nth, sizeof nth, "%d+", i);
        if (i % 6 == 1)
            run(self, nth);
    }
}
