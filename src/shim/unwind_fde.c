#include "unwind_fde.h"

#include "peek.h"

/* ---- reading ---- */

void fde_open(struct fde_reader *r, const struct module *m, uint8_t *scratch) {
    r->pos = r->start = m->start;
    r->end = m->end;
    r->bad = false;
    r->lo = r->hi = 0;
    r->scratch = scratch;
    /* Of one with gaps, what was loaded with the program is there all the same: a search in its
     * tables takes two dozen steps, and node has thousands of return addresses to look up. */
    bool is_split = !m->steady && m->permanent;
    r->steady = m->steady ? m->start : is_split ? m->tables : 0;
    r->steady_end = m->steady ? m->end : is_split ? m->tables_end : 0;
}

/* Makes `n` bytes from pos on readable, n <= 8. */
static COLD bool refill(struct fde_reader *r, uint64_t n) {
    if (r->bad)
        return false;
    if (r->pos - r->steady < r->steady_end - r->steady) {
        r->lo = r->steady;
        r->hi = r->steady_end;
        r->at = (const uint8_t *)r->steady;
    } else if (r->pos >= r->start && r->pos < r->end) {
        uint64_t want = r->end - r->pos < FDE_SCRATCH ? r->end - r->pos : FDE_SCRATCH;
        r->lo = r->pos;
        r->hi = r->pos + peek_read(r->scratch, r->pos, want);
        r->at = r->scratch;
    }
    r->bad = r->pos < r->lo || r->pos + n > r->hi || r->pos + n < r->pos;
    return !r->bad;
}

INLINE bool can_read(struct fde_reader *r, uint64_t n) {
    if (LIKELY(r->pos - r->lo < r->hi - r->lo && r->hi - r->pos >= n))
        return true;
    return refill(r, n);
}

uint64_t fde_get(struct fde_reader *r, unsigned n) {
    uint64_t v = 0;
    if (!can_read(r, n))
        return 0;
    const uint8_t *p = r->at + (r->pos - r->lo);
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    r->pos += n;
    return v;
}

uint8_t fde_get8(struct fde_reader *r) {
    return (uint8_t)fde_get(r, 1);
}
/* At once: the search reads little else. */
static int32_t get32(struct fde_reader *r) {
    typedef int32_t unaligned __attribute__((aligned(1), may_alias));
    if (!can_read(r, 4))
        return 0;
    int32_t v = *(const unaligned *)(r->at + (r->pos - r->lo));
    r->pos += 4;
    return v;
}

uint64_t fde_get_uleb(struct fde_reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t b = fde_get8(r);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80) || r->bad)
            return v;
    }
}

int64_t fde_get_sleb(struct fde_reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0;;) {
        uint8_t b = fde_get8(r);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
        if (!(b & 0x80) || r->bad) {
            if (shift < 64 && (b & 0x40))
                v |= ~0ull << shift;
            return (int64_t)v;
        }
    }
}

void fde_skip(struct fde_reader *r, uint64_t n) {
    if (r->pos > r->end || n > r->end - r->pos)
        r->bad = true;
    else
        r->pos += n;
}

enum { ENC_OMIT = 0xff, ENC_PCREL = 0x10, ENC_DATAREL = 0x30, ENC_INDIRECT = 0x80 };

/* A pointer as the exception tables write it. Indirect ones (personality routines) are not
 * followed: their value is never used. */
static uint64_t get_encoded(struct fde_reader *r, uint8_t encoding, uint64_t data_base) {
    uint64_t here = r->pos, v;
    switch (encoding & 0x0f) {
    case 0x00: /* absptr */
    case 0x04: /* udata8 */
    case 0x0c: /* sdata8 */
        v = fde_get(r, 8);
        break;
    case 0x01:
        v = fde_get_uleb(r);
        break;
    case 0x02:
        v = fde_get(r, 2);
        break;
    case 0x03:
        v = fde_get(r, 4);
        break;
    case 0x09:
        v = (uint64_t)fde_get_sleb(r);
        break;
    case 0x0a:
        v = (uint64_t)(int64_t)(int16_t)fde_get(r, 2);
        break;
    case 0x0b:
        v = (uint64_t)(int64_t)get32(r);
        break;
    default:
        r->bad = true;
        return 0;
    }
    switch (encoding & 0x70) {
    case 0:
        return v;
    case ENC_PCREL:
        return v + here;
    case ENC_DATAREL:
        return v + data_base;
    default:
        r->bad = true;
        return 0;
    }
}

/* ---- finding the FDE ---- */

#define TABLE_ENCODING 0x3b /* datarel, sdata4: the only one that a linker sorts */

uint64_t fde_find(struct fde_reader *r, uint64_t header, uint64_t address) {
    r->pos = header;
    uint32_t head = (uint32_t)get32(r);
    if ((head & 0xff) != 1 || head >> 24 != TABLE_ENCODING)
        return 0;
    get_encoded(r, (uint8_t)(head >> 8), header); /* start of .eh_frame */
    uint64_t count = get_encoded(r, (uint8_t)(head >> 16), header);
    uint64_t table = r->pos;
    if (r->bad || table > r->end || count > (r->end - table) / 8)
        return 0;
    int64_t wanted = (int64_t)(address - header);
    uint64_t low = 0, high = count; /* entries [0, low) begin at or before it */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        r->pos = table + middle * 8;
        if (get32(r) <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    r->pos = table + (low - 1) * 8 + 4;
    return header + (uint64_t)(int64_t)get32(r);
}

/* Reads a length word; returns the end of the entry, 0 for the terminator and for 64-bit DWARF,
 * which no linker makes in .eh_frame. */
static uint64_t get_end(struct fde_reader *r) {
    uint32_t length = (uint32_t)get32(r);
    if (r->bad || length == 0 || length == 0xffffffff)
        return 0;
    return r->pos + length;
}

static bool parse_cie(struct fde_reader *r, uint64_t address, struct fde *e, uint8_t *encoding,
                      bool *sized) {
    char text[8] = {0};
    r->pos = address;
    e->cie_end = get_end(r);
    if (!e->cie_end || get32(r) != 0)
        return false;
    uint8_t version = fde_get8(r);
    for (unsigned i = 0;; i++) {
        char c = (char)fde_get8(r);
        if (i == sizeof text)
            return false;
        text[i] = c;
        if (!c)
            break;
    }
    e->code_align = fde_get_uleb(r);
    e->data_align = fde_get_sleb(r);
    uint64_t ra = version == 1 ? fde_get8(r) : fde_get_uleb(r);
    if ((version != 1 && version != 3) || ra != FDE_RA)
        return false;
    *encoding = 0;
    *sized = text[0] == 'z';
    if (text[0] && !*sized)
        return false;
    uint64_t size = *sized ? fde_get_uleb(r) : 0;
    e->cie_code = r->pos + size;
    for (unsigned i = 1; *sized && text[i]; i++) {
        if (text[i] == 'R')
            *encoding = fde_get8(r);
        else if (text[i] == 'P') {
            uint8_t personality = fde_get8(r);
            get_encoded(r, personality & 0x7f, 0);
        } else if (text[i] == 'L')
            fde_get8(r);
        else if (text[i] == 'S')
            e->is_signal = true;
        else
            return false;
    }
    return !r->bad;
}

bool fde_parse(struct fde_reader *r, uint64_t address, struct fde *e) {
    uint8_t encoding;
    bool sized;
    r->pos = address;
    e->is_signal = false;
    e->fde_end = get_end(r);
    uint64_t here = r->pos;
    uint64_t back = (uint32_t)get32(r);
    if (!e->fde_end || back == 0 || r->bad)
        return false;
    uint64_t body = r->pos;
    if (!parse_cie(r, here - back, e, &encoding, &sized))
        return false;
    r->pos = body;
    e->begin = get_encoded(r, encoding, 0);
    e->size = get_encoded(r, encoding & 0x0f, 0);
    uint64_t skip = sized ? fde_get_uleb(r) : 0;
    e->fde_code = r->pos + skip;
    return !r->bad;
}
