/* danger: longjmp out of codec calls, from their allocators; siglongjmp out of them from a signal handler
 * build: -lz -lzstd -llz4 */
#define ZSTD_STATIC_LINKING_ONLY
#include <lz4.h>
#include <setjmp.h>
#include <sys/time.h>
#include <zlib.h>
#include <zstd.h>

#include "danger.h"

static char text[300000], room[400000];
static jmp_buf out;
static sigjmp_buf far_out;
static volatile int left_until_jump;

static void *allocate(size_t n) {
    if (!left_until_jump--)
        longjmp(out, 1);
    return malloc(n);
}
static void *zlib_alloc(void *opaque, unsigned n, unsigned m) {
    (void)opaque;
    return allocate((size_t)n * m);
}
static void *zstd_alloc(void *opaque, size_t n) {
    (void)opaque;
    return allocate(n);
}
static void give(void *opaque, void *p) {
    (void)opaque;
    free(p);
}

/* True if it was left. What had been allocated until then is lost. */
static int jump_from_zlib(int after) {
    z_stream z = {.zalloc = zlib_alloc, .zfree = give};
    left_until_jump = after;
    if (setjmp(out))
        return 1;
    if (deflateInit(&z, 1) == Z_OK) {
        z.next_in = (void *)text, z.avail_in = sizeof text, z.next_out = (void *)room;
        z.avail_out = sizeof room;
        CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
        deflateEnd(&z);
    }
    return 0;
}

static int jump_from_zstd(int after) {
    ZSTD_customMem memory = {zstd_alloc, give, NULL};
    left_until_jump = after;
    if (setjmp(out))
        return 1;
    ZSTD_CCtx *c = ZSTD_createCCtx_advanced(memory);
    CHECK(c);
    CHECK(!ZSTD_isError(ZSTD_compressCCtx(c, room, sizeof room, text, sizeof text, 1)));
    ZSTD_freeCCtx(c);
    return 0;
}

static void handler(int s) {
    (void)s;
    siglongjmp(far_out, 1);
}

/* Calls that allocate nothing are interrupted and left, some at once and some late. */
static void jump_from_handler(void) {
    static char state[32768];
    ZSTD_CCtx *c = ZSTD_createCCtx();
    z_stream z = {0};
    struct sigaction action = {.sa_handler = handler};
    volatile unsigned jumps = 0;
    CHECK(sizeof state >= (size_t)LZ4_sizeofState() && deflateInit(&z, 1) == Z_OK);
    CHECK(!ZSTD_isError(ZSTD_compressCCtx(c, room, sizeof room, text, sizeof text, 1)));
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    if (sigsetjmp(far_out, 1))
        jumps++;
    if (jumps < 150) {
        struct itimerval next = {.it_value.tv_usec = 20 + (jumps * 97) % 700};
        CHECK(setitimer(ITIMER_REAL, &next, NULL) == 0);
        for (;;)
            switch (jumps % 3) {
            case 0:
                ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
                ZSTD_compressCCtx(c, room, sizeof room, text, 3000, 1);
                break;
            case 1:
                LZ4_compress_fast_extState(state, text, room, 3000, sizeof room, 1);
                break;
            default:
                deflateReset(&z);
                z.next_in = (void *)text, z.avail_in = 3000, z.next_out = (void *)room;
                z.avail_out = sizeof room;
                deflate(&z, Z_FINISH);
            }
    }
    printf("%u jumps\n", jumps);
    ZSTD_freeCCtx(c);
    CHECK(deflateReset(&z) == Z_OK && deflateEnd(&z) == Z_OK);
}

int main(void) {
    int left = 0;
    for (int i = 0; i < (int)sizeof text; i++)
        text[i] = (char)(i * (i >> 5));
    for (int round = 0; round < 20; round++)
        for (int after = 0; after < 6; after++) {
            left += jump_from_zlib(after) + jump_from_zstd(after);
            danger_churn(10, 1);
        }
    printf("left %d times\n", left);
    jump_from_handler();
    CHECK(jump_from_zlib(100) == 0 && jump_from_zstd(100) == 0);
}
