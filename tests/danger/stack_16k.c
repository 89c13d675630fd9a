/* danger: threads with stacks of 16 KiB, that compress, too
 * build: -lz -llz4 */
#include <lz4.h>
#include <zlib.h>

#include "danger.h"

static unsigned char text[60000];

static void *small(void *number) {
    unsigned i = (unsigned)(uintptr_t)number;
    danger_churn(100, i);
    z_stream z = {0};
    unsigned char *out = malloc(70000), *back = malloc(sizeof text);
    CHECK(deflateInit(&z, 1) == Z_OK);
    z.next_in = text, z.avail_in = sizeof text, z.next_out = out, z.avail_out = 70000;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    CHECK(deflateEnd(&z) == Z_OK);
    /* LZ4_compress_default takes 16 KiB of stack itself: its state is given here. */
    void *state = malloc((size_t)LZ4_sizeofState());
    int n = LZ4_compress_fast_extState(state, (char *)text, (char *)out, sizeof text, 70000, 1);
    CHECK(n > 0 && LZ4_decompress_safe((char *)out, (char *)back, n, sizeof text) == sizeof text);
    CHECK(!memcmp(back, text, sizeof text));
    free(state);
    free(out);
    free(back);
    return NULL;
}

int main(void) {
    pthread_attr_t attributes;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * i >> 7);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 16384) == 0);
    for (unsigned round = 0; round < 10; round++) {
        pthread_t threads[8];
        for (unsigned i = 0; i < 8; i++)
            CHECK(pthread_create(&threads[i], &attributes, small, (void *)(uintptr_t)i) == 0);
        danger_join(threads, 8);
    }
    printf("done\n");
}
