/* Real calls and ones of the same name. WITH_zlib: real ones of zlib, three of them, and a static
 * compress beside; WITH_snappy: real ones; else a snappy_uncompress as andikleen/snappy-c has it,
 * and a BrotliEncoderCompress as clang leaves a local one whose callers agree on arguments. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char text[100000], room[200000];

#if defined WITH_zlib
#include <zlib.h>
static unsigned own(unsigned *state, uint64_t blocks, const unsigned char *p,
                    long n) __asm__("compress");
static unsigned own(unsigned *state, uint64_t blocks, const unsigned char *p, long n) {
    for (uint64_t i = 0; i < blocks; i++)
        *state = *state * 31 + p[i % (uint64_t)n];
    return *state;
}
static unsigned long work(void) {
    uLongf n = 0;
    unsigned state = 1;
    for (int i = 0; i < 3; i++) {
        n = sizeof room;
        if (compress2(room, &n, text, sizeof text, 1))
            return 0;
        own(&state, 100000, text, 3);
    }
    return n + state;
}
#elif defined WITH_snappy
#include <snappy-c.h>
static unsigned long work(void) {
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        n = sizeof room;
        if (snappy_compress((char *)text, sizeof text, (char *)room, &n))
            return 0;
    }
    return n;
}
#else
int snappy_uncompress(const char *compressed, size_t n, char *uncompressed);
int snappy_uncompress(const char *compressed, size_t n, char *uncompressed) {
    for (size_t i = 0; i < n; i++)
        uncompressed[i] = compressed[i] ^ 1;
    return n ? 0 : -5;
}
static int own(size_t n, const unsigned char *in, size_t *made,
               unsigned char *out) __asm__("BrotliEncoderCompress");
static int own(size_t n, const unsigned char *in, size_t *made, unsigned char *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] ^ 1;
    *made = n;
    return 1;
}
static unsigned long work(void) {
    size_t made = 0;
    for (int i = 0; i < 3; i++) {
        snappy_uncompress((char *)text, sizeof text, (char *)room);
        own(sizeof text, text, &made, room);
    }
    return made;
}
#endif

int main(void) {
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * i >> 9);
    void *block = malloc(300000);
    memset(block, 1, 300000);
    printf("%lu\n", work());
    free(block);
    return 0;
}
