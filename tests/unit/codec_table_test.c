/* The table of codec functions against the libraries of this machine: what they export must be
 * found by its own name, and what they export and no table has must be known to be of no use. */
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec_table.h"

#define ENTRIES_MAX 1024

static const struct codec_entry *find(const char *symbol) {
    return codec_table_find(symbol, strlen(symbol));
}

/* ---- the installed libraries ---- */

static const char *const libraries[] = {
    "libzstd.so.1",      "libz.so.1",         "liblz4.so.1",  "libsnappy.so.1",
    "libbrotlienc.so.1", "libbrotlidec.so.1", "liblzma.so.5", "libbz2.so.1.0",
    "liblzf.so.1",       "libdeflate.so.0",   "libisal.so.2", "libz-ng.so.2",
};

/* A name that compresses or decompresses and is no entry would be a hole. */
static bool sounds_like_a_call(const char *name) {
    static const char *const words[] = {
        "ZSTD_compress",   "ZSTD_decompress", "ZSTD_create",         "deflateInit",
        "inflateInit",     "LZ4_compress",    "LZ4_decompress",      "LZ4F_compress",
        "LZ4F_create",     "lzma_easy_b",     "BZ2_bzBuff",          "lzf_",
        "BrotliEncoderCo", "isal_deflate_s",  "_ZN6snappy8Compress", "libdeflate_alloc"};
    static const char *const useless[] = {"ZSTD_decompressionMargin", "ZSTD_createSequence",
                                          "LZ4F_compressionLevel_max",
                                          "isal_deflate_set_hufftables"};
    for (unsigned i = 0; i < ARRAY_SIZE(useless); i++)
        if (strncmp(name, useless[i], strlen(useless[i])) == 0)
            return false;
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (strncmp(name, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static bool seen[ENTRIES_MAX];

static void mark_seen(const struct codec_entry *entry) {
    for (uint32_t i = 0; codec_table_at(i); i++)
        if (codec_table_at(i) == entry)
            seen[i] = true;
}

/* Returns the number of entries found in a library, -1 where it is not installed. */
static int check_library(const char *name) {
    char path[256];
    int fd = -1, found = 0;
    static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu",
                                          "/usr/lib64", "/usr/lib"};
    for (unsigned i = 0; i < ARRAY_SIZE(folders) && fd < 0; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return -1;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    Elf_Scn *section = NULL;
    while (elf && (section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
            GElf_Sym symbol;
            uint32_t word;
            gelf_getsym(data, (int)i, &symbol);
            if (symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
                continue;
            const char *text = elf_strptr(elf, header.sh_link, symbol.st_name);
            const struct codec_entry *entry = find(text);
            if (!entry && sounds_like_a_call(text))
                fail_msg("%s exports %s, which is not in the table", name, text);
            if (!entry)
                continue;
            memcpy(&word, text, sizeof word);
            assert_true(codec_table_may_begin(word));
            mark_seen(entry);
            found++;
        }
    }
    elf_end(elf);
    close(fd);
    return found;
}

static void test_installed_libraries(void **state) {
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(libraries); i++) {
        int found = check_library(libraries[i]);
        printf("# %s: %d\n", libraries[i], found);
        assert_true(found != 0);
    }
    /* What no installed library has: other versions, or names of a .symtab only. */
    for (uint32_t i = 0; codec_table_at(i); i++)
        if (!seen[i])
            printf("# nowhere installed: %s %s\n", codec_table_codec_name(codec_table_at(i)->codec),
                   codec_table_at(i)->name);
}

/* ---- the table itself ---- */

static void test_every_entry_is_found_by_its_name(void **state) {
    (void)state;
    for (uint32_t i = 0; codec_table_at(i); i++) {
        const struct codec_entry *e = codec_table_at(i);
        const struct codec_entry *found = find(e->mangled ? e->mangled : e->name);
        if (found != e)
            fail_msg("%s is not found, or stands twice", e->name);
        found = codec_table_find_readable(e->name);
        assert_non_null(found);
        assert_string_equal(found->name, e->name); /* perhaps another overload */
        assert_non_null(codec_table_codec_name(e->codec));
        assert_non_null(codec_table_kind_name(e->kind));
        assert_true(i < ENTRIES_MAX);
    }
}

/* Who takes bytes in and gives bytes out says where they are. */
static void test_calls_have_places(void **state) {
    (void)state;
    for (uint32_t i = 0; codec_table_at(i); i++) {
        const struct codec_entry *e = codec_table_at(i);
        const struct codec_shape *s = codec_table_shape(e);
        if (s->source_size.where)
            assert_true(s->source.where != CODEC_NOWHERE);
        if (s->capacity.where)
            assert_true(s->destination.where != CODEC_NOWHERE);
        if (e->kind == CODEC_BOUND || e->kind == CODEC_FREE || e->kind == CODEC_END)
            assert_int_equal(s->source.where, CODEC_NOWHERE);
    }
}

static void test_spellings(void **state) {
    (void)state;
    assert_string_equal(find("ZSTD_compress")->name, "ZSTD_compress");
    assert_string_equal(find("ZSTD_compress.part.0")->name, "ZSTD_compress");
    assert_string_equal(find("ZSTDMT_compressionJob.constprop.0")->name, "ZSTDMT_compressionJob");
    assert_null(find("ZSTD_compres"));
    assert_null(find("ZSTD_compress_"));
    assert_null(find("my_ZSTD_compress"));
    assert_null(find(""));
    assert_null(find("."));
    assert_int_equal(find("zng_deflate")->codec, CODEC_ZLIB);
    assert_int_equal(find("Cr_z_deflateInit2_")->codec, CODEC_ZLIB);
    assert_int_equal(find("z_inflate")->direction, CODEC_DECOMPRESS);
    assert_null(find("z_ZSTD_compress"));
    assert_true(find("compress")->is_common);
    assert_false(find("deflateInit2_")->is_common);
    assert_true(find("snappy_uncompress")->is_common);
    assert_false(find("snappy_validate_compressed_buffer")->is_common);
}

static void test_cxx_names(void **state) {
    (void)state;
    static const char *const compress[] = {
        "_ZN6snappy8CompressEPKcmPNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
        "_ZN6snappy8CompressEPKcmPSs",
        "_ZN6snappy8CompressEPKcmPNSt3__112basic_stringIcNS2_11char_traitsIcEENS2_9allocatorIcEEEE",
        "_ZN6snappy8CompressEPNS_6SourceEPNS_4SinkE",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(compress); i++) {
        const struct codec_entry *e = find(compress[i]);
        assert_non_null(e);
        assert_string_equal(e->name, "snappy::Compress");
        assert_int_equal(e->direction, CODEC_COMPRESS);
    }
    assert_true(codec_table_shape(find(compress[0])) != codec_table_shape(find(compress[3])));
    assert_null(find("_ZN6snappy8internal16CompressFragmentEPKcmPcPti"));
    assert_null(find("_ZN6snappy8CompressE"));
    assert_null(find("_ZN6"));
    assert_null(find("_ZN99999999999999999999snappy"));
    const struct codec_entry *e =
        codec_table_find_readable("snappy::RawUncompress(char const*, unsigned long, char*)");
    assert_non_null(e);
    assert_int_equal(e->direction, CODEC_DECOMPRESS);
    assert_null(codec_table_find_readable("snappy::internal::CompressFragment(char const*)"));
    assert_null(codec_table_find_readable("other::Compress(char const*, unsigned long)"));
    assert_null(codec_table_find_readable("::::"));
    assert_null(codec_table_find_readable(""));
    assert_int_equal(codec_table_find_readable("deflate")->codec, CODEC_ZLIB);
}

static bool matches(const char *pattern, const char *name) {
    return codec_table_matches(pattern, strlen(pattern), name, strlen(name));
}

static void test_patterns(void **state) {
    (void)state;
    assert_true(matches("my_compress*", "my_compress"));
    assert_true(matches("my_compress*", "my_compress_block"));
    assert_true(matches("*compress*", "a_compress_b"));
    assert_true(matches("*", ""));
    assert_true(matches("a*b*c", "aXbXbXc"));
    assert_true(matches("exact", "exact"));
    assert_false(matches("exact", "exactly"));
    assert_false(matches("my_compress*", "my_compres"));
    assert_false(matches("a*b", "ac"));
    assert_false(matches("", "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_is_found_by_its_name),
        cmocka_unit_test(test_installed_libraries),
        cmocka_unit_test(test_calls_have_places),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_cxx_names),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
