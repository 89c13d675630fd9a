/* Bytes of unknown origin made valid UTF-8, and fit for a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool make_room(struct buffer *buffer, size_t more) {
    if (buffer->failed)
        return false;
    if (buffer->room - buffer->length > more)
        return true;
    size_t room = buffer->room ? buffer->room : 256;
    while (room - buffer->length <= more) {
        if (__builtin_mul_overflow(room, (size_t)2, &room))
            break;
    }
    char *text = room - buffer->length > more ? realloc(buffer->text, room) : NULL;
    if (!text) {
        buffer->failed = true;
        buffer->length = 0;
        return false;
    }
    buffer->text = text;
    buffer->room = room;
    return true;
}

void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
}

void buffer_free(struct buffer *buffer) {
    free(buffer->text);
    *buffer = (struct buffer){0};
}

void buffer_add(struct buffer *buffer, const char *text, size_t length) {
    if (!make_room(buffer, length))
        return;
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = 0;
}

const char *buffer_text(const struct buffer *buffer) {
    return buffer->length ? buffer->text : "";
}

/* Length of the valid character at s and its code in *code; 0 if there is none (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF). The zero at the end stops every read. */
static size_t decode(const unsigned char *s, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length == 0 || s[0] > 0xf4)
        return 0;
    *code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3f);
    }
    if (*code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return length;
}

/* Control characters; marks that turn the direction of writing; line and paragraph separators. */
static bool is_printable(uint32_t code) {
    return !(code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
             (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
             (code >= 0x2066 && code <= 0x2069));
}

/* Only these bytes begin one that is not ASCII's: C1 controls, U+061C, U+2000 to U+2FFF. */
bool utf8_is_printable(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    for (uint32_t code; (s = (const unsigned char *)strpbrk((const char *)s, "\x7f\xc2\xd8\xe2"));
         s++)
        if (decode(s, &code) && !is_printable(code))
            return false;
    return true;
}

void buffer_add_escaped(struct buffer *buffer, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    size_t length;
    for (uint32_t code; *s && (length = decode(s, &code)); s += length) {
        char number[16];
        int size = 0;
        if (!is_printable(code)) /* none is above U+FFFF */
            size = snprintf(number, sizeof number, "\\u%04x", (unsigned)code);
        else if (code == '"' || code == '\\')
            size = snprintf(number, sizeof number, "\\%c", (char)code);
        buffer_add(buffer, size ? number : (const char *)s, size ? (size_t)size : length);
    }
}

/* Ends with the first character that begins behind `most`. Returns whether it was all. */
static bool add_cleaned(struct buffer *buffer, const char *text, bool printable, size_t most) {
    const unsigned char *s = (const unsigned char *)text, *run = s;
    while (*s && (size_t)(s - (const unsigned char *)text) <= most) {
        uint32_t code;
        size_t length = decode(s, &code);
        if (length && (!printable || is_printable(code))) {
            s += length;
            continue;
        }
        buffer_add(buffer, (const char *)run, (size_t)(s - run));
        buffer_add(buffer, "\xef\xbf\xbd", 3);
        s += length ? length : 1;
        run = s;
    }
    buffer_add(buffer, (const char *)run, (size_t)(s - run));
    return *s == 0;
}

void buffer_add_utf8(struct buffer *buffer, const char *text, bool printable) {
    add_cleaned(buffer, text, printable, SIZE_MAX);
}

void buffer_add_name(struct buffer *buffer, const char *name, bool printable) {
    static const char mark[] = "…";
    size_t from = buffer->length, end = from + NAME_BYTES_MAX - (sizeof mark - 1);
    bool whole = add_cleaned(buffer, name, printable, NAME_BYTES_MAX);
    if (buffer->failed || (whole && buffer->length - from <= NAME_BYTES_MAX))
        return;
    while (end > from && ((unsigned char)buffer->text[end] & 0xc0) == 0x80)
        end--; /* never in the middle of a character */
    buffer->length = end;
    buffer_add(buffer, mark, sizeof mark - 1);
}

unsigned utf8_columns(const char *text) {
    unsigned columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

size_t utf8_prefix(const char *text, unsigned columns) {
    size_t length = 0;
    while (text[length]) {
        if (((unsigned char)text[length] & 0xc0) != 0x80 && columns-- == 0)
            break;
        length++;
    }
    return length;
}
