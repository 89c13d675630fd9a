/* What an output must be, whatever went in. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>
#include <zlib.h>

#include "profile.pb-c.h"

/* The page, as small as it can be: what matters is its data. */
__asm__(".pushsection .rodata\n.global squall_page, squall_page_end\nsquall_page:\n"
        ".ascii \"<script>@@SQUALL-DATA@@</script>\"\nsquall_page_end:\n.byte 0\n.popsection");

/* Length of the character at s, and its code; invalid UTF-8 is a finding. */
static size_t character(const unsigned char *s, size_t left, uint32_t *code) {
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    FUZZ_MUST(length && s[0] < 0xf5 && length <= left);
    *code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        FUZZ_MUST((s[i] & 0xc0) == 0x80);
        *code = *code << 6 | (s[i] & 0x3f);
    }
    FUZZ_MUST(length < 3 || *code >= (length == 3 ? 0x800u : 0x10000u));
    FUZZ_MUST(*code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff));
    return length;
}

void fuzz_check_text(const char *text, size_t size) {
    const unsigned char *s = (const unsigned char *)text;
    uint32_t code;
    for (size_t i = 0; i < size;) {
        i += character(s + i, size - i, &code);
        FUZZ_MUST(code == '\n' || (code >= 0x20 && (code < 0x7f || code >= 0xa0)));
        FUZZ_MUST(code < 0x2028 || code > 0x202e); /* separators, and what turns the direction */
        FUZZ_MUST(code < 0x2066 || code > 0x2069);
    }
}

static void check_value(const char *text, size_t size) {
    yajl_handle handle = yajl_alloc(NULL, NULL, NULL); /* checks UTF-8, too */
    FUZZ_MUST(handle);
    yajl_status status = yajl_parse(handle, (const unsigned char *)text, size);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (status != yajl_status_ok) {
        unsigned char *why = yajl_get_error(handle, 1, (const unsigned char *)text, size);
        fprintf(stderr, "%s\n", why);
    }
    FUZZ_MUST(status == yajl_status_ok);
    yajl_free(handle);
    fuzz_check_text(text, size);
}

void fuzz_check_json(const char *text, size_t size, bool lines) {
    if (!lines) {
        check_value(text, size);
        return;
    }
    while (size) {
        const char *end = memchr(text, '\n', size);
        FUZZ_MUST(end && end > text);
        check_value(text, (size_t)(end - text));
        size -= (size_t)(end + 1 - text);
        text = end + 1;
    }
}

void fuzz_check_csv(const char *text, size_t size) {
    size_t fields = 1, expected = 0;
    bool quoted = false;
    uint32_t code;
    for (size_t i = 0; i < size;) {
        i += character((const unsigned char *)text + i, size - i, &code);
        FUZZ_MUST(code);
        if (code == '"')
            quoted = !quoted;
        else if (!quoted && code == ',')
            fields++;
        else if (!quoted && code == '\n') {
            FUZZ_MUST(!expected || fields == expected);
            expected = fields;
            fields = 1;
        }
    }
    FUZZ_MUST(!quoted && fields == 1);
}

void fuzz_check_pprof(const char *text, size_t size) {
    static unsigned char plain[16u << 20];
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text,
                  .avail_in = (unsigned)size,
                  .next_out = plain,
                  .avail_out = sizeof plain};
    FUZZ_MUST(inflateInit2(&z, 16 + 15) == Z_OK);
    int status = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (status == Z_BUF_ERROR && z.avail_out == 0)
        return; /* larger than is worth looking at */
    FUZZ_MUST(status == Z_STREAM_END);
    Squall__Pprof__Profile *p = squall__pprof__profile__unpack(NULL, z.total_out, plain);
    FUZZ_MUST(p && p->n_string_table && !*p->string_table[0]);
    for (size_t i = 0; i < p->n_string_table; i++) {
        uint32_t code;
        const char *s = p->string_table[i];
        for (size_t left = strlen(s), n; left; left -= n, s += n)
            n = character((const unsigned char *)s, left, &code);
    }
    squall__pprof__profile__free_unpacked(p, NULL);
}
