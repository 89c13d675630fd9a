/* What the library reads of the modules of its own process: headers, notes, symbol tables, unwind
 * information, code. The file is laid out in memory as the loader would, with nothing behind it.
 *
 * base_move is instructions that no sanitizer sees: it is memmove here. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf.h"
#include "shim/codec_scan.h"
#include "shim/insn.h"
#include "shim/module_elf.h"
#include "shim/move.h"
#include "shim/unwind_rule.h"

#define PAGE 4096ull
#define MEMORY_MAX (1ull << 20)

const size_t fuzz_longest = 65536;
const char fuzz_name[] = "module";

void __wrap_base_move(void *to, const void *from, size_t size);
void __wrap_base_move(void *to, const void *from, size_t size) {
    memmove(to, from, size);
}

static uint64_t used;

/* ---- the loader ---- */

struct loaded {
    uint8_t *memory; /* PROT_NONE in front of it and behind it */
    uint64_t size;
    struct module module;
};

static uint64_t span(const Elf64_Ehdr *h, const uint8_t *data, size_t size) {
    uint64_t high = 0;
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phoff > size ||
        h->e_phnum * sizeof(Elf64_Phdr) > size - h->e_phoff)
        return 0;
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, data + h->e_phoff + i * sizeof p, sizeof p);
        if (p.p_type != PT_LOAD)
            continue;
        if (p.p_filesz > p.p_memsz || p.p_offset > size || p.p_filesz > size - p.p_offset ||
            p.p_vaddr > MEMORY_MAX || p.p_memsz > MEMORY_MAX)
            return 0;
        high = p.p_vaddr + p.p_memsz > high ? p.p_vaddr + p.p_memsz : high;
    }
    return (high + PAGE - 1) & ~(PAGE - 1);
}

static bool lay_out(struct loaded *l, const uint8_t *data, size_t size) {
    Elf64_Ehdr h;
    memset(l, 0, sizeof *l);
    if (size < sizeof h)
        return false;
    memcpy(&h, data, sizeof h);
    l->size = span(&h, data, size);
    if (!l->size || l->size > 2 * MEMORY_MAX)
        return false;
    l->memory = mmap(NULL, l->size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_MUST(l->memory != MAP_FAILED);
    l->memory += PAGE;
    mprotect(l->memory, l->size, PROT_READ | PROT_WRITE);
    l->module.base = l->module.start = (uint64_t)l->memory;
    l->module.end = l->module.start + l->size;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, data + h.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD)
            memcpy(l->memory + p.p_vaddr, data + p.p_offset, p.p_filesz);
        if (p.p_type == PT_GNU_EH_FRAME)
            l->module.eh_frame_hdr = l->module.base + p.p_vaddr;
        if (p.p_type == PT_DYNAMIC)
            l->module.dynamic = l->module.base + p.p_vaddr;
    }
    return true;
}

/* ---- its readers ---- */

static void use_symbol(void *data, const struct codec_symbol *symbol) {
    (void)data;
    for (size_t i = 0; i < symbol->name_length; i++)
        used += (uint8_t)symbol->name[i];
}

static void use_code(const struct loaded *l) {
    for (uint64_t at = 0; at < l->size; at += l->size / 64 + 1) {
        uint64_t room = l->size - at < 64 ? l->size - at : 64;
        uint8_t out[MOVE_OUT_MOST];
        struct insn insn;
        struct move m;
        if (insn_decode(l->memory + at, room, &insn))
            FUZZ_MUST(insn.length <= room && insn.length <= INSN_LONGEST);
        if (move_prologue(l->memory + at, l->module.start + at, room, out, sizeof out,
                          l->module.start + (1u << 20), &m) == MOVE_OK)
            FUZZ_MUST(m.skip + m.taken <= room && m.size <= sizeof out);
    }
}

static void use_module(struct loaded *l, const char *path, bool steady) {
    static const char *const patterns[] = {"", "na*d\n*x*\n"};
    struct module m = l->module;
    struct module_facts facts;
    uint8_t scratch[RULE_SCRATCH];
    m.steady = steady;
    module_elf_find(&m);
    module_elf_facts(&m, &facts);
    FUZZ_MUST(facts.build_id_size <= sizeof facts.build_id);
    FUZZ_MUST(!facts.marks || (facts.marks >= m.start && facts.marks < m.end));
    used += module_elf_moves_text(&m);
    for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
        struct codec_scan scan = {
            .module = &m, .path = i ? path : "", .patterns = patterns[i], .each = use_symbol};
        codec_scan(&scan);
    }
    for (uint64_t at = 0x200; at < l->size && at < 0x700; at += steady ? 3 : 61)
        used += rule_compile(&m, m.start + at, scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct loaded l;
    char path[64];
    if (!lay_out(&l, data, size))
        return 0;
    int fd = fuzz_file(data, size, path, sizeof path);
    use_module(&l, path, true);
    use_module(&l, path, false);
    use_code(&l);
    /* As it is found when nothing but an address is known. */
    struct module found = {.base = l.module.base};
    if (module_elf_find_at(&found, l.module.start))
        FUZZ_MUST(found.start == l.module.start);
    close(fd);
    munmap(l.memory - PAGE, l.size + 2 * PAGE);
    return 0;
}

void fuzz_seeds(void) {
    fuzz_elf_seeds();
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    return fuzz_elf_mutate(data, size, room, random);
}
