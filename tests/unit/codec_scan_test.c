/* Symbol tables of modules that no linker made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/codec_scan.h"

enum { DYNAMIC = 64, HASH = 256, STRINGS = 320, SYMBOLS = 512, COUNT = 9, SIZE = 4096 };

static unsigned found;

static void count(void *data, const struct codec_symbol *symbol) {
    (void)data;
    found++;
    assert_int_equal(symbol->name_length, strlen("ZSTD_compress"));
}

/* A module with `COUNT` functions of that name, the table of which begins at `symbols_at`. */
static int scan(uint64_t symbols_at, bool steady) {
    static const char strings[] = "\0ZSTD_compress";
    uint8_t *memory = aligned_alloc(4096, SIZE);
    uint64_t base = (uint64_t)memory;
    Elf64_Sym symbol = {.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 1024};
    const Elf64_Dyn dynamic[] = {{DT_HASH, {base + HASH}},
                                 {DT_SYMTAB, {base + symbols_at}},
                                 {DT_STRTAB, {base + STRINGS}},
                                 {DT_STRSZ, {sizeof strings}},
                                 {DT_NULL, {0}}};
    const uint32_t hash[] = {0, COUNT};
    struct module m = {.start = base, .base = base, .end = base + SIZE, .dynamic = base + DYNAMIC};
    struct codec_scan s = {.module = &m, .path = "", .patterns = "", .each = count};
    m.steady = steady;
    memset(memory, 0, SIZE);
    memcpy(memory + DYNAMIC, dynamic, sizeof dynamic);
    memcpy(memory + HASH, hash, sizeof hash);
    memcpy(memory + STRINGS, strings, sizeof strings);
    for (unsigned i = 0; i < COUNT; i++)
        memcpy(memory + symbols_at + i * sizeof symbol, &symbol, sizeof symbol);
    found = 0;
    int status = codec_scan(&s);
    free(memory);
    return status;
}

static void in_memory(void **state) {
    (void)state;
    for (unsigned steady = 0; steady < 2; steady++) {
        assert_int_equal(scan(SYMBOLS, steady), -ENOENT); /* it has no file */
        assert_int_equal(found, COUNT);
        assert_int_equal(scan(SYMBOLS + 3, steady), -ENOEXEC);
        assert_int_equal(found, 0);
        assert_int_equal(scan(SIZE - COUNT * sizeof(Elf64_Sym), steady), -ENOENT);
        assert_int_equal(found, COUNT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_memory)};
    return cmocka_run_group_tests_name("codec_scan", tests, NULL, NULL);
}
