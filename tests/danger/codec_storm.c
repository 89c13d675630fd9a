/* danger: codec libraries are opened, called and closed again and again by several threads, while others call codecs, fork and unwind
 * build: -lz -lzstd -llz4
 * processes: 5
 * deadline: 60
 *
 * Copies of the libraries, so that each has entries of its own that are changed, and unmapped. */
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <lz4.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "danger.h"

enum { TEXT = 50000, ROOM = 80000, LOADERS = 3, ROUNDS = 40 };
static char text[TEXT];
static _Atomic unsigned loads;

static const struct {
    const char *name, *function;
    void *linked;
} codecs[] = {{"z", "compress", compress}, {"zstd", "ZSTD_compress", ZSTD_compress},
              {"lz4", "LZ4_compress_default", LZ4_compress_default}};

static void copy(unsigned codec, unsigned number) {
    char to[64];
    Dl_info info;
    struct stat st;
    CHECK(dladdr(codecs[codec].linked, &info));
    snprintf(to, sizeof to, "./%s%u.so", codecs[codec].name, number);
    int in = open(info.dli_fname, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
    CHECK(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    CHECK(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size);
    CHECK(close(in) == 0 && close(out) == 0);
}

/* With the function of whoever was opened. */
static void call(unsigned codec, void *function) {
    char *out = malloc(ROOM);
    unsigned long n = ROOM;
    CHECK(out);
    if (codec == 0)
        CHECK(((int (*)(char *, unsigned long *, const char *, unsigned long))function)(out, &n, text, TEXT) == Z_OK);
    else if (codec == 1)
        CHECK(!ZSTD_isError(((size_t(*)(void *, size_t, const void *, size_t, int))function)(out, ROOM, text, TEXT, 1)));
    else
        CHECK(((int (*)(const char *, char *, int, int))function)(text, out, TEXT, ROOM) > 0);
    free(out);
}

static void *loader(void *number) {
    unsigned own = (unsigned)(uintptr_t)number;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned codec = (own + i) % 3;
        char name[64];
        snprintf(name, sizeof name, "./%s%u.so", codecs[codec].name, i % 2 ? own : LOADERS);
        void *library = dlopen(name, (i % 3 ? RTLD_NOW : RTLD_LAZY) | RTLD_LOCAL);
        if (!library)
            dprintf(2, "%s\n", dlerror());
        CHECK(library);
        void *function = dlsym(library, codecs[codec].function);
        CHECK(function && function != codecs[codec].linked);
        call(codec, function);
        call(codec, function);
        CHECK(dlclose(library) == 0);
        loads++;
    }
    return NULL;
}

static void *caller(void *unused) {
    for (unsigned i = 0; !danger_ending; i++) {
        void *stack[32];
        call(i % 3, codecs[i % 3].linked);
        CHECK(backtrace(stack, 32) > 2);
        danger_churn(5, i);
    }
    return unused;
}

static void *forker(void *unused) {
    while (!danger_ending) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            for (unsigned i = 0; i < 3; i++)
                call(i, codecs[i].linked);
            danger_churn(20, 1);
            _exit(3);
        }
        CHECK(danger_wait(pid) == 3);
    }
    return unused;
}

int main(void) {
    pthread_t loaders[LOADERS], callers[2], forkers[1];
    for (unsigned i = 0; i < TEXT; i++)
        text[i] = (char)(i * (i >> 7) >> 3);
    for (unsigned codec = 0; codec < 3; codec++)
        for (unsigned i = 0; i <= LOADERS; i++)
            copy(codec, i);
    danger_start(callers, 2, caller);
    danger_start(forkers, 1, forker);
    danger_start(loaders, LOADERS, loader);
    danger_join(loaders, LOADERS);
    danger_ending = 1;
    danger_join(callers, 2);
    danger_join(forkers, 1);
    printf("%u loads\n", loads);
}
