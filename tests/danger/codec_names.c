/* danger: functions that have a codec's name and other arguments: numbers, pointers to nothing, to
 * the end of what is there, and to what was there at the last call; local ones; structs by value
 * build: -fno-inline -fno-ipa-cp -fno-ipa-sra
 * Each has the name of a known function, for which its first arguments are read differently. */
#include "danger.h"

#include <sys/mman.h>

#define PAGE 4096
typedef long function(long, long, long, long, long, long, long, long, long);

static unsigned long sum;
/* `result` is told to the next call: what a function returns is judged as well. */
static long result;
#define NAMED(name)                                                                     \
    long name(long a, long b, long c, long d, long e, long f, long g, long h, long i) { \
        const long all[] = {a, b, c, d, e, f, g, h, i};                                 \
        for (unsigned k = 0; k < 9; k++)                                                \
            sum = sum * 31 + (unsigned long)all[k];                                     \
        return result;                                                                  \
    }
#define FUNCTIONS(X)                                                                               \
    X(snappy_validate_compressed_buffer)                                                           \
    X(snappy_compress) X(snappy_uncompress) X(BrotliEncoderCompress)                               \
        X(BrotliEncoderCompressStream) X(BrotliDecoderDecompressStream) X(LZ4F_decompress)         \
            X(LZ4_compress_destSize) X(LZ4_compress_default) X(LZ4F_createCompressionContext)      \
                X(BZ2_bzBuffToBuffCompress) X(BZ2_bzCompress) X(lzma_code) X(lzma_easy_encoder)    \
                    X(lzma_stream_buffer_decode) X(lzma_end) X(deflateInit_) X(deflateEnd)         \
                        X(deflateCopy) X(deflate) X(inflate) X(compress) X(uncompress2)            \
                            X(ZSTD_compress) X(ZSTD_compressStream2) X(ZSTD_decompressStream)      \
                                X(ZSTD_compressStream2_simpleArgs) X(isal_deflate) X(isal_inflate) \
                                    X(lzf_compress) X(libdeflate_deflate_decompress) X(gzwrite)
FUNCTIONS(NAMED)
#define POINTER(name) name,
static function *const functions[] = {FUNCTIONS(POINTER)};
#define COUNT (sizeof functions / sizeof functions[0])

/* Only of this file, as a compiler leaves it that has taken arguments away, with more on the stack
 * than any codec has. */
struct large {
    long word[60];
};
static __attribute__((noinline)) long LZ4_compressHC(struct large all) {
    for (unsigned i = 0; i < 60; i++)
        sum = sum * 31 + (unsigned long)all.word[i];
    return result;
}

static long numbers[16];
static unsigned count;

static void call_all(void) {
    static const long results[] = {0, 1, -1, 100, 0x555555554000, 1l << 33};
    for (unsigned f = 0; f < COUNT; f++)
        for (unsigned i = 0; i < count; i++) {
            long n[9];
            for (unsigned k = 0; k < 9; k++)
                n[k] = numbers[(i * 7 + k * (f + 1 + i)) % count];
            result = results[(f + i) % 6];
            functions[f](n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]);
        }
}

/* What a function pointed to at its first call is not there at the second. Addresses differ from
 * run to run, so they take no part in the sum. */
static void take_away(function *f, int way) {
    unsigned long before = sum;
    long *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long at = (long)page;
    CHECK(page != MAP_FAILED);
    for (unsigned i = 0; i < PAGE / 4; i++)
        page[i] = i % 3 == 0 ? at : i % 3 == 1 ? 1000 : 0;
    result = 1;
    f(at, at, at, at, at, at, at, at, at);
    f(at, at, at, at, at, at, at, at, at);
    if (way == 0)
        CHECK(!munmap(page, 2 * PAGE));
    else if (way == 1)
        CHECK(mmap(page, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
              page);
    else
        CHECK(mremap(page, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                     (char *)mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) !=
              MAP_FAILED);
    f(at, at, at, at, at, at, at, at, at);
    sum = before;
}

/* Two arguments of lzma_stream_buffer_encode are on the stack; this one has none, and is called on
 * a stack that ends with the return address. */
long lzma_stream_buffer_encode(void);
long lzma_stream_buffer_encode(void) {
    return result;
}

static void call_on_edge(void) {
    char *room = mmap(NULL, 65 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED && !mprotect(room + 64 * PAGE, PAGE, PROT_NONE));
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "mov %0, %%rsp\n"
                     "call *%1\n"
                     "mov %%rbx, %%rsp\n"
                     :
                     : "r"(room + 64 * PAGE), "r"(lzma_stream_buffer_encode)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
                       "cc");
}

int main(void) {
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct large all;
    CHECK(pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
    /* Of each function's own first: nobody has reason yet to doubt it. */
    for (unsigned f = 0; f < COUNT; f++)
        take_away(functions[f], (int)(f % 3));
    call_on_edge();
    static const long plain[] = {
        0, 1, 8, 4095, 100000, 0x123456789abc, -1, 1l << 47, -4096, (long)0x8000000000001000};
    for (; count < 10; count++)
        numbers[count] = plain[count];
    call_all();
    printf("%lx\n", sum);
    for (unsigned i = 0; i < PAGE; i++)
        pages[i] = (char)(i % 8 ? i : 0x7f);
    static const long ends[] = {0, PAGE - 1, PAGE - 4, PAGE - 8, PAGE - 40, PAGE};
    for (unsigned i = 0; i < 6; i++)
        numbers[count++] = (long)pages + ends[i];
    call_all();
    sum = 1;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 60; i++)
            all.word[i] = round * 1000 + i;
        LZ4_compressHC(all);
    }
    printf("%lx\n", sum);
    return 0;
}
