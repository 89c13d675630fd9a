/* Names of Go programs, from Go's own tables: they are in stripped files too, and know what was
 * inlined. Read from the file's segments, with the loader's relative relocations done for programs
 * that can be loaded anywhere. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define COPY_MAX (1ull << 30)

/* ---- segments ---- */

static bool is_go(Elf *elf) {
    Elf_Scn *section = NULL;
    size_t names;
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, &names))
        return false;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name && strstr(name, "gopclntab"))
            return true;
    }
    return false;
}

/* What the loader writes is ours to write, too. */
static uint8_t *copy_of(const uint8_t *bytes, uint64_t size) {
    uint8_t *copy = size <= COPY_MAX ? malloc(size ? size : 1) : NULL;
    return copy ? memcpy(copy, bytes, size) : NULL;
}

static bool add_segments(struct go_names *go, Elf *elf) {
    size_t count, size;
    GElf_Ehdr header;
    GElf_Phdr p;
    const uint8_t *file = (const uint8_t *)elf_rawfile(elf, &size);
    if (!file || !gelf_getehdr(elf, &header) || header.e_machine != EM_X86_64 ||
        elf_getphdrnum(elf, &count))
        return false;
    for (size_t i = 0; i < count && go->image.segment_count < GO_SEGMENTS_MAX; i++) {
        if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || p.p_offset > size ||
            p.p_filesz > size - p.p_offset || p.p_vaddr + p.p_filesz < p.p_vaddr)
            continue;
        const uint8_t *bytes = file + p.p_offset;
        uint32_t number = go->image.segment_count;
        if (header.e_type == ET_DYN && p.p_flags & PF_W)
            bytes = go->copies[number] = copy_of(bytes, p.p_filesz);
        if (bytes)
            go->image.segments[go->image.segment_count++] =
                (struct go_segment){p.p_vaddr, p.p_filesz, bytes};
    }
    return go->image.segment_count > 0;
}

static void write_word(struct go_names *go, uint64_t address, uint64_t value) {
    for (uint32_t i = 0; i < go->image.segment_count; i++) {
        const struct go_segment *s = &go->image.segments[i];
        if (go->copies[i] && address >= s->start && s->size >= 8 &&
            address - s->start <= s->size - 8)
            memcpy(go->copies[i] + (address - s->start), &value, sizeof value);
    }
}

/* Addresses are as in the file: the loader would add where it puts it. */
static void relocate(struct go_names *go, Elf *elf) {
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        Elf_Data *data;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA ||
            !(header.sh_flags & SHF_ALLOC) || !(data = elf_getdata(section, NULL)))
            continue;
        GElf_Rela r;
        for (int i = 0; gelf_getrela(data, i, &r); i++)
            if (GELF_R_TYPE(r.r_info) == R_X86_64_RELATIVE)
                write_word(go, r.r_offset, (uint64_t)r.r_addend);
    }
}

/* ---- the door ---- */

static bool prepare(struct go_names *go, Dwfl_Module *module) {
    GElf_Addr bias;
    if (!go->tried) {
        go->tried = true;
        Elf *elf = module ? dwfl_module_getelf(module, &bias) : NULL;
        if (elf && is_go(elf) && add_segments(go, elf)) {
            relocate(go, elf);
            go->found = go_image_find(&go->image) == 0;
        }
    }
    return go->found;
}

bool symbol_go_has(struct go_names *go, Dwfl_Module *module) {
    return prepare(go, module);
}

const char *symbol_go_function(struct go_names *go, Dwfl_Module *module, uint64_t offset) {
    struct go_function f;
    return prepare(go, module) && go_function_find(&go->image, offset, &f) && *f.name ? f.name
                                                                                      : NULL;
}

uint32_t symbol_go_frames(struct go_names *go, Dwfl_Module *module, uint64_t offset,
                          struct symbol_frame *out, uint32_t max) {
    struct go_frame frames[64];
    uint32_t room = max < ARRAY_SIZE(frames) ? max : (uint32_t)ARRAY_SIZE(frames);
    uint32_t count = prepare(go, module) ? go_frames(&go->image, offset, frames, room) : 0;
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct symbol_frame){
            .function = frames[i].function,
            .file = frames[i].file,
            .line = frames[i].line,
            .inlined = frames[i].inlined,
        };
    return count;
}

void symbol_go_free(struct go_names *go) {
    for (uint32_t i = 0; i < GO_SEGMENTS_MAX; i++)
        free(go->copies[i]);
    *go = (struct go_names){0};
}
