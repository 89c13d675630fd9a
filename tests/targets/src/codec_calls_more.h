/* The rest of codec_calls.h. */
#if defined(WITH_lz4frame)
#include <lz4frame.h>
#define SNUG 0
#define FAILS 1
#define FAILS_BACK 0 /* it is a stream: how much of garbage it takes is its own business */
#define CREATES "LZ4F_createCompressionContext"
static size_t bound(size_t n) {
    return CALL(LZ4F_compressFrameBound)(n, NULL);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    size_t r = CALL(LZ4F_compressFrame)(output, room, source, n, NULL);
    int failed = CALL(LZ4F_isError)(r) != 0;
    book("LZ4F_compressFrame", COMPRESS, n, r, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : r;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    LZ4F_dctx *context;
    size_t at = 0, made = 0;
    CALL(LZ4F_createDecompressionContext)(&context, LZ4F_VERSION);
    for (size_t r = 1; r && at < n;) {
        size_t in = least(CHUNK, n - at), out = room - made, capacity = out;
        r = CALL(LZ4F_decompress)(context, output + made, &out, source + at, &in, NULL);
        if (CALL(LZ4F_isError)(r))
            return 0;
        book("LZ4F_decompress", DECOMPRESS, in, out, capacity, 0);
        at += in;
        made += out;
    }
    CALL(LZ4F_freeDecompressionContext)(context);
    book_message(DECOMPRESS, STREAM, n);
    return made;
}
static void *context_new(void) {
    LZ4F_cctx *context;
    CALL(LZ4F_createCompressionContext)(&context, LZ4F_VERSION);
    return context;
}
static void context_next(void *context) {
    (void)context; /* LZ4F_compressBegin starts anew */
}
static void context_free(void *context) {
    CALL(LZ4F_freeCompressionContext)((LZ4F_cctx *)context);
}
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    LZ4F_cctx *c = (LZ4F_cctx *)context;
    size_t made = CALL(LZ4F_compressBegin)(c, output, room, NULL), r;
    book("LZ4F_compressBegin", COMPRESS, 0, made, room, 0);
    for (size_t at = 0, step; at < n; at += step) {
        step = least(CHUNK, n - at);
        r = CALL(LZ4F_compressUpdate)(c, output + made, room - made, source + at, step, NULL);
        if (CALL(LZ4F_isError)(r))
            return 0;
        book("LZ4F_compressUpdate", COMPRESS, step, r, room - made, 0);
        made += r;
    }
    r = CALL(LZ4F_compressEnd)(c, output + made, room - made, NULL);
    book("LZ4F_compressEnd", COMPRESS, 0, r, room - made, CALL(LZ4F_isError)(r) != 0);
    book_message(COMPRESS, STREAM, n);
    return made + r;
}

#elif defined(WITH_brotli)
#include <brotli/decode.h>
#include <brotli/encode.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "BrotliEncoderCreateInstance"
static size_t bound(size_t n) {
    return CALL(BrotliEncoderMaxCompressedSize)(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    size_t size = room;
    int good = CALL(BrotliEncoderCompress)(1, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, n, source,
                                           &size, output);
    book("BrotliEncoderCompress", COMPRESS, n, size, room, !good);
    if (good)
        book_message(COMPRESS, ONE_SHOT, n);
    return good ? size : 0;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    size_t size = room;
    int good =
        CALL(BrotliDecoderDecompress)(n, source, &size, output) == BROTLI_DECODER_RESULT_SUCCESS;
    book("BrotliDecoderDecompress", DECOMPRESS, n, size, room, !good);
    if (good)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return good ? size : 0;
}
static void *context_new(void) {
    BrotliEncoderState *context = CALL(BrotliEncoderCreateInstance)(NULL, NULL, NULL);
    CALL(BrotliEncoderSetParameter)(context, BROTLI_PARAM_QUALITY, 1);
    return context;
}
static void context_free(void *context) {
    CALL(BrotliEncoderDestroyInstance)((BrotliEncoderState *)context);
}
#define SERVES_ONE /* brotli's cannot be reset */
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    BrotliEncoderState *c = (BrotliEncoderState *)context;
    unsigned char *to = output;
    size_t left = room;
    for (size_t at = 0; !CALL(BrotliEncoderIsFinished)(c);) {
        size_t step = least(CHUNK, n - at), in = step, before = left;
        const unsigned char *from = source + at;
        if (!CALL(BrotliEncoderCompressStream)(
                c, step ? BROTLI_OPERATION_PROCESS : BROTLI_OPERATION_FINISH, &in, &from, &left,
                &to, NULL))
            return 0;
        book("BrotliEncoderCompressStream", COMPRESS, step - in, before - left, before, 0);
        at += step - in;
    }
    book_message(COMPRESS, STREAM, n);
    return room - left;
}

#elif defined(WITH_lzma)
#include <lzma.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "lzma_easy_encoder"
static size_t bound(size_t n) {
    return CALL(lzma_stream_buffer_bound)(n);
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    size_t at = 0;
    int failed = CALL(lzma_easy_buffer_encode)(0, LZMA_CHECK_CRC32, NULL, source, n, output, &at,
                                               room) != LZMA_OK;
    book("lzma_easy_buffer_encode", COMPRESS, n, at, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : at;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    uint64_t limit = UINT64_MAX;
    size_t in = 0, out = 0;
    int failed = CALL(lzma_stream_buffer_decode)(&limit, 0, NULL, source, &in, n, output, &out,
                                                 room) != LZMA_OK;
    book("lzma_stream_buffer_decode", DECOMPRESS, n, out, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : out;
}
static void *context_new(void) {
    static lzma_stream stream;
    memset(&stream, 0, sizeof stream);
    return CALL(lzma_easy_encoder)(&stream, 0, LZMA_CHECK_CRC32) ? NULL : &stream;
}
static void context_next(void *context) {
    if (CALL(lzma_easy_encoder)((lzma_stream *)context, 0, LZMA_CHECK_CRC32)) /* on its memory */
        exit(6);
}
static void context_free(void *context) {
    CALL(lzma_end)((lzma_stream *)context);
}
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    lzma_stream *z = (lzma_stream *)context;
    z->next_out = output;
    z->avail_out = room;
    z->next_in = source;
    lzma_ret result = LZMA_OK;
    for (size_t at = 0; result == LZMA_OK;) {
        size_t step = least(CHUNK, n - at), before = z->avail_out;
        z->avail_in = step;
        result = CALL(lzma_code)(z, step ? LZMA_RUN : LZMA_FINISH);
        book("lzma_code", COMPRESS, step - z->avail_in, before - z->avail_out, before, 0);
        at += step - z->avail_in;
    }
    book_message(COMPRESS, STREAM, n);
    return result == LZMA_STREAM_END ? room - z->avail_out : 0;
}

#elif defined(WITH_bz2)
#include <bzlib.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "BZ2_bzCompressInit"
static size_t bound(size_t n) {
    return n + n / 100 + 600;
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    unsigned size = (unsigned)room;
    int failed = CALL(BZ2_bzBuffToBuffCompress)((char *)output, &size, (char *)source, (unsigned)n,
                                                1, 0, 0) != BZ_OK;
    book("BZ2_bzBuffToBuffCompress", COMPRESS, n, size, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    unsigned size = (unsigned)room;
    int failed = CALL(BZ2_bzBuffToBuffDecompress)((char *)output, &size, (char *)source,
                                                  (unsigned)n, 0, 0) != BZ_OK;
    book("BZ2_bzBuffToBuffDecompress", DECOMPRESS, n, size, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static void *context_new(void) {
    static bz_stream stream;
    memset(&stream, 0, sizeof stream);
    CALL(BZ2_bzCompressInit)(&stream, 1, 0, 0);
    return &stream;
}
static void context_free(void *context) {
    CALL(BZ2_bzCompressEnd)((bz_stream *)context);
}
#define SERVES_ONE
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    bz_stream *z = (bz_stream *)context;
    z->next_out = (char *)output;
    z->avail_out = (unsigned)room;
    z->next_in = (char *)source;
    int result = BZ_RUN_OK;
    for (size_t at = 0; result == BZ_RUN_OK || result == BZ_FINISH_OK;) {
        unsigned step = (unsigned)least(CHUNK, n - at), before = z->avail_out;
        z->avail_in = step;
        result = CALL(BZ2_bzCompress)(z, step ? BZ_RUN : BZ_FINISH);
        book("BZ2_bzCompress", COMPRESS, step - z->avail_in, before - z->avail_out, before, 0);
        at += step - z->avail_in;
    }
    book_message(COMPRESS, STREAM, n);
    return result == BZ_STREAM_END ? room - z->avail_out : 0;
}

#elif defined(WITH_lzf)
#include <liblzf/lzf.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
static size_t bound(size_t n) {
    return n + n / 16 + 64;
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    (void)round;
    unsigned r = CALL(lzf_compress)(source, (unsigned)n, output, (unsigned)room);
    book("lzf_compress", COMPRESS, n, r, room, !r);
    if (r)
        book_message(COMPRESS, ONE_SHOT, n);
    return r;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    unsigned r = CALL(lzf_decompress)(source, (unsigned)n, output, (unsigned)room);
    book("lzf_decompress", DECOMPRESS, n, r, room, !r);
    if (r)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return r;
}

#elif defined(WITH_libdeflate)
#include <libdeflate.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
#define CREATES "libdeflate_alloc_compressor"
static size_t bound(size_t n) {
    return CALL(libdeflate_zlib_compress_bound)(NULL, n);
}
static size_t with(struct libdeflate_compressor *c, const unsigned char *source, size_t n,
                   unsigned char *output, size_t room) {
    size_t r = CALL(libdeflate_zlib_compress)(c, source, n, output, room);
    book("libdeflate_zlib_compress", COMPRESS, n, r, room, !r);
    if (r)
        book_message(COMPRESS, ONE_SHOT, n);
    return r;
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    static struct libdeflate_compressor *c;
    (void)round;
    if (!c)
        c = CALL(libdeflate_alloc_compressor)(1);
    return with(c, source, n, output, room);
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    static struct libdeflate_decompressor *c;
    size_t size = 0;
    if (!c)
        c = CALL(libdeflate_alloc_decompressor)();
    int failed = CALL(libdeflate_zlib_decompress)(c, source, n, output, room, &size);
    /* Where the size is stored, if at all, is not among what squall knows of this function. */
    book("libdeflate_zlib_decompress", DECOMPRESS, n, UNKNOWN, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : size;
}
static void *context_new(void) {
    return CALL(libdeflate_alloc_compressor)(1);
}
static void context_next(void *context) {
    (void)context; /* each call is a message */
}
static void context_free(void *context) {
    CALL(libdeflate_free_compressor)((struct libdeflate_compressor *)context);
}
static size_t squeeze_stream(void *context, const unsigned char *source, size_t n,
                             unsigned char *output, size_t room) {
    return with((struct libdeflate_compressor *)context, source, n, output, room);
}

#elif defined(WITH_isal)
#include <isa-l.h>
#define SNUG 1
#define FAILS 1
#define FAILS_BACK 1
/* Contexts are the caller's own memory: nothing makes or ends them. */
static size_t bound(size_t n) {
    return n + n / 16 + 400;
}
static size_t through_stream(const unsigned char *source, size_t n, unsigned char *output,
                             size_t room) {
    static struct isal_zstream z;
    CALL(isal_deflate_init)(&z);
    z.next_out = output;
    z.avail_out = (uint32_t)room;
    for (size_t at = 0; z.internal_state.state != ZSTATE_END;) {
        uint32_t step = (uint32_t)least(CHUNK, n - at), before = z.avail_out;
        z.next_in = (uint8_t *)source + at;
        z.avail_in = step;
        z.end_of_stream = at + step == n;
        if (CALL(isal_deflate)(&z) != COMP_OK)
            return 0;
        book("isal_deflate", COMPRESS, step - z.avail_in, before - z.avail_out, before, 0);
        at += step - z.avail_in;
    }
    book_message(COMPRESS, STREAM, n);
    return room - z.avail_out;
}
static size_t squeeze(int round, const unsigned char *source, size_t n, unsigned char *output,
                      size_t room) {
    static struct isal_zstream z;
    if (round % 3 == 1 && room >= n)
        return through_stream(source, n, output, room);
    CALL(isal_deflate_stateless_init)(&z);
    z.next_in = (uint8_t *)source;
    z.avail_in = (uint32_t)n;
    z.end_of_stream = 1;
    z.next_out = output;
    z.avail_out = (uint32_t)room;
    int failed = CALL(isal_deflate_stateless)(&z) != COMP_OK;
    book("isal_deflate_stateless", COMPRESS, n - z.avail_in, room - z.avail_out, room, failed);
    if (!failed)
        book_message(COMPRESS, ONE_SHOT, n);
    return failed ? 0 : room - z.avail_out;
}
static size_t unfold(const unsigned char *source, size_t n, unsigned char *output, size_t room) {
    static struct inflate_state z;
    CALL(isal_inflate_init)(&z);
    z.next_in = (uint8_t *)source;
    z.avail_in = (uint32_t)n;
    z.next_out = output;
    z.avail_out = (uint32_t)room;
    int failed = CALL(isal_inflate_stateless)(&z) < 0;
    book("isal_inflate_stateless", DECOMPRESS, n - z.avail_in, room - z.avail_out, room, failed);
    if (!failed)
        book_message(DECOMPRESS, ONE_SHOT, n);
    return failed ? 0 : room - z.avail_out;
}
#endif
