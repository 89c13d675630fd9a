/* The shim's instruction decoder and mover beside what nobody here wrote.
 *
 *   insn_check lengths       reads `objdump -d -w --insn-width=16`: the same lengths, the same
 *                            targets of branches, the same operands relative to rip
 *   insn_check codecs FILE   moves every codec function that the file's symbols name */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec_table.h"
#include "shim/insn.h"
#include "shim/move.h"

struct line {
    uint64_t address;
    uint8_t bytes[16];
    size_t length;
    const char *text;
};

/* "  401000:\tf3 0f 1e fa\tendbr64" */
static int parse(char *s, struct line *l) {
    char *at;
    l->address = strtoull(s, &at, 16);
    if (at == s || at[0] != ':' || at[1] != '\t')
        return 0;
    unsigned byte;
    int used;
    for (l->length = 0, at += 2; l->length < 16 && sscanf(at, "%2x%n", &byte, &used) == 1;
         at += used)
        l->bytes[l->length++] = (uint8_t)byte;
    at += strspn(at, " ");
    l->text = at + (*at == '\t');
    return l->length > 0 && *at == '\t';
}

/* Prefixes that objdump shows alone belong to nothing that it knows, as "(bad)" does. */
static int is_unknown(const char *text) {
    static const char *const prefixes[] = {"data16", "addr32", "lock", "repz", "repnz", "rep",
                                           "cs",     "ds",     "es",   "ss",   "fs",    "gs"};
    char word[16];
    int used;
    if (strstr(text, "(bad)") || strstr(text, ".byte") || strstr(text, "%?"))
        return 1;
    for (; sscanf(text, "%15s%n", word, &used) == 1; text += used) {
        int is_prefix = !strncmp(word, "rex", 3);
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
            is_prefix |= !strcmp(word, prefixes[i]);
        if (!is_prefix)
            return 0;
    }
    return 1;
}

/* The number behind `mark` in the text, if the mark is there. */
static int number_behind(const char *text, const char *mark, uint64_t *n) {
    const char *at = strstr(text, mark);
    char *end;
    if (!at)
        return 0;
    *n = strtoull(at + strlen(mark), &end, 16);
    return end != at + strlen(mark);
}

/* Where the decoder is right to differ; only data taken for code has these. objdump joins fwait
 * with what follows; it takes other prefixes in front of VEX, an invalid opcode; and it takes
 * branches of 16 bits, whose length differs by maker, so that they are refused. */
static int is_exception(const struct line *l, int is_decoded) {
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e,
                                       0x36, 0x3e, 0x26, 0x64, 0x65};
    const uint8_t *op = l->bytes;
    while (memchr(prefixes, *op, sizeof(prefixes)))
        op++;
    if (*op == 0x9b)
        return is_decoded;
    const uint8_t *vector = op + ((*op & 0xf0) == 0x40);
    if (*vector == 0xc4 || *vector == 0xc5 || *vector == 0x62)
        return !is_decoded && vector > l->bytes;
    int is_branch = (*op & 0xf0) == 0x70 || (*op & 0xfc) == 0xe0 || *op == 0xe8 || *op == 0xe9 ||
                    *op == 0xeb || (*op == 0x0f && (op[1] & 0xf0) == 0x80);
    return !is_decoded && is_branch && memchr(l->bytes, 0x66, (size_t)(op - l->bytes));
}

/* What the text says is what was decoded; else the reason. */
static const char *difference(const struct line *l, const struct insn *i) {
    uint64_t want;
    char operand[64];
    const char *text = l->text;
    int is_call = 0;
    if (i->length != l->length)
        return "length";
    if (strstr(text, "(%rip)")) {
        int32_t disp;
        memcpy(&disp, l->bytes + i->disp_at, 4);
        if (!i->disp_at || !number_behind(text, "# ", &want) ||
            want != l->address + l->length + (uint64_t)(int64_t)disp)
            return "operand";
    } else if (i->disp_at)
        return "operand that is none";
    for (const char *word = text; word; word = strpbrk(word, " ,")) {
        word += strspn(word, " ,");
        word += *word == 'l' && (word[1] == 'c' || word[1] == 'j'); /* far ones */
        if (*word != 'j' && strncmp(word, "call", 4) && strncmp(word, "loop", 4) &&
            strncmp(word, "xbegin", 6))
            continue;
        is_call = *word == 'c';
        if (sscanf(word, "%*[a-z,]%63s", operand) != 1)
            break;
        if (strchr(operand, '*'))
            return i->kind == (is_call ? INSN_INDIRECT_CALL : INSN_INDIRECT) ? NULL : "kind";
        want = strtoull(operand, NULL, 16);
        if (!i->rel_at || want != l->address + (uint64_t)i->target)
            return "target";
        return (i->kind == INSN_CALL) == is_call &&
                       (i->kind == INSN_JUMP) == (strstr(text, "jmp") != NULL)
                   ? NULL
                   : "kind";
    }
    if ((i->kind == INSN_RETURN) != (strstr(text, "ret") != NULL))
        return "kind";
    return i->rel_at || i->kind == INSN_INDIRECT || i->kind == INSN_INDIRECT_CALL ? "kind" : NULL;
}

static int lengths(void) {
    static char text[4096];
    struct line l;
    struct insn insn;
    unsigned long count = 0, unknown = 0, wrong = 0;
    while (fgets(text, sizeof(text), stdin)) {
        text[strcspn(text, "<\n")] = 0; /* a symbol's name may look like anything */
        if (!parse(text, &l))
            continue;
        if (is_unknown(l.text)) {
            unknown++;
            continue;
        }
        count++;
        int is_decoded = insn_decode(l.bytes, sizeof(l.bytes), &insn);
        const char *why = is_decoded ? difference(&l, &insn) : "not decoded";
        if (why && !is_exception(&l, is_decoded) && wrong++ < 40)
            fprintf(stderr, "%s: %s\n", why, text);
    }
    printf("%lu %lu %lu\n", count, unknown, wrong);
    return wrong != 0 || count == 0;
}

/* Where in the file an address is. */
static const uint8_t *code_at(const uint8_t *file, uint64_t address) {
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *p = (const Elf64_Phdr *)(file + e->e_phoff);
    for (int i = 0; i < e->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && (p[i].p_flags & PF_X) &&
            address - p[i].p_vaddr < p[i].p_filesz)
            return file + p[i].p_offset + (address - p[i].p_vaddr);
    return NULL;
}

/* One symbol: counted in found[0], in found[1] if it was moved. */
static void move_symbol(const uint8_t *file, const Elf64_Sym *s, const char *name,
                        unsigned found[2]) {
    uint8_t out[MOVE_OUT_MOST];
    struct move m;
    const uint8_t *code = code_at(file, s->st_value);
    if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || !s->st_shndx || !s->st_size || !code ||
        !codec_table_find(name, strlen(name)))
        return;
    enum move_refusal r = move_prologue(code, s->st_value, s->st_size, out, sizeof(out),
                                        s->st_value + (1u << 28), &m);
    found[0]++;
    found[1] += r == MOVE_OK;
    if (r != MOVE_OK)
        fprintf(stderr, "%s: %s\n", name, move_refusal_name(r));
}

static int codecs(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st))
        return 2;
    const uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        return 2;
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)file;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + e->e_shoff), *table = NULL;
    for (int i = 0; i < e->e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB || (sections[i].sh_type == SHT_DYNSYM && !table))
            table = &sections[i];
    unsigned found[2] = {0, 0};
    const Elf64_Sym *symbols = table ? (const Elf64_Sym *)(file + table->sh_offset) : NULL;
    for (size_t i = 0; table && i < table->sh_size / sizeof(*symbols); i++)
        move_symbol(file, &symbols[i],
                    (const char *)file + sections[table->sh_link].sh_offset + symbols[i].st_name,
                    found);
    printf("%u %u\n", found[0], found[1]);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "lengths"))
        return lengths();
    if (argc == 3 && !strcmp(argv[1], "codecs"))
        return codecs(argv[2]);
    return 2;
}
