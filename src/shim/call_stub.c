/* What detours lead to: the stub, and its way to call.c and back. */
#include "call_internal.h"
#include "clock.h"
#include "peek.h"

/* Entered by a jump, with the number of the function pushed: the stack is as the caller left it
 * otherwise. It leaves every register as the function itself does, for compilers know which ones a
 * function of their own spares. The words behind the return address are copied, because functions
 * may have more arguments than registers; call_enter says how many. Unwinders pass
 * through, and tell call_personality. */
__asm__(".pushsection .text,\"ax\",@progbits\n"
        ".p2align 4\n"
        ".hidden call_stub\n.globl call_stub\n.type call_stub,@function\n"
        "call_stub:\n"
        ".cfi_startproc\n"
        ".cfi_personality 0x1b, call_personality\n"
        ".cfi_def_cfa_offset 16\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 24\n"
        ".cfi_offset %rbp,-24\n"
        "mov %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "sub $328, %rsp\n"
        "mov %rdi, -320(%rbp)\n"
        "mov %rsi, -312(%rbp)\n"
        "mov %rdx, -304(%rbp)\n"
        "mov %rcx, -296(%rbp)\n"
        "mov %r8, -288(%rbp)\n"
        "mov %r9, -280(%rbp)\n"
        "mov %rax, -272(%rbp)\n"
        "mov %r10, -264(%rbp)\n"
        "mov %r11, -256(%rbp)\n"
        "lea -320(%rbp), %rdi\n"
        "mov %rbp, %rsi\n"
        "call call_enter\n"
        "test %eax, %eax\n"
        "js 3f\n"
        "je 2f\n"
        "1:\n"
        "dec %eax\n"
        "pushq 24(%rbp,%rax,8)\n"
        "jnz 1b\n" /* pushes leave the flags */
        "2:\n"
        "mov -320(%rbp), %rdi\n"
        "mov -312(%rbp), %rsi\n"
        "mov -304(%rbp), %rdx\n"
        "mov -296(%rbp), %rcx\n"
        "mov -288(%rbp), %r8\n"
        "mov -280(%rbp), %r9\n"
        "mov -272(%rbp), %rax\n"
        "mov -264(%rbp), %r10\n"
        "mov -256(%rbp), %r11\n"
        "call *-176(%rbp)\n"
        "mov %rax, -248(%rbp)\n"
        "mov %rdx, -240(%rbp)\n"
        "mov %rcx, -232(%rbp)\n"
        "mov %rsi, -224(%rbp)\n"
        "mov %rdi, -216(%rbp)\n"
        "mov %r8, -208(%rbp)\n"
        "mov %r9, -200(%rbp)\n"
        "mov %r10, -192(%rbp)\n"
        "mov %r11, -184(%rbp)\n"
        "lea -320(%rbp), %rdi\n"
        "mov %rbp, %rsi\n"
        "call call_leave\n"
        "mov -248(%rbp), %rax\n"
        "mov -240(%rbp), %rdx\n"
        "mov -232(%rbp), %rcx\n"
        "mov -224(%rbp), %rsi\n"
        "mov -216(%rbp), %rdi\n"
        "mov -208(%rbp), %r8\n"
        "mov -200(%rbp), %r9\n"
        "mov -192(%rbp), %r10\n"
        "mov -184(%rbp), %r11\n"
        "leave\n"
        ".cfi_remember_state\n"
        ".cfi_def_cfa %rsp, 16\n"
        ".cfi_restore %rbp\n"
        "lea 8(%rsp), %rsp\n"
        ".cfi_def_cfa_offset 8\n"
        "ret\n"
        ".cfi_restore_state\n"
        "3:\n" /* not recorded: on as if we were not there */
        "mov -320(%rbp), %rdi\n"
        "mov -312(%rbp), %rsi\n"
        "mov -304(%rbp), %rdx\n"
        "mov -296(%rbp), %rcx\n"
        "mov -288(%rbp), %r8\n"
        "mov -280(%rbp), %r9\n"
        "mov -272(%rbp), %rax\n"
        "mov -264(%rbp), %r10\n"
        "mov -176(%rbp), %r11\n"
        "mov %r11, 8(%rbp)\n" /* where the number was */
        "mov -256(%rbp), %r11\n"
        "leave\n"
        ".cfi_def_cfa %rsp, 16\n"
        ".cfi_restore %rbp\n"
        "lea 8(%rsp), %rsp\n"
        ".cfi_def_cfa_offset 8\n"
        "jmp *-8(%rsp)\n" /* in the red zone: no signal handler writes there */
        ".cfi_endproc\n"
        ".size call_stub, .-call_stub\n"
        ".popsection\n");
_Static_assert(offsetof(struct call_frame, after) == 72 &&
                   offsetof(struct call_frame, original) == 144,
               "the stub writes and reads them");

/* The stub's frame at its rbp: the caller's rbp, the number of the function, the return address,
 * and from there on what the caller has on its stack. */
enum { AT_BP = 0, AT_NUMBER = 1, AT_PC = 2, AT_STACK = 3 };

/* Words of arguments on the stack: no function of the table has more than 7; of the user's, and of
 * what may only have the name, nobody knows: it may take a struct by value. */
#define WORDS_KNOWN 8
#define WORDS_USER 128

/* How many words behind the return address can be copied: memory may end there. */
static uint32_t count_words(struct shim_private *p, const struct codec_function *f, uint64_t at) {
    uint32_t wanted = f->entry && !RELAXED_LOAD(&f->is_doubtful) ? WORDS_KNOWN : WORDS_USER;
    uint64_t last = at + wanted * 8 - 1;
    if (at / PEEK_PAGE == last / PEEK_PAGE || unwind_owns(p->unwind, last) ||
        peek_can_read(last & ~7ull))
        return wanted;
    return (uint32_t)((PEEK_PAGE - at % PEEK_PAGE) / 8) & ~1u;
}

static long enter(struct shim_self *self, struct call_frame *f,
                  const struct codec_function *function, const uint64_t *bp) {
    const struct shim_call *outer = call_find_outer(self->private, (uint64_t)f);
    /* What a codec calls of itself is counted and no more: its buffers are the outer call's. */
    if (outer && outer->codec == function->codec && call_rows_add_nested(self, function, outer))
        return -1;
    call_clear(f);
    f->function = function;
    f->stack_args = bp + AT_STACK;
    if (!call_args_read(f)) {
        call_doubt(f);
        return -1;
    }
    const struct unwind_start at = {
        .pc = bp[AT_PC], .sp = (uint64_t)(bp + AT_STACK), .bp = bp[AT_BP]};
    if (!call_begin(self, f, &at, outer))
        return -1;
    return (long)count_words(self->private, function, at.sp);
}

/* Returns the words to copy, or -1: the function is jumped to, and no return is seen. */
__attribute__((used)) HIDDEN long call_enter(struct call_frame *f, const uint64_t *bp);
long call_enter(struct call_frame *f, const uint64_t *bp) {
    struct shim_self *self = &shim_self;
    const struct codec_function *function = codec_function_at((uint32_t)bp[AT_NUMBER]);
    f->original = function->original;
    if (call_is_known_nested(self, (uint64_t)f, function) || !call_may_record(self))
        return -1;
    self->busy = 1;
    ORDER();
    long words = enter(self, f, function, bp);
    ORDER();
    self->busy = 0;
    return words;
}

__attribute__((used)) HIDDEN void call_leave(struct call_frame *f);
void call_leave(struct call_frame *f) {
    struct shim_self *self = &shim_self;
    struct call_result result;
    uint64_t now = clock_now();
    if (!call_may_end(self, f))
        return;
    self->busy = 1;
    ORDER();
    call_args_result(f, f->after[0], &result);
    call_end(self, f, now, f->after[0], &result);
    ORDER();
    self->busy = 0;
}

/* Of the C++ ABI's unwinding (Level I): called for each of the stub's frames that an exception, the
 * end of a thread or its cancellation passes, first to search, then to clean up. Nothing is caught
 * here. Frames come innermost first, so it is the newest call on this stack that is left. */
#define UNWIND_CLEANUP_PHASE 2
#define UNWIND_CONTINUE 8
__attribute__((used)) HIDDEN int call_personality(int version, int actions);
int call_personality(int version, int actions) {
    struct shim_self *self = &shim_self;
    (void)version;
    if (!(actions & UNWIND_CLEANUP_PHASE) || !self->private || !call_may_record(self))
        return UNWIND_CONTINUE;
    self->busy = 1;
    ORDER();
    call_unwound(self, (uint64_t)__builtin_frame_address(0));
    ORDER();
    self->busy = 0;
    return UNWIND_CONTINUE;
}
