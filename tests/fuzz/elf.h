/* What the harnesses that read ELF files share: small ones made by the compiler, and mutations that
 * know where headers, symbols and sections are. */
#ifndef SQUALL_TESTS_FUZZ_ELF_H
#define SQUALL_TESTS_FUZZ_ELF_H

#include "fuzz.h"

/* Shared libraries: with DWARF of several versions, compressed, stripped with a mini debug file. */
void fuzz_elf_seeds(void);
size_t fuzz_elf_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random);

#endif
