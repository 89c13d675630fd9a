/* The file of a watched program: symbol tables, DWARF, mini debug info, Go's tables, whatever
 * stands in it. elfutils reads most of it, so this tests that too. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/go_build.h"
#include "elf.h"
#include "symbol/symbol.h"

const size_t fuzz_longest = 65536;
const char fuzz_name[] = "symbol";

static uint64_t used;

static void use(struct symbols *s, uint32_t module, uint64_t offset) {
    struct symbol_frame frames[16];
    const char *name = symbol_function(s, module, offset);
    used += name ? strlen(name) : 0;
    uint32_t count = symbol_frames(s, module, offset, frames, ARRAY_SIZE(frames));
    FUZZ_MUST(count >= 1 && count <= ARRAY_SIZE(frames));
    for (uint32_t i = 0; i < count; i++)
        used += (frames[i].function ? strlen(frames[i].function) : 0) +
                (frames[i].file ? strlen(frames[i].file) : 0);
    FUZZ_MUST(!frames[count - 1].inlined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct symbol_options options = {.debug_path = "/-"};
    char path[64];
    struct symbol_module what = {.path = path};
    int fd = fuzz_file(data, size, path, sizeof path);
    struct symbols *s = symbol_open(&options);
    FUZZ_MUST(s);
    uint32_t module = symbol_module(s, &what);
    symbol_trouble(s, module);
    used += symbol_contains(s, module);
    for (uint64_t offset = 0x200; offset < 0x500; offset += 8)
        use(s, module, offset);
    for (uint64_t offset = 0; offset < FUNCTIONS * SIZE; offset += 32)
        use(s, module, TEXT + offset);
    use(s, module, 0);
    use(s, module, UINT64_MAX);
    symbol_close(s);
    close(fd);
    return 0;
}

/* Headers around a Go program's memory. */
static void seed_go(void) {
    static const char names[] = "\0.gopclntab\0.shstrtab";
    struct go_build p = {0};
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr parts[2];
        Elf64_Shdr sections[3];
        char names[sizeof names];
        uint8_t text[FUNCTIONS * SIZE] __attribute__((aligned(16)));
        uint8_t data[INLINED + 32];
    } *f = calloc(1, sizeof *f);
    FUZZ_MUST(f);
#define AT(field) ((uint64_t)((const char *)&f->field - (const char *)f))
    go_build_make(&p, 22);
    memcpy(f->text, p.text, sizeof f->text);
    memcpy(f->data, p.data, sizeof f->data);
    memcpy(f->names, names, sizeof names);
    f->header = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                             .e_type = ET_EXEC,
                             .e_machine = EM_X86_64,
                             .e_version = EV_CURRENT,
                             .e_phoff = AT(parts),
                             .e_shoff = AT(sections),
                             .e_ehsize = sizeof f->header,
                             .e_phentsize = sizeof f->parts[0],
                             .e_phnum = 2,
                             .e_shentsize = sizeof f->sections[0],
                             .e_shnum = 3,
                             .e_shstrndx = 2};
    f->parts[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_X,
                               .p_offset = AT(text),
                               .p_vaddr = TEXT,
                               .p_filesz = sizeof f->text,
                               .p_memsz = sizeof f->text};
    f->parts[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_offset = AT(data),
                               .p_vaddr = DATA,
                               .p_filesz = sizeof f->data,
                               .p_memsz = sizeof f->data};
    f->sections[1] = (Elf64_Shdr){.sh_name = 1,
                                  .sh_type = SHT_PROGBITS,
                                  .sh_flags = SHF_ALLOC,
                                  .sh_addr = DATA + TABLE,
                                  .sh_offset = AT(data) + TABLE,
                                  .sh_size = 4096 - TABLE};
    f->sections[2] = (Elf64_Shdr){
        .sh_name = 12, .sh_type = SHT_STRTAB, .sh_offset = AT(names), .sh_size = sizeof names};
    fuzz_seed("go", f, sizeof *f);
    free(p.data);
    free(f);
}

void fuzz_seeds(void) {
    fuzz_elf_seeds();
    seed_go();
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    return fuzz_elf_mutate(data, size, room, random);
}
