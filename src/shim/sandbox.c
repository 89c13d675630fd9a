#include "sandbox.h"

#include <stddef.h>

#include "base/syscall.h"
#include "detour.h"
#include "elf.h"

enum { PRCTL, SYSCALL, COUNT };
HIDDEN struct codec_function sandbox_functions[COUNT];
static struct detour_room room;

/* With the number of the function above the return address. No register is changed and the stack is
 * as the caller left it: syscall has an argument there, and may return twice. 22 is PR_SET_SECCOMP with
 * the modes 1 (strict) and 2, 317 seccomp, of which the operations 0 (strict) and 1 install, 157 prctl. A
 * filter at NULL is how programs ask whether there is seccomp: that installs nothing. */
_Static_assert(offsetof(struct codec_function, original) == 24, "see the jumps below");
_Static_assert(sizeof(struct codec_function) == 88, "see the jumps below");
_Static_assert(SYS_prctl == 157 && SYS_seccomp == 317, "as compared below");
__asm__(".pushsection .text,\"ax\",@progbits\n"
        ".type sandbox_stub,@function\n"
        "sandbox_stub:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa_offset 16\n"
        "cmpl $0, (%rsp)\n"
        "lea 8(%rsp), %rsp\n"
        ".cfi_def_cfa_offset 8\n"
        "jne 2f\n"
        "cmpl $22, %edi\n"
        "jne 1f\n"
        "cmpl $2, %esi\n"
        "jne 7f\n"
        "test %rdx, %rdx\n"
        "je 1f\n"
        "7: movl $1, base_sandboxed(%rip)\n"
        "1: jmp *sandbox_functions+24(%rip)\n"
        "2: cmpl $317, %edi\n"
        "je 3f\n"
        "cmpl $157, %edi\n"
        "jne 5f\n"
        "cmpl $22, %esi\n"
        "jne 5f\n"
        "cmpl $2, %edx\n"
        "jne 4f\n"
        "jmp 6f\n"
        "3: cmpl $1, %esi\n"
        "ja 5f\n"
        "jb 4f\n"
        "6: test %rcx, %rcx\n"
        "je 5f\n"
        "4: movl $1, base_sandboxed(%rip)\n"
        "5: jmp *sandbox_functions+88+24(%rip)\n"
        ".cfi_endproc\n"
        ".size sandbox_stub, .-sandbox_stub\n"
        ".popsection\n");
HIDDEN void sandbox_stub(void);

void sandbox_follow(void) {
    static const char *const names[COUNT] = {"prctl", "syscall"};
    struct elf_dynamic d;
    if (!elf_libc(&d))
        return;
    const struct module *m = module_find(d.base + elf_symbol(&d, "__libc_start_main")->st_value);
    for (unsigned i = 0; i < COUNT; i++) {
        const ElfW(Sym) *symbol = elf_symbol(&d, names[i]);
        struct codec_function *f = &sandbox_functions[i];
        f->refused = REGION_REFUSED_ROOM; /* none to put */
        if (!m || !symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
            continue;
        f->start = d.base + symbol->st_value;
        f->end = f->start + symbol->st_size;
        f->refused = REGION_REFUSED_NOT;
    }
    if (m)
        detour_put(m, sandbox_functions, COUNT, 0, sandbox_stub, &room);
}
