/* Codec functions of Go programs: packages, and what the names of their functions tell. Go's
 * libraries are alike in these: what is called Encode or Compress compresses a whole message, a
 * Writer is a stream, NewWriter makes one. */
#include "codec_table.h"

#define PACKAGE(path, codec) \
    { path, sizeof(path) - 1, codec }
static const struct {
    const char *path;
    uint8_t length, codec;
} packages[] = {
    PACKAGE("github.com/klauspost/compress/zstd", CODEC_ZSTD),
    PACKAGE("github.com/klauspost/compress/s2", CODEC_S2),
    PACKAGE("github.com/klauspost/compress/snappy", CODEC_SNAPPY),
    PACKAGE("github.com/klauspost/compress/flate", CODEC_ZLIB),
    PACKAGE("github.com/klauspost/compress/gzip", CODEC_ZLIB),
    PACKAGE("github.com/klauspost/compress/zlib", CODEC_ZLIB),
    PACKAGE("github.com/klauspost/pgzip", CODEC_ZLIB),
    PACKAGE("github.com/golang/snappy", CODEC_SNAPPY),
    PACKAGE("github.com/eapache/go-xerial-snappy", CODEC_SNAPPY),
    PACKAGE("github.com/pierrec/lz4", CODEC_LZ4),
    PACKAGE("github.com/pierrec/lz4/v2", CODEC_LZ4),
    PACKAGE("github.com/pierrec/lz4/v3", CODEC_LZ4),
    PACKAGE("github.com/pierrec/lz4/v4", CODEC_LZ4),
    PACKAGE("github.com/andybalholm/brotli", CODEC_BROTLI),
    PACKAGE("github.com/DataDog/zstd", CODEC_ZSTD),
    PACKAGE("github.com/valyala/gozstd", CODEC_ZSTD),
    PACKAGE("compress/flate", CODEC_ZLIB),
    PACKAGE("compress/gzip", CODEC_ZLIB),
    PACKAGE("compress/zlib", CODEC_ZLIB),
    PACKAGE("compress/bzip2", CODEC_BZ2),
};

/* Functions by name: the first that fits. `*` at the end: any that begin like this. */
struct rule {
    const char *name;
    uint8_t direction, kind, shape;
};
static const struct rule rules[] = {
    {"(*Encoder).EncodeAll", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_ENCODE_ALL},
    {"(*Encoder).encodeAll", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"Encode", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"EncodeBetter", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"EncodeBest", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"EncodeSnappy", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"EncodeSnappyBetter", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"EncodeSnappyBest", CODEC_COMPRESS, CODEC_ONE_SHOT, CODEC_GO_DST_SRC},
    {"Encode*", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"CompressBound*", CODEC_COMPRESS, CODEC_BOUND, 0},
    {"CompressBlockBound*", CODEC_COMPRESS, CODEC_BOUND, 0},
    {"Compress*", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"compress", CODEC_COMPRESS, CODEC_ONE_SHOT,
     0}, /* gozstd: where its Compress makes the result */
    {"(*ctx).Compress*", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"(*Compressor).CompressBlock", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"(*CompressorHC).CompressBlock", CODEC_COMPRESS, CODEC_ONE_SHOT, 0},
    {"Decode*", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"Decompress*", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"decompress", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"Uncompress*", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"(*ctx).Decompress*", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"(*Decoder).DecodeAll", CODEC_DECOMPRESS, CODEC_ONE_SHOT, 0},
    {"NewWriter*", CODEC_COMPRESS, CODEC_CREATE, 0},
    {"NewBufferedWriter", CODEC_COMPRESS, CODEC_CREATE, 0},
    {"encoderOptions.encoder", CODEC_COMPRESS, CODEC_CREATE, 0},
    {"NewReader*", CODEC_DECOMPRESS, CODEC_CREATE, 0},
    {"(*Writer).Reset", CODEC_COMPRESS, CODEC_INIT, 0},
    {"(*Encoder).Reset", CODEC_COMPRESS, CODEC_INIT, 0},
    {"(*Encoder).initialize", CODEC_COMPRESS, CODEC_INIT, 0},
    {"(*Writer).Close", CODEC_COMPRESS, CODEC_END, 0},
    {"(*Encoder).Close", CODEC_COMPRESS, CODEC_END, 0},
    {"(*Writer).*", CODEC_COMPRESS, CODEC_STREAM, 0},
    {"(*Encoder).*", CODEC_COMPRESS, CODEC_STREAM, 0},
    {"(*compressor).*", CODEC_COMPRESS, CODEC_WORKER, 0},
    {"(*Reader).*", CODEC_DECOMPRESS, CODEC_STREAM, 0},
    {"(*reader).*", CODEC_DECOMPRESS, CODEC_STREAM, 0},
    {"(*Decoder).*", CODEC_DECOMPRESS, CODEC_STREAM, 0},
    {"(*decompressor).*", CODEC_DECOMPRESS, CODEC_WORKER, 0},
    {"(*frameDec).*", CODEC_DECOMPRESS, CODEC_WORKER, 0},
    {"(*blockDec).*", CODEC_DECOMPRESS, CODEC_WORKER, 0},
};

/* One for each codec of a package and rule, so that an answer can be pointed to. */
#define CODECS 6u
static const uint8_t codecs[CODECS] = {CODEC_ZSTD, CODEC_S2,     CODEC_SNAPPY,
                                       CODEC_ZLIB, CODEC_BROTLI, CODEC_LZ4};
static struct codec_entry entries[CODECS + 1][ARRAY_SIZE(rules)];

/* "example.com/app/vendor/github.com/x": what is vendored is the same code. */
const char *codec_table_go_name(const char *name) {
    const char *from = name;
    for (const char *s = name; *s && *s != '('; s++)
        if (*s == '/' && base_starts(s, "/vendor/"))
            from = s + 8;
    return from;
}

/* The function's name behind the package's, NULL if it is in none of them. */
static const char *behind_package(const char *name, uint8_t *codec) {
    name = codec_table_go_name(name);
    if (name[0] != 'g' && name[0] != 'c')
        return NULL;
    for (uint32_t i = 0; i < ARRAY_SIZE(packages); i++) {
        uint32_t n = packages[i].length;
        if (base_starts(name, packages[i].path) && (name[n] == '.' || name[n] == '/')) {
            *codec = packages[i].codec;
            if (name[n] == '.')
                return name + n + 1;
        }
    }
    return NULL;
}

bool codec_table_is_go_codec(const char *name) {
    uint8_t codec = 0;
    return behind_package(name, &codec) || codec;
}

static bool fits(const char *rule, const char *name) {
    for (; *rule && !(rule[0] == '*' && !rule[1]); rule++, name++)
        if (*rule != *name)
            return false;
    return *rule || !*name;
}

const struct codec_entry *codec_table_find_go(const char *name) {
    uint8_t codec = 0;
    uint32_t row = 0;
    const char *function = behind_package(name, &codec);
    if (!function)
        return NULL;
    while (row < CODECS && codecs[row] != codec)
        row++;
    for (uint32_t i = 0; i < ARRAY_SIZE(rules); i++) {
        struct codec_entry *e = &entries[row][i];
        if (!fits(rules[i].name, function))
            continue;
        /* The same values whoever writes them, and whenever. */
        e->name = rules[i].name;
        e->codec = codec;
        e->direction = rules[i].direction;
        e->kind = rules[i].kind;
        e->shape = rules[i].shape;
        return e;
    }
    return NULL;
}
