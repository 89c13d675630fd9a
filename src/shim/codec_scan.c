/* Symbol tables in memory and on disk. All numbers are distrusted; system calls only. */
#include "codec_scan.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/syscall.h"
#include "peek.h"

#define NAME_MAX_LENGTH 512u
#define SYMBOLS_MAX (1u << 24)
#define CHAIN_MAX 65536u /* a linker's hash tables have chains of some ten symbols */
#define TABLE_MAX (256ull << 20) /* a table that is larger is left to the report */

struct table {
    const Elf64_Sym *symbols;
    const char *strings;
    uint64_t count, strings_size;
};

/* ---- one table ---- */

static bool matches_any(const char *patterns, const char *name, size_t length) {
    while (*patterns) {
        size_t n = 0;
        while (patterns[n] && patterns[n] != '\n')
            n++;
        if (n && codec_table_matches(patterns, n, name, length))
            return true;
        patterns += n + (patterns[n] == '\n');
    }
    return false;
}

/* Functions that are defined here. Indirect ones are names of a resolver. */
static bool is_function(const Elf64_Sym *s) {
    return ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF &&
           s->st_shndx != SHN_ABS && s->st_shndx != SHN_COMMON && s->st_value;
}

/* A symbol that names the source file of the local ones behind it. Those that the linker made local
 * (hidden, or by a version script) GNU's has behind one without a name; lld leaves them hidden. */
static bool names_file(const struct table *t, const Elf64_Sym *s) {
    return s->st_name < t->strings_size && t->strings[s->st_name];
}

static bool is_local(const Elf64_Sym *s) {
    return ELF64_ST_BIND(s->st_info) == STB_LOCAL &&
           ELF64_ST_VISIBILITY(s->st_other) == STV_DEFAULT;
}

/* Hand-written code may have no size: it goes up to the next symbol. */
static uint64_t size_of(const struct table *t, const Elf64_Sym *symbol) {
    uint64_t next = UINT64_MAX;
    if (symbol->st_size)
        return symbol->st_size;
    for (uint64_t i = 0; i < t->count; i++)
        if (is_function(&t->symbols[i]) && t->symbols[i].st_value > symbol->st_value &&
            t->symbols[i].st_value < next)
            next = t->symbols[i].st_value;
    return next == UINT64_MAX ? 1 : next - symbol->st_value;
}

/* ---- what begins beside ----
 *
 * Hand-written code is entered behind its first instructions as well, by other functions. Such
 * places are found by a second look at all symbols, most of which are passed over by one bit. */

#define LINE 16u
#define LINES (1u << 18)

/* Of a line of code, by its address in the module: a function that was found begins here. By the
 * holder of module.c's claim. */
static uint64_t lines[LINES / 64];

static void remember_beginning(uint64_t value) {
    for (uint64_t line = value / LINE; line <= (value + CODEC_SCAN_BEGINNING) / LINE; line++)
        lines[line % LINES / 64] |= 1ull << line % 64;
}

static bool is_beginning(uint64_t value) {
    uint64_t line = value / LINE;
    return lines[line % LINES / 64] >> line % 64 & 1;
}

static bool is_code(const Elf64_Sym *s) {
    bool is_label = ELF64_ST_TYPE(s->st_info) == STT_NOTYPE && s->st_shndx != SHN_UNDEF &&
                    s->st_shndx < SHN_LORESERVE;
    return is_label || is_function(s);
}

static void tell_beside(const struct codec_scan *scan, const struct table *t) {
    for (uint64_t i = 0; i < t->count; i++)
        if (is_code(&t->symbols[i]) && is_beginning(t->symbols[i].st_value))
            scan->beside(scan->data, scan->module->base + t->symbols[i].st_value);
    base_zero(lines, sizeof lines);
}

/* ---- codec functions ---- */

/* Returns whether it is one. */
static bool look_at(const struct codec_scan *scan, const struct table *t, const Elf64_Sym *symbol,
                    bool in_file) {
    const char *name = t->strings + symbol->st_name;
    uint64_t room = t->strings_size - symbol->st_name;
    size_t length = 0;
    while (length < room && length < NAME_MAX_LENGTH && name[length])
        length++;
    const struct codec_entry *entry = codec_table_find(name, length);
    if (!entry && !matches_any(scan->patterns, name, length))
        return false;
    struct codec_symbol found = {.start = scan->module->base + symbol->st_value,
                                 .size = size_of(t, symbol),
                                 .entry = entry,
                                 .name = name,
                                 .name_length = length,
                                 .is_local = in_file && is_local(symbol)};
    scan->each(scan->data, &found);
    remember_beginning(symbol->st_value);
    return true;
}

/* A program may have a hundred thousand symbols, so most are passed over by four bytes. */
static void scan_table(const struct codec_scan *scan, const struct table *t) {
    bool all = *scan->patterns, in_file = true, any = false;
    for (uint64_t i = 0; i < t->count; i++) {
        const Elf64_Sym *s = &t->symbols[i];
        uint32_t word;
        if (ELF64_ST_TYPE(s->st_info) == STT_FILE)
            in_file = names_file(t, s);
        if (!is_function(s) || s->st_name >= t->strings_size ||
            t->strings_size - s->st_name < sizeof word)
            continue;
        __builtin_memcpy(&word, t->strings + s->st_name, sizeof word);
        if (all || codec_table_may_begin(word))
            any |= look_at(scan, t, s, in_file);
    }
    if (any && scan->beside)
        tell_beside(scan, t);
}

/* Loops over symbols may be made of instructions that fault where they are not aligned. */
static bool is_aligned(uint64_t at) {
    return at % _Alignof(Elf64_Sym) == 0;
}

/* ---- private memory ---- */

static void *map_private(uint64_t size) {
    long at =
        base_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base_is_error(at) ? NULL : (void *)at;
}

/* ---- in memory: .dynsym ---- */

/* Copies, as the module may be unloaded at any moment unless it is steady. */
static bool fetch(const struct module *m, uint64_t address, void *dst, uint64_t size) {
    if (address < m->start || address > m->end || m->end - address < size)
        return false;
    if (!m->steady)
        return peek_read(dst, address, size) == size;
    base_move(dst, (const void *)address, size);
    return true;
}

struct dynamic {
    uint64_t gnu_hash, hash, symbols, strings, strings_size;
};

static void find_dynamic(const struct module *m, struct dynamic *d) {
    Elf64_Dyn e;
    base_zero(d, sizeof *d);
    for (unsigned i = 0; i < 256 && m->dynamic; i++) {
        if (!fetch(m, m->dynamic + i * sizeof e, &e, sizeof e) || e.d_tag == DT_NULL)
            return;
        /* The loader has written addresses over the offsets. */
        uint64_t value = e.d_un.d_ptr, at = value < m->start ? m->base + value : value;
        if (e.d_tag == DT_GNU_HASH)
            d->gnu_hash = at;
        else if (e.d_tag == DT_HASH)
            d->hash = at;
        else if (e.d_tag == DT_SYMTAB)
            d->symbols = at;
        else if (e.d_tag == DT_STRTAB)
            d->strings = at;
        else if (e.d_tag == DT_STRSZ)
            d->strings_size = value;
    }
}

/* The last chain of the hash table ends with the last symbol. */
static uint64_t count_gnu(const struct module *m, uint64_t at) {
    uint32_t head[4], bucket[64], last = 0; /* buckets, first symbol, filter words, shift */
    if (!fetch(m, at, head, sizeof head) || head[0] > SYMBOLS_MAX || head[2] > SYMBOLS_MAX)
        return 0;
    uint64_t buckets = at + sizeof head + head[2] * 8ull, chains = buckets + head[0] * 4ull;
    for (uint32_t i = 0; i < head[0]; i += ARRAY_SIZE(bucket)) {
        uint32_t n = head[0] - i < ARRAY_SIZE(bucket) ? head[0] - i : (uint32_t)ARRAY_SIZE(bucket);
        if (!fetch(m, buckets + i * 4ull, bucket, n * sizeof *bucket))
            return 0;
        for (uint32_t k = 0; k < n; k++)
            last = bucket[k] > last ? bucket[k] : last;
    }
    if (last < head[1])
        return head[1];
    for (uint32_t value = 0, n = 0; n < CHAIN_MAX && last < SYMBOLS_MAX; n++, last++) {
        if (!fetch(m, chains + (last - head[1]) * 4ull, &value, sizeof value))
            return 0;
        if (value & 1)
            return last + 1ull;
    }
    return 0;
}

static int scan_loaded(const struct codec_scan *scan) {
    const struct module *m = scan->module;
    struct dynamic d;
    struct table t = {0};
    uint32_t head[2];
    find_dynamic(m, &d);
    if (!d.symbols || !d.strings || !(d.gnu_hash || d.hash))
        return 0;
    if (d.gnu_hash)
        t.count = count_gnu(m, d.gnu_hash);
    else if (fetch(m, d.hash, head, sizeof head) && head[1] < SYMBOLS_MAX)
        t.count = head[1];
    uint64_t bytes = t.count * sizeof *t.symbols;
    if (!is_aligned(d.symbols) || d.symbols < m->start || d.symbols > m->end ||
        m->end - d.symbols < bytes || d.strings < m->start || d.strings > m->end ||
        m->end - d.strings < d.strings_size)
        return -ENOEXEC;
    t.strings_size = d.strings_size;
    if (m->steady) {
        t.symbols = (const void *)d.symbols;
        t.strings = (const void *)d.strings;
        scan_table(scan, &t);
        return 0;
    }
    char *copy = map_private(bytes + t.strings_size + 1);
    if (!copy)
        return -ENOMEM;
    bool ok = fetch(m, d.symbols, copy, bytes) && fetch(m, d.strings, copy + bytes, t.strings_size);
    t.symbols = (const void *)copy;
    t.strings = copy + bytes;
    if (ok)
        scan_table(scan, &t);
    base_syscall(SYS_munmap, copy, bytes + t.strings_size + 1);
    return ok ? 0 : -EFAULT;
}

/* ---- on disk: .symtab ---- */

static bool read_at(int fd, void *dst, uint64_t size, uint64_t offset) {
    return base_syscall(SYS_pread64, fd, dst, size, offset) == (long)size;
}

static bool is_equal(const uint64_t *a, const uint64_t *b, size_t words) {
    uint64_t differs = 0;
    for (size_t i = 0; i < words; i++)
        differs |= a[i] ^ b[i];
    return !differs;
}

/* The file is the one that was loaded: its first bytes, headers and usually the build-id, are. */
static bool is_same_file(const struct module *m, int fd) {
    uint64_t disk[64], memory[64];
    for (unsigned at = 0; at < 1024; at += sizeof disk)
        if (!read_at(fd, disk, sizeof disk, at) ||
            peek_read(memory, m->start + at, sizeof memory) != sizeof memory ||
            !is_equal(disk, memory, ARRAY_SIZE(disk)))
            return false;
    return true;
}

static bool find_symtab(int fd, Elf64_Shdr *symbols, Elf64_Shdr *strings) {
    Elf64_Ehdr header;
    Elf64_Shdr some[8];
    if (!read_at(fd, &header, sizeof header, 0) || header.e_shentsize != sizeof some[0] ||
        !header.e_shoff)
        return false;
    uint64_t count = header.e_shnum;
    if (!count && read_at(fd, some, sizeof some[0], header.e_shoff))
        count = some[0].sh_size;                             /* more than 65279 */
    for (uint64_t last = count; last && count < 1u << 20;) { /* it is one of the last */
        uint64_t n = last < ARRAY_SIZE(some) ? last : ARRAY_SIZE(some);
        last -= n;
        if (!read_at(fd, some, n * sizeof some[0], header.e_shoff + last * sizeof some[0]))
            return false;
        for (uint64_t i = 0; i < n; i++) {
            if (some[i].sh_type != SHT_SYMTAB)
                continue;
            *symbols = some[i];
            return symbols->sh_link < count &&
                   read_at(fd, strings, sizeof *strings,
                           header.e_shoff + symbols->sh_link * sizeof some[0]);
        }
    }
    return false;
}

#define PAGE 4096ull

/* Maps a part of the file. That costs a tenth of reading it; and who cuts a file that a process
 * executes from has taken that process's code away as well. */
static const char *map_section(int fd, const Elf64_Shdr *s, uint64_t file_size) {
    if (!s->sh_size || s->sh_size > TABLE_MAX || s->sh_offset > file_size ||
        file_size - s->sh_offset < s->sh_size)
        return NULL;
    uint64_t skip = s->sh_offset % PAGE;
    long at = base_syscall(SYS_mmap, 0, s->sh_size + skip, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
                           fd, s->sh_offset - skip);
    return base_is_error(at) ? NULL : (const char *)at + skip;
}

static void unmap_section(const char *at, const Elf64_Shdr *s) {
    uint64_t skip = s->sh_offset % PAGE;
    if (at)
        base_syscall(SYS_munmap, at - skip, s->sh_size + skip);
}

/* Returns 1 when it had a .symtab. */
static int scan_open_file(const struct codec_scan *scan, int fd) {
    Elf64_Shdr symbols, strings;
    struct stat st;
    if (base_syscall(SYS_fstat, fd, &st) || !is_same_file(scan->module, fd))
        return -ESTALE;
    if (!find_symtab(fd, &symbols, &strings))
        return 0;
    if (!is_aligned(symbols.sh_offset))
        return -ENOEXEC;
    const char *symbols_at = map_section(fd, &symbols, (uint64_t)st.st_size);
    const char *strings_at = map_section(fd, &strings, (uint64_t)st.st_size);
    if (symbols_at && strings_at) {
        struct table t = {.symbols = (const void *)symbols_at,
                          .strings = strings_at,
                          .count = symbols.sh_size / sizeof(Elf64_Sym),
                          .strings_size = strings.sh_size};
        scan_table(scan, &t);
    }
    unmap_section(symbols_at, &symbols);
    unmap_section(strings_at, &strings);
    return symbols_at && strings_at ? 1 : -ENOMEM;
}

static int scan_file(const struct codec_scan *scan) {
    bool is_program = scan->module->flags & REGION_MODULE_EXECUTABLE;
    const char *path = is_program ? "/proc/self/exe" : scan->path;
    if (!*path)
        return -ENOENT;
    long fd = base_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return (int)fd;
    int error = scan_open_file(scan, (int)fd);
    base_syscall(SYS_close, fd);
    return error;
}

int codec_scan(const struct codec_scan *scan) {
    int file = scan_file(scan);
    if (file > 0)
        return 0; /* a .symtab holds what .dynsym does */
    int loaded = scan_loaded(scan);
    return loaded ? loaded : file;
}
