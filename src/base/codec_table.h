/* codec_table: every codec function that squall knows, in one table.
 *
 * Why here: the shim finds these names in the symbol tables of modules and later their arguments,
 * the companion finds them in better symbols; neither may include the other, so the one table lies
 * in the room that both use. It is plain data: nobody writes it but its own index, which is built
 * at the first question (by one thread: in the shim by the holder of the claim on modules).
 *
 * To add a function: one line in codec_table.c, with its shape; a new shape where none fits. Names
 * are those of the symbol table; a C++ function is given as people write it and as it is mangled,
 * up to where its overloads part. */
#ifndef SQUALL_BASE_CODEC_TABLE_H
#define SQUALL_BASE_CODEC_TABLE_H

#include "base.h"

/* In region files (region_codec_function.codec): numbers are never used anew. */
enum codec {
    CODEC_NONE,
    CODEC_USER, /* named with codec: */
    CODEC_ZSTD,
    CODEC_ZLIB,
    CODEC_LZ4,
    CODEC_SNAPPY,
    CODEC_BROTLI,
    CODEC_LZMA,
    CODEC_BZ2,
    CODEC_LZF,
    CODEC_LIBDEFLATE,
    CODEC_ISAL,
    CODEC_S2, /* snappy's successor, Go's only */
    CODEC_COUNT
};

/* The same numbers as enum region_direction. */
enum codec_direction { CODEC_EITHER, CODEC_COMPRESS, CODEC_DECOMPRESS };

/* In region files too. */
enum codec_kind {
    CODEC_KIND_NONE,
    CODEC_ONE_SHOT, /* whole input in, whole output out */
    CODEC_STREAM,   /* some of each */
    CODEC_CREATE,   /* makes a context */
    CODEC_INIT,     /* prepares one that is there */
    CODEC_END,      /* empties one */
    CODEC_FREE,     /* gives one back */
    CODEC_BOUND,    /* tells the room needed; allocates nothing */
    CODEC_WORKER,   /* what the codec runs on threads of its own */
    CODEC_KIND_COUNT
};

/* Where a number or pointer of a call is found. Arguments are counted from 0; from 6 on they are
 * on the stack. */
enum codec_where {
    CODEC_NOWHERE,
    CODEC_ARGUMENT,    /* the argument itself, 8 bytes */
    CODEC_ARGUMENT_32, /* its low 4 bytes */
    CODEC_FIELD,       /* 8 bytes at argument + offset */
    CODEC_FIELD_32,    /* 4 bytes there */
    CODEC_FIELD_PLUS,  /* the 8 bytes at offset plus those at other: ZSTD's buffer and pos */
    CODEC_FIELD_MINUS  /* and less: its size and pos */
};

struct codec_place {
    uint8_t where; /* enum codec_where */
    uint8_t argument;
    uint8_t offset, other;
};

/* How a call says that it failed, and whether the result is what it produced. */
enum codec_result {
    CODEC_RETURNS_NOTHING,
    CODEC_RETURNS_BYTES,      /* what was produced, as int or size_t; 0 or less: it failed */
    CODEC_RETURNS_SIZE_ERROR, /* what was produced; from (size_t)-255 up: it failed */
    CODEC_RETURNS_HINT_ERROR, /* the same errors, but else no count */
    CODEC_RETURNS_POINTER,    /* NULL: it failed */
    CODEC_RETURNS_BOOL,       /* 0: it failed */
    CODEC_RETURNS_ZERO,       /* int, anything but 0: it failed */
    CODEC_RETURNS_NEGATIVE,   /* int, less than 0: it failed, but -5 (no progress) */
    CODEC_RETURNS_LZMA        /* 0 and 1 are good, and 2 to 4 say something about the input */
};

/* One signature, shared by the functions that have it. Source size and capacity are read before
 * the call. Produced: `produced` after the call (less `produced` before, if produced_grows; where
 * its pointer is NULL, the whole capacity); else the result if it counts bytes; else what the
 * capacity shrank by. Consumed likewise: the source size if it is an argument, else what it shrank
 * by, or what it is after the call if source_is_told. */
struct codec_shape {
    struct codec_place source, source_size, destination, capacity, produced, context;
    uint8_t result; /* enum codec_result */
    uint8_t produced_grows;
    uint8_t source_is_told;
};

struct codec_entry {
    const char *name;    /* as people write it */
    const char *mangled; /* how the symbol begins; NULL: it is the name */
    uint8_t codec;       /* enum codec */
    uint8_t direction;   /* enum codec_direction; EITHER: it serves both */
    uint8_t kind;        /* enum codec_kind */
    uint8_t shape;       /* for codec_table_shape */
    /* Other programs use this name too: only believed beside a name of the same codec and prefix
     * that is certain. */
    bool is_common;
};

/* The entry of a symbol as a symbol table has it, or NULL. Passed over: what the compiler hangs on
 * (".part.0", ".cold"), and for zlib the prefixes of copies that were renamed (zng_, Cr_z_, z_). */
const struct codec_entry *codec_table_find(const char *symbol, size_t length);
/* The same for a name as people read it: "snappy::Compress(char const*, unsigned long, ...)". */
const struct codec_entry *codec_table_find_readable(const char *name);

/* The same for a function of a Go program, as Go's own tables have it, or NULL:
 * "github.com/klauspost/compress/zstd.(*Encoder).EncodeAll". What such an entry has as its shape is
 * enum codec_go_shape, and its name is not whole. */
const struct codec_entry *codec_table_find_go(const char *name);
/* The name without the vendor folder that it may have come through. */
const char *codec_table_go_name(const char *name);
/* Whether it is any function of a Go package that is a codec. */
bool codec_table_is_go_codec(const char *name);

/* Where Go's calling convention has what is of interest: 1.17 and later, amd64. */
enum codec_go_shape {
    CODEC_GO_UNKNOWN,
    CODEC_GO_ENCODE_ALL, /* (receiver, source, destination) returns a slice */
    CODEC_GO_DST_SRC     /* (destination, source) returns a slice */
};

/* Most symbols are no codec's: their first four bytes tell. False means no. */
bool codec_table_may_begin(uint32_t first_four);

/* The i-th entry, or NULL behind the last one. */
const struct codec_entry *codec_table_at(uint32_t i);
/* NULL: the shape of functions of which nothing is known. */
const struct codec_shape *codec_table_shape(const struct codec_entry *entry);
/* "zstd"; NULL for CODEC_NONE and what this version does not know. */
const char *codec_table_codec_name(uint32_t codec);
const char *codec_table_kind_name(uint32_t kind); /* "stream"; NULL likewise */

/* Whether a name matches a pattern in which `*` stands for any text. */
bool codec_table_matches(const char *pattern, size_t pattern_length, const char *name,
                         size_t length);

#endif
