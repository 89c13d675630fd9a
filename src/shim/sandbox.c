#include "sandbox.h"

#include <linux/futex.h>
#include <stddef.h>

#include "base/syscall.h"
#include "detour.h"
#include "elf.h"
#include "shim.h"
#include "unwind.h"

_Static_assert(BASE_SANDBOX_DIED == FUTEX_OWNER_DIED && BASE_SANDBOX_OWN == FUTEX_TID_MASK,
               "the kernel marks the word");

/* ---- what is noticed ---- */

/* A child that shares our memory and has none of its own. */
static bool is_sharer(void) {
    long pid = base_syscall(SYS_getpid);
    return shim.mine && RELAXED_LOAD(shim.mine) == 1 && pid > 0 && (uint32_t)pid != shim.pid;
}

/* Its filter is gone from here when it ends or becomes another program. The kernel says so by the list of
 * locks that a thread holds, and marks those whose word has its number. */
static struct robust_list lock;
static struct robust_list_head locks;

static uint32_t number_of_sharer(void) {
    struct robust_list_head *own = &locks;
    size_t size;
    long tid = base_syscall(SYS_gettid);
    if (tid <= 0 || base_syscall(SYS_get_robust_list, 0, &own, &size) || own)
        return BASE_SANDBOX_OWN;
    lock.next = &locks.list;
    locks.list.next = &lock;
    locks.futex_offset = (char *)&base_sandboxed - (char *)&lock;
    return base_syscall(SYS_set_robust_list, &locks, sizeof locks) ? BASE_SANDBOX_OWN
                                                                  : (uint32_t)tid;
}

static void prepare(void) {
    if (shim.state != SHIM_ON || !shim.mine || RELAXED_LOAD(shim.mine) != 1 || !shim_is_ready())
        return;
    region_reserve(&shim.region);
    unwind_look_ahead();
}

/* With the first two arguments of prctl or syscall. */
#define DISPATCH 59 /* PR_SET_SYSCALL_USER_DISPATCH */
HIDDEN void sandbox_begin(long first, long second);
__attribute__((used)) void sandbox_begin(long first, long second) {
    uint32_t none = RELAXED_LOAD(&base_sandboxed), mine = BASE_SANDBOX_OWN;
    if (first == DISPATCH || (first == SYS_prctl && second == DISPATCH))
        mine |= BASE_SANDBOX_SILENT;
    if (!BASE_SANDBOXED) {
        if (is_sharer())
            mine &= number_of_sharer() | BASE_SANDBOX_SILENT;
        else
            prepare();
        if (__atomic_compare_exchange_n(&base_sandboxed, &none, mine, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
    }
    /* Of two, each may be the one that lasts. */
    __atomic_fetch_or(&base_sandboxed, mine | BASE_SANDBOX_OWN, __ATOMIC_RELAXED);
    __atomic_fetch_and(&base_sandboxed, ~BASE_SANDBOX_DIED, __ATOMIC_RELAXED);
}

uint32_t sandbox_note(void) {
    uint32_t sandbox = BASE_SANDBOXED;
    if (sandbox & BASE_SANDBOX_SILENT)
        return REGION_NOTE_DISPATCH;
    return sandbox == BASE_SANDBOX_OWN ? REGION_NOTE_SANDBOX : 0;
}

/* ---- the detours ---- */

enum { PRCTL, SYSCALL, COUNT };
HIDDEN struct codec_function sandbox_functions[COUNT];
static struct detour_room room;

/* With the number of the function above the return address. No register is changed and the stack is
 * as the caller left it: syscall has an argument there, and may return twice. 22 is PR_SET_SECCOMP with
 * the modes 1 (strict) and 2, 59 PR_SET_SYSCALL_USER_DISPATCH, of which 0 is off, 317 seccomp, of which the
 * operations 0 (strict) and 1 install, 157 prctl. A filter at NULL is how programs ask whether there is
 * seccomp: that installs nothing. */
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
        "cmpl $59, %edi\n"
        "je 8f\n"
        "cmpl $22, %edi\n"
        "jne 1f\n"
        "cmpl $2, %esi\n"
        "jne 7f\n"
        "test %rdx, %rdx\n"
        "je 1f\n"
        "7: call sandbox_call\n"
        "1: jmp *sandbox_functions+24(%rip)\n"
        "8: test %esi, %esi\n"
        "jne 7b\n"
        "jmp 1b\n"
        "2: cmpl $317, %edi\n"
        "je 3f\n"
        "cmpl $157, %edi\n"
        "jne 5f\n"
        "cmpl $59, %esi\n"
        "je 9f\n"
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
        "4: call sandbox_call\n"
        "5: jmp *sandbox_functions+88+24(%rip)\n"
        "9: test %edx, %edx\n"
        "jne 4b\n"
        "jmp 5b\n"
        ".cfi_endproc\n"
        ".size sandbox_stub, .-sandbox_stub\n"
        /* All that may hold an argument is as it was. */
        ".type sandbox_call,@function\n"
        "sandbox_call:\n"
        ".cfi_startproc\n"
        "push %rdi\n"
        "push %rsi\n"
        "push %rdx\n"
        "push %rcx\n"
        "push %r8\n"
        "push %r9\n"
        "push %rax\n"
        "push %r10\n"
        ".cfi_adjust_cfa_offset 64\n"
        "call sandbox_begin\n"
        "pop %r10\n"
        "pop %rax\n"
        "pop %r9\n"
        "pop %r8\n"
        "pop %rcx\n"
        "pop %rdx\n"
        "pop %rsi\n"
        "pop %rdi\n"
        ".cfi_adjust_cfa_offset -64\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size sandbox_call, .-sandbox_call\n"
        ".popsection\n");
HIDDEN void sandbox_stub(void);

sandbox_syscall *sandbox_own_syscall(void) {
    return BASE_SANDBOXED & BASE_SANDBOX_SILENT ? (sandbox_syscall *)sandbox_functions[SYSCALL].original
                                                : NULL;
}

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
