/* Headers, notes and symbol tables of modules in memory (System V gABI; GNU hash as in
 * glibc's elf/dl-lookup.c). Every number is distrusted: what lies outside the module is refused. */
#include "module_elf.h"

#include <elf.h>
#include <sys/mman.h>

#include "peek.h"

#define HEADERS_MAX 128u
#define SCAN_PAGES 65536u
#define NOTES_MAX 4096u
#define CHAIN_MAX 65536u /* a linker's hash tables have chains of some ten symbols */

/* Copies from the module's memory; all or nothing. */
static bool fetch(const struct module *m, uint64_t address, void *dst, size_t size) {
    if (m->start && (address < m->start || address > m->end || m->end - address < size))
        return false;
    if (!m->steady || !m->start)
        return peek_read(dst, address, size) == size;
    base_move(dst, (const void *)address, size);
    return true;
}

/* ---- headers ---- */

static bool read_header(uint64_t at, Elf64_Ehdr *header) {
    if (peek_read(header, at, sizeof *header) != sizeof *header)
        return false;
    return header->e_ident[0] == 0x7f && header->e_ident[1] == 'E' && header->e_ident[2] == 'L' &&
           header->e_ident[3] == 'F' && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum <= HEADERS_MAX;
}

/* Program headers, so many with one call of the kernel's: nearly all modules have no more. */
#define PARTS_AT_ONCE 16u
struct parts {
    uint64_t at; /* of the first of all */
    unsigned count;
    unsigned first, loaded;
    Elf64_Phdr part[PARTS_AT_ONCE];
};

/* NULL: it cannot be read. */
static const Elf64_Phdr *get_part(struct parts *p, unsigned i) {
    if (i - p->first < p->loaded)
        return &p->part[i - p->first];
    unsigned n = p->count - i < PARTS_AT_ONCE ? p->count - i : PARTS_AT_ONCE;
    size_t size = n * sizeof p->part[0];
    p->first = i;
    p->loaded = peek_read(p->part, p->at + i * sizeof p->part[0], size) == size ? n : 0;
    return p->loaded ? p->part : NULL;
}

/* The segment that the unwind tables are in. */
static void find_tables(struct module *m, struct parts *parts) {
    const Elf64_Phdr *part;
    m->tables = m->tables_end = 0;
    for (unsigned i = 0; i < parts->count && (part = get_part(parts, i)); i++) {
        uint64_t start = m->base + part->p_vaddr, end = start + part->p_filesz;
        if (part->p_type == PT_LOAD && m->eh_frame_hdr >= start && m->eh_frame_hdr < end &&
            start >= m->start && end <= m->end) {
            m->tables = start;
            m->tables_end = end;
        }
    }
}

/* Takes the module's facts from the headers at `at`. False when they are not this module's. */
static bool use_headers(struct module *m, uint64_t at) {
    Elf64_Ehdr header;
    uint64_t low = ~0ull, high = 0, dynamic = 0, frames = 0;
    if (!read_header(at, &header))
        return false;
    struct parts parts = {.at = at + header.e_phoff, .count = header.e_phnum};
    for (unsigned i = 0; i < parts.count; i++) {
        const Elf64_Phdr *part = get_part(&parts, i);
        if (!part)
            return false;
        if (part->p_type == PT_DYNAMIC)
            dynamic = m->base + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME)
            frames = m->base + part->p_vaddr;
        if (part->p_type != PT_LOAD)
            continue;
        low = part->p_vaddr < low ? part->p_vaddr : low;
        high = part->p_vaddr + part->p_memsz > high ? part->p_vaddr + part->p_memsz : high;
    }
    if (low > high || (m->dynamic && m->dynamic != dynamic))
        return false;
    uint64_t start = m->base + (low & ~(PEEK_PAGE - 1));
    if (start != at || (m->start && m->start != start))
        return false;
    if (!m->start) {
        m->start = start;
        m->end = m->base + ((high + PEEK_PAGE - 1) & ~(PEEK_PAGE - 1));
        m->eh_frame_hdr = frames;
    }
    m->dynamic = dynamic;
    find_tables(m, &parts);
    return true;
}

bool module_elf_find_at(struct module *m, uint64_t address) {
    if (!address || !use_headers(m, address & ~(PEEK_PAGE - 1)))
        return false;
    m->fingerprint = module_elf_fingerprint(m);
    return true;
}

bool module_elf_find(struct module *m) {
    bool found;
    if (m->start)
        found = use_headers(m, m->start);
    else
        found = m->base && use_headers(m, m->base);
    /* A program at a fixed address, or a prelinked library: they are before the dynamic section. */
    uint64_t at = m->dynamic & ~(PEEK_PAGE - 1);
    for (unsigned i = 0; !found && !m->start && i < SCAN_PAGES && at; i++, at -= PEEK_PAGE)
        found = use_headers(m, at);
    if (found)
        m->fingerprint = module_elf_fingerprint(m);
    return found;
}

/* Of the first KiB: headers, and behind them the note with the build-id, where two builds of the
 * same shape differ. */
uint64_t module_elf_fingerprint(const struct module *m) {
    uint64_t words[32], sum = 0;
    for (unsigned piece = 0; piece < 4; piece++) {
        uint64_t at = m->start + piece * sizeof words;
        if (peek_read(words, at, sizeof words) != sizeof words)
            return sum;
        for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
            sum = base_mix(sum ^ words[i]) + i;
    }
    return sum;
}

/* ---- symbols ---- */

struct symbols {
    uint64_t gnu_hash, hash, symbols, strings;
};

/* The loader writes addresses over the offsets of this table, except in the vdso. */
static uint64_t absolute(const struct module *m, uint64_t value) {
    return value < m->start ? m->base + value : value;
}

static void find_symbols(const struct module *m, struct symbols *s) {
    Elf64_Dyn d;
    base_zero(s, sizeof *s);
    for (unsigned i = 0; i < 256 && m->dynamic; i++) {
        if (!fetch(m, m->dynamic + i * sizeof d, &d, sizeof d) || d.d_tag == DT_NULL)
            return;
        if (d.d_tag == DT_GNU_HASH)
            s->gnu_hash = absolute(m, d.d_un.d_ptr);
        else if (d.d_tag == DT_HASH)
            s->hash = absolute(m, d.d_un.d_ptr);
        else if (d.d_tag == DT_SYMTAB)
            s->symbols = absolute(m, d.d_un.d_ptr);
        else if (d.d_tag == DT_STRTAB)
            s->strings = absolute(m, d.d_un.d_ptr);
    }
}

/* As the loader maps a segment. */
static struct module_code pages_of(const struct module *m, const Elf64_Phdr *part) {
    uint64_t start = m->base + part->p_vaddr;
    return (struct module_code){
        .start = start & ~(PEEK_PAGE - 1),
        .end = (start + part->p_memsz + PEEK_PAGE - 1) & ~(PEEK_PAGE - 1),
        .protection = (part->p_flags & PF_X ? PROT_EXEC : 0) |
                      (part->p_flags & PF_R ? PROT_READ : 0) |
                      (part->p_flags & PF_W ? PROT_WRITE : 0),
    };
}

bool module_elf_code(const struct module *m, uint64_t address, struct module_code *code) {
    Elf64_Ehdr header;
    const Elf64_Phdr *part;
    bool is_found = false;
    if (!read_header(m->start, &header))
        return false;
    struct parts parts = {.at = m->start + header.e_phoff, .count = header.e_phnum};
    for (unsigned i = 0; !is_found && i < parts.count && (part = get_part(&parts, i)); i++) {
        *code = pages_of(m, part);
        is_found = part->p_type == PT_LOAD && part->p_flags & PF_X &&
                   address - m->base - part->p_vaddr < part->p_memsz;
    }
    unsigned sharers = 0;
    for (unsigned i = 0; is_found && i < parts.count && (part = get_part(&parts, i)); i++) {
        struct module_code other = pages_of(m, part);
        sharers += part->p_type == PT_LOAD && other.start < code->end && other.end > code->start;
    }
    code->is_shared = sharers != 1;
    return is_found;
}

bool module_elf_moves_text(const struct module *m) {
    Elf64_Dyn d;
    for (unsigned i = 0; i < 256 && m->dynamic; i++) {
        if (!fetch(m, m->dynamic + i * sizeof d, &d, sizeof d) || d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_TEXTREL || (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_TEXTREL))
            return true;
    }
    return false;
}

/* Whether symbol number i is called `name` and is defined in the module. */
static bool is_definition(const struct module *m, const struct symbols *s, uint32_t i,
                          const char *name) {
    Elf64_Sym symbol;
    char text[24];
    size_t length = base_length(name) + 1;
    if (!fetch(m, s->symbols + (uint64_t)i * sizeof symbol, &symbol, sizeof symbol))
        return false;
    if (symbol.st_shndx == SHN_UNDEF || length > sizeof text ||
        !fetch(m, s->strings + symbol.st_name, text, length))
        return false;
    return text[length - 1] == 0 && base_equal(text, length - 1, name);
}

static bool defines_gnu(const struct module *m, const struct symbols *s, const char *name) {
    uint32_t head[4], hash = 5381, i, value; /* buckets, first symbol, filter words, shift */
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    if (!fetch(m, s->gnu_hash, head, sizeof head) || !head[0])
        return false;
    uint64_t buckets = s->gnu_hash + sizeof head + head[2] * 8ull;
    uint64_t chains = buckets + head[0] * 4ull;
    if (!fetch(m, buckets + hash % head[0] * 4ull, &i, sizeof i) || i < head[1])
        return false;
    for (uint32_t n = 0; n < CHAIN_MAX; n++, i++) {
        if (!fetch(m, chains + (i - head[1]) * 4ull, &value, sizeof value))
            return false;
        if ((value | 1) == (hash | 1) && is_definition(m, s, i, name))
            return true;
        if (value & 1)
            return false;
    }
    return false;
}

static bool defines_old(const struct module *m, const struct symbols *s, const char *name) {
    uint32_t head[2], hash = 0, i; /* buckets, symbols */
    for (const char *c = name; *c; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (!fetch(m, s->hash, head, sizeof head) || !head[0])
        return false;
    uint64_t at = s->hash + sizeof head + hash % head[0] * 4ull;
    /* It may lead back to where it began. */
    for (uint32_t n = 0; n < head[1] && n < CHAIN_MAX && fetch(m, at, &i, sizeof i) && i; n++) {
        if (is_definition(m, s, i, name))
            return true;
        at = s->hash + sizeof head + (head[0] + (uint64_t)i) * 4;
    }
    return false;
}

static bool defines(const struct module *m, const struct symbols *s, const char *name) {
    if (!s->symbols || !s->strings)
        return false;
    if (s->gnu_hash)
        return defines_gnu(m, s, name);
    return s->hash && defines_old(m, s, name);
}

/* Which allocator a module brings, by the names that only it exports. */
static uint32_t find_allocator(const struct module *m) {
    static const struct {
        char name[16];
        uint32_t allocator;
    } marks[] = {{"mallocx", REGION_ALLOCATOR_JEMALLOC},
                 {"je_malloc", REGION_ALLOCATOR_JEMALLOC},
                 {"je_mallocx", REGION_ALLOCATOR_JEMALLOC},
                 {"tc_malloc", REGION_ALLOCATOR_TCMALLOC},
                 {"mi_malloc", REGION_ALLOCATOR_MIMALLOC}};
    struct symbols s;
    find_symbols(m, &s);
    for (unsigned i = 0; i < ARRAY_SIZE(marks); i++)
        if (defines(m, &s, marks[i].name))
            return marks[i].allocator;
    if (!defines(m, &s, "malloc"))
        return REGION_ALLOCATOR_NONE;
    /* libc.so.6, and the small malloc of older dynamic loaders */
    bool glibc = defines(m, &s, "__libc_malloc") || defines(m, &s, "_r_debug");
    return glibc ? REGION_ALLOCATOR_GLIBC : REGION_ALLOCATOR_OTHER;
}

/* ---- notes ---- */

static void find_build_id(const struct module *m, uint64_t at, uint64_t size,
                          struct module_facts *facts) {
    uint64_t end = at + (size < NOTES_MAX ? size : NOTES_MAX);
    while (at + sizeof(Elf64_Nhdr) <= end) {
        Elf64_Nhdr note;
        char name[4];
        if (!fetch(m, at, &note, sizeof note))
            return;
        uint64_t text = at + sizeof note;
        uint64_t bytes = text + ((note.n_namesz + 3ull) & ~3ull);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            fetch(m, text, name, sizeof name) && base_equal(name, 3, "GNU")) {
            uint32_t n =
                note.n_descsz < sizeof facts->build_id ? note.n_descsz : sizeof facts->build_id;
            facts->build_id_size = fetch(m, bytes, facts->build_id, n) ? n : 0;
            return;
        }
        at = bytes + ((note.n_descsz + 3ull) & ~3ull);
    }
    return;
}

/* A note of squall.h among these: its 8 bytes are the distance from themselves to the hooks. */
static uint64_t find_marks(const struct module *m, uint64_t at, uint64_t size) {
    uint64_t end = at + (size < NOTES_MAX ? size : NOTES_MAX), distance;
    while (at + sizeof(Elf64_Nhdr) <= end) {
        Elf64_Nhdr note;
        char name[8];
        if (!fetch(m, at, &note, sizeof note))
            return 0;
        uint64_t text = at + sizeof note;
        uint64_t bytes = text + ((note.n_namesz + 3ull) & ~3ull);
        if (note.n_namesz == 7 && note.n_type == 1 && note.n_descsz == sizeof distance &&
            fetch(m, text, name, sizeof name) && base_equal(name, 6, "squall") &&
            fetch(m, bytes, &distance, sizeof distance)) {
            uint64_t hooks = bytes + distance;
            return hooks >= m->start && hooks < m->end ? hooks : 0;
        }
        at = bytes + ((note.n_descsz + 3ull) & ~3ull);
    }
    return 0;
}

void module_elf_facts(const struct module *m, struct module_facts *facts) {
    Elf64_Ehdr header;
    Elf64_Phdr part;
    base_zero(facts, sizeof *facts);
    if (!read_header(m->start, &header))
        return;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        uint64_t at = m->start + header.e_phoff + i * sizeof part;
        if (!fetch(m, at, &part, sizeof part) || part.p_type != PT_NOTE)
            continue;
        if (!facts->build_id_size)
            find_build_id(m, m->base + part.p_vaddr, part.p_memsz, facts);
        if (!facts->marks)
            facts->marks = find_marks(m, m->base + part.p_vaddr, part.p_memsz);
    }
    facts->allocator = find_allocator(m);
}
