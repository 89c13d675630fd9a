/* elf: finds symbols in loaded objects without the loader's help.
 *
 * Why not dlsym: it may allocate, take the loader's lock, set dlerror state and, since glibc 2.34,
 * asks for a symbol version that older systems do not have. Nothing here writes. */
#ifndef SQUALL_SHIM_ELF_H
#define SQUALL_SHIM_ELF_H

#include <elf.h>
#include <link.h>

#include "base/base.h"

/* What a lookup needs of a PT_DYNAMIC. Addresses, or NULL where the object has none. */
struct elf_dynamic {
    uint64_t base; /* load bias */
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint16_t *versions;
    const uint32_t *gnu_hash;
    const uint32_t *hash;
    const char *soname;
    const ElfW(Rela) * calls; /* what is bound when it is called first, or when it is loaded */
    size_t call_count;
};

/* Of an object that the loader has relocated: base and dynamic section from its link map. */
void elf_dynamic_of_map(const struct link_map *map, struct elf_dynamic *out);
/* Of an image whose ELF header is at `address` (the vdso, us). Returns 0 or -ENOEXEC. */
int elf_dynamic_of_image(uint64_t address, struct elf_dynamic *out);
/* A defined function or object of default version, or NULL. */
const ElfW(Sym) * elf_symbol(const struct elf_dynamic *d, const char *name);
/* The address of a defined function or object of default version, or NULL. An indirect function
 * is resolved by calling its resolver, as the loader would. */
void *elf_lookup(const struct elf_dynamic *d, const char *name);
/* The loader is not glibc's: musl's, say. Its list of objects can be read. */
bool elf_is_other_loader(void);
/* The loader's list of objects, NULL before we are relocated. */
const struct link_map *elf_first_map(void);
/* It adds or removes objects, or, at the start, has not relocated all of them yet. */
bool elf_loader_is_at_work(void);
/* The C library among them, and what a lookup in it needs; NULL: not found. */
const struct link_map *elf_libc(struct elf_dynamic *out);

#endif
