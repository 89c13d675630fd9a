/* danger: fork in the midst of codec calls, one's own (from their allocators) and other threads': the child ends them, and makes more
 * build: -lz -lzstd -llz4
 * processes: 20
 * deadline: 60
 * allocators: glibc jemalloc mimalloc (tcmalloc waits for ever in a child of clone or _Fork by itself, one time in two)
 *
 * Contexts are inherited half way through their data; the child's calls are recorded in a region of its own. */
#define ZSTD_STATIC_LINKING_ONLY
#include <lz4.h>
#include <sys/syscall.h>
#include <zlib.h>
#include <zstd.h>

#include "danger.h"

enum { TEXT = 60000, ROOM = 90000 };
static unsigned char text[TEXT];

/* ---- forks in an allocator ---- */

enum how { BY_FORK, BY__FORK, BY_CLONE, BY_VFORK, KINDS };
static __thread int left_until_fork = -1;
static __thread enum how how;
static __thread int is_child;
static pid_t children[400];
static _Atomic unsigned child_count;

static pid_t fork_somehow(void) {
    switch (how) {
    case BY_FORK:
        return fork();
    case BY__FORK:
        return _Fork();
    case BY_CLONE:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    default:
        return vfork();
    }
}

static void *allocate(size_t n) {
    void *volatile p = malloc(n);
    CHECK(p);
    if (left_until_fork < 0 || left_until_fork--)
        return p;
    pid_t pid = fork_somehow();
    CHECK(pid >= 0);
    if (!pid && how == BY_VFORK)
        _exit(3);
    if (pid)
        children[child_count++] = pid;
    else
        is_child = 1;
    return p;
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

/* ---- what is compressed ---- */

static void by_zlib(void) {
    unsigned char *out = malloc(ROOM);
    uLongf n = TEXT;
    z_stream z = {.zalloc = zlib_alloc, .zfree = give};
    CHECK(out && deflateInit(&z, 1) == Z_OK);
    z.next_in = text, z.avail_in = TEXT, z.next_out = out, z.avail_out = ROOM;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    unsigned char *back = malloc(TEXT);
    CHECK(uncompress(back, &n, out, z.total_out) == Z_OK && n == TEXT && !memcmp(back, text, TEXT));
    CHECK(deflateEnd(&z) == Z_OK);
    free(back);
    free(out);
}

static void by_zstd(void) {
    char *out = malloc(ROOM), *back = malloc(TEXT);
    ZSTD_customMem memory = {zstd_alloc, give, NULL};
    ZSTD_CCtx *c = ZSTD_createCCtx_advanced(memory);
    size_t n = ZSTD_compressCCtx(c, out, ROOM, text, TEXT, 1);
    CHECK(!ZSTD_isError(n) && ZSTD_decompress(back, TEXT, out, n) == TEXT && !memcmp(back, text, TEXT));
    ZSTD_freeCCtx(c);
    free(back);
    free(out);
}

static void by_lz4(void) {
    char *out = malloc(ROOM), *back = malloc(TEXT);
    int n = LZ4_compress_default((char *)text, out, TEXT, ROOM);
    CHECK(n > 0 && LZ4_decompress_safe(out, back, n, TEXT) == TEXT && !memcmp(back, text, TEXT));
    free(back);
    free(out);
}

static void *compressor(void *number) {
    static void (*const all[])(void) = {by_zlib, by_zstd, by_lz4};
    for (unsigned i = 0; !danger_ending; i++)
        all[((uintptr_t)number + i) % 3]();
    return NULL;
}

static void *in_child(void *unused) {
    by_zlib();
    by_zstd();
    return unused;
}

/* What every child does once its call is through: codec calls, in a thread of its own, too. */
static void child_ends(void) {
    pthread_t t;
    by_lz4();
    in_child(NULL);
    if (how == BY_FORK) { /* after the others the C library's threads are not promised */
        danger_start(&t, 1, in_child);
        danger_join(&t, 1);
    }
    _exit(3);
}

static void wait_for_children(const char *what) {
    unsigned well = 0;
    for (unsigned i = 0; i < child_count; i++)
        well += danger_wait(children[i]) == 3;
    printf("%s: %u of %u children\n", what, well, (unsigned)child_count);
    fflush(stdout);
    child_count = 0;
}

static void from_allocators(void (*compress)(void), int allocations, const char *name) {
    for (how = 0; how < KINDS; how++)
        for (int n = 0; n < allocations; n++) {
            left_until_fork = n;
            compress();
            left_until_fork = -1;
            if (is_child)
                child_ends();
        }
    how = BY_FORK;
    wait_for_children(name);
}

/* ---- contexts with data in them ---- */

static void from_within_streams(void) {
    unsigned char *out = malloc(ROOM), *zout = malloc(ROOM), *back = malloc(TEXT);
    for (int i = 0; i < 8; i++) {
        z_stream z = {0};
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_inBuffer in = {text, TEXT / 2, 0};
        ZSTD_outBuffer to = {zout, ROOM, 0};
        CHECK(deflateInit(&z, 1) == Z_OK);
        z.next_in = text, z.avail_in = TEXT / 2, z.next_out = out, z.avail_out = ROOM;
        CHECK(deflate(&z, Z_NO_FLUSH) == Z_OK);
        CHECK(!ZSTD_isError(ZSTD_compressStream2(c, &to, &in, ZSTD_e_continue)));
        pid_t pid = fork();
        CHECK(pid >= 0);
        z.avail_in += TEXT - TEXT / 2, in.size = TEXT; /* parent and child, each to the end */
        uLongf n = TEXT;
        CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END && ZSTD_compressStream2(c, &to, &in, ZSTD_e_end) == 0);
        CHECK(uncompress(back, &n, out, z.total_out) == Z_OK && n == TEXT && !memcmp(back, text, TEXT));
        CHECK(ZSTD_decompress(back, TEXT, zout, to.pos) == TEXT && !memcmp(back, text, TEXT));
        CHECK(deflateEnd(&z) == Z_OK);
        ZSTD_freeCCtx(c);
        if (!pid)
            child_ends();
        children[child_count++] = pid;
    }
    wait_for_children("streams");
    free(out);
    free(zout);
    free(back);
}

int main(void) {
    pthread_t compressors[3];
    for (unsigned i = 0; i < TEXT; i++)
        text[i] = (unsigned char)(i * (i >> 7) >> 3);
    danger_start(compressors, 3, compressor);
    from_allocators(by_zlib, 5, "deflateInit");
    from_allocators(by_zstd, 2, "ZSTD_compressCCtx");
    from_within_streams();
    danger_ending = 1;
    danger_join(compressors, 3);
}
