/* The table and how it is searched. Signatures are those of the libraries' headers: zstd 1.5,
 * zlib 1.3 and zlib-ng 2, lz4 1.10, snappy 1.2, brotli 1.1, xz 5.6, bzip2 1.0.8, liblzf 3.6,
 * libdeflate 1.2x, isa-l 2.31; older ones have a part of them. */
#include "codec_table.h"

/* ---- shapes: D destination, C capacity, S source, N its size ---- */

enum shape {
    NOTHING, /* no argument is of interest */
    CREATES,
    CREATES_REF, /* the context is stored where argument 0 points */
    CONTEXT,
    INIT, /* the same, but it may fail */
    DCSN,    /* (dst, capacity, src, size …) */
    X_DCSN,  /* (context, dst, capacity, src, size …) */
    X_DC,    /* (context, dst, capacity …): begin, flush, end */
    ZSTD_IO, /* (context, ZSTD_outBuffer *, ZSTD_inBuffer *) */
    ZSTD_O,
    ZSTD_FLAT, /* (context, dst, capacity, &pos, src, size, &pos) */
    ZLIB_FLAT, /* (dest, &length, source, length) */
    ZLIB_FLAT2,
    ZLIB_IO, /* (z_stream *); bz_stream has the same layout */
    GZ_WRITE,
    GZ_READ,
    GZ_FWRITE,
    GZ_FREAD,
    SDNC, /* lz4: (src, dst, size, capacity …) */
    SDN,
    X_SDNC,
    X_SDN,
    LZ4_DEST_SIZE,
    X_LZ4_DEST_SIZE,
    LZ4_FAST, /* (src, dst, original size) */
    X_LZ4_FAST,
    LZ4_PARTIAL,
    LZ4F_D,
    SNAPPY_C,
    SNAPPY_STRING,
    SNAPPY_RAW,
    SNAPPY_STREAM,
    SNAPPY_UNRAW,
    SNAPPY_UNSTRING,
    SNAPPY_UNSTREAM,
    SNAPPY_UNRAW_STREAM,
    BROTLI_FLAT,
    BROTLI_IO,
    BROTLI_UNFLAT,
    BROTLI_UNIO,
    LZMA_IO,
    LZMA_FLAT_5, /* lzma_stream_buffer_encode: three arguments before the buffers */
    LZMA_FLAT_4,
    LZMA_UNFLAT_5,
    LZMA_UNFLAT_4,
    BZ_FLAT,
    BZ_UNFLAT,
    BZ_FILE_WRITE,
    BZ_WRITE,
    BZ_FILE_READ,
    BZ_READ,
    LZF_FLAT,
    DEFLATE_FLAT, /* libdeflate */
    INFLATE_FLAT,
    INFLATE_FLAT_EX,
    ISAL_IO,
    ISAL_UNIO,
};

#define A(n) \
    { CODEC_ARGUMENT, n, 0, 0 }
#define A32(n) \
    { CODEC_ARGUMENT_32, n, 0, 0 }
#define F(n, offset) \
    { CODEC_FIELD, n, offset, 0 }
#define F32(n, offset) \
    { CODEC_FIELD_32, n, offset, 0 }
#define BUFFER(n) \
    { CODEC_FIELD_PLUS, n, 0, 16 }
#define LEFT(n) \
    { CODEC_FIELD_MINUS, n, 8, 16 }
#define S(p, n) .source = p, .source_size = n
#define D(p, c) .destination = p, .capacity = c
#define X(p) .context = p
#define MADE(p) .produced = p
#define GIVES(r) .result = CODEC_RETURNS_##r

static const struct codec_shape shapes[] = {
    [CREATES] = {GIVES(POINTER)},
    [CREATES_REF] = {X(F(0, 0)), GIVES(HINT_ERROR)},
    [CONTEXT] = {X(A(0))},
    [INIT] = {X(A(0)), GIVES(ZERO)},
    [DCSN] = {D(A(0), A(1)), S(A(2), A(3)), GIVES(SIZE_ERROR)},
    [X_DCSN] = {X(A(0)), D(A(1), A(2)), S(A(3), A(4)), GIVES(SIZE_ERROR)},
    [X_DC] = {X(A(0)), D(A(1), A(2)), GIVES(SIZE_ERROR)},
    [ZSTD_IO] = {X(A(0)), D(BUFFER(1), LEFT(1)), S(BUFFER(2), LEFT(2)), GIVES(HINT_ERROR)},
    [ZSTD_O] = {X(A(0)), D(BUFFER(1), LEFT(1)), GIVES(HINT_ERROR)},
    [ZSTD_FLAT] = {X(A(0)), D(A(1), A(2)), S(A(4), A(5)), MADE(F(3, 0)), .produced_grows = 1,
                   GIVES(HINT_ERROR)},
    [ZLIB_FLAT] = {D(A(0), F(1, 0)), S(A(2), A(3)), MADE(F(1, 0)), GIVES(ZERO)},
    [ZLIB_FLAT2] = {D(A(0), F(1, 0)), S(A(2), F(3, 0)), MADE(F(1, 0)), .source_is_told = 1,
                    GIVES(ZERO)},
    [ZLIB_IO] = {X(A(0)), S(F(0, 0), F32(0, 8)), D(F(0, 24), F32(0, 32)), GIVES(NEGATIVE)},
    [GZ_WRITE] = {X(A(0)), S(A(1), A32(2)), GIVES(NOTHING)},
    [GZ_READ] = {X(A(0)), D(A(1), A32(2)), GIVES(BYTES)},
    [GZ_FWRITE] = {X(A(3)), S(A(0), A(2)), GIVES(NOTHING)},
    [GZ_FREAD] = {X(A(3)), D(A(0), A(2)), GIVES(NOTHING)},
    [SDNC] = {S(A(0), A32(2)), D(A(1), A32(3)), GIVES(BYTES)},
    [SDN] = {S(A(0), A32(2)), .destination = A(1), GIVES(BYTES)},
    [X_SDNC] = {X(A(0)), S(A(1), A32(3)), D(A(2), A32(4)), GIVES(BYTES)},
    [X_SDN] = {X(A(0)), S(A(1), A32(3)), .destination = A(2), GIVES(BYTES)},
    [LZ4_DEST_SIZE] = {S(A(0), F32(2, 0)), D(A(1), A32(3)), .source_is_told = 1, GIVES(BYTES)},
    [X_LZ4_DEST_SIZE] = {X(A(0)), S(A(1), F32(3, 0)), D(A(2), A32(4)), .source_is_told = 1,
                         GIVES(BYTES)},
    [LZ4_FAST] = {.source = A(0), D(A(1), A32(2)), GIVES(BYTES)},
    [X_LZ4_FAST] = {X(A(0)), .source = A(1), D(A(2), A32(3)), GIVES(BYTES)},
    [LZ4_PARTIAL] = {S(A(0), A32(2)), D(A(1), A32(4)), GIVES(BYTES)},
    [LZ4F_D] = {X(A(0)), D(A(1), F(2, 0)), S(A(3), F(4, 0)), MADE(F(2, 0)), .source_is_told = 1,
                GIVES(HINT_ERROR)},
    [SNAPPY_C] = {S(A(0), A(1)), D(A(2), F(3, 0)), MADE(F(3, 0)), GIVES(ZERO)},
    [SNAPPY_STRING] = {S(A(0), A(1)), .destination = F(2, 0), GIVES(BYTES)},
    [SNAPPY_RAW] = {S(A(0), A(1)), .destination = A(2), MADE(F(3, 0)), GIVES(NOTHING)},
    [SNAPPY_STREAM] = {GIVES(BYTES)},
    [SNAPPY_UNRAW] = {S(A(0), A(1)), .destination = A(2), GIVES(BOOL)},
    [SNAPPY_UNSTRING] = {S(A(0), A(1)), .destination = F(2, 0), GIVES(BOOL)},
    [SNAPPY_UNSTREAM] = {GIVES(BOOL)},
    [SNAPPY_UNRAW_STREAM] = {.destination = A(1), GIVES(BOOL)},
    [BROTLI_FLAT] = {S(A(4), A(3)), D(A(6), F(5, 0)), MADE(F(5, 0)), GIVES(BOOL)},
    [BROTLI_IO] = {X(A(0)), S(F(3, 0), F(2, 0)), D(F(5, 0), F(4, 0)), GIVES(BOOL)},
    [BROTLI_UNFLAT] = {S(A(1), A(0)), D(A(3), F(2, 0)), MADE(F(2, 0)), GIVES(BOOL)},
    [BROTLI_UNIO] = {X(A(0)), S(F(2, 0), F(1, 0)), D(F(4, 0), F(3, 0)), GIVES(BOOL)},
    [LZMA_IO] = {X(A(0)), S(F(0, 0), F(0, 8)), D(F(0, 24), F(0, 32)), GIVES(LZMA)},
    [LZMA_FLAT_5] = {S(A(3), A(4)), D(A(5), A(7)), MADE(F(6, 0)), .produced_grows = 1, GIVES(LZMA)},
    [LZMA_FLAT_4] = {S(A(2), A(3)), D(A(4), A(6)), MADE(F(5, 0)), .produced_grows = 1, GIVES(LZMA)},
    [LZMA_UNFLAT_5] = {S(A(3), A(5)), D(A(6), A(8)), MADE(F(7, 0)), .produced_grows = 1,
                       GIVES(LZMA)},
    [LZMA_UNFLAT_4] = {S(A(2), A(4)), D(A(5), A(7)), MADE(F(6, 0)), .produced_grows = 1,
                       GIVES(LZMA)},
    [BZ_FLAT] = {D(A(0), F32(1, 0)), S(A(2), A32(3)), MADE(F32(1, 0)), GIVES(NEGATIVE)},
    [BZ_UNFLAT] = {D(A(0), F32(1, 0)), S(A(2), A32(3)), MADE(F32(1, 0)), GIVES(ZERO)},
    [BZ_FILE_WRITE] = {X(A(1)), S(A(2), A32(3)), GIVES(NOTHING)},
    [BZ_WRITE] = {X(A(0)), S(A(1), A32(2)), GIVES(NOTHING)},
    [BZ_FILE_READ] = {X(A(1)), D(A(2), A32(3)), GIVES(BYTES)},
    [BZ_READ] = {X(A(0)), D(A(1), A32(2)), GIVES(BYTES)},
    [LZF_FLAT] = {S(A(0), A32(1)), D(A(2), A32(3)), GIVES(BYTES)},
    [DEFLATE_FLAT] = {X(A(0)), S(A(1), A(2)), D(A(3), A(4)), GIVES(BYTES)},
    [INFLATE_FLAT] = {X(A(0)), S(A(1), A(2)), D(A(3), A(4)), MADE(F(5, 0)), GIVES(ZERO)},
    [INFLATE_FLAT_EX] = {X(A(0)), S(A(1), A(2)), D(A(3), A(4)), MADE(F(6, 0)), GIVES(ZERO)},
    [ISAL_IO] = {X(A(0)), S(F(0, 0), F32(0, 8)), D(F(0, 16), F32(0, 24)), GIVES(ZERO)},
    [ISAL_UNIO] = {X(A(0)), S(F(0, 16), F32(0, 32)), D(F(0, 0), F32(0, 8)), GIVES(NEGATIVE)},
};

/* ---- functions ---- */

#define CD_c CODEC_COMPRESS
#define CD_d CODEC_DECOMPRESS
#define CD_e CODEC_EITHER
#define FN(dir, kind, name, shape) \
    { name, NULL, HERE, CD_##dir, CODEC_##kind, shape, false }
#define COMMON(dir, kind, name, shape) \
    { name, NULL, HERE, CD_##dir, CODEC_##kind, shape, true }
#define CXX(dir, kind, name, mangled, shape) \
    { name, mangled, HERE, CD_##dir, CODEC_##kind, shape, false }

static const struct codec_entry entries[] = {
#include "codec_names.h"
};

/* ---- the index ---- */

#define SLOTS 2048u
#define FILTER_BITS 8192u
_Static_assert(ARRAY_SIZE(entries) < SLOTS / 2, "the index stays sparse");

static struct {
    uint16_t slots[SLOTS]; /* number of an entry + 1; those of equal hash one after the other */
    uint64_t filter[FILTER_BITS / 64]; /* of the first four bytes of what may be a name */
    bool is_built;
} table;

/* What copies of zlib were renamed with: zlib-ng, Chromium (and so node), zlib's own Z_PREFIX. */
static const char *const prefixes[] = {"zng_", "Cr_z_", "z_"};

static uint32_t hash_of(const char *s, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3ull;
    return (uint32_t)(base_mix(h) >> 32);
}

/* What of a symbol is compared: a C name up to the compiler's dot; of "_ZN6snappy8CompressEPKcm"
 * the nested name with its E, for what follows differs between C++ libraries. */
static size_t key_length(const char *s, size_t n) {
    size_t i = 0;
    if (n < 4 || s[0] != '_' || s[1] != 'Z' || s[2] != 'N') {
        while (i < n && s[i] != '.')
            i++;
        return i;
    }
    for (i = 3; i < n && s[i] >= '0' && s[i] <= '9';) {
        size_t part = 0;
        while (i < n && s[i] >= '0' && s[i] <= '9' && part < n)
            part = part * 10 + (size_t)(s[i++] - '0');
        i += part;
    }
    return i < n && s[i] == 'E' ? i + 1 : 0;
}

static uint32_t filter_bit(uint32_t first_four) {
    return first_four * 0x9e3779b1u >> 19;
}
_Static_assert(FILTER_BITS == 1u << 13, "filter_bit gives 13 bits");

static void add_to_filter(const char *first, const char *second) {
    char text[5] = "";
    uint32_t word;
    size_t at = 0;
    base_append(text, sizeof text, &at, first);
    base_append(text, sizeof text, &at, second);
    base_move(&word, text, sizeof word);
    table.filter[filter_bit(word) / 64] |= 1ull << filter_bit(word) % 64;
}

static void build(void) {
    base_zero(&table, sizeof table);
    for (uint32_t i = 0; i < ARRAY_SIZE(entries); i++) {
        const struct codec_entry *e = &entries[i];
        const char *symbol = e->mangled ? e->mangled : e->name;
        uint32_t slot = hash_of(symbol, key_length(symbol, base_length(symbol))) % SLOTS;
        while (table.slots[slot])
            slot = (slot + 1) % SLOTS;
        table.slots[slot] = (uint16_t)(i + 1);
        add_to_filter("", symbol);
        for (unsigned p = 0; e->codec == CODEC_ZLIB && p < ARRAY_SIZE(prefixes); p++)
            add_to_filter(prefixes[p], symbol);
    }
    __atomic_store_n(&table.is_built, true, __ATOMIC_RELEASE);
}

static void need_index(void) {
    if (UNLIKELY(!__atomic_load_n(&table.is_built, __ATOMIC_ACQUIRE)))
        build();
}

bool codec_table_may_begin(uint32_t first_four) {
    need_index();
    return table.filter[filter_bit(first_four) / 64] >> filter_bit(first_four) % 64 & 1;
}

static bool begins(const char *s, size_t n, const char *prefix) {
    size_t k = base_length(prefix);
    return n >= k && base_equal(s, k, prefix);
}

/* `whole`: the symbol is there to its end, so overloads can be told apart. */
static const struct codec_entry *find(const char *s, size_t n, bool whole) {
    size_t key = key_length(s, n);
    if (!key)
        return NULL;
    for (uint32_t slot = hash_of(s, key) % SLOTS; table.slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct codec_entry *e = &entries[table.slots[slot] - 1];
        if (!e->mangled ? base_equal(s, key, e->name)
            : whole     ? begins(s, n, e->mangled)
                        : begins(e->mangled, base_length(e->mangled), s))
            return e;
    }
    return NULL;
}

const struct codec_entry *codec_table_find(const char *symbol, size_t length) {
    need_index();
    const struct codec_entry *e = find(symbol, length, true);
    for (unsigned i = 0; !e && i < ARRAY_SIZE(prefixes); i++) {
        size_t skip = base_length(prefixes[i]);
        if (!begins(symbol, length, prefixes[i]))
            continue;
        e = find(symbol + skip, length - skip, true);
        if (e && e->codec != CODEC_ZLIB)
            e = NULL;
    }
    return e;
}

/* "snappy::Compress(…)" → "_ZN6snappy8CompressE". */
static bool mangle(const char *name, size_t length, char *out, size_t size) {
    size_t at = 0;
    base_append(out, size, &at, "_ZN");
    for (size_t from = 0; from < length;) {
        size_t to = from;
        while (to < length && name[to] != ':')
            to++;
        base_append_number(out, size, &at, to - from);
        for (; from < to && at + 1 < size; from++)
            out[at++] = name[from];
        out[at] = 0;
        if (from < to)
            return false;
        from = to + 2;
    }
    base_append(out, size, &at, "E");
    return at + 1 < size;
}

const struct codec_entry *codec_table_find_readable(const char *name) {
    char mangled[64];
    size_t length = 0;
    bool is_nested = false;
    const struct codec_entry *go = codec_table_find_go(name);
    if (go)
        return go;
    for (; name[length] && name[length] != '('; length++)
        is_nested |= name[length] == ':';
    if (!is_nested)
        return codec_table_find(name, length);
    need_index();
    return mangle(name, length, mangled, sizeof mangled)
               ? find(mangled, base_length(mangled), false)
               : NULL;
}

const struct codec_entry *codec_table_at(uint32_t i) {
    return i < ARRAY_SIZE(entries) ? &entries[i] : NULL;
}

const struct codec_shape *codec_table_shape(const struct codec_entry *entry) {
    return &shapes[entry && entry->shape < ARRAY_SIZE(shapes) ? entry->shape : NOTHING];
}

/* ---- words ---- */

const char *codec_table_codec_name(uint32_t codec) {
    static const char *const names[CODEC_COUNT] = {
        [CODEC_USER] = "user",
        [CODEC_ZSTD] = "zstd",
        [CODEC_ZLIB] = "zlib",
        [CODEC_LZ4] = "lz4",
        [CODEC_SNAPPY] = "snappy",
        [CODEC_BROTLI] = "brotli",
        [CODEC_LZMA] = "lzma",
        [CODEC_BZ2] = "bz2",
        [CODEC_LZF] = "lzf",
        [CODEC_ISAL] = "isa-l",
        [CODEC_LIBDEFLATE] = "libdeflate",
        [CODEC_S2] = "s2",
    };
    return codec < CODEC_COUNT ? names[codec] : NULL;
}

const char *codec_table_kind_name(uint32_t kind) {
    static const char *const names[CODEC_KIND_COUNT] = {
        [CODEC_ONE_SHOT] = "one-shot", [CODEC_STREAM] = "stream", [CODEC_CREATE] = "create",
        [CODEC_INIT] = "init",         [CODEC_END] = "end",       [CODEC_FREE] = "free",
        [CODEC_BOUND] = "bound",       [CODEC_WORKER] = "worker",
    };
    return kind < CODEC_KIND_COUNT ? names[kind] : NULL;
}

/* The usual two pointers: back to behind the last star. */
bool codec_table_matches(const char *pattern, size_t pattern_length, const char *name,
                         size_t length) {
    size_t p = 0, n = 0, star = SIZE_MAX, resume = 0;
    while (n < length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < pattern_length && pattern[p] == name[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern_length && pattern[p] == '*')
        p++;
    return p == pattern_length;
}
