/* Moving a prologue, and looking for what might jump into it. */
#include "move.h"

#include "insn.h"

#define BREAKPOINT 0xcc
#define CALL 0xe8

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

static enum move_refusal copy_one(struct copy *c, const uint8_t *code, const struct insn *insn,
                                  uint64_t address) {
    switch (insn->kind) {
    case INSN_CALL:
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

/* What `target`, an offset in the function, means for bytes taken up to `end`. Jumps to the entry
 * count too: through the detour they would look like new calls. Calls of it are new calls. */
static bool hits(const struct move *m, uint64_t target, bool is_call) {
    return target < (uint64_t)m->skip + m->taken &&
           !(is_call && (target == 0 || target == m->skip));
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
    for (uint64_t at = m->skip; at < size; at += insn.length) {
        if (!insn_decode(code + at, size - at, &insn))
            return may_hit(code, size, m);
        if (insn.rel_at && hits(m, at + (uint64_t)insn.target, insn.kind == INSN_CALL))
            return true;
        is_clear &= code[at] != BREAKPOINT;
    }
    return !is_clear && may_hit(code, size, m);
}

static bool starts_with_endbr(const uint8_t *code, uint64_t size) {
    return size >= 4 && load32(code) == (int32_t)0xfa1e0ff3;
}

enum move_refusal move_prologue(const uint8_t *code, uint64_t address, uint64_t size, uint8_t *out,
                                size_t out_room, uint64_t out_address, struct move *m) {
    struct copy copy = {.out = out, .room = out_room, .address = out_address};
    struct insn insn;
    *m = (struct move){.skip = starts_with_endbr(code, size) ? 4 : 0};
    if (size < m->skip + (uint64_t)MOVE_JUMP_SIZE)
        return size && code[0] == BREAKPOINT ? MOVE_BREAKPOINT : MOVE_SHORT;
    while (m->taken < MOVE_JUMP_SIZE) {
        uint64_t at = (uint64_t)m->skip + m->taken;
        if (at < size && code[at] == BREAKPOINT)
            return MOVE_BREAKPOINT;
        if (!insn_decode(code + at, size - at, &insn))
            return MOVE_DECODE;
        enum move_refusal refusal = copy_one(&copy, code + at, &insn, address + at);
        if (refusal != MOVE_OK)
            return refusal;
        m->taken += insn.length;
    }
    m->size = (uint8_t)copy.size;
    m->ends = insn.kind == INSN_JUMP || insn.kind == INSN_INDIRECT || insn.kind == INSN_RETURN ||
              insn.kind == INSN_STOP;
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
