/* Codec calls one after the other on one thread: args MILLISECONDS FUNCTION BYTES prints `CPU WALL`
 * nanoseconds a call. Destination and, for deflate, the stream are kept, so that little else is
 * measured than the call and what is put around it. */
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "clocked.h"

#define MOST (1u << 20)
#define BATCH 16

static char text[MOST], room[2 * MOST];
static size_t size;
static z_stream stream;

static bool zstd_1(void) {
    return !ZSTD_isError(ZSTD_compress(room, sizeof room, text, size, 1));
}
static bool zstd_3(void) {
    return !ZSTD_isError(ZSTD_compress(room, sizeof room, text, size, 3));
}
static bool lz4(void) {
    return LZ4_compress_default(text, room, (int)size, (int)sizeof room) > 0;
}
static bool deflate_1(void) {
    deflateReset(&stream);
    stream.next_in = (Bytef *)text;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)room;
    stream.avail_out = sizeof room;
    return deflate(&stream, Z_FINISH) == Z_STREAM_END;
}

static const struct {
    const char *name;
    bool (*call)(void);
} functions[] = {{"zstd-1", zstd_1}, {"zstd-3", zstd_3}, {"lz4", lz4}, {"deflate-1", deflate_1}};
static bool (*chosen)(void);

static void work(struct worker *w) {
    do {
        for (int i = 0; i < BATCH; i++)
            if (!chosen())
                abort();
    } while (clocked_more(w, BATCH));
}

int main(int argc, char **argv) {
    for (unsigned i = 0; argc == 4 && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(argv[2], functions[i].name) == 0)
            chosen = functions[i].call;
    size = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (!chosen || size == 0 || size > MOST || deflateInit(&stream, 1) != Z_OK) {
        fputs("usage: args MILLISECONDS zstd-1|zstd-3|lz4|deflate-1 BYTES\n", stderr);
        return 2;
    }
    /* Words in no order: compresses about as logs do. */
    uint32_t random = 2463534242u;
    for (size_t i = 0; i < MOST; i++) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        text[i] = i % 8 ? text[i - 1 - (i > 200 ? random % 8 * 8 : 0)] : (char)('a' + random % 26);
    }
    return clocked_run(1, (unsigned)atoi(argv[1]), 4 * BATCH, work);
}
