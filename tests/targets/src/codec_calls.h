/* What codec_calls.c does with each codec. Each gives:
 *
 *   bound(n)                                 the room that is always enough
 *   squeeze(round, source, n, output, room)  one-shot calls, of several functions; 0: it failed
 *   unfold(source, n, output, room)          one one-shot call back
 *   SNUG        room for n bytes is enough for n bytes of text
 *   FAILS       too little room is told; FAILS_BACK: so is garbage
 *
 * and where it has contexts, CREATES (the name of what makes one), context_new, context_next
 * (before another message), context_free, squeeze_stream, and unfold_stream (which may be unfold).
 * Each books its calls as squall should see them. */

/* The way most libraries do: one call back serves streams too. */
#define unfold_stream unfold

#if defined(WITH_zstd)
#include <zstd.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "ZSTD_createCCtx"
static size_t bound(size_t n) {
    return CALL(ZSTD_compressBound)(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    static const char *const names[] = {"ZSTD_compress", "ZSTD_compressCCtx", "ZSTD_compress2"};
    static ZSTD_CCtx *context;
    size_t r;
    if (!context)
        context = CALL(ZSTD_createCCtx)();
    if (round % 3 == 0)
        r = CALL(ZSTD_compress)(output, room, source, n, 3);
    else if (round % 3 == 1)
        r = CALL(ZSTD_compressCCtx)(context, output, room, source, n, 1);
    else
        r = CALL(ZSTD_compress2)(context, output, room, source, n);
    int failed = CALL(ZSTD_isError)(r) != 0;
    book(names[round % 3], COMPRESS, n, r, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : r;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    size_t r = CALL(ZSTD_decompress)(output, room, source, n);
    int failed = CALL(ZSTD_isError)(r) != 0;
    book("ZSTD_decompress", DECOMPRESS, n, r, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : r;
}
static void *context_new(void) {
    return CALL(ZSTD_createCCtx)();
}
static void context_next(void *context) {
    CALL(ZSTD_CCtx_reset)((ZSTD_CCtx *)context, ZSTD_reset_session_only);
}
static void context_free(void *context) {
    CALL(ZSTD_freeCCtx)((ZSTD_CCtx *)context);
}
/* Every other message through the older functions. */
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    static int turn;
    int is_old = turn++ % 2;
    ZSTD_CCtx *c = (ZSTD_CCtx *)context;
    ZSTD_outBuffer out = {output, room, 0};
    for (size_t at = 0; at < n;) {
        ZSTD_inBuffer in = {source + at, least(CHUNK, n - at), 0};
        size_t before = out.pos;
        if (is_old)
            CALL(ZSTD_compressStream)(c, &out, &in);
        else
            CALL(ZSTD_compressStream2)(c, &out, &in, ZSTD_e_continue);
        book(is_old ? "ZSTD_compressStream" : "ZSTD_compressStream2", COMPRESS, in.pos,
             out.pos - before, room - before, 0);
        at += in.pos;
    }
    ZSTD_inBuffer none = {NULL, 0, 0};
    for (size_t left = 1; left;) {
        size_t before = out.pos;
        left = is_old ? CALL(ZSTD_endStream)(c, &out)
                      : CALL(ZSTD_compressStream2)(c, &out, &none, ZSTD_e_end);
        book(is_old ? "ZSTD_endStream" : "ZSTD_compressStream2", COMPRESS, 0, out.pos - before,
             room - before, 0);
    }
    book_message(COMPRESS, STREAM, n);
    return out.pos;
}

#elif defined(WITH_zlib)
#include <zlib.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "deflateInit_"
static size_t bound(size_t n) {
    return CALL(compressBound)(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    uLongf size = room;
    int failed = round % 2 ? CALL(compress)(output, &size, source, n)
                           : CALL(compress2)(output, &size, source, n, 1);
    book(round % 2 ? "compress" : "compress2", COMPRESS, n, size, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    uLongf size = room;
    int failed = CALL(uncompress)(output, &size, source, n);
    book("uncompress", DECOMPRESS, n, size, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static void *context_new(void) {
    static z_stream stream;
    memset(&stream, 0, sizeof stream);
    CALL(deflateInit_)(&stream, 1, ZLIB_VERSION, sizeof stream);
    return &stream;
}
static void context_next(void *context) {
    CALL(deflateReset)((z_stream *)context);
}
static void context_free(void *context) {
    CALL(deflateEnd)((z_stream *)context);
}
/* The second of two calls without input makes no progress (Z_BUF_ERROR), which is no failure. */
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    z_stream *z = (z_stream *)context;
    z->next_out = output;
    z->avail_out = (uInt)room;
    z->next_in = (Bytef *)source;
    for (size_t at = 0; at < n;) {
        size_t step = least(CHUNK, n - at);
        z->avail_in = (uInt)step;
        uInt before = z->avail_out;
        CALL(deflate)(z, at ? Z_NO_FLUSH : Z_SYNC_FLUSH);
        book("deflate", COMPRESS, step - z->avail_in, before - z->avail_out, before, 0);
        at += step - z->avail_in;
        if (at == step) {
            if (CALL(deflate)(z, Z_SYNC_FLUSH) != Z_BUF_ERROR)
                exit(6);
            book("deflate", COMPRESS, 0, 0, z->avail_out, 0);
        }
    }
    for (int result = Z_OK; result == Z_OK;) {
        uInt before = z->avail_out;
        result = CALL(deflate)(z, Z_FINISH);
        book("deflate", COMPRESS, 0, before - z->avail_out, before, 0);
    }
    book_message(COMPRESS, STREAM, n);
    return room - z->avail_out;
}

#elif defined(WITH_lz4)
#include <lz4.h>
#include <lz4hc.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "LZ4_createStream"
static size_t bound(size_t n) {
    return (size_t)CALL(LZ4_compressBound)((int)n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    static const char *const names[] = {"LZ4_compress_default", "LZ4_compress_fast",
                                        "LZ4_compress_HC"};
    const char *from = (const char *)source;
    char *to = (char *)output;
    int r = round % 3 == 0   ? CALL(LZ4_compress_default)(from, to, (int)n, (int)room)
            : round % 3 == 1 ? CALL(LZ4_compress_fast)(from, to, (int)n, (int)room, 4)
                             : CALL(LZ4_compress_HC)(from, to, (int)n, (int)room, 3);
    book(names[round % 3], COMPRESS, n, (size_t)r, room, r <= 0);
    if (r > 0)
        book_message(COMPRESS, ONE_SHOT, n);
    return r > 0 ? (size_t)r : 0;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    int r = CALL(LZ4_decompress_safe)((const char *)source, (char *)output, (int)n, (int)room);
    book("LZ4_decompress_safe", DECOMPRESS, n, (size_t)r, room, r <= 0);
    if (r > 0)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return r > 0 ? (size_t)r : 0;
}
static void *context_new(void) {
    return CALL(LZ4_createStream)();
}
static void context_next(void *context) {
    CALL(LZ4_resetStream_fast)((LZ4_stream_t *)context);
}
static void context_free(void *context) {
    CALL(LZ4_freeStream)((LZ4_stream_t *)context);
}
static int pieces[SIZE_MAX_USED / CHUNK + 1]; /* compressed sizes: the format has no frame */
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    size_t made = 0, piece = 0;
    for (size_t at = 0; at < n; piece++) {
        size_t step = least(CHUNK, n - at);
        int r = CALL(LZ4_compress_fast_continue)((LZ4_stream_t *)context, (const char *)source + at,
                                                 (char *)output + made, (int)step,
                                                 (int)(room - made), 1);
        book("LZ4_compress_fast_continue", COMPRESS, step, (size_t)r, room - made, r <= 0);
        pieces[piece] = r;
        made += (size_t)r;
        at += step;
    }
    book_message(COMPRESS, STREAM, n);
    return made;
}
#undef unfold_stream
static size_t unfold_stream(const unsigned char *source, size_t n, unsigned char *output,
                            size_t room) {
    LZ4_streamDecode_t *context = CALL(LZ4_createStreamDecode)();
    size_t at = 0, made = 0;
    for (int piece = 0; at < n; piece++) {
        int r = CALL(LZ4_decompress_safe_continue)(context, (const char *)source + at,
                                                   (char *)output + made, pieces[piece],
                                                   (int)(room - made));
        if (r <= 0)
            return 0;
        book("LZ4_decompress_safe_continue", DECOMPRESS, (size_t)pieces[piece], (size_t)r,
             room - made, 0);
        at += (size_t)pieces[piece];
        made += (size_t)r;
    }
    CALL(LZ4_freeStreamDecode)(context);
    book_message(DECOMPRESS, STREAM, n);
    return made;
}

#elif defined(WITH_snappy)
#include <snappy-c.h>
#define SNUG 0
#define FAILS 1
#define FAILS_BACK 1
static size_t bound(size_t n) {
    return CALL(snappy_max_compressed_length)(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    size_t size = room;
    int failed = CALL(snappy_compress)((const char *)source, n, (char *)output, &size);
    book("snappy_compress", COMPRESS, n, size, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    size_t size = room;
    int failed = CALL(snappy_uncompress)((const char *)source, n, (char *)output, &size);
    book("snappy_uncompress", DECOMPRESS, n, size, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}

#elif defined(WITH_snappyxx)
#include <snappy.h>
#include <string>
#define SNUG 0
#define FAILS 0 /* it is trusted with the room */
#define FAILS_BACK 1
#ifdef OPENED
#define SNAPPY(function, mangled, ...) ((__VA_ARGS__)find(mangled))
#else
#define SNAPPY(function, mangled, ...) ((__VA_ARGS__)(snappy::function))
#endif
static size_t bound(size_t n) {
    return SNAPPY(MaxCompressedLength, "_ZN6snappy19MaxCompressedLengthEm", size_t(*)(size_t))(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    const char *from = (const char *)source;
    size_t size = 0;
    (void)room;
    if (round % 3 == 2) { /* only into blocks that are not large, or they would have no role */
        std::string into;
        size = SNAPPY(Compress,
                      "_ZN6snappy8CompressEPKcmPNSt7__cxx1112basic_stringIcSt11char_"
                      "traitsIcESaIcEEE",
                      size_t(*)(const char *, size_t, std::string *))(from, n, &into);
        memcpy(output, into.data(), size);
        book("snappy::Compress", COMPRESS, n, size, UNKNOWN, 0);
    } else {
        SNAPPY(RawCompress, "_ZN6snappy11RawCompressEPKcmPcPm",
               void (*)(const char *, size_t, char *, size_t *))
        (from, n, (char *)output, &size);
        book("snappy::RawCompress", COMPRESS, n, size, UNKNOWN, 0);
    }
    book_message(COMPRESS, ONE_SHOT, n);
    return size;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    size_t size = 0;
    if (!SNAPPY(GetUncompressedLength, "_ZN6snappy21GetUncompressedLengthEPKcmPm",
                bool (*)(const char *, size_t, size_t *))((const char *)source, n, &size) ||
        size > room)
        size = 0;
    bool good =
        SNAPPY(RawUncompress, "_ZN6snappy13RawUncompressEPKcmPc",
               bool (*)(const char *, size_t, char *))((const char *)source, n, (char *)output);
    book("snappy::RawUncompress", DECOMPRESS, n, UNKNOWN, UNKNOWN, !good);
    if (good)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return good ? size : 0;
}

#else
#include "codec_calls_more.h"
#endif
