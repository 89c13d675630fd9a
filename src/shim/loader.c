/* Link maps and objects. */
#include "loader.h"

#include <elf.h>

#include "base/syscall.h"
#include "module_elf.h"
#include "peek.h"

static uint64_t program_headers; /* 0 = not known */

void loader_init(uint64_t headers) {
    program_headers = headers;
}

NOINLINE int loader_find_object(uint64_t address, struct loader_object *result) {
    uint8_t saved[16][16];
#define EACH(do)                                                                              \
    do                                                                                        \
    (0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do( \
        14) do(15)
#define SAVE(n) __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(saved[n]));
#define LOAD(n) __asm__ volatile("movups %0, %%xmm" #n : : "m"(saved[n]));
    EACH(SAVE)
    int error = _dl_find_object((void *)address, result);
    EACH(LOAD)
    return error;
}

bool loader_read(uint64_t link_map, struct loader_entry *entry) {
    return link_map && peek_read(entry, link_map, sizeof *entry) == sizeof *entry;
}

void loader_read_locked(uint64_t link_map, struct loader_entry *entry) {
    base_move(entry, (const void *)link_map, sizeof *entry);
}

bool loader_describe_entry(uint64_t link_map, const struct loader_entry *entry, struct module *m) {
    base_zero(m, sizeof *m);
    m->link_map = link_map;
    m->base = entry->base;
    m->dynamic = entry->dynamic;
    return module_elf_find(m);
}

bool loader_describe_program(struct module *m) {
    const Elf64_Phdr *first = (const Elf64_Phdr *)program_headers;
    base_zero(m, sizeof *m);
    if (!first || first->p_type != PT_PHDR)
        return false;
    m->base = program_headers - first->p_vaddr;
    m->permanent = 1;
    return module_elf_find_at(m, program_headers);
}

bool loader_is_program(const struct module *m) {
    return loader_first() ? m->link_map == loader_first()
                          : program_headers - m->start < m->end - m->start;
}

/* Of an object whose segments have gaps between them (node, at a fixed address) the loader gives
 * one segment, without headers. The module is the whole, read with care. */
static void describe_split(struct module *m) {
    struct module whole = {.link_map = m->link_map, .base = m->base, .dynamic = m->dynamic};
    if (!module_elf_find_at(&whole, program_headers) && !module_elf_find(&whole))
        return;
    if (whole.start > m->start || whole.end < m->end || whole.eh_frame_hdr != m->eh_frame_hdr)
        return;
    *m = whole;
    m->is_split = 1;
}

bool loader_describe(uint64_t address, struct module *m) {
    struct loader_object o;
    struct loader_entry entry;
    if (loader_find_object(address, &o) != 0)
        return false;
    base_zero(m, sizeof *m);
    m->start = o.start;
    m->end = o.end;
    m->link_map = o.link_map;
    m->eh_frame_hdr = o.eh_frame_hdr;
    m->steady = 1;
    if (loader_read(o.link_map, &entry)) {
        m->base = entry.base;
        m->dynamic = entry.dynamic;
    }
    if (o.link_map && !module_elf_find(m))
        describe_split(m);
    return true;
}

bool loader_is_object(const struct module *m, const struct loader_object *o) {
    /* The loader counts bytes to the end, headers give whole pages. */
    uint64_t end = (o->end + PEEK_PAGE - 1) & ~(PEEK_PAGE - 1);
    bool is_place = m->is_split ? m->start <= o->start && o->end <= m->end
                                : m->start == o->start && (m->end == o->end || m->end == end);
    return is_place && m->link_map == o->link_map && m->eh_frame_hdr == o->eh_frame_hdr;
}

static size_t read_link(const char *link, char *name, size_t size) {
    long n = base_syscall(SYS_readlink, link, name, size - 1);
    return n > 0 ? (size_t)n : 0;
}

size_t loader_name(const struct module *m, char *name, size_t size) {
    struct loader_entry entry;
    size_t length = 0;
    if (m->flags & REGION_MODULE_EXECUTABLE)
        length = read_link("/proc/self/exe", name, size);
    if (length || !loader_read(m->link_map, &entry))
        return length;
    size_t got = peek_read(name, entry.name, size - 1);
    name[got] = 0;
    length = base_length(name);
    if (!length || name[0] == '/' || m->flags & REGION_MODULE_VDSO)
        return length;
    long cwd = base_syscall(SYS_getcwd, name, size); /* its length with the zero */
    if (cwd < 2 || (size_t)cwd + length >= size)
        cwd = 0;
    size_t at = cwd ? (size_t)cwd : 0;
    if (cwd)
        name[cwd - 1] = '/';
    got = peek_read(name + at, entry.name, length);
    return got == length ? at + length : 0;
}
