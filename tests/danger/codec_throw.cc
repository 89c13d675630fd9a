/* danger: C++ exceptions through codec calls, while other threads compress
 * build: -lz -lzstd
 *
 * The libraries have unwind tables, as everything on x86-64, but no cleanups: what they hold is lost. */
#define ZSTD_STATIC_LINKING_ONLY
#include "danger.h"

#include <new>
#include <stdexcept>
#include <vector>
#include <zlib.h>
#include <zstd.h>

struct Budget {
    int left;
    std::vector<void *> held;
    ~Budget() {
        for (void *p : held)
            free(p);
    }
    void *take(size_t n) {
        if (!left--)
            throw std::bad_alloc();
        held.push_back(malloc(n));
        return held.back();
    }
};

static void *zlib_alloc(void *b, unsigned n, unsigned m) { return static_cast<Budget *>(b)->take(size_t(n) * m); }
static void *zstd_alloc(void *b, size_t n) { return static_cast<Budget *>(b)->take(n); }
static void give(void *, void *) {}

static char text[200000];
static std::atomic<unsigned> caught, passed;

static void deflate_once(Budget &b, char *room) {
    z_stream z{};
    z.zalloc = zlib_alloc, z.zfree = give, z.opaque = &b;
    CHECK(deflateInit(&z, 1) == Z_OK);
    z.next_in = reinterpret_cast<Bytef *>(text), z.avail_in = sizeof text;
    z.next_out = reinterpret_cast<Bytef *>(room), z.avail_out = 300000;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
}

static void zstd_once(Budget &b, char *room) {
    ZSTD_CCtx *c = ZSTD_createCCtx_advanced(ZSTD_customMem{zstd_alloc, give, &b});
    CHECK(c && !ZSTD_isError(ZSTD_compressCCtx(c, room, 300000, text, sizeof text, 1)));
    ZSTD_freeCCtx(c);
}

static void *run(void *) {
    std::vector<char> room(300000);
    for (int i = 0; i < 60; i++)
        try {
            Budget b{i % 7, {}};
            (i % 2 ? deflate_once : zstd_once)(b, room.data());
            passed++;
        } catch (const std::bad_alloc &) {
            caught++;
        }
    return nullptr;
}

int main() {
    pthread_t threads[3];
    danger_start(threads, 3, run);
    danger_join(threads, 3);
    printf("%u caught, %u passed\n", caught.load(), passed.load());
}
