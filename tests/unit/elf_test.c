/* Objects whose load bias is odd: what a lookup makes of the addresses in their dynamic section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/elf.h"

enum { PARTS = 64, DYNAMIC = 256, HASH = 512, STRINGS = 640, SYMBOLS = 768, CODE = 3000, SIZE = 4096 };

static uint8_t *memory;

/* An image that was linked to run at `linked`, with one function; `moved` is added to the addresses in
 * its dynamic section, as a loader does that may write there. */
static void make(uint64_t linked, uint64_t moved) {
    static const char strings[] = "\0clock";
    const uint32_t hash[] = {1, 2, 1, 0, 0};
    uint64_t to = linked + moved;
    const Elf64_Ehdr header = {.e_phoff = PARTS, .e_phnum = 2};
    const Elf64_Phdr parts[] = {
        {.p_type = PT_LOAD, .p_vaddr = linked, .p_filesz = SIZE, .p_memsz = SIZE},
        {.p_type = PT_DYNAMIC, .p_vaddr = linked + DYNAMIC}};
    const Elf64_Dyn dynamic[] = {{DT_HASH, {to + HASH}},
                                 {DT_STRTAB, {to + STRINGS}},
                                 {DT_SYMTAB, {to + SYMBOLS}},
                                 {DT_NULL, {0}}};
    const Elf64_Sym symbol = {.st_name = 1,
                              .st_shndx = 1,
                              .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                              .st_value = linked + CODE};
    memset(memory, 0, SIZE);
    memcpy(memory, &header, sizeof header);
    memcpy(memory + PARTS, parts, sizeof parts);
    memcpy(memory + DYNAMIC, dynamic, sizeof dynamic);
    memcpy(memory + HASH, hash, sizeof hash);
    memcpy(memory + STRINGS, strings, sizeof strings);
    memcpy(memory + SYMBOLS + sizeof symbol, &symbol, sizeof symbol);
}

static void finds(uint64_t linked, uint64_t moved) {
    struct elf_dynamic d;
    make(linked, moved);
    assert_int_equal(elf_dynamic_of_image((uint64_t)memory, &d), 0);
    assert_ptr_equal(elf_lookup(&d, "clock"), memory + CODE);
    assert_null(elf_lookup(&d, "clack"));
}

/* The vdso is not relocated. Before Linux 3.16 it was linked to the end of the address space. */
static void vdso(void **state) {
    (void)state;
    finds(0, 0);
    finds(0xffffffffff700000, 0);
}

static void relocated(void **state) {
    const uint64_t linked[] = {0, 0x400000, 0x3000000000, 0x7ffff0000000, 0xffffffffff700000};
    (void)state;
    for (unsigned i = 0; i < sizeof linked / sizeof *linked; i++)
        finds(linked[i], (uint64_t)memory - linked[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vdso), cmocka_unit_test(relocated)};
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
