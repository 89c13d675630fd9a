/* Prints our rule for addresses of a file: the offline check of unwind_rules.py reads them.
 *
 * usage: unwind_rules FILE < addresses (hexadecimal, as in the file, one a line)
 * The file is laid out as the loader would, but not run. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/unwind_rule.h"

static int map(const char *path, struct module *m) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st))
        return -1;
    const uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const Elf64_Ehdr *header = (const void *)file;
    const Elf64_Phdr *parts = (const void *)(file + header->e_phoff);
    uint64_t high = 0, low = ~0ull;
    for (int i = 0; i < header->e_phnum; i++)
        if (parts[i].p_type == PT_LOAD) {
            low = parts[i].p_vaddr < low ? parts[i].p_vaddr & ~4095ull : low;
            high = parts[i].p_vaddr + parts[i].p_memsz > high ? parts[i].p_vaddr + parts[i].p_memsz
                                                              : high;
        }
    /* Like the addresses in the file but for a multiple of 64: PLT rules look at the low bits. */
    uint8_t *at = mmap(NULL, high - low + 4096, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memset(m, 0, sizeof *m);
    m->start = (uint64_t)at;
    m->end = m->start + (high - low);
    m->base = m->start - low;
    m->steady = 1;
    for (int i = 0; i < header->e_phnum; i++) {
        if (parts[i].p_type == PT_LOAD)
            memcpy((uint8_t *)(m->base + parts[i].p_vaddr), file + parts[i].p_offset,
                   parts[i].p_filesz);
        if (parts[i].p_type == PT_GNU_EH_FRAME)
            m->eh_frame_hdr = m->base + parts[i].p_vaddr;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct module m;
    static uint8_t scratch[RULE_SCRATCH];
    char line[64];
    if (argc < 2 || map(argv[1], &m))
        return 2;
    m.steady = argc < 3; /* "peek": as a module that may be unloaded while we read */
    while (fgets(line, sizeof line, stdin)) {
        uint32_t rule = rule_compile(&m, m.base + strtoull(line, NULL, 16), scratch);
        printf("%u %lld %u\n", rule_kind(rule), (long long)rule_offset(rule), rule_place(rule));
    }
    return 0;
}
