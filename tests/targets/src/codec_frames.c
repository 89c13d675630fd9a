/* Compresses 1 MiB ROUNDS times with one codec, and decompresses it once where `decompress` is
 * given; with `fork` in a child as well, with `threads` (zstd) on threads of the codec's own. Built
 * once for each codec (-DWITH_zstd …), linked dynamically, statically, or (-DOPENED) with the
 * library opened privately at run time, so that no symbol of it is in the global scope. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef OPENED
static void *library;
#define NEED(type, name, ...) \
    type (*name##_f)(__VA_ARGS__) = (type(*)(__VA_ARGS__))dlsym(library, #name)
#define CALL(name) name##_f
#else
#define NEED(type, name, ...) extern type name(__VA_ARGS__)
#define CALL(name) name
#endif

#define SIZE (1u << 20)
#define ROUNDS 4
static unsigned char source[SIZE], packed[2 * SIZE], unpacked[SIZE];
static size_t packed_size;

#if defined(WITH_zstd)
static int squeeze(void) {
    NEED(size_t, ZSTD_compress, void *, size_t, const void *, size_t, int);
    packed_size = CALL(ZSTD_compress)(packed, sizeof packed, source, SIZE, 3);
    return packed_size < SIZE;
}
static int unfold(void) {
    /* A stream: one-shot decompression needs no large block. */
    struct buffer {
        const void *p;
        size_t size, at;
    } in = {packed, packed_size, 0}, out = {unpacked, 1000, 0};
    NEED(void *, ZSTD_createDStream, void);
    NEED(size_t, ZSTD_decompressStream, void *, void *, void *);
    NEED(size_t, ZSTD_freeDStream, void *);
    void *stream = CALL(ZSTD_createDStream)();
    while (out.at < SIZE && out.size <= SIZE) {
        CALL(ZSTD_decompressStream)(stream, &out, &in);
        out.size = out.at + 1000 < SIZE ? out.at + 1000 : SIZE;
    }
    CALL(ZSTD_freeDStream)(stream);
    return out.at == SIZE;
}
static int squeeze_on_threads(void) {
    NEED(void *, ZSTD_createCCtx, void);
    NEED(size_t, ZSTD_CCtx_setParameter, void *, int, int);
    NEED(size_t, ZSTD_compress2, void *, void *, size_t, const void *, size_t);
    NEED(size_t, ZSTD_freeCCtx, void *);
    void *context = CALL(ZSTD_createCCtx)();
    CALL(ZSTD_CCtx_setParameter)(context, 400, 2); /* ZSTD_c_nbWorkers */
    packed_size = CALL(ZSTD_compress2)(context, packed, sizeof packed, source, SIZE);
    CALL(ZSTD_freeCCtx)(context);
    return packed_size < SIZE;
}
#elif defined(WITH_zlib)
static int squeeze(void) {
    unsigned long n = sizeof packed;
    NEED(int, compress2, void *, unsigned long *, const void *, unsigned long, int);
    if (CALL(compress2)(packed, &n, source, SIZE, 6))
        return 0;
    packed_size = n;
    return 1;
}
static int unfold(void) {
    unsigned long n = SIZE;
    NEED(int, uncompress, void *, unsigned long *, const void *, unsigned long);
    return CALL(uncompress)(unpacked, &n, packed, packed_size) == 0;
}
#elif defined(WITH_lz4)
static int squeeze(void) {
    NEED(int, LZ4_compress_HC, const void *, void *, int, int, int);
    packed_size = (size_t)CALL(LZ4_compress_HC)(source, packed, SIZE, sizeof packed, 9);
    return packed_size > 0;
}
static int unfold(void) {
    NEED(int, LZ4_decompress_safe, const void *, void *, int, int);
    return CALL(LZ4_decompress_safe)(packed, unpacked, (int)packed_size, SIZE) == SIZE;
}
#elif defined(WITH_snappy)
static int squeeze(void) {
    NEED(int, snappy_compress, const void *, size_t, void *, size_t *);
    packed_size = sizeof packed;
    return CALL(snappy_compress)(source, SIZE, packed, &packed_size) == 0;
}
static int unfold(void) {
    size_t n = SIZE;
    NEED(int, snappy_uncompress, const void *, size_t, void *, size_t *);
    return CALL(snappy_uncompress)(packed, packed_size, unpacked, &n) == 0;
}
#elif defined(WITH_brotli)
static int squeeze(void) {
    NEED(int, BrotliEncoderCompress, int, int, int, size_t, const void *, size_t *, void *);
    packed_size = sizeof packed;
    return CALL(BrotliEncoderCompress)(5, 22, 0, SIZE, source, &packed_size, packed);
}
static int unfold(void) {
    memcpy(unpacked, source, SIZE); /* that is in a library of its own */
    return 1;
}
#elif defined(WITH_lzma)
static int squeeze(void) {
    NEED(int, lzma_easy_buffer_encode, unsigned, int, void *, const void *, size_t, void *,
         size_t *, size_t);
    packed_size = 0;
    return CALL(lzma_easy_buffer_encode)(1, 1, NULL, source, SIZE, packed, &packed_size,
                                         sizeof packed) == 0;
}
static int unfold(void) {
    uint64_t limit = UINT64_MAX;
    size_t in = 0, out = 0;
    NEED(int, lzma_stream_buffer_decode, uint64_t *, unsigned, void *, const void *, size_t *,
         size_t, void *, size_t *, size_t);
    return CALL(lzma_stream_buffer_decode)(&limit, 0, NULL, packed, &in, packed_size, unpacked,
                                           &out, SIZE) == 0;
}
#elif defined(WITH_bz2)
static int squeeze(void) {
    unsigned n = sizeof packed;
    NEED(int, BZ2_bzBuffToBuffCompress, void *, unsigned *, void *, unsigned, int, int, int);
    int error = CALL(BZ2_bzBuffToBuffCompress)(packed, &n, source, SIZE, 9, 0, 0);
    packed_size = n;
    return error == 0;
}
static int unfold(void) {
    unsigned n = SIZE;
    NEED(int, BZ2_bzBuffToBuffDecompress, void *, unsigned *, void *, unsigned, int, int);
    return CALL(BZ2_bzBuffToBuffDecompress)(unpacked, &n, packed, (unsigned)packed_size, 0, 0) == 0;
}
#elif defined(WITH_user)
/* The program's own, and one that only has a famous name. */
__attribute__((noinline)) int my_compress_block(void) {
    char *work = malloc(300000);
    work[0] = 1;
    packed_size = (unsigned char)work[0];
    free(work);
    return 1;
}
__attribute__((noinline)) int compress(void) {
    char *work = malloc(200000);
    work[0] = 1;
    int one = work[0];
    free(work);
    return one;
}
static int squeeze(void) {
    return my_compress_block() && compress();
}
static int unfold(void) {
    memcpy(unpacked, source, SIZE);
    return 1;
}
#endif

__attribute__((noinline)) static int before(void) {
    char *output = malloc(500000); /* in no call */
    output[0] = 1;
    int one = output[0];
    free(output);
    return one;
}

int main(int argc, char **argv) {
#ifdef OPENED
    if (argc < 2 || !(library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL))) {
        puts(dlerror());
        return 1;
    }
#endif
    for (unsigned i = 0; i < SIZE; i++)
        source[i] = (unsigned char)(i * 2654435761u >> 28);
#ifdef WITH_zstd
    if (strcmp(argv[argc - 1], "threads") == 0)
        return squeeze_on_threads() ? 0 : 4;
#endif
    if (strcmp(argv[argc - 1], "fork") == 0 && fork()) {
        int status;
        wait(&status);
        squeeze();
        return status != 0;
    }
    for (int i = 0; i < ROUNDS; i++)
        if (!before() || !squeeze())
            return 2;
    if (strcmp(argv[argc - 1], "decompress") == 0)
        if (!unfold() || memcmp(source, unpacked, SIZE) != 0)
            return 3;
    return 0;
}
