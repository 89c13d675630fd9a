/* A function with a codec's name, of which the symbol table says odd things, see codec_symbols.c: it returns the sum
 * of its third and its fourth argument. */
#define STRING(x) #x
#define TEXT(x) STRING(x)
#ifndef AT
#define AT 0
#endif
#ifndef SIZE
#define SIZE 24
#endif
#ifndef SECOND
#define SECOND second
#endif

int squall_here;

__asm__(".text\n"
        ".p2align 4\n"
        ".globl ZSTD_compress, " TEXT(SECOND) ", ZSTD_versionNumber\n"
        ".type ZSTD_compress, @function\n"
        ".type " TEXT(SECOND) ", @function\n"
        ".type ZSTD_versionNumber, @function\n"
        "code: endbr64\n"
        TEXT(SECOND) ": push %rbx\n"
        "mov %rdx, %rax\n"
        "add %rcx, %rax\n"
        "sub $1, %rax\n"
        "add $1, %rax\n"
        "pop %rbx\n"
        "ret\n"
        ".set ZSTD_compress, code + " TEXT(AT) "\n"
        ".size ZSTD_compress, " TEXT(SIZE) "\n"
        ".size " TEXT(SECOND) ", 20\n"
        "ZSTD_versionNumber: ret\n"
        ".size ZSTD_versionNumber, 1\n");
