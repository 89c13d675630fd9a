/* Moving a prologue, and looking for what might jump into it. */
#include "move.h"

#include "first.h"
#include "insn.h"

#define BREAKPOINT 0xcc
#define CALL 0xe8
#define LONG_JUMP 0xe9

/* A copy in the making. */
struct copy {
    uint8_t *out;
    size_t room, size;
    uint64_t address; /* where out[0] will run */
};

static int32_t load32(const uint8_t *p) {
    return (int32_t)(p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static void store32(uint8_t *p, int32_t v) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)((uint32_t)v >> 8 * i);
}

static bool put(struct copy *c, const uint8_t *bytes, size_t n) {
    if (c->room - c->size < n)
        return false;
    base_move(c->out + c->size, bytes, n);
    c->size += n;
    return true;
}

/* Sets the 4 bytes before the last `behind` of the copy so that they lead from its end to `to`. */
static bool aim(struct copy *c, size_t behind, uint64_t to) {
    int64_t distance = (int64_t)(to - (c->address + c->size));
    if (distance != (int32_t)distance)
        return false;
    store32(c->out + c->size - behind - 4, (int32_t)distance);
    return true;
}

/* A jump or branch, in its long form. */
static enum move_refusal copy_branch(struct copy *c, const uint8_t *code, const struct insn *insn,
                                     uint64_t address) {
    uint8_t opcode = code[insn->rel_at - 1];
    uint8_t jump[] = {0xe9, 0, 0, 0, 0}, branch[] = {0x0f, opcode + 0x10, 0, 0, 0, 0};
    bool fits;
    if (insn->rel_size == 4)
        fits = put(c, code, insn->length);
    else if (insn->kind == INSN_JUMP)
        fits = put(c, jump, sizeof(jump));
    else if ((opcode & 0xf0) == 0x70)
        fits = put(c, branch, sizeof(branch));
    else
        return MOVE_DECODE; /* loop, jrcxz: there is no long form */
    return fits && aim(c, 0, address + (uint64_t)insn->target) ? MOVE_OK : MOVE_ROOM;
}

/* A call, whose return address is to lie behind it where it was: where unwind information is, and
 * where the function goes on. push low; movl high,4(%rsp); jmp: no register is touched. */
static enum move_refusal copy_call(struct copy *c, const struct insn *insn, uint64_t address) {
    uint8_t bytes[] = {0x68, 0, 0, 0, 0, 0xc7, 0x44, 0x24, 4, 0, 0, 0, 0, LONG_JUMP, 0, 0, 0, 0};
    uint64_t back = address + insn->length;
    store32(bytes + 1, (int32_t)(uint32_t)back);
    store32(bytes + 9, (int32_t)(uint32_t)(back >> 32));
    return put(c, bytes, sizeof bytes) && aim(c, 0, address + (uint64_t)insn->target) ? MOVE_OK
                                                                                      : MOVE_ROOM;
}

static enum move_refusal copy_one(struct copy *c, const uint8_t *code, const struct insn *insn,
                                  uint64_t address) {
    switch (insn->kind) {
    case INSN_CALL:
        return copy_call(c, insn, address);
    case INSN_INDIRECT_CALL:
    case INSN_FIXED:
        return MOVE_DECODE;
    case INSN_JUMP:
    case INSN_BRANCH:
        return copy_branch(c, code, insn, address);
    default:
        break;
    }
    if (!put(c, code, insn->length))
        return MOVE_ROOM;
    if (insn->disp_at == 0)
        return MOVE_OK;
    uint64_t to = address + insn->length + (uint64_t)(int64_t)load32(code + insn->disp_at);
    return aim(c, insn->length - insn->disp_at - 4u, to) ? MOVE_OK : MOVE_ROOM;
}

/* What `target`, an offset in the function, means for what was moved and what stands before it.
 * Jumps to the entry count too: through the detour they would look like new calls. Calls of it are
 * new calls, also those behind an endbr64. */
static bool hits(const struct move *m, uint64_t target, bool is_call) {
    return target < (uint64_t)m->skip + m->taken &&
           !(is_call && (target == 0 || target == m->mark));
}

/* For a function that cannot be decoded to its end: any bytes behind the moved ones that would be
 * a hit if they were a branch. A short one only after an opcode that has it, or a breakpoint, which
 * may hide one. */
static bool may_hit(const uint8_t *code, uint64_t size, const struct move *m) {
    for (uint64_t at = (uint64_t)m->skip + m->taken; at < size; at++) {
        uint8_t opcode = code[at];
        bool is_short = (opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0 || opcode == 0xeb ||
                        opcode == BREAKPOINT;
        if (is_short && size - at > 1 &&
            hits(m, at + 2 + (uint64_t)(int64_t)(int8_t)code[at + 1], false))
            return true;
        if (size - at >= 4 &&
            hits(m, at + 4 + (uint64_t)(int64_t)load32(code + at), code[at - 1] == CALL))
            return true;
    }
    return false;
}

/* Whether a branch of the function leads to what was moved. Jump tables are not looked at: no
 * compiler enters a function's first instructions through one. */
static bool is_entered(const uint8_t *code, uint64_t size, const struct move *m) {
    struct insn insn;
    bool is_clear = true;
    for (uint64_t at = 0; at < size; at += insn.length) {
        if (!insn_decode(code + at, size - at, &insn))
            return may_hit(code, size, m);
        if (insn.rel_at && hits(m, at + (uint64_t)insn.target, insn.kind == INSN_CALL))
            return true;
        is_clear &= code[at] != BREAKPOINT;
    }
    return !is_clear && may_hit(code, size, m);
}

/* A first instruction that cannot stay, or behind which there is no room, but has a prefix that a
 * jump may have as well (REX, which means nothing to it), and is as long as both: it has its first
 * byte and its end where they were.
 */
static enum move_refusal leave_prefix(const uint8_t *code, uint64_t address, uint64_t size,
                                      struct copy *copy, struct move *m) {
    struct insn insn;
    if ((code[0] & 0xf0) != 0x40 || !insn_decode(code, size, &insn) || insn.kind != INSN_PLAIN ||
        insn.length <= MOVE_JUMP_SIZE)
        return MOVE_DECODE;
    m->skip = 1;
    m->taken = insn.length - 1u;
    return copy_one(copy, code, &insn, address);
}

/* Sets what stays in front, and copies it where it is to run again. A direct jump that is all of
 * the function may give way to another: it begins with the same byte. */
static enum move_refusal leave_first(const uint8_t *code, uint64_t address, uint64_t size,
                                     struct copy *copy, struct move *m) {
    struct first first;
    struct insn insn;
    *m = (struct move){0};
    if (size && code[0] == BREAKPOINT)
        return MOVE_BREAKPOINT;
    if (size < MOVE_JUMP_SIZE)
        return MOVE_SHORT;
    if (code[0] == LONG_JUMP)
        return MOVE_OK;
    bool stays = first_stays(code, size, &first);
    bool is_short = stays && size < first.length + (uint64_t)MOVE_JUMP_SIZE;
    if (!stays || is_short) {
        enum move_refusal refusal = leave_prefix(code, address, size, copy, m);
        return refusal == MOVE_DECODE && is_short ? MOVE_SHORT : refusal;
    }
    m->skip = first.length;
    m->mark = first.is_mark ? first.length : 0;
    m->undo = first.undo;
    if (first.is_mark)
        return MOVE_OK;
    return insn_decode(code, size, &insn) ? copy_one(copy, code, &insn, address) : MOVE_DECODE;
}

enum move_refusal move_prologue(const uint8_t *code, uint64_t address, uint64_t size, uint8_t *out,
                                size_t out_room, uint64_t out_address, struct move *m) {
    struct copy copy = {.out = out, .room = out_room, .address = out_address};
    struct insn insn = {0};
    enum move_refusal refusal = leave_first(code, address, size, &copy, m);
    if (refusal != MOVE_OK)
        return refusal;
    if (size < m->skip + (uint64_t)MOVE_JUMP_SIZE)
        return MOVE_SHORT;
    while (m->taken < MOVE_JUMP_SIZE) {
        uint64_t at = (uint64_t)m->skip + m->taken;
        if (at < size && code[at] == BREAKPOINT)
            return MOVE_BREAKPOINT;
        if (!insn_decode(code + at, size - at, &insn) || (insn.kind == INSN_CALL && m->mark))
            return MOVE_DECODE; /* with an endbr64 there may be a shadow stack, that knows calls */
        refusal = copy_one(&copy, code + at, &insn, address + at);
        if (refusal != MOVE_OK)
            return refusal;
        m->taken += insn.length;
    }
    m->size = (uint8_t)copy.size;
    m->ends = insn.kind == INSN_JUMP || insn.kind == INSN_INDIRECT || insn.kind == INSN_RETURN ||
              insn.kind == INSN_STOP || insn.kind == INSN_CALL;
    return is_entered(code, size, m) ? MOVE_JUMP : MOVE_OK;
}

const char *move_refusal_name(enum move_refusal refusal) {
    static const char *const names[] = {
        [MOVE_OK] = "moved",       [MOVE_DECODE] = "cannot be moved",
        [MOVE_JUMP] = "jumped to", [MOVE_SHORT] = "too short",
        [MOVE_ROOM] = "too far",   [MOVE_BREAKPOINT] = "holds a breakpoint",
    };
    return (unsigned)refusal < ARRAY_SIZE(names) ? names[refusal] : "?";
}
