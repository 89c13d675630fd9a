/* A producer that compresses message after message with one codec, each into a new output, until
 * a file appears; then it stands still until another one does: figures of both sides can be
 * compared then.
 *
 *   producer zstd|zlib|lz4 STILL END */
#define _GNU_SOURCE
#include <lz4.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define MESSAGE 150000u

static char source[MESSAGE];

static void with_zstd(size_t size) {
    size_t room = ZSTD_compressBound(size);
    char *output = malloc(room);
    ZSTD_compress(output, room, source, size, 1);
    free(output);
}

static void with_zlib(size_t size) {
    uLongf room = compressBound(size);
    Bytef *output = malloc(room);
    compress2(output, &room, (Bytef *)source, size, 1);
    free(output);
}

static void with_lz4(size_t size) {
    int room = LZ4_compressBound((int)size);
    char *output = malloc((size_t)room);
    LZ4_compress_default(source, output, (int)size, room);
    free(output);
}

static void make_small(void) {
    char *kept[50];
    for (int i = 0; i < 50; i++)
        kept[i] = malloc(40 + (size_t)i * 10);
    for (int i = 0; i < 50; i++)
        free(kept[i]);
}

int main(int count, char **argument) {
    void (*compress_one)(size_t) = argument[1][0] == 'l'   ? with_lz4
                                   : argument[1][1] == 's' ? with_zstd
                                                           : with_zlib;
    (void)count;
    for (unsigned i = 0; i < MESSAGE; i++)
        source[i] = (char)(i * i / 1000 % 64 + i % 7);
    for (unsigned n = 0; access(argument[2], F_OK) != 0; n++) {
        compress_one(MESSAGE - n % 16 * 1000);
        make_small();
        usleep(5000);
    }
    puts("still");
    fflush(stdout);
    while (access(argument[3], F_OK) != 0)
        usleep(10000);
    return 0;
}
