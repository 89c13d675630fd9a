/* A marked call whose work another codec does, on the same buffers: one message, not two. */
#include <squall/squall.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#define CALLS 20
#define SIZE 200000
static char text[SIZE];

int main(void) {
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)(i / 40);
    size_t made = 0;
    for (int i = 0; i < CALLS; i++) {
        struct squall_call call;
        void *output = malloc(SIZE);
        squall_begin(&call, "outer", SQUALL_COMPRESS, text, SIZE, output, SIZE);
        size_t n = ZSTD_compress(output, SIZE, text, SIZE, 1);
        squall_end(&call, ZSTD_isError(n) ? SQUALL_FAILED : n);
        made += n;
        free(output);
    }
    printf("%zu\n", made);
    return 0;
}
