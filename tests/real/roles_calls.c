/* The codec functions that the roles oracle stands in for. `real` has the type that the libraries'
 * own headers give it, so an argument in the wrong place does not compile. Each is entered at a
 * label without a type, which the loader takes for the function and squall does not: what is put to
 * the test are squall's detours in the real library, not detours in here. */
#define ZSTD_DISABLE_DEPRECATE_WARNINGS
#define LZ4_DISABLE_DEPRECATE_WARNINGS
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <bzlib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <lzma.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "roles_oracle.h"

/* clang-format off */

/* What is used: source, its size, destination (NULL: no room in it); and how far the destination
 * was written, looked at after the call. */
#define FUNCTION(type, name, parameters, arguments, way, source, size, to, end, after)            \
    __asm__(".text\n.globl " #name "\n" #name ": jmp with_" #name "\n");                          \
    __attribute__((used, visibility("hidden"))) type with_##name parameters;                      \
    type with_##name parameters {                                                                 \
        __typeof__(&name) real = roles_find(#name, __builtin_return_address(0));                  \
        void *const out = (void *)(to);                                                           \
        roles_enter(way, source, size, out);                                                      \
        type result = real arguments;                                                             \
        after;                                                                                    \
        roles_leave(way, out, (const void *)(end));                                               \
        return result;                                                                            \
    }
#define USES(type, name, parameters, arguments, ...) \
    COMPRESS(type, name, parameters, arguments, __VA_ARGS__)
#define COMPRESS(type, name, parameters, arguments, source, size, to, end) \
    FUNCTION(type, name, parameters, arguments, 1, source, size, to, end, (void)0)
/* What is allocated in it has no role. */
#define DECOMPRESS(type, name, parameters, arguments) \
    FUNCTION(type, name, parameters, arguments, 0, NULL, 0, NULL, NULL, (void)0)

/* zstd's and lz4's way; their own functions for it may not be there. */
#define FAILED (result > (size_t)-256)

/* ---- zstd ---- */

#define ZFLAT s, n, m ? d : NULL, (char *)d + (FAILED ? 0 : result)
#define ZOUT o->pos < o->size ? (char *)o->dst + o->pos : NULL, (char *)o->dst + o->pos
#define ZIN (const char *)i->src + i->pos, i->size - i->pos
USES(size_t, ZSTD_compress, (void *d, size_t m, const void *s, size_t n, int l), (d, m, s, n, l), ZFLAT)
USES(size_t, ZSTD_compressCCtx, (ZSTD_CCtx *c, void *d, size_t m, const void *s, size_t n, int l), (c, d, m, s, n, l), ZFLAT)
USES(size_t, ZSTD_compress2, (ZSTD_CCtx *c, void *d, size_t m, const void *s, size_t n), (c, d, m, s, n), ZFLAT)
USES(size_t, ZSTD_compress_usingDict, (ZSTD_CCtx *c, void *d, size_t m, const void *s, size_t n, const void *t, size_t k, int l), (c, d, m, s, n, t, k, l), ZFLAT)
USES(size_t, ZSTD_compress_usingCDict, (ZSTD_CCtx *c, void *d, size_t m, const void *s, size_t n, const ZSTD_CDict *t), (c, d, m, s, n, t), ZFLAT)
USES(size_t, ZSTD_compressStream, (ZSTD_CStream *c, ZSTD_outBuffer *o, ZSTD_inBuffer *i), (c, o, i), ZIN, ZOUT)
USES(size_t, ZSTD_compressStream2, (ZSTD_CCtx *c, ZSTD_outBuffer *o, ZSTD_inBuffer *i, ZSTD_EndDirective e), (c, o, i, e), ZIN, ZOUT)
USES(size_t, ZSTD_flushStream, (ZSTD_CStream *c, ZSTD_outBuffer *o), (c, o), NULL, 0, ZOUT)
USES(size_t, ZSTD_endStream, (ZSTD_CStream *c, ZSTD_outBuffer *o), (c, o), NULL, 0, ZOUT)
DECOMPRESS(size_t, ZSTD_decompress, (void *d, size_t m, const void *s, size_t n), (d, m, s, n))
DECOMPRESS(size_t, ZSTD_decompressDCtx, (ZSTD_DCtx *c, void *d, size_t m, const void *s, size_t n), (c, d, m, s, n))
DECOMPRESS(size_t, ZSTD_decompress_usingDict, (ZSTD_DCtx *c, void *d, size_t m, const void *s, size_t n, const void *t, size_t k), (c, d, m, s, n, t, k))
DECOMPRESS(size_t, ZSTD_decompress_usingDDict, (ZSTD_DCtx *c, void *d, size_t m, const void *s, size_t n, const ZSTD_DDict *t), (c, d, m, s, n, t))
DECOMPRESS(size_t, ZSTD_decompressStream, (ZSTD_DStream *c, ZSTD_outBuffer *o, ZSTD_inBuffer *i), (c, o, i))
DECOMPRESS(size_t, ZSTD_initDStream, (ZSTD_DStream *c), (c))
DECOMPRESS(ZSTD_DCtx *, ZSTD_createDCtx, (void), ())
DECOMPRESS(ZSTD_DStream *, ZSTD_createDStream, (void), ())
DECOMPRESS(ZSTD_DDict *, ZSTD_createDDict, (const void *d, size_t n), (d, n))

/* ---- zlib ---- */

#define ZSTREAM z->avail_in ? z->next_in : NULL, z->avail_in, z->avail_out ? z->next_out : NULL, z->next_out
#define HANDED(name, parameters, arguments) \
    FUNCTION(int, name, parameters, arguments, 1, NULL, 0, NULL, NULL, roles_hand_over(result == Z_OK ? z->state : NULL))
USES(int, compress, (Bytef *d, uLongf *m, const Bytef *s, uLong n), (d, m, s, n), s, n, d, d + *m)
USES(int, compress2, (Bytef *d, uLongf *m, const Bytef *s, uLong n, int l), (d, m, s, n, l), s, n, d, d + *m)
USES(int, deflate, (z_streamp z, int f), (z, f), ZSTREAM)
USES(int, deflateParams, (z_streamp z, int l, int s), (z, l, s), ZSTREAM)
HANDED(deflateInit_, (z_streamp z, int l, const char *v, int n), (z, l, v, n))
HANDED(deflateInit2_, (z_streamp z, int l, int m, int w, int k, int s, const char *v, int n), (z, l, m, w, k, s, v, n))
USES(int, gzwrite, (gzFile f, voidpc s, unsigned n), (f, s, n), s, n, NULL, NULL)
USES(z_size_t, gzfwrite, (voidpc s, z_size_t z, z_size_t n, gzFile f), (s, z, n, f), s, z * n, NULL, NULL)
DECOMPRESS(int, uncompress, (Bytef *d, uLongf *m, const Bytef *s, uLong n), (d, m, s, n))
DECOMPRESS(int, inflate, (z_streamp z, int f), (z, f))
DECOMPRESS(int, inflateInit_, (z_streamp z, const char *v, int n), (z, v, n))
DECOMPRESS(int, inflateInit2_, (z_streamp z, int w, const char *v, int n), (z, w, v, n))
DECOMPRESS(int, gzread, (gzFile f, voidp d, unsigned n), (f, d, n))

/* ---- lz4 ---- */

#define LFLAT s, (size_t)n, m > 0 ? d : NULL, d + (result > 0 ? result : 0)
#define FFLAT s, n, m ? d : NULL, (char *)d + (FAILED ? 0 : result)
#define FOUT NULL, 0, m ? d : NULL, (char *)d + (FAILED ? 0 : result)
USES(int, LZ4_compress_default, (const char *s, char *d, int n, int m), (s, d, n, m), LFLAT)
USES(int, LZ4_compress_fast, (const char *s, char *d, int n, int m, int a), (s, d, n, m, a), LFLAT)
USES(int, LZ4_compress_fast_extState, (void *c, const char *s, char *d, int n, int m, int a), (c, s, d, n, m, a), LFLAT)
USES(int, LZ4_compress_fast_continue, (LZ4_stream_t *c, const char *s, char *d, int n, int m, int a), (c, s, d, n, m, a), LFLAT)
USES(int, LZ4_compress_destSize, (const char *s, char *d, int *n, int m), (s, d, n, m), s, (size_t)*n, d, d + result)
USES(int, LZ4_compress_HC, (const char *s, char *d, int n, int m, int l), (s, d, n, m, l), LFLAT)
USES(int, LZ4_compress_HC_extStateHC, (void *c, const char *s, char *d, int n, int m, int l), (c, s, d, n, m, l), LFLAT)
USES(int, LZ4_compress_HC_continue, (LZ4_streamHC_t *c, const char *s, char *d, int n, int m), (c, s, d, n, m), LFLAT)
USES(int, LZ4_compress_limitedOutput, (const char *s, char *d, int n, int m), (s, d, n, m), LFLAT)
USES(int, LZ4_compressHC2_limitedOutput, (const char *s, char *d, int n, int m, int l), (s, d, n, m, l), LFLAT)
USES(size_t, LZ4F_compressFrame, (void *d, size_t m, const void *s, size_t n, const LZ4F_preferences_t *p), (d, m, s, n, p), FFLAT)
USES(size_t, LZ4F_compressBegin, (LZ4F_cctx *c, void *d, size_t m, const LZ4F_preferences_t *p), (c, d, m, p), FOUT)
USES(size_t, LZ4F_compressUpdate, (LZ4F_cctx *c, void *d, size_t m, const void *s, size_t n, const LZ4F_compressOptions_t *p), (c, d, m, s, n, p), FFLAT)
USES(size_t, LZ4F_flush, (LZ4F_cctx *c, void *d, size_t m, const LZ4F_compressOptions_t *p), (c, d, m, p), FOUT)
USES(size_t, LZ4F_compressEnd, (LZ4F_cctx *c, void *d, size_t m, const LZ4F_compressOptions_t *p), (c, d, m, p), FOUT)
DECOMPRESS(size_t, LZ4F_decompress, (LZ4F_dctx *c, void *d, size_t *m, const void *s, size_t *n, const LZ4F_decompressOptions_t *p), (c, d, m, s, n, p))
DECOMPRESS(LZ4F_errorCode_t, LZ4F_createDecompressionContext, (LZ4F_dctx **c, unsigned v), (c, v))

/* ---- snappy ---- */

USES(snappy_status, snappy_compress, (const char *s, size_t n, char *d, size_t *m), (s, n, d, m), s, n, d, d + *m)
/* In place of a void result: the register holds what it held. */
long _ZN6snappy11RawCompressEPKcmPcPm(const char *s, size_t n, char *d, size_t *m);
USES(long, _ZN6snappy11RawCompressEPKcmPcPm, (const char *s, size_t n, char *d, size_t *m), (s, n, d, m), s, n, d, d + *m)

/* ---- brotli ---- */

USES(int, BrotliEncoderCompress, (int q, int w, BrotliEncoderMode k, size_t n, const uint8_t *s, size_t *m, uint8_t *d), (q, w, k, n, s, m, d), s, n, *m ? d : NULL, d + *m)
USES(int, BrotliEncoderCompressStream, (BrotliEncoderState *c, BrotliEncoderOperation k, size_t *n, const uint8_t **s, size_t *m, uint8_t **d, size_t *t), (c, k, n, s, m, d, t), *n ? *s : NULL, *n, *m ? *d : NULL, d ? *d : NULL)
DECOMPRESS(BrotliDecoderState *, BrotliDecoderCreateInstance, (brotli_alloc_func a, brotli_free_func f, void *o), (a, f, o))
DECOMPRESS(BrotliDecoderResult, BrotliDecoderDecompressStream, (BrotliDecoderState *c, size_t *n, const uint8_t **s, size_t *m, uint8_t **d, size_t *t), (c, n, s, m, d, t))

/* ---- lzma: lzma_code counts as compressing, as the programs here decompress nothing ---- */

USES(lzma_ret, lzma_code, (lzma_stream *z, lzma_action a), (z, a), ZSTREAM)
USES(lzma_ret, lzma_stream_buffer_encode, (lzma_filter *f, lzma_check k, const lzma_allocator *a, const uint8_t *s, size_t n, uint8_t *d, size_t *p, size_t m), (f, k, a, s, n, d, p, m), s, n, *p < m ? d : NULL, d + *p)
USES(lzma_ret, lzma_easy_buffer_encode, (uint32_t l, lzma_check k, const lzma_allocator *a, const uint8_t *s, size_t n, uint8_t *d, size_t *p, size_t m), (l, k, a, s, n, d, p, m), s, n, *p < m ? d : NULL, d + *p)
USES(lzma_ret, lzma_block_buffer_encode, (lzma_block *b, const lzma_allocator *a, const uint8_t *s, size_t n, uint8_t *d, size_t *p, size_t m), (b, a, s, n, d, p, m), s, n, *p < m ? d : NULL, d + *p)
USES(lzma_ret, lzma_raw_buffer_encode, (const lzma_filter *f, const lzma_allocator *a, const uint8_t *s, size_t n, uint8_t *d, size_t *p, size_t m), (f, a, s, n, d, p, m), s, n, *p < m ? d : NULL, d + *p)

/* ---- bz2 ---- */

USES(int, BZ2_bzCompress, (bz_stream *z, int a), (z, a), ZSTREAM)
USES(int, BZ2_bzBuffToBuffCompress, (char *d, unsigned *m, char *s, unsigned n, int b, int v, int w), (d, m, s, n, b, v, w), s, n, *m ? d : NULL, d + *m)
DECOMPRESS(int, BZ2_bzDecompressInit, (bz_stream *z, int v, int s), (z, v, s))
DECOMPRESS(int, BZ2_bzDecompress, (bz_stream *z), (z))
