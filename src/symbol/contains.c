/* Which codecs are in a module's file although no symbol names them: by what their authors left in
 * the data. A signature is taken only if every program of a Debian that has it has the codec. */
#include <string.h>

#include "base/codec_table.h"
#include "internal.h"

#define FILE_MAX (256ull << 20)
#define DATA_MAX (64ull << 20) /* of one file */

/* Tables of numbers, as they lie in memory: prices of liblzma's range encoder, what the decoders of
 * lz4 and of snappy (before 1.1.10) add to a short offset. */
static const uint8_t lzma_prices[] = {128, 103, 91, 84, 78, 73, 69, 66,
                                      63,  61,  58, 56, 54, 52, 51, 49};
static const uint32_t lz4_steps[] = {0, 1, 2, 1, 0, 4, 4, 4};
static const uint16_t snappy_tags[] = {0x0001, 0x0804, 0x1001, 0x2001,
                                       0x0002, 0x0805, 0x1002, 0x2002};

#define TEXT(s) s, sizeof(s) - 1
#define TABLE(t) t, sizeof(t)
static const struct {
    uint32_t codec;
    const void *bytes; /* at least 11, see below */
    size_t size;
    const char *with; /* also has to be there; NULL = nothing */
} signatures[] = {
    {CODEC_ZLIB, TEXT(" deflate 1."), " Copyright 1995-"},
    {CODEC_ZLIB, TEXT(" inflate 1."), " Copyright 1995-"},
    {CODEC_ZSTD, TEXT("Unsupported frame parameter"), "Allocation error : not enough memory"},
    {CODEC_LZ4, TEXT("ERROR_frameType_unknown"), "ERROR_maxBlockSize_invalid"},
    {CODEC_LZ4, TABLE(lz4_steps), NULL},
    {CODEC_SNAPPY, TABLE(snappy_tags), NULL},
    {CODEC_BROTLI, TEXT("timedownlifeleftbackcodedatashowonlysite"), NULL},
    {CODEC_LZMA, TABLE(lzma_prices), NULL},
    {CODEC_BZ2, TEXT("bzip2/libbzip2: internal error number"), NULL},
};

const char *symbol_contains_by(uint32_t codec) {
    static const char *const by[CODEC_COUNT] = {
        [CODEC_ZLIB] = "its copyright line is", [CODEC_ZSTD] = "its error messages are",
        [CODEC_LZ4] = "its tables are",         [CODEC_SNAPPY] = "its tables are",
        [CODEC_BROTLI] = "its dictionary is",   [CODEC_LZMA] = "its tables are",
        [CODEC_BZ2] = "its error message is",
    };
    return codec < CODEC_COUNT ? by[codec] : NULL;
}

/* ---- one pass over the data for all signatures ----
 *
 * Every eighth byte begins a word of four; whatever has 11 bytes has one of these words among its
 * first eight, so only words that are such are looked at more closely. */

#define STEP 8u
#define GRAMS (ARRAY_SIZE(signatures) * STEP)

struct grams {
    uint64_t bits[1024];   /* by hash: may be one */
    uint32_t words[GRAMS]; /* of signature i / STEP, from its byte i % STEP */
};

static uint32_t word_at(const void *p) {
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static uint32_t hash_of(uint32_t word) {
    return word * 0x9e3779b1u >> 16;
}

static void make_grams(struct grams *grams) {
    memset(grams, 0, sizeof(*grams));
    for (unsigned i = 0; i < GRAMS; i++) {
        uint32_t word = word_at((const char *)signatures[i / STEP].bytes + i % STEP);
        grams->words[i] = word;
        grams->bits[hash_of(word) / 64] |= 1ull << hash_of(word) % 64;
    }
}

/* Bits of the signatures that are there, one of whose words lies at `at`. */
static uint32_t compare(const Elf_Data *data, size_t at, const struct grams *grams) {
    const char *bytes = data->d_buf;
    uint32_t word = word_at(bytes + at), found = 0;
    for (unsigned i = 0; i < GRAMS; i++) {
        size_t size = signatures[i / STEP].size, before = i % STEP;
        if (grams->words[i] == word && at >= before && size <= data->d_size - (at - before) &&
            memcmp(bytes + at - before, signatures[i / STEP].bytes, size) == 0)
            found |= 1u << i / STEP;
    }
    return found;
}

static uint32_t look_into(const Elf_Data *data) {
    struct grams grams;
    uint32_t seen = 0, found = 0;
    make_grams(&grams);
    for (size_t at = 0; at + sizeof(uint32_t) <= data->d_size; at += STEP) {
        uint32_t hash = hash_of(word_at((const char *)data->d_buf + at));
        if (grams.bits[hash / 64] >> hash % 64 & 1)
            seen |= compare(data, at, &grams);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(signatures); i++) {
        const char *with = signatures[i].with;
        if (seen >> i & 1 && (!with || memmem(data->d_buf, data->d_size, with, strlen(with))))
            found |= 1u << signatures[i].codec;
    }
    return found;
}

/* Constant data. What is relocated (.data.rel.ro) are pointers to it. */
static bool is_searched(Elf *elf, size_t names, const GElf_Shdr *section) {
    const char *name = elf_strptr(elf, names, section->sh_name);
    return name && section->sh_type == SHT_PROGBITS && strncmp(name, ".rodata", 7) == 0;
}

uint32_t symbol_source_contains(const struct source *source) {
    GElf_Addr bias;
    Elf *elf = source->module ? dwfl_module_getelf(source->module, &bias) : NULL;
    Elf_Scn *scn = NULL;
    uint64_t left = DATA_MAX;
    uint32_t found = 0;
    size_t names, size;
    if (!elf || elf_getshdrstrndx(elf, &names) || !elf_rawfile(elf, &size) || size > FILE_MAX)
        return 0;
    while ((scn = elf_nextscn(elf, scn))) {
        GElf_Shdr section;
        if (!gelf_getshdr(scn, &section) || !is_searched(elf, names, &section) ||
            section.sh_size > left)
            continue;
        const Elf_Data *data = elf_rawdata(scn, NULL);
        if (!data || !data->d_buf)
            continue;
        left -= section.sh_size;
        found |= look_into(data);
    }
    return found;
}
