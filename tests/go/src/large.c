/* A static program that says of itself that it is very large: memory that nobody has touched, of
 * which a reader gets zeros. large GIBIBYTES FILE: the file is made once it says so. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
    Elf64_Phdr *p = (Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM),
                  size = argc > 2 ? strtoul(argv[1], NULL, 10) << 30 : 0;
    void *large = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (large == MAP_FAILED ||
        mprotect((void *)((uintptr_t)p & ~4095ul), 4096, PROT_READ | PROT_WRITE))
        return 1;
    while (count && p->p_type != PT_NOTE)
        count--, p++;
    if (!count)
        return 1;
    p->p_type = PT_LOAD;
    p->p_flags = PF_R;
    p->p_vaddr = (uintptr_t)large;
    p->p_filesz = p->p_memsz = size;
    if (open(argv[2], O_CREAT | O_WRONLY, 0600) < 0)
        return 1;
    for (;;)
        pause();
}
