/* One address's rule from its CFA program (DWARF 4, section 6.4).
 *
 * Only what the walk needs is followed: the CFA, rbp and the return address. Rules for other
 * registers are skipped over. What cannot be expressed exactly is RULE_HARD, never a guess. */
#include "unwind_rule.h"

#include "peek.h"
#include "unwind_fde.h"

enum { REG_RBP = 6, REG_RSP = 7 };

/* ---- expressions ---- */

/* An expression's values, kept as what they are made of: [base + inner] + outer, or
 * base + outer without the memory access. */
enum value_base { VALUE_CONSTANT, VALUE_RSP, VALUE_RBP, VALUE_CFA, VALUE_UNKNOWN };
struct value {
    int64_t outer;
    int32_t inner;
    uint8_t base;
    bool loads;
};

#define EXPRESSION_DEPTH 6u

/* Numbers of anybody's that wrap around: what comes of it is RULE_HARD or a wrong place, never
 * undefined. */
static int64_t add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t multiply(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

enum {
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST1S = 0x09,
    OP_CONST2U = 0x0a,
    OP_CONST2S = 0x0b,
    OP_AND = 0x1a,
    OP_MINUS = 0x1c,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_GE = 0x2a,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f
};

static bool apply_binary(uint8_t op, struct value *a, const struct value *b) {
    bool constants = a->base == VALUE_CONSTANT && b->base == VALUE_CONSTANT;
    if (op == OP_PLUS) {
        int64_t sum = add(a->outer, b->outer);
        if (b->base != VALUE_CONSTANT) {
            if (a->base != VALUE_CONSTANT)
                return false;
            *a = *b;
        }
        a->outer = sum;
        return true;
    }
    if (op == OP_MINUS && b->base == VALUE_CONSTANT) {
        a->outer = add(a->outer, multiply(b->outer, -1));
        return true;
    }
    if (!constants)
        return false;
    if (op == OP_AND)
        a->outer &= b->outer;
    else if (op == OP_GE)
        a->outer = a->outer >= b->outer;
    else if (op == OP_SHL && b->outer >= 0 && b->outer < 32)
        a->outer = (int64_t)((uint64_t)a->outer << b->outer);
    else
        return false;
    return true;
}

/* Operators on the top of the stack; returns the change of depth, or -9 when it cannot. */
static int apply(struct fde_reader *r, uint8_t op, struct value *top, unsigned depth) {
    if (op == OP_PLUS_UCONST) {
        if (depth < 1)
            return -9;
        top->outer = add(top->outer, (int64_t)fde_get_uleb(r));
        return 0;
    }
    if (op == OP_DEREF) {
        if (depth < 1 || top->loads || top->outer != (int32_t)top->outer)
            return -9;
        top->loads = true;
        top->inner = (int32_t)top->outer;
        top->outer = 0;
        return 0;
    }
    if (depth < 2 || !apply_binary(op, top - 1, top))
        return -9;
    return -1;
}

/* Operators that push. */
static bool push(struct fde_reader *r, uint8_t op, uint64_t address, struct value *v) {
    v->base = VALUE_CONSTANT;
    v->loads = false;
    v->inner = 0;
    if (op >= OP_LIT0 && op <= OP_LIT31)
        v->outer = op - OP_LIT0;
    else if (op == OP_CONST1U)
        v->outer = fde_get8(r);
    else if (op == OP_CONST1S)
        v->outer = (int8_t)fde_get8(r);
    else if (op == OP_CONST2U)
        v->outer = (uint16_t)fde_get(r, 2);
    else if (op == OP_CONST2S)
        v->outer = (int16_t)fde_get(r, 2);
    else if (op >= OP_BREG0 && op <= OP_BREG31) {
        unsigned reg = op - OP_BREG0;
        v->outer = fde_get_sleb(r);
        if (reg == FDE_RA) /* the address itself: PLT stubs ask where in the stub it is */
            v->outer = add(v->outer, (int64_t)address);
        else if (reg == REG_RSP || reg == REG_RBP)
            v->base = reg == REG_RSP ? VALUE_RSP : VALUE_RBP;
        else
            v->base = VALUE_UNKNOWN;
    } else
        return false;
    return true;
}

/* Evaluates the block at r->pos; `with_cfa`: the CFA is on the stack at the start. The reader
 * ends behind the block in any case. */
static struct value evaluate(struct fde_reader *r, uint64_t address, bool with_cfa) {
    struct value stack[EXPRESSION_DEPTH], unknown = {0, 0, VALUE_UNKNOWN, false};
    unsigned depth = 0;
    uint64_t size = fde_get_uleb(r);
    uint64_t start = r->pos;
    bool ok = size < 256;
    fde_skip(r, size);
    if (r->bad)
        return unknown;
    uint64_t end = r->pos;
    r->pos = start;
    if (with_cfa) {
        stack[0] = unknown;
        stack[0].base = VALUE_CFA;
        depth = 1;
    }
    while (ok && r->pos < end && !r->bad) {
        uint8_t op = fde_get8(r);
        if (depth < EXPRESSION_DEPTH && push(r, op, address, &stack[depth])) {
            ok = stack[depth].base != VALUE_UNKNOWN;
            depth++;
            continue;
        }
        int change = depth ? apply(r, op, &stack[depth - 1], depth) : -9;
        ok = change != -9;
        depth -= change == -1;
    }
    r->pos = end;
    return ok && depth ? stack[depth - 1] : unknown;
}

/* ---- the CFA program ---- */

enum register_state { SAVED_SAME, SAVED_LOST, SAVED_AT, SAVED_UNKNOWN };

/* One row of the unwind table, as far as it is followed. Registers that are saved somewhere are
 * saved at [base + offset]. */
struct saved {
    int32_t offset;
    uint8_t state;
    uint8_t base; /* enum value_base */
};
struct row {
    struct value cfa;
    struct saved bp, ra, sp;
};

#define REMEMBER_DEPTH 4u
struct machine {
    struct row row, initial;
    struct row remembered[REMEMBER_DEPTH];
    unsigned depth;
    uint64_t location;
};

static struct saved *saved_register(struct row *row, uint64_t reg) {
    return reg == REG_RBP ? &row->bp : reg == FDE_RA ? &row->ra : reg == REG_RSP ? &row->sp : NULL;
}

static void save_at(struct row *row, uint64_t reg, int64_t offset) {
    struct saved *s = saved_register(row, reg);
    if (!s)
        return;
    s->state = offset == (int32_t)offset ? SAVED_AT : SAVED_UNKNOWN;
    s->base = VALUE_CFA;
    s->offset = (int32_t)offset;
}

static void save_as(struct row *row, uint64_t reg, uint8_t state) {
    struct saved *s = saved_register(row, reg);
    if (s)
        s->state = state;
}

static void save_by_expression(struct row *row, uint64_t reg, const struct value *v) {
    struct saved *s = saved_register(row, reg);
    if (!s)
        return;
    bool simple = v->base != VALUE_UNKNOWN && v->base != VALUE_CONSTANT && !v->loads &&
                  v->outer == (int32_t)v->outer;
    s->state = simple ? SAVED_AT : SAVED_UNKNOWN;
    s->base = v->base;
    s->offset = (int32_t)v->outer;
}

static void set_cfa(struct row *row, uint64_t reg, int64_t offset) {
    row->cfa.base = reg == REG_RSP ? VALUE_RSP : reg == REG_RBP ? VALUE_RBP : VALUE_UNKNOWN;
    row->cfa.loads = false;
    row->cfa.inner = 0;
    row->cfa.outer = offset;
}

/* The operands are always read in full: which registers are followed must not change where the
 * next instruction begins. */
static bool run_register(struct fde_reader *r, struct machine *m, const struct fde *e, uint8_t op) {
    uint64_t reg;
    int64_t n;
    struct value v;
    switch (op) {
    case 0x05: /* offset_extended */
        reg = fde_get_uleb(r);
        n = (int64_t)fde_get_uleb(r);
        save_at(&m->row, reg, multiply(n, e->data_align));
        return true;
    case 0x11: /* offset_extended_sf */
        reg = fde_get_uleb(r);
        n = fde_get_sleb(r);
        save_at(&m->row, reg, multiply(n, e->data_align));
        return true;
    case 0x2f: /* GNU_negative_offset_extended */
        reg = fde_get_uleb(r);
        n = (int64_t)fde_get_uleb(r);
        save_at(&m->row, reg, multiply(multiply(n, -1), e->data_align));
        return true;
    case 0x06: /* restore_extended */
        reg = fde_get_uleb(r);
        if (saved_register(&m->row, reg))
            *saved_register(&m->row, reg) = *saved_register(&m->initial, reg);
        return true;
    case 0x07: /* undefined */
        save_as(&m->row, fde_get_uleb(r), SAVED_LOST);
        return true;
    case 0x08: /* same_value */
        save_as(&m->row, fde_get_uleb(r), SAVED_SAME);
        return true;
    case 0x09: /* register */
        reg = fde_get_uleb(r);
        n = (int64_t)fde_get_uleb(r);
        save_as(&m->row, reg, (uint64_t)n == reg ? SAVED_SAME : SAVED_UNKNOWN);
        return true;
    case 0x10: /* expression */
        reg = fde_get_uleb(r);
        v = evaluate(r, m->location, true);
        save_by_expression(&m->row, reg, &v);
        return true;
    case 0x14: /* val_offset */
    case 0x15: /* val_offset_sf */
        reg = fde_get_uleb(r);
        fde_get_uleb(r);
        save_as(&m->row, reg, SAVED_UNKNOWN);
        return true;
    case 0x16: /* val_expression */
        reg = fde_get_uleb(r);
        fde_skip(r, fde_get_uleb(r));
        save_as(&m->row, reg, SAVED_UNKNOWN);
        return true;
    default:
        return false;
    }
}

static bool run_cfa(struct fde_reader *r, struct machine *m, const struct fde *e, uint64_t address,
                    uint8_t op) {
    uint64_t reg;
    switch (op) {
    case 0x0c: /* def_cfa */
        reg = fde_get_uleb(r);
        set_cfa(&m->row, reg, (int64_t)fde_get_uleb(r));
        return true;
    case 0x12: /* def_cfa_sf */
        reg = fde_get_uleb(r);
        set_cfa(&m->row, reg, multiply(fde_get_sleb(r), e->data_align));
        return true;
    case 0x0d: /* def_cfa_register: keeps the offset, of whatever register it was */
        set_cfa(&m->row, fde_get_uleb(r), m->row.cfa.outer);
        return true;
    case 0x0e: /* def_cfa_offset */
        m->row.cfa.outer = (int64_t)fde_get_uleb(r);
        return true;
    case 0x13: /* def_cfa_offset_sf */
        m->row.cfa.outer = multiply(fde_get_sleb(r), e->data_align);
        return true;
    case 0x0f: /* def_cfa_expression */
        m->row.cfa = evaluate(r, address, false);
        return true;
    case 0x0a: /* remember_state */
        if (m->depth == REMEMBER_DEPTH)
            return false;
        m->remembered[m->depth++] = m->row;
        return true;
    case 0x0b: /* restore_state */
        if (m->depth == 0)
            return false;
        m->row = m->remembered[--m->depth];
        return true;
    case 0x00: /* nop */
        return true;
    case 0x2e: /* GNU_args_size: for landing pads only */
        fde_get_uleb(r);
        return true;
    default:
        return false;
    }
}

/* Instructions that move on in the code. False: the next row begins after `address`. */
static bool run_advance(struct fde_reader *r, struct machine *m, const struct fde *e, uint8_t op,
                        uint64_t address) {
    if (op == 0x01) { /* set_loc: nobody emits it; leaving is the honest answer */
        r->bad = true;
        return false;
    }
    uint64_t n = op >= 0x40 ? op & 0x3f : fde_get(r, 1u << (op - 2));
    m->location += n * e->code_align;
    return m->location <= address && !r->bad;
}

/* Runs [code, end) up to the row that holds `address`. False: something that is not known. */
static bool run(struct fde_reader *r, struct machine *m, const struct fde *e, uint64_t code,
                uint64_t end, uint64_t address) {
    r->pos = code;
    while (r->pos < end) {
        uint8_t op = fde_get8(r);
        uint8_t high = op & 0xc0;
        if (r->bad)
            return false;
        if (high == 0x80) {
            save_at(&m->row, op & 0x3f, multiply((int64_t)fde_get_uleb(r), e->data_align));
        } else if (high == 0xc0) {
            if (saved_register(&m->row, op & 0x3f))
                *saved_register(&m->row, op & 0x3f) = *saved_register(&m->initial, op & 0x3f);
        } else if (high == 0x40 || (op >= 0x01 && op <= 0x04)) {
            if (!run_advance(r, m, e, op, address))
                return !r->bad;
        } else if (!run_register(r, m, e, op) && !run_cfa(r, m, e, address, op)) {
            return false;
        }
    }
    return !r->bad;
}

/* ---- from a row to a rule ---- */

/* The frame that the kernel leaves for a handler, as __restore_rt describes it: struct ucontext
 * at rsp, with rbp, rsp and rip of the interrupted code at fixed places. */
enum { SIGNAL_RBP = 120, SIGNAL_RSP = 160, SIGNAL_RIP = 168 };

static uint32_t signal_rule(const struct row *row) {
    bool known = row->cfa.base == VALUE_RSP && row->cfa.loads && row->cfa.inner == SIGNAL_RSP &&
                 row->cfa.outer == 0 && row->ra.state == SAVED_AT && row->ra.base == VALUE_RSP &&
                 row->ra.offset == SIGNAL_RIP && row->bp.state == SAVED_AT &&
                 row->bp.base == VALUE_RSP && row->bp.offset == SIGNAL_RBP;
    return known ? rule_make(RULE_SIGNAL, 0, 0) : RULE_HARD;
}

static bool place_of_bp(const struct saved *bp, uint32_t *place) {
    if (bp->state == SAVED_SAME) {
        *place = RULE_PLACE_SAME;
        return true;
    }
    if (bp->state == SAVED_LOST) {
        *place = RULE_PLACE_LOST;
        return true;
    }
    int64_t words = -(bp->offset / 8);
    if (bp->state != SAVED_AT || bp->base != VALUE_CFA || bp->offset % 8 || words <= 1 ||
        words >= (int64_t)RULE_PLACE_LOST)
        return false;
    *place = (uint32_t)words;
    return true;
}

static uint32_t rule_of_row(const struct row *row) {
    if (row->ra.state == SAVED_LOST)
        return RULE_OUTERMOST;
    if (row->ra.state != SAVED_AT || row->ra.base != VALUE_CFA || row->ra.offset != -8 ||
        row->sp.state != SAVED_SAME)
        return RULE_HARD;
    const struct value *cfa = &row->cfa;
    int64_t offset = cfa->loads ? cfa->inner : cfa->outer;
    if (offset % 8 || offset / 8 < -RULE_OFFSET_BIAS || offset / 8 > RULE_OFFSET_MAX)
        return RULE_HARD;
    if (cfa->base == VALUE_RBP && cfa->loads && cfa->outer == 0 && row->bp.state == SAVED_AT &&
        row->bp.base == VALUE_RBP && row->bp.offset == 0)
        return rule_make(RULE_DRAP, offset / 8, 0);
    uint32_t place;
    if (!place_of_bp(&row->bp, &place) || (cfa->loads && cfa->outer != 8))
        return RULE_HARD;
    if (cfa->base == VALUE_RSP)
        return rule_make(cfa->loads ? RULE_AT_RSP : RULE_RSP, offset / 8, place);
    if (cfa->base == VALUE_RBP)
        return rule_make(cfa->loads ? RULE_AT_RBP : RULE_RBP, offset / 8, place);
    return RULE_HARD;
}

struct code {
    uint8_t before[8];
    uint8_t at[16];
};

static bool read_code(uint64_t pc, struct code *code) {
    return peek_read(code, pc - sizeof code->before, sizeof *code) == sizeof *code;
}

static bool is_code(const uint8_t *code, const char *bytes, size_t n) {
    while (n && code[n - 1] == (uint8_t)bytes[n - 1])
        n--;
    return n == 0;
}

/* What makecontext puts under a coroutine's first function: mov %rbx, %rsp; then the next context
 * is taken from the stack. It is not returned to from a call, so the byte before it belongs to
 * whatever function lies there. */
static bool is_start_context(const struct code *code) {
    return is_code(code->at, "\x48\x89\xdc\x5f\x48\x85\xff", 7) ||
           is_code(code->at, "\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff", 10);
}

/* Code that has no unwind information but is known by its bytes: what the kernel returns to after
 * a handler, and the first function of a process, thread or coroutine in C libraries that leave
 * it out (glibc's clone before 2.18, _start of others). `pc` is the return address. */
static uint32_t rule_of_code(uint64_t pc) {
    struct code code;
    if (!read_code(pc, &code))
        return RULE_MISSING;
    if (is_code(code.at, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9)) /* mov $15, %rax; syscall */
        return rule_make(RULE_SIGNAL, 0, 0);
    if (is_start_context(&code))
        return RULE_OUTERMOST;
    const uint8_t *end = code.before + sizeof code.before;
    bool called = end[-5] == 0xe8 || (end[-6] == 0xff && end[-5] == 0x15);
    if (code.at[0] == 0xf4 && called) /* call __libc_start_main; hlt */
        return RULE_OUTERMOST;
    const uint8_t *exits = code.at[0] == 0x48 ? code.at + 1 : code.at;
    if (end[-2] == 0xff && end[-1] == 0xd0 && exits[0] == 0x89 && exits[1] == 0xc7 &&
        (exits[2] == 0xe8 || exits[2] == 0xb8)) /* call *%rax; mov %eax, %edi; _exit */
        return RULE_OUTERMOST;
    return RULE_MISSING;
}

/* The row of the table that holds `address`. False: something in it is not known. */
static bool find_row(struct fde_reader *r, const struct fde *e, uint64_t address, struct row *row) {
    struct machine m;
    base_zero(&m.initial, sizeof m.initial);
    m.initial.cfa.base = VALUE_UNKNOWN;
    m.initial.ra.state = SAVED_UNKNOWN;
    m.row = m.initial;
    m.depth = 0;
    m.location = e->begin;
    if (!run(r, &m, e, e->cie_code, e->cie_end, address))
        return false;
    m.initial = m.row;
    m.depth = 0;
    m.location = e->begin;
    if (!run(r, &m, e, e->fde_code, e->fde_end, address))
        return false;
    *row = m.row;
    return true;
}

uint32_t rule_compile(const struct module *module, uint64_t address, uint8_t *scratch) {
    struct fde_reader r;
    struct fde e;
    struct row row;
    struct code code;
    if (!module->eh_frame_hdr)
        return rule_of_code(address + 1);
    fde_open(&r, module, scratch);
    uint64_t fde = fde_find(&r, module->eh_frame_hdr, address);
    if (!fde)
        return rule_of_code(address + 1);
    if (!fde_parse(&r, fde, &e))
        return RULE_HARD;
    if (address - e.begin >= e.size)
        return rule_of_code(address + 1);
    if (address + 1 == e.begin + e.size && read_code(address + 1, &code) && is_start_context(&code))
        return RULE_OUTERMOST;
    if (!find_row(&r, &e, address, &row))
        return RULE_HARD;
    return e.is_signal ? signal_rule(&row) : rule_of_row(&row);
}
