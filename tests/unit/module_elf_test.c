/* Headers of modules that no linker made: what they say ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/module_elf.h"

enum { PARTS = 64, DYNAMIC = 256, HASH = 512, STRINGS = 1024, SYMBOLS = 1536, SIZE = 65536 };

static uint8_t *memory;

/* The allocator of a module with these words as its hash table, and one symbol, "mi_malloc". */
static uint32_t allocator_with(int64_t tag, const uint32_t *hash, size_t words) {
    static const char strings[] = "\0mi_malloc";
    uint64_t base = (uint64_t)memory;
    const Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
                               .e_phentsize = sizeof(Elf64_Phdr)};
    const Elf64_Sym symbol = {.st_name = 1, .st_shndx = 1};
    const Elf64_Dyn dynamic[] = {{tag, {base + HASH}},
                                 {DT_SYMTAB, {base + SYMBOLS}},
                                 {DT_STRTAB, {base + STRINGS}},
                                 {DT_NULL, {0}}};
    struct module m = {
        .start = base, .base = base, .end = base + SIZE, .dynamic = base + DYNAMIC, .steady = 1};
    struct module_facts facts;
    memset(memory, 0, SIZE);
    memcpy(memory, &header, sizeof header);
    memcpy(memory + DYNAMIC, dynamic, sizeof dynamic);
    memcpy(memory + HASH, hash, words * sizeof *hash);
    memcpy(memory + STRINGS, strings, sizeof strings);
    memcpy(memory + SYMBOLS + sizeof symbol, &symbol, sizeof symbol);
    module_elf_facts(&m, &facts);
    return facts.allocator;
}

static void chains(void **state) {
    /* buckets, symbols, a bucket, the next of each */
    const uint32_t sound[] = {1, 2, 1, 0, 0}, round[] = {1, UINT32_MAX, 2, 0, 0, 2};
    (void)state;
    assert_int_equal(allocator_with(DT_HASH, sound, 5), REGION_ALLOCATOR_MIMALLOC);
    alarm(5);
    assert_int_equal(allocator_with(DT_HASH, round, 6), REGION_ALLOCATOR_NONE);
    alarm(0);
}

static int set_up(void **state) {
    (void)state;
    memory = aligned_alloc(4096, SIZE);
    return memory == NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains)};
    return cmocka_run_group_tests_name("module_elf", tests, set_up, NULL);
}
