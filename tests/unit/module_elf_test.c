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
    alarm(60);
    assert_int_equal(allocator_with(DT_HASH, round, 6), REGION_ALLOCATOR_NONE);
    alarm(0);
}

/* More headers than are read at once; the segment of the unwind tables is among the last. */
static void many_parts(void **state) {
    enum { COUNT = 40, TABLES = 3 * 4096 };
    uint64_t base = (uint64_t)memory;
    Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
                         .e_phoff = PARTS,
                         .e_phnum = COUNT,
                         .e_phentsize = sizeof(Elf64_Phdr)};
    Elf64_Phdr parts[COUNT] = {{.p_type = PT_LOAD, .p_filesz = 4096, .p_memsz = 4096}};
    struct module m = {.base = base};
    (void)state;
    parts[20] = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME, .p_vaddr = TABLES + 64};
    parts[COUNT - 2] =
        (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = TABLES, .p_filesz = 4000, .p_memsz = 8192};
    parts[COUNT - 1] = (Elf64_Phdr){.p_type = PT_DYNAMIC, .p_vaddr = DYNAMIC};
    memset(memory, 0, SIZE);
    memcpy(memory, &header, sizeof header);
    memcpy(memory + PARTS, parts, sizeof parts);
    assert_true(module_elf_find(&m));
    assert_int_equal(m.start, base);
    assert_int_equal(m.end, base + TABLES + 8192);
    assert_int_equal(m.eh_frame_hdr, base + TABLES + 64);
    assert_int_equal(m.tables, base + TABLES);
    assert_int_equal(m.tables_end, base + TABLES + 4000);
    assert_int_equal(m.dynamic, base + DYNAMIC);

    parts[0].p_filesz = UINT64_MAX; /* of a segment that would reach round the address space */
    parts[20].p_vaddr = 64;
    memcpy(memory + PARTS, parts, sizeof parts);
    m = (struct module){.base = base};
    assert_true(module_elf_find(&m));
    assert_int_equal(m.tables_end, 0);
}

static int set_up(void **state) {
    (void)state;
    memory = aligned_alloc(4096, SIZE);
    return memory == NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains), cmocka_unit_test(many_parts)};
    return cmocka_run_group_tests_name("module_elf", tests, set_up, NULL);
}
