#include "elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

/* Names of several kinds, inlined functions, a codec's, data that tells of a codec, a mark. */
static const char program[] =
    "static const char sign[] __attribute__((used)) = \" deflate 1.2.13 Copyright 1995-2022 \";\n"
    "int values[8] = {1};\n"
    "static inline __attribute__((always_inline)) int inner(int x) { return values[x & 7] * x; }\n"
    "static __attribute__((noinline)) int local(int x) { return inner(x) + inner(x + 1); }\n"
    "int ZSTD_compress(int x) { int big[20]; big[x & 15] = local(x); return big[3] + local(2); }\n"
    "int named(int x) __asm__(\"_ZN3abc3defINS_1xEEEvT_\");\n"
    "int named(int x) { return x ? named(x - 1) + local(x) : 0; }\n"
    "int rust(int x) __asm__(\"_RNvCs15kBYyAo9fc_7mycrate7example\");\n"
    "int rust(int x) { return x > 3 ? ZSTD_compress(x) : named(x); }\n"
    "int malloc(int x) { return rust(x) + sign[x & 3]; }\n"
    "int deflate(int x) __attribute__((alias(\"_RNvCs15kBYyAo9fc_7mycrate7example\")));\n"
    "__asm__(\".pushsection .note.squall,\\\"a\\\",@note\\n.long 7,8,1\\n.asciz "
    "\\\"squall\\\"\\n\"\n"
    "        \".balign 4\\n.quad 64\\n.popsection\");\n";

#define BUILD "cc -w -x c - -nostdlib -shared -fPIC -Wl,-z,noseparate-code -Wl,--build-id=sha1 "

static bool make(const char *name, const char *command, const char *with) {
    static uint8_t bytes[65536];
    char line[512];
    snprintf(line, sizeof line, "{ %s-o fuzz-elf %s; } >/dev/null 2>&1", command, with);
    FILE *pipe = popen(line, "w");
    if (!pipe || fwrite(program, 1, sizeof program - 1, pipe) != sizeof program - 1 || pclose(pipe))
        return false;
    FILE *f = fopen("fuzz-elf", "r");
    FUZZ_MUST(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    unlink("fuzz-elf");
    fuzz_seed(name, bytes, size);
    return true;
}

void fuzz_elf_seeds(void) {
    FUZZ_MUST(make("dwarf5", BUILD, "-O1 -g -gdwarf-5"));
    FUZZ_MUST(make("dwarf4", BUILD, "-O2 -g -gdwarf-4 -Wl,--hash-style=sysv"));
    FUZZ_MUST(make("frames", BUILD, "-O0 -fno-omit-frame-pointer -Wl,--hash-style=both"));
    FUZZ_MUST(make("stripped", BUILD, "-O1 -s"));
    make("compressed", BUILD, "-O1 -g -gz");
    make("types", BUILD, "-O1 -g3 -gdwarf-4 -fdebug-types-section");
    make("mini", BUILD,
         "-O1 -g && objcopy --only-keep-debug fuzz-elf fuzz-mini && xz fuzz-mini && "
         "strip fuzz-elf && objcopy --add-section .gnu_debugdata=fuzz-mini.xz "
         "fuzz-elf; r=$?; rm -f fuzz-mini fuzz-mini.xz; exit $r");
}

/* ---- mutations ---- */

static void change_section(uint8_t *data, size_t size, const Elf64_Shdr *s, uint64_t *random) {
    if (s->sh_type == SHT_NOBITS || s->sh_offset >= size || s->sh_size > size - s->sh_offset)
        return;
    /* One entry, where there are entries. */
    uint64_t from = s->sh_offset, length = s->sh_size;
    if (s->sh_entsize && s->sh_entsize < length) {
        from += fuzz_below(random, length / s->sh_entsize) * s->sh_entsize;
        length = s->sh_entsize;
    }
    fuzz_poke(data, from, from + length, s->sh_size, random);
}

static void change_sections(uint8_t *data, size_t size, const Elf64_Ehdr *h, uint64_t *random) {
    uint64_t i = fuzz_below(random, h->e_shnum), at = h->e_shoff + i * sizeof(Elf64_Shdr);
    Elf64_Shdr s;
    if (h->e_shoff > size || at > size - sizeof s)
        return;
    memcpy(&s, data + at, sizeof s);
    if (fuzz_below(random, 4) == 0)
        fuzz_poke(data, at, at + sizeof s, size, random);
    else
        change_section(data, size, &s, random);
}

size_t fuzz_elf_mutate(uint8_t *data, size_t size, size_t room, uint64_t *random) {
    Elf64_Ehdr h;
    if (size < sizeof h)
        return fuzz_bytes(data, size, room, random);
    memcpy(&h, data, sizeof h);
    switch (fuzz_below(random, 16)) {
    case 0:
        fuzz_poke(data, EI_NIDENT, sizeof h, size, random);
        break;
    case 1:
    case 2:
        if (h.e_phoff < size && h.e_phnum * sizeof(Elf64_Phdr) <= size - h.e_phoff)
            fuzz_poke(data, h.e_phoff, h.e_phoff + h.e_phnum * sizeof(Elf64_Phdr), size, random);
        break;
    case 3:
        return fuzz_bytes(data, size, room, random);
    default:
        change_sections(data, size, &h, random);
    }
    return size;
}
