/* Maps memory by itself, in ways that are to be counted and in ways that are not; each argument is
 * one of the cases below. A function for each way, so that its stack tells. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define K 1024u
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define CHECK(what)                                            \
    do {                                                       \
        if (!(what)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
            exit(1);                                           \
        }                                                      \
    } while (0)

static void *map(size_t size, int protection, int flags) {
    void *p = mmap(NULL, size, protection, flags, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

/* ---- a pool of compression buffers, and an allocator linked into the program ---- */

static void *take_buffer(void) {
    void *p = mmap(NULL, 1000 * K + 1, RW, ANON, -1, 0); /* 1001 KiB in pages of 4: 1004 */
    CHECK(p != MAP_FAILED);
    memset(p, 1, 1000 * K);
    return p;
}

static char *arena;
static size_t arena_left;

static void *own_malloc(size_t size) {
    if (arena_left < size) {
        arena_left = 256 * K;
        arena = mmap64(NULL, arena_left, RW, ANON, -1, 0);
        CHECK(arena != MAP_FAILED);
    }
    arena_left -= size;
    return arena + arena_left;
}

static void pools(void) {
    void *buffers[40];
    for (int i = 0; i < 40; i++)
        buffers[i] = take_buffer();
    for (int i = 0; i < 30; i++)
        CHECK(munmap(buffers[i], 1000 * K + 1) == 0);
    for (int i = 0; i < 160; i++)
        memset(own_malloc(16 * K), 1, 16 * K);
    free(malloc(1 << 20)); /* the next allocator's mapping is none of these */
}

/* ---- what is not counted ---- */

static void nothing(void) {
    map(1 << 30, PROT_NONE, ANON | MAP_NORESERVE);
    map(1 << 20, PROT_READ, ANON);
    map(1 << 20, RW, ANON | MAP_STACK);
    map(60 * K, RW, ANON);
    int fd = open("/proc/self/exe", 0);
    CHECK(mmap(NULL, 128 * K, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    close(fd);
    void *p = map(128 * K, PROT_NONE, ANON);
    CHECK(mprotect(p, 128 * K, RW) == 0);
    CHECK(munmap(p, 128 * K) == 0);
}

/* ---- parts, and mappings that move ---- */

static char *cut_up(void) {
    char *p = map(1024 * K, RW, ANON);
    CHECK(munmap(p, 64 * K) == 0);            /* its head */
    CHECK(munmap(p + 960 * K, 64 * K) == 0);  /* its tail */
    CHECK(munmap(p + 256 * K, 128 * K) == 0); /* from its middle */
    CHECK(munmap(p + 64 * K, 896 * K) == 0);  /* two parts and a hole */
    return p;
}

static void *replaced(void) {
    void *p = map(512 * K, RW, ANON);
    CHECK(mmap(p, 512 * K, PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0) == p);
    return p;
}

static void *committed(void *at) {
    void *p = mmap(at, 256 * K, RW, ANON | MAP_FIXED, -1, 0);
    CHECK(p == at);
    return p;
}

static void *moved(void) {
    void *p = map(128 * K, RW, ANON);
    p = mremap(p, 128 * K, 4096 * K, MREMAP_MAYMOVE);
    CHECK(p != MAP_FAILED);
    void *to = map(8192 * K, PROT_NONE, ANON);
    CHECK(mremap(p, 4096 * K, 192 * K, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    ((char *)to)[192 * K - 1] = 1;
    return to;
}

static void parts(void) {
    cut_up();
    committed(replaced());
    moved();
}

/* ---- what fails leaves errno and the sums alone ---- */

static void *kept(void) {
    return map(128 * K, RW, ANON);
}

static void failures(void) {
    char *p = kept();
    errno = 0;
    CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 1ull << 60, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mmap64(NULL, 128 * K, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
    CHECK(munmap(p + 1, 128 * K) == -1 && errno == EINVAL);
    CHECK(munmap(p, 0) == -1 && errno == EINVAL);
    CHECK(mremap(p, 128 * K, 100ull << 40, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    CHECK(mremap(p, 128 * K, 0, 0) == MAP_FAILED && errno == EINVAL);
    errno = 77;
    void *q = kept();
    CHECK(munmap(q, 128 * K) == 0 && errno == 77);
}

/* ---- threads, signals, forks ---- */

static void *work(void *unused) {
    (void)unused;
    for (int i = 0; i < 5000; i++) {
        char *p = mmap(NULL, 128 * K, RW, ANON, -1, 0);
        CHECK(p != MAP_FAILED);
        CHECK(munmap(p, 64 * K) == 0 && munmap(p + 64 * K, 64 * K) == 0);
    }
    return NULL;
}

static void threads(void) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, work, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static void handler(int number) {
    (void)number;
    void *p = mmap(NULL, 128 * K, RW, ANON, -1, 0);
    munmap(p, 128 * K);
}

/* Handlers map and unmap while the thread itself does, inside squall or outside. */
static void signals(void) {
    struct sigaction action = {.sa_handler = handler};
    sigset_t set;
    pid_t parent = getpid();
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    sigemptyset(&set);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20000; i++)
            kill(parent, SIGUSR1);
        _exit(0);
    }
    do /* once at least: signal after signal may keep this from it until the child is gone */
        CHECK(munmap(kept(), 128 * K) == 0);
    while (waitpid(child, NULL, WNOHANG) == 0);
}

static void *of_child(void) {
    return map(320 * K, RW, ANON);
}

/* The child gives back what its parent mapped, which is no end of the parent's mapping. */
static void forks(void) {
    void *p = kept();
    pid_t child = fork();
    if (child == 0) {
        CHECK(munmap(p, 64 * K) == 0);
        void *q = of_child();
        CHECK(munmap((char *)p + 64 * K, 64 * K) == 0);
        CHECK(munmap(q, 320 * K) == 0);
        of_child();
        exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"pools", pools},       {"nothing", nothing}, {"parts", parts},
                 {"failures", failures}, {"threads", threads}, {"signals", signals},
                 {"forks", forks}};
    for (unsigned i = 0; argc > 1 && i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            cases[i].run();
    return 0;
}
