/* base: what every room may use and what uses no room.
 *
 * Compiler words, raw system calls, number and size parsing. The shim links this too, so nothing
 * here may call the C library, set errno, allocate or use floating point. */
#ifndef SQUALL_BASE_H
#define SQUALL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))
#define HIDDEN __attribute__((visibility("hidden"))) /* data used across files without the GOT */
#define EXPORT __attribute__((visibility("default")))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Relaxed atomics: every counter of the region is one. */
#define RELAXED_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define RELAXED_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define RELAXED_ADD(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)

/* The largest of the values given, by any thread. */
INLINE void base_raise_to(uint64_t *p, uint64_t v) {
    uint64_t old = RELAXED_LOAD(p);
    while (old < v &&
           !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* The smallest. */
INLINE void base_lower_to(uint64_t *p, uint64_t v) {
    uint64_t old = RELAXED_LOAD(p);
    while (old > v &&
           !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* Sizes, durations, numbers: "64k", "1g", "100ms", "1s", "42". The text is [text, text+length).
 * Units are powers of two (k m g t, upper or lower case, optional "b" or "ib"); durations are
 * ns us ms s m h d, a bare number being seconds. Returns 0, or -EINVAL (not a number, unknown
 * unit) or -ERANGE (does not fit), *value untouched. */
int base_parse_size(const char *text, size_t length, uint64_t *value);
int base_parse_duration(const char *text, size_t length, uint64_t *nanoseconds);
int base_parse_number(const char *text, size_t length, unsigned radix, uint64_t *value);

/* String helpers that need no C library. */
size_t base_length(const char *s);
bool base_equal(const char *a, size_t a_length, const char *b);
bool base_starts(const char *s, const char *prefix);
/* Copies at most size - 1 bytes and ends with a zero; returns the length of src. */
size_t base_copy(char *dst, size_t size, const char *src);
void base_zero(void *p, size_t n);
void base_move(void *dst, const void *src, size_t n); /* regions do not overlap */
/* Appends to buf[*at], always leaving room for a zero; *at stops at size - 1. */
void base_append(char *buf, size_t size, size_t *at, const char *s);
void base_append_number(char *buf, size_t size, size_t *at, uint64_t v);
void base_append_hex(char *buf, size_t size, size_t *at, uint64_t v, unsigned digits);

/* A mixer of full avalanche (the finaliser of splitmix64). */
INLINE uint64_t base_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

#endif
