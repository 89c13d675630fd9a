/* danger: symbols with a codec's name that lead into nothing, into data, or are said to be endless
 * As packers and tools that rewrite programs leave them: nothing calls them. */
#include "danger.h"

static char data[8192] __attribute__((used)) = "\x55\x48\x89\xe5\xb8\x01\x00\x00\x00\x5d\xc3";
static char zeros[1 << 20] __attribute__((used));

long LZ4_compress_HC(long a, long b, long c, long d);
__attribute__((noinline)) long LZ4_compress_HC(long a, long b, long c, long d) {
    return a + b * c + d;
}

#define ASTRAY(name, where)                                                                       \
    __asm__(".globl " #name "\n.type " #name ",@function\n.set " #name "," where "\n.size " #name \
            ",0x7fffffffffffff00\n");
ASTRAY(ZSTD_compress, "main + 0x500000")
ASTRAY(ZSTD_decompress, "main + 0x7fffffff")
ASTRAY(ZSTD_compressCCtx, "main - 0x10000000")
ASTRAY(LZ4_compress_default, "data")
ASTRAY(LZ4_compress_fast, "zeros + 0xffff0")
ASTRAY(LZ4_decompress_safe, "zeros + 0x7fffffffffff")
__asm__(".size LZ4_compress_HC,0x7fffffffffffff00\n");

int main(void) {
    danger_churn(100, 1);
    printf("%ld\n", LZ4_compress_HC(1, 2, 3, 4));
}
