/* danger: signal handlers at 1 kHz inside codec calls, that compress and fork themselves, on stacks of their own
 * library: libsafe.so signal_safe_malloc.c
 * build: -L$DANGER_BIN -l:libsafe.so -lz -lzstd -llz4
 * allocators: glibc (the program brings an allocator that may be interrupted; the others may not be)
 * deadline: 60 */
#include <lz4.h>
#include <sys/time.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>

#include "danger.h"

enum { TEXT = 100000, ROOM = 150000 };
static unsigned char text[TEXT];
static _Atomic unsigned handled, forks;

/* With contexts of the handler's own. */
static void compress_some(unsigned which) {
    unsigned char *out = malloc(ROOM);
    CHECK(out);
    switch (which % 3) {
    case 0: {
        z_stream z = {0};
        CHECK(deflateInit(&z, 1) == Z_OK);
        z.next_in = text, z.avail_in = 5000, z.next_out = out, z.avail_out = ROOM;
        CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END && deflateEnd(&z) == Z_OK);
        break;
    }
    case 1:
        CHECK(!ZSTD_isError(ZSTD_compress(out, ROOM, text, 5000, 1)));
        break;
    default: {
        void *state = malloc((size_t)LZ4_sizeofState());
        CHECK(state && LZ4_compress_fast_extState(state, (char *)text, (char *)out, 5000, ROOM, 1) > 0);
        free(state);
    }
    }
    free(out);
}

static void handler(int s, siginfo_t *info, void *context) {
    int before = errno;
    unsigned n = handled++;
    (void)info;
    (void)context;
    compress_some(n);
    if (s == SIGPROF && n % 50 == 7) {
        pid_t pid = _Fork();
        CHECK(pid >= 0);
        if (!pid) {
            compress_some(n + 1);
            _exit(3);
        }
        CHECK(danger_wait(pid) == 3);
        forks++;
    }
    errno = before;
}

static void *worker(void *number) {
    unsigned which = (unsigned)(uintptr_t)number;
    enum { STACK = 256 << 10 };
    stack_t stack = {.ss_sp = malloc(STACK), .ss_size = STACK};
    unsigned char *out = malloc(ROOM), *back = malloc(TEXT);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    CHECK(sigaltstack(&stack, NULL) == 0);
    while (!danger_ending) {
        uLongf n = ROOM, m = TEXT;
        size_t size;
        memset(back, 0, TEXT);
        if (which % 2) {
            CHECK(compress2(out, &n, text, TEXT, 1) == Z_OK && uncompress(back, &m, out, n) == Z_OK);
        } else {
            size = ZSTD_compressCCtx(c, out, ROOM, text, TEXT, 3);
            CHECK(!ZSTD_isError(size) && ZSTD_decompress(back, TEXT, out, size) == TEXT);
        }
        CHECK(!memcmp(back, text, TEXT));
    }
    stack_t none = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&none, NULL) == 0);
    ZSTD_freeCCtx(c);
    free(out);
    free(back);
    free(stack.ss_sp);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART};
    for (unsigned i = 0; i < TEXT; i++)
        text[i] = (unsigned char)(i * (i >> 7) >> 3);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGPROF, &action, NULL) == 0);
    pthread_t threads[3];
    danger_start(threads, 3, worker);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    struct itimerspec ms = {{0, 1000000}, {0, 1000000}}, never = {{0, 0}, {0, 0}};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &ms, NULL) == 0);
    while (handled < 1000 || forks < 10)
        compress_some(1);
    CHECK(timer_settime(timer, 0, &never, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
    danger_ending = 1;
    danger_join(threads, 3);
    printf("done\n");
}
