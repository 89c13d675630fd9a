/* Memory that goes all at once: what a profile points to lives and dies with it. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CHUNK (64u * 1024u)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};

void *arena_take(struct arena *arena, size_t size) {
    struct arena_chunk *chunk = arena->chunks;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK / 4 ? size : CHUNK;
        struct arena_chunk *fresh = calloc(1, sizeof *fresh + room);
        if (!fresh)
            return NULL;
        fresh->size = room;
        if (chunk && room == size) { /* a large one stands behind: the first keeps its room */
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return taken;
}

void *arena_take_array(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_take(arena, bytes ? bytes : 1);
}

char *arena_copy(struct arena *arena, const char *text, size_t size) {
    char *copy = arena_take(arena, size + 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void arena_free(struct arena *arena) {
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
}
