/* module_elf: what the headers in the memory of a loaded module say.
 *
 * Why its own: the loader's public structures give no bounds, no build-id and no symbols. All of
 * it is read with peek_read, because the module may be unloaded at any moment. Only used by
 * module.c; writes nothing but its arguments. */
#ifndef SQUALL_SHIM_MODULE_ELF_H
#define SQUALL_SHIM_MODULE_ELF_H

#include "module.h"

struct module_facts {
    uint8_t build_id[20];
    uint32_t build_id_size;
    uint32_t allocator; /* enum region_allocator */
    uint64_t marks;     /* address of its struct squall_hooks, 0 = none */
};

/* Completes a module of which either [start, end) or base and dynamic are known: start, end,
 * eh_frame_hdr, dynamic and the fingerprint. False: there are no headers that fit. */
bool module_elf_find(struct module *m);

/* The same, with headers that are on the page of `address` (0 = nothing is known). */
bool module_elf_find_at(struct module *m, uint64_t address);

/* Of the headers that are at m->start now; 0 = not readable. */
uint64_t module_elf_fingerprint(const struct module *m);

void module_elf_facts(const struct module *m, struct module_facts *facts);

/* An executable segment, in whole pages, and how the loader maps it. */
struct module_code {
    uint64_t start, end;
    int protection;
    bool is_shared; /* other segments have pages of it */
};
/* The one that `address` is in. False: it is in none. */
bool module_elf_code(const struct module *m, uint64_t address, struct module_code *code);

/* Whether the loader relocates the module's code. */
bool module_elf_moves_text(const struct module *m);

#endif
