/* real: the allocator behind the hooks.
 *
 * Why: the hooks must reach the next definition of each function from the very first call, which
 * may come from the loader itself, before anything here was relocated or initialised. Until then,
 * and only then, blocks come from a small arena that is recognised for ever.
 *
 * Who writes what: `real` is filled by the first caller and never changes again. Racing writers
 * store the same value. */
#ifndef SQUALL_SHIM_REAL_H
#define SQUALL_SHIM_REAL_H

#include "base/base.h"
#include "hooks.h"

struct real {
    /* The functions of the hot paths. They begin as functions of this room that look for the
     * next one first, so no path needs a check. */
    void *(*malloc)(size_t n);
    void *(*calloc)(size_t n, size_t size);
    void *(*realloc)(void *p, size_t n);
    void (*free)(void *p);
    /* All, by enum hook; NULL = there is none. */
    void *next[HOOK_COUNT];
    bool ready;
    bool is_glibc;   /* the next malloc is glibc's: a chunk's header tells if it was mmapped */
    bool is_foreign; /* somebody before us defines malloc: the program never calls ours */
    /* Operators of the global scope that pass through the exported malloc and free: there is
     * nothing to do but to call them. NULL = not known, or not such a one. */
    void *forward[HOOK_COUNT];
} __attribute__((aligned(64)));
extern struct real real HIDDEN;

/* Looks for everything in hooks.h, in the objects that were loaded with the program; operators
 * that none of them defines are not exported any more. Returns false while the loader's list cannot
 * be read. */
bool real_resolve(void);
struct real_operator {
    void
        *function; /* NULL = there is none: it is for who was bound to ours before that was known */
    /* It never passes through the exported malloc and free, so it is recorded by its own hook: its
     * module defines malloc too. */
    bool is_direct;
};
/* The next operator, which is of the global scope and the same for all callers. */
struct real_operator real_operator(enum hook hook);

/* Blocks of the arena. Sizes are kept, so that realloc can copy. */
bool real_is_boot(const void *p);
size_t real_boot_size(const void *p);
void *real_boot_alloc(size_t n, size_t align); /* zeroed; NULL = the arena is full */

#endif
