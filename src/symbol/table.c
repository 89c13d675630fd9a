/* The functions of a module by its symbol tables: .symtab of the file or of its debug file, else
 * .dynsym with mini debug info; elfutils merges them. Sorted once, then searched.
 *
 * A stripped library exports few of its functions, and between two of them lie many that have no
 * name. So a name holds only as far as its size goes. A symbol without a size (assembler) reaches
 * to the next one in its section, and only in a file that still has its .symtab: where only the
 * exported names are left, what follows it can be anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Which of several names for one address to show: global before weak before local, a function
 * before a label, few underscores before many. */
static uint8_t rank(const GElf_Sym *symbol, const char *name) {
    unsigned binding = GELF_ST_BIND(symbol->st_info);
    unsigned r = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
    unsigned underscores = 0;
    while (underscores < 3 && name[underscores] == '_' && name[underscores + 1] != 'Z')
        underscores++;
    return (uint8_t)((GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE ? 16 : 0) + r * 4 + underscores);
}

static bool has_section(Elf *elf, GElf_Word type) {
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == type)
            return true;
    }
    return false;
}

/* ---- names ----
 *
 * They are copied: the file may be written over while it is mapped, and then a name need not end in
 * it any more. Many names may be parts of a long one, so that copies would take the square of its
 * length; together they get twice what the file has. */

struct block {
    struct block *next;
    size_t used, room;
    char text[];
};

#define BLOCK (1u << 18)

static const char *keep(struct table *table, const char *name, size_t length) {
    struct block *block = table->names;
    if (!block || block->room - block->used <= length) {
        size_t room = length < BLOCK ? BLOCK : length + 1;
        block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        *block = (struct block){.next = table->names, .room = room};
        table->names = block;
    }
    char *copy = memcpy(block->text + block->used, name, length);
    copy[length] = 0;
    block->used += length + 1;
    return copy;
}

/* The file that the last symbol came from; symbols of a file come together. */
struct origin {
    Elf *elf;
    const char *file; /* as it is in memory */
    size_t size, left;
    bool has_symtab;
    GElf_Word index;
    GElf_Shdr section;
    bool section_known;
};

static void look_at(struct origin *origin, Elf *elf, GElf_Word index) {
    if (origin->elf != elf) {
        *origin = (struct origin){.elf = elf, .has_symtab = has_section(elf, SHT_SYMTAB)};
        origin->file = elf_rawfile(elf, &origin->size);
        origin->left = 2 * origin->size;
    } else if (origin->index == index) {
        return;
    }
    Elf_Scn *section = elf_getscn(elf, index);
    origin->index = index;
    origin->section_known = section && gelf_getshdr(section, &origin->section);
}

/* NULL where there is none, or no more is to be had. */
static const char *take_name(struct table *table, struct origin *origin, const char *name) {
    uintptr_t at = (uintptr_t)name - (uintptr_t)origin->file;
    size_t most = at < origin->size ? origin->size - at : origin->left;
    size_t length = strnlen(name, most);
    if (length == 0 || length == most || length >= origin->left)
        return NULL;
    origin->left -= length + 1;
    return keep(table, name, length);
}

static bool is_function(const GElf_Sym *symbol, GElf_Word index) {
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    return (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE) &&
           index != SHN_UNDEF && index != SHN_ABS && index != SHN_COMMON;
}

static int add(struct table *table, const struct function *function) {
    if (table->count == table->room) {
        uint32_t room = table->room ? table->room * 2 : 256;
        struct function *functions =
            room > table->room ? reallocarray(table->functions, room, sizeof(*functions)) : NULL;
        if (!functions)
            return -ENOMEM;
        table->functions = functions;
        table->room = room;
    }
    table->functions[table->count++] = *function;
    return 0;
}

static int collect(struct table *table, Dwfl_Module *module) {
    struct origin origin = {0};
    int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        GElf_Word index;
        Elf *elf = NULL;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &address, &index, &elf, NULL);
        if (!name || !*name || !elf || !is_function(&symbol, index))
            continue;
        look_at(&origin, elf, index);
        if (origin.section_known && !(origin.section.sh_flags & SHF_EXECINSTR))
            continue;
        if (origin.has_symtab)
            table->has_symtab = true;
        else if (symbol.st_size == 0)
            continue;
        if (symbol.st_size > UINT64_MAX - address)
            continue;
        struct function function = {
            .start = address,
            .end = address + symbol.st_size,
            .raw = take_name(table, &origin, name),
        };
        if (!function.raw)
            continue;
        function.rank = rank(&symbol, function.raw);
        /* The section's address has the same bias as the symbol's value. */
        if (origin.section_known)
            function.limit =
                address - symbol.st_value + origin.section.sh_addr + origin.section.sh_size;
        int error = add(table, &function);
        if (error)
            return error;
    }
    return 0;
}

static int compare(const void *a, const void *b) {
    const struct function *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    bool x_sized = x->end > x->start, y_sized = y->end > y->start;
    if (x_sized != y_sized)
        return x_sized ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return strcmp(x->raw, y->raw);
}

/* One name for each address: the first of equals. */
static void merge(struct table *table) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        struct function *last = kept ? &table->functions[kept - 1] : NULL;
        const struct function *next = &table->functions[i];
        if (last && last->start == next->start) {
            if (next->end > last->end)
                last->end = next->end;
        } else {
            table->functions[kept++] = *next;
        }
    }
    table->count = kept;
}

static int lay_spans(struct table *table) {
    uint64_t reach = 0; /* of the functions with a size so far */
    for (uint32_t i = 0; i < table->count; i++) {
        struct function *f = &table->functions[i];
        if (f->end == f->start) {
            if (f->start < reach)
                continue; /* a label within a function */
            f->end = f->limit;
            if (i + 1 < table->count && table->functions[i + 1].start < f->end)
                f->end = table->functions[i + 1].start;
        } else if (f->end > reach) {
            reach = f->end;
        }
        int error = symbol_spans_add(&table->spans, f->start, f->end, i);
        if (error)
            return error;
    }
    symbol_spans_sort(&table->spans);
    return 0;
}

int symbol_table_build(struct table *table, Dwfl_Module *module) {
    int error = collect(table, module);
    if (error)
        return error;
    if (table->count)
        qsort(table->functions, table->count, sizeof(*table->functions), compare);
    merge(table);
    return lay_spans(table);
}

const struct function *symbol_table_find(const struct table *table, uint64_t address) {
    const struct span *span = symbol_spans_find(&table->spans, address);
    return span ? &table->functions[span->what] : NULL;
}

void symbol_table_free(struct table *table) {
    while (table->names) {
        struct block *block = table->names;
        table->names = block->next;
        free(block);
    }
    free(table->functions);
    symbol_spans_free(&table->spans);
    *table = (struct table){0};
}
