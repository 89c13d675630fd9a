/* Compresses as nginx does: one block a request is allocated before deflateInit2, and zlib gets its
 * memory from that through zalloc; so no allocation has a codec function on its stack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define POOL 270352
#define REQUESTS 40

struct pool {
    char *at, *end;
};

static void *from_pool(void *opaque, unsigned items, unsigned size) {
    struct pool *pool = opaque;
    size_t bytes = ((size_t)items * size + 15) / 16 * 16;
    if (bytes > (size_t)(pool->end - pool->at))
        return NULL;
    pool->at += bytes;
    return pool->at - bytes;
}

static void to_pool(void *opaque, void *p) {
    (void)opaque;
    (void)p;
}

static int answer(const char *body, size_t size) {
    static unsigned char out[1 << 16];
    char *block = malloc(POOL);
    struct pool pool = {block, block + POOL};
    z_stream z = {.zalloc = from_pool, .zfree = to_pool, .opaque = &pool};
    if (!block || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    z.next_in = (unsigned char *)body;
    z.avail_in = (unsigned)size;
    z.next_out = out;
    z.avail_out = sizeof out;
    int result = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    free(block);
    return result == Z_STREAM_END;
}

int main(void) {
    static char body[50000];
    memset(body, 'x', sizeof body);
    for (int i = 0; i < REQUESTS; i++)
        if (!answer(body, sizeof body))
            return 1;
    return 0;
}
