/* Numbers for people: three digits are enough to compare by. */
#include <stdio.h>

#include "internal.h"

static const char *three_digits(char *out, size_t size, double value, const char *unit) {
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, size, "%.*f %s", digits, value, unit);
    return out;
}

const char *analyse_format_bytes(char *out, size_t size, uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    unsigned unit = 0;
    if (bytes < 1024) {
        snprintf(out, size, "%llu B", (unsigned long long)bytes);
        return out;
    }
    while (value >= 1023.5 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    return three_digits(out, size, value, units[unit]);
}

const char *analyse_format_time(char *out, size_t size, double ns) {
    if (ns < 999.5)
        snprintf(out, size, "%.0f ns", ns < 0 ? 0 : ns);
    else if (ns < 999.5e3)
        three_digits(out, size, ns / 1e3, "µs");
    else if (ns < 999.5e6)
        three_digits(out, size, ns / 1e6, "ms");
    else if (ns < 120e9)
        three_digits(out, size, ns / 1e9, "s");
    else if (ns < 7200e9)
        snprintf(out, size, "%.0f min %02.0f s", (double)analyse_whole(ns / 60e9),
                 (double)(analyse_whole(ns / 1e9) % 60));
    else
        three_digits(out, size, ns / 3600e9, "h");
    return out;
}

const char *analyse_format_count(char *out, size_t size, uint64_t count) {
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    size_t at = 0;
    for (int i = 0; i < length && at + 1 < size; i++) {
        if (i && (length - i) % 3 == 0 && at + 2 < size)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    if (size)
        out[at] = 0;
    return out;
}
