/* Symbol lookup in loaded objects, by the hash tables that the loader itself uses. */
#include "elf.h"

#include <errno.h>

/* Of the loader; weak, so that no library but libc has to be named and an early caller, before
 * our relocation, finds NULL. */
extern struct r_debug _r_debug __attribute__((weak, visibility("default")));
/* Where musl (and uClibc) has a pointer to it, with the same heads of structures. */
extern struct r_debug *_dl_debug_addr __attribute__((weak, visibility("default")));

bool elf_is_other_loader(void) {
    struct r_debug **volatile other = &_dl_debug_addr;
    return other != NULL;
}

const struct link_map *elf_first_map(void) {
    struct r_debug *volatile debug = &_r_debug;
    if (UNLIKELY(!debug) && elf_is_other_loader())
        debug = _dl_debug_addr;
    return debug ? debug->r_map : NULL;
}

bool elf_loader_is_at_work(void) {
    struct r_debug *volatile debug = &_r_debug;
    return debug && RELAXED_LOAD(&debug->r_state) != RT_CONSISTENT;
}

/* glibc has made the pointers of a dynamic section absolute, except where it is read-only (the vdso):
 * those are still offsets, and so are all of musl's. What is absolute lies near the section; a base
 * tells nothing, for an object that was linked to a high address (prelinked; the vdso before Linux 3.16)
 * may have a negative one. */
#define NEAR (1ull << 38)
static const void *absolute(uint64_t base, const ElfW(Dyn) * dyn) {
    uint64_t value = dyn->d_un.d_ptr;
    return (const void *)(value - (uint64_t)dyn + NEAR < 2 * NEAR ? value : base + value);
}

static void read_dynamic(uint64_t base, const ElfW(Dyn) * dyn, struct elf_dynamic *out) {
    uint64_t soname = 0;
    *out = (struct elf_dynamic){.base = base};
    for (; dyn->d_tag != DT_NULL; dyn++) {
        const void *p = absolute(base, dyn);
        switch (dyn->d_tag) {
        case DT_SYMTAB:
            out->symbols = p;
            break;
        case DT_STRTAB:
            out->strings = p;
            break;
        case DT_VERSYM:
            out->versions = p;
            break;
        case DT_GNU_HASH:
            out->gnu_hash = p;
            break;
        case DT_HASH:
            out->hash = p;
            break;
        case DT_JMPREL:
            out->calls = p;
            break;
        case DT_PLTRELSZ:
            out->call_count = dyn->d_un.d_val / sizeof out->calls[0];
            break;
        case DT_SONAME:
            soname = dyn->d_un.d_val;
            break;
        default:
            break;
        }
    }
    if (soname && out->strings)
        out->soname = out->strings + soname;
    if (!out->calls || !out->symbols || !out->strings)
        out->call_count = 0;
}

void elf_dynamic_of_map(const struct link_map *map, struct elf_dynamic *out) {
    read_dynamic(map->l_addr, map->l_ld, out);
}

int elf_dynamic_of_image(uint64_t address, struct elf_dynamic *out) {
    const ElfW(Ehdr) *ehdr = (const void *)address;
    const ElfW(Phdr) *phdr = (const void *)(address + ehdr->e_phoff);
    const ElfW(Phdr) *dynamic = NULL, *load = NULL;
    for (unsigned i = 0; i < ehdr->e_phnum; i++) {
        if (phdr[i].p_type == PT_DYNAMIC)
            dynamic = &phdr[i];
        if (phdr[i].p_type == PT_LOAD && !load)
            load = &phdr[i];
    }
    if (!dynamic || !load)
        return -ENOEXEC;
    uint64_t base = address + load->p_offset - load->p_vaddr;
    read_dynamic(base, (const void *)(base + dynamic->p_vaddr), out);
    return 0;
}

static bool is_match(const struct elf_dynamic *d, uint32_t i, const char *name) {
    const ElfW(Sym) *s = &d->symbols[i];
    unsigned type = ELF64_ST_TYPE(s->st_info);
    if (s->st_shndx == SHN_UNDEF || ELF64_ST_BIND(s->st_info) == STB_LOCAL)
        return false;
    if (type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return false;
    /* The top bit marks a version that is not the default one. */
    if (d->versions && d->versions[i] & 0x8000)
        return false;
    return base_equal(name, base_length(name), d->strings + s->st_name);
}

static uint32_t find_gnu(const struct elf_dynamic *d, const char *name) {
    uint32_t h = 5381;
    for (const char *c = name; *c; c++)
        h = h * 33 + (unsigned char)*c;
    uint32_t buckets = d->gnu_hash[0], first = d->gnu_hash[1], words = d->gnu_hash[2],
             shift = d->gnu_hash[3];
    const uint64_t *bloom = (const void *)&d->gnu_hash[4];
    const uint32_t *bucket = (const void *)&bloom[words], *chain = &bucket[buckets];
    if (!buckets || !words)
        return 0;
    uint64_t word = bloom[h / 64 % words];
    if (!(word >> (h % 64) & word >> ((h >> shift) % 64) & 1))
        return 0;
    uint32_t i = bucket[h % buckets];
    if (i < first)
        return 0;
    for (;; i++) {
        uint32_t c = chain[i - first];
        if ((c | 1) == (h | 1) && is_match(d, i, name))
            return i;
        if (c & 1)
            return 0;
    }
}

static uint32_t find_sysv(const struct elf_dynamic *d, const char *name) {
    uint32_t h = 0;
    for (const char *c = name; *c; c++) {
        h = (h << 4) + (unsigned char)*c;
        h ^= h >> 24 & 0xf0;
        h &= 0x0fffffff;
    }
    uint32_t buckets = d->hash[0];
    const uint32_t *bucket = &d->hash[2], *chain = &bucket[buckets];
    if (!buckets)
        return 0;
    for (uint32_t i = bucket[h % buckets]; i; i = chain[i])
        if (is_match(d, i, name))
            return i;
    return 0;
}

const ElfW(Sym) * elf_symbol(const struct elf_dynamic *d, const char *name) {
    if (!d->symbols || !d->strings || (!d->gnu_hash && !d->hash))
        return NULL;
    uint32_t i = d->gnu_hash ? find_gnu(d, name) : find_sysv(d, name);
    return i ? &d->symbols[i] : NULL;
}

void *elf_lookup(const struct elf_dynamic *d, const char *name) {
    const ElfW(Sym) *s = elf_symbol(d, name);
    if (!s)
        return NULL;
    uint64_t address = d->base + s->st_value;
    if (ELF64_ST_TYPE(s->st_info) == STT_GNU_IFUNC)
        address = ((uint64_t(*)(void))address)();
    return (void *)address;
}

const struct link_map *elf_libc(struct elf_dynamic *d) {
    for (const struct link_map *m = elf_first_map(); m; m = m->l_next) {
        elf_dynamic_of_map(m, d);
        if (elf_symbol(d, "__libc_start_main") && elf_symbol(d, "mmap"))
            return m;
    }
    return NULL;
}
