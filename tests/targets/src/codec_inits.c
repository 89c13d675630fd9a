/* Inits that fail and ones that do not: of each codec two fail, of zlib one with a struct that ends
 * with the memory that is there; a copy of a stream; and liblzma's stream begun anew, in vain. */
#include <bzlib.h>
#include <lzma.h>
#include <stdio.h>
#include <sys/mman.h>
#include <zlib.h>

static void of_zlib(void) {
    z_stream z = {0}, copy;
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    printf("%d", deflateInit_((z_streamp)(page + 4096 - 40), 6, "0.9", 40));
    printf(" %d", deflateInit(&z, 77));
    printf(" %d", deflateInit(&z, 6));
    printf(" %d", deflateCopy(&copy, &z));
    printf(" %d", deflateCopy(&copy, NULL));
    printf(" %d %d\n", deflateEnd(&z), deflateEnd(&copy));
}

static void of_bz2(void) {
    bz_stream b = {0};
    printf("%d", BZ2_bzCompressInit(&b, 77, 0, 0));
    printf(" %d", BZ2_bzCompressInit(NULL, 9, 0, 0));
    printf(" %d", BZ2_bzCompressInit(&b, 1, 0, 0));
    printf(" %d\n", BZ2_bzCompressEnd(&b));
}

static void of_lzma(void) {
    lzma_stream l = LZMA_STREAM_INIT;
    printf("%d", lzma_easy_encoder(&l, 77, LZMA_CHECK_CRC32));
    printf(" %d", lzma_easy_encoder(&l, 0, LZMA_CHECK_CRC32));
    printf(" %d\n", lzma_easy_encoder(&l, 0, 99));
    lzma_end(&l);
}

int main(void) {
    of_zlib();
    of_bz2();
    of_lzma();
    return 0;
}
