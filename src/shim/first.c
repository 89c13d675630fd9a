/* What a first instruction reads and writes, as far as it must be known. */
#include "first.h"

#include "insn.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, NONE = 16 };

/* What may be written before squall sees the call. What a function overwrites before it has read it
 * is no argument of it. Of the others squall itself needs the caller's value: to find the caller,
 * and rdi, behind which it may read. */
#define FREE \
    (1u << RAX | 1u << RCX | 1u << RDX | 1u << RSI | 1u << R8 | 1u << R9 | 1u << R10 | 1u << R11)

struct operands {
    const uint8_t *at; /* behind the opcode */
    uint32_t opcode;   /* 0f.. as 0x1.. */
    bool is_wide;      /* REX.W */
    bool is_register;
    unsigned extension;       /* the middle of ModRM, without REX */
    unsigned reg, rm;         /* rm: where it is a register */
    unsigned base, index;     /* where it is memory */
    const uint8_t *immediate; /* behind a register operand */
};

static void read_operands(struct operands *o, uint8_t rex) {
    uint8_t modrm = o->at[0], mod = modrm >> 6, rm = modrm & 7;
    o->is_register = mod == 3;
    o->extension = modrm >> 3 & 7;
    o->reg = o->extension | (rex & 4 ? 8 : 0);
    o->rm = o->base = rm | (rex & 1 ? 8 : 0);
    o->index = NONE;
    o->immediate = o->at + 1;
    if (o->is_register)
        return;
    if (rm == RSP) { /* a SIB */
        o->base = (o->at[1] & 7) | (rex & 1 ? 8 : 0);
        o->index = (o->at[1] >> 3 & 7) | (rex & 2 ? 8 : 0);
    }
}

static bool is_free(unsigned reg) {
    return FREE >> reg & 1;
}

/* Loads `reg` from memory, by other registers, or from a register: if that is the same one, its low
 * part stays. */
static bool is_load(const struct operands *o) {
    return is_free(o->reg) && (o->is_register || (o->base != o->reg && o->index != o->reg));
}

/* ah to bh are parts of the first four. */
static bool is_high_byte(const struct operands *o, uint8_t rex) {
    return o->is_register && !rex && o->rm >= 4;
}

static bool may_run_twice(const struct operands *o, uint8_t rex) {
    switch (o->opcode) {
    case 0x90: /* nop */
        return !rex;
    case 0x11f: /* nop, long */
    case 0x38:  /* cmp */
    case 0x39:
    case 0x3a:
    case 0x3b:
    case 0x3c:
    case 0x3d:
    case 0x84: /* test */
    case 0x85:
    case 0xa8:
    case 0xa9:
        return true;
    case 0x80: /* cmp with an immediate, and others */
    case 0x81:
    case 0x83:
        return o->extension == 7;
    case 0xf6: /* test likewise */
    case 0xf7:
        return o->extension == 0;
    case 0x29: /* sub and xor of a register with itself */
    case 0x2b:
    case 0x31:
    case 0x33:
        return o->is_register && o->rm == o->reg && is_free(o->reg);
    case 0x89: /* mov */
        return o->is_register && is_free(o->rm);
    case 0xc7:
        return o->is_register && o->extension == 0 && is_free(o->rm);
    case 0x1b6: /* movzx, movsx of a byte */
    case 0x1be:
        return is_load(o) && !is_high_byte(o, rex);
    case 0x8b:  /* mov */
    case 0x63:  /* movslq */
    case 0x1b7: /* movzx, movsx */
    case 0x1bf:
        return is_load(o);
    case 0x8d: /* lea */
        return !o->is_register && is_load(o);
    default:
        return (o->opcode & ~7u) == 0xb8 && is_free((o->opcode & 7) | (rex & 1 ? 8 : 0));
    }
}

static uint32_t load32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* push of a register, sub of a number from rsp; 0: neither. */
static uint32_t taken_from_stack(const struct operands *o) {
    if ((o->opcode & ~7u) == 0x50)
        return 8;
    bool is_sub = o->is_register && o->extension == 5 && o->rm == RSP && o->is_wide;
    uint32_t size = is_sub && o->opcode == 0x83   ? o->immediate[0]
                    : is_sub && o->opcode == 0x81 ? load32(o->immediate)
                                                  : 0;
    return size < (o->opcode == 0x83 ? 0x80u : 0x80000000u) ? size : 0;
}

bool first_stays(const uint8_t *code, uint64_t size, struct first *first) {
    static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};
    struct insn insn;
    struct operands o = {.at = code};
    uint8_t rex = 0;
    *first = (struct first){.is_mark = true};
    for (unsigned i = 0; i < sizeof endbr64; i++)
        first->is_mark &= i < size && code[i] == endbr64[i];
    if (!insn_decode(code, size, &insn) || insn.kind != INSN_PLAIN)
        return false;
    first->length = insn.length;
    if (first->is_mark)
        return true;
    bool is_16 = *o.at == 0x66;
    if (is_16 || *o.at == 0x64) /* fs: the stack protector's number */
        o.at++;
    if ((*o.at & 0xf0) == 0x40)
        rex = *o.at++;
    o.is_wide = rex & 8;
    o.opcode = *o.at++;
    if (o.opcode == 0x0f)
        o.opcode = 0x100u | *o.at++;
    if (o.at < code + insn.length)
        read_operands(&o, rex);
    if (is_16)
        return o.opcode == 0x90 || o.opcode == 0x11f;
    first->undo = taken_from_stack(&o);
    return first->undo || may_run_twice(&o, rex);
}
