/* squall.h: marks for a program that wants its own codec calls in squall's report.
 *
 * Why: squall finds the functions of known codecs by their names. A codec that it does not know, or
 * a call in which something else is compressed than what its arguments say, can be marked:
 *
 *     struct squall_call call;
 *     squall_begin(&call, "mycodec", SQUALL_COMPRESS, source, source_size, output, capacity);
 *     size_t made = my_compress(source, source_size, output, capacity);
 *     squall_end(&call, made ? made : SQUALL_FAILED);
 *
 * This header is all: there is nothing to link. Without squall in the process both functions are a
 * load and a branch. A note in the program tells squall where to put the addresses of its own
 * functions, so no symbol is looked up, and a stripped program or a plugin is found like any other.
 *
 * Marks may nest, and other codecs may be called between begin and end. Both are called by the same
 * thread. A call that is begun and never ended is counted as left when the thread makes its next.
 *
 * C99 or C++11, gcc or clang, x86-64 Linux; elsewhere the functions do nothing. */
#ifndef SQUALL_SQUALL_H
#define SQUALL_SQUALL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum squall_direction { SQUALL_COMPRESS = 1, SQUALL_DECOMPRESS = 2 };

/* Instead of the number of bytes produced. */
#define SQUALL_FAILED ((size_t)-1)

/* One call, from begin to end: on the stack of who makes it. squall's to write. */
struct squall_call {
    unsigned long long is_begun;
    unsigned long long room[47];
};

/* What squall fills in; private to this header. One in each program or library that uses it. */
struct squall_hooks {
    unsigned int version; /* 1 */
    unsigned int size;    /* of this struct in bytes */
    void (*begin)(struct squall_call *call, const char *name, int direction, const void *source,
                  size_t source_size, const void *destination, size_t capacity);
    void (*end)(struct squall_call *call, size_t produced);
};

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)

__attribute__((weak, visibility("hidden"), used)) struct squall_hooks squall_hooks_v1 = {
    1, sizeof(struct squall_hooks), NULL, NULL};

/* An ELF note: owner "squall", type 1; its 8 bytes are the distance from themselves to the hooks.
 */
__asm__(".pushsection .note.squall,\"a\",@note\n"
        ".balign 4\n"
        ".long 7, 8, 1\n"
        ".asciz \"squall\"\n"
        ".balign 4\n"
        ".quad squall_hooks_v1 - .\n"
        ".popsection\n");

/* `name` is of the codec or of the function, up to 63 bytes, and has to stay as it is: a literal.
 * Sizes are in bytes; destination may be NULL where the call makes it itself. */
__attribute__((unused)) static inline void squall_begin(struct squall_call *call, const char *name,
                                                        enum squall_direction direction,
                                                        const void *source, size_t source_size,
                                                        const void *destination, size_t capacity) {
    call->is_begun = 0;
    if (squall_hooks_v1.begin)
        squall_hooks_v1.begin(call, name, direction, source, source_size, destination, capacity);
}

/* `produced` bytes, or SQUALL_FAILED. */
__attribute__((unused)) static inline void squall_end(struct squall_call *call, size_t produced) {
    if (call->is_begun && squall_hooks_v1.end)
        squall_hooks_v1.end(call, produced);
}

#else

static inline void squall_begin(struct squall_call *call, const char *name,
                                enum squall_direction direction, const void *source,
                                size_t source_size, const void *destination, size_t capacity) {
    (void)call, (void)name, (void)direction, (void)source, (void)source_size, (void)destination,
        (void)capacity;
}

static inline void squall_end(struct squall_call *call, size_t produced) {
    (void)call, (void)produced;
}

#endif

#ifdef __cplusplus
}
#endif

#endif
