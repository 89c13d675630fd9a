/* Small texts for tables and screens. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *render_clean(char *out, size_t size, const char *text, unsigned columns) {
    struct buffer clean = {0};
    buffer_add_utf8(&clean, text, true);
    const char *from = buffer_text(&clean);
    size_t length = strlen(from);
    bool cut = columns && utf8_columns(from) > columns;
    if (cut)
        length = utf8_prefix(from, columns - 1);
    /* Room for the mark and the zero; never in the middle of a character. */
    while (length + 4 > size && length > 0) {
        length--;
        cut = true;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--;
    }
    snprintf(out, size, "%.*s%s", (int)length, from, cut ? "…" : "");
    buffer_free(&clean);
    return out;
}

const char *render_short_count(char *out, size_t size, double count) {
    static const char units[] = " kMGTPE";
    unsigned unit = 0;
    while (count >= 999.5 && unit + 2 < sizeof units) {
        count /= 1000;
        unit++;
    }
    int digits = unit == 0 ? (count < 9.95 && count > 0 ? 1 : 0)
                           : (count < 9.995   ? 2
                              : count < 99.95 ? 1
                                              : 0);
    if (unit)
        snprintf(out, size, "%.*f%c", digits, count, units[unit]);
    else
        snprintf(out, size, "%.*f", digits, count);
    return out;
}

const char *render_age(char *out, size_t size, double seconds) {
    unsigned long long s = analyse_whole(seconds);
    if (s < 120)
        snprintf(out, size, "%llus", s);
    else if (s < 3600)
        snprintf(out, size, "%llum%02llus", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%lluh%02llum", s / 3600, s / 60 % 60);
    else
        snprintf(out, size, "%llud%02lluh", s / 86400, s / 3600 % 24);
    return out;
}

const char *render_name_of(const char *path) {
    return render_base_name(path);
}
