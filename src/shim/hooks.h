/* hooks: the functions that libsquall.so interposes, listed once.
 *
 * HOOKS_C: what C libraries define. HOOKS_NEW, HOOKS_NEW_ALIGNED, HOOKS_DELETE: C++ operators, by
 * their mangled names. The next ones are looked for at the first call of any; operators that
 * nothing loaded with the program defines stop being exported then (real.c). */
#ifndef SQUALL_SHIM_HOOKS_H
#define SQUALL_SHIM_HOOKS_H

#define HOOKS_C(X)        \
    X(malloc)             \
    X(calloc)             \
    X(realloc)            \
    X(reallocarray)       \
    X(free)               \
    X(cfree)              \
    X(free_sized)         \
    X(free_aligned_sized) \
    X(memalign)           \
    X(posix_memalign)     \
    X(aligned_alloc)      \
    X(valloc)             \
    X(pvalloc)            \
    X(malloc_usable_size)

/* m = size_t, St11align_val_t = alignment, RKSt9nothrow_t = nothrow. Arguments: size, alignment,
 * nothrow, those that there are, in this order. */
#define HOOKS_NEW(X)       \
    X(_Znwm)               \
    X(_Znam)               \
    X(_ZnwmRKSt9nothrow_t) \
    X(_ZnamRKSt9nothrow_t)

#define HOOKS_NEW_ALIGNED(X)              \
    X(_ZnwmSt11align_val_t)               \
    X(_ZnamSt11align_val_t)               \
    X(_ZnwmSt11align_val_tRKSt9nothrow_t) \
    X(_ZnamSt11align_val_tRKSt9nothrow_t)

/* Arguments: the block, its size, alignment, nothrow, likewise. */
#define HOOKS_DELETE(X)                    \
    X(_ZdlPv)                              \
    X(_ZdaPv)                              \
    X(_ZdlPvm)                             \
    X(_ZdaPvm)                             \
    X(_ZdlPvRKSt9nothrow_t)                \
    X(_ZdaPvRKSt9nothrow_t)                \
    X(_ZdlPvSt11align_val_t)               \
    X(_ZdaPvSt11align_val_t)               \
    X(_ZdlPvmSt11align_val_t)              \
    X(_ZdaPvmSt11align_val_t)              \
    X(_ZdlPvSt11align_val_tRKSt9nothrow_t) \
    X(_ZdaPvSt11align_val_tRKSt9nothrow_t)

#define HOOK_ID(name) HOOK_##name,
enum hook {
    HOOKS_C(HOOK_ID) HOOKS_NEW(HOOK_ID) HOOKS_NEW_ALIGNED(HOOK_ID) HOOKS_DELETE(HOOK_ID) HOOK_COUNT
};
#define HOOK_FIRST_OPERATOR HOOK__Znwm
#define HOOK_FIRST_ALIGNED HOOK__ZnwmSt11align_val_t /* of operators new */

#endif
