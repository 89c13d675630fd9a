/* Numbers, sizes, durations and strings without the C library. */
#include "base.h"

#include <errno.h>

int base_parse_number(const char *text, size_t length, unsigned radix, uint64_t *value) {
    uint64_t v = 0;
    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned digit = c >= '0' && c <= '9'   ? c - 48u
                         : c >= 'a' && c <= 'f' ? c - 87u
                         : c >= 'A' && c <= 'F' ? c - 55u
                                                : 99u;
        if (digit >= radix)
            return -EINVAL;
        if (__builtin_mul_overflow(v, (uint64_t)radix, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v))
            return -ERANGE;
    }
    *value = v;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Splits "64k" into digits and unit and multiplies. */
static int parse_with_unit(const char *text, size_t length, const struct unit *units, size_t count,
                           uint64_t *value) {
    size_t digits = 0;
    while (digits < length && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    uint64_t v;
    int error = base_parse_number(text, digits, 10, &v);
    if (error)
        return error;
    for (size_t i = 0; i < count; i++) {
        if (!base_equal(text + digits, length - digits, units[i].name))
            continue;
        if (__builtin_mul_overflow(v, units[i].factor, &v))
            return -ERANGE;
        *value = v;
        return 0;
    }
    return -EINVAL;
}

int base_parse_size(const char *text, size_t length, uint64_t *value) {
    static const char prefix[] = "kmgt";
    char lower[32];
    if (length == 0)
        return -EINVAL;
    if (length >= sizeof lower)
        return -ERANGE;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    /* "ib" and "b" say the same as nothing. */
    if (length > 1 && lower[length - 1] == 'b')
        length -= length > 2 && lower[length - 2] == 'i' ? 2 : 1;
    unsigned shift = 0;
    for (unsigned i = 0; length && i < 4; i++)
        if (lower[length - 1] == prefix[i])
            shift = 10 * (i + 1);
    uint64_t v;
    int error = base_parse_number(lower, length - (shift != 0), 10, &v);
    if (error)
        return error;
    if (shift && v >> (64 - shift))
        return -ERANGE;
    *value = v << shift;
    return 0;
}

int base_parse_duration(const char *text, size_t length, uint64_t *nanoseconds) {
    static const struct unit units[] = {
        {"", 1000000000ull},
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000ull},
        {"m", 60000000000ull},
        {"h", 3600000000000ull},
        {"d", 86400000000000ull},
    };
    return parse_with_unit(text, length, units, ARRAY_SIZE(units), nanoseconds);
}

size_t base_length(const char *s) {
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

bool base_equal(const char *a, size_t a_length, const char *b) {
    size_t i = 0;
    while (i < a_length && b[i] && a[i] == b[i])
        i++;
    return i == a_length && b[i] == 0;
}

bool base_starts(const char *s, const char *prefix) {
    while (*prefix)
        if (*s++ != *prefix++)
            return false;
    return true;
}

size_t base_copy(char *dst, size_t size, const char *src) {
    size_t n = base_length(src), k = n < size ? n : size - 1;
    if (size == 0)
        return n;
    base_move(dst, src, k);
    dst[k] = 0;
    return n;
}

/* The compiler must not turn these two into calls of memset and memcpy. */
void base_zero(void *p, size_t n) {
    __asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
}

void base_move(void *dst, const void *src, size_t n) {
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

void base_append(char *buf, size_t size, size_t *at, const char *s) {
    while (*s && *at + 1 < size)
        buf[(*at)++] = *s++;
    if (size)
        buf[*at] = 0;
}

void base_append_number(char *buf, size_t size, size_t *at, uint64_t v) {
    char digits[21];
    size_t i = sizeof digits - 1;
    digits[i] = 0;
    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    base_append(buf, size, at, digits + i);
}

void base_append_hex(char *buf, size_t size, size_t *at, uint64_t v, unsigned digits) {
    char text[17];
    for (unsigned i = 0; i < digits; i++)
        text[i] = "0123456789abcdef"[(v >> (4 * (digits - 1 - i))) & 15];
    text[digits] = 0;
    base_append(buf, size, at, text);
}
