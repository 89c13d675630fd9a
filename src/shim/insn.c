/* The opcode maps of 64-bit mode, as in the Intel SDM, volume 2, appendix A, reduced to what
 * follows the opcode. */
#include "insn.h"

/* What follows an opcode. */
enum follows {
    NOTHING = '-',
    UNDEFINED = '.', /* or an escape or prefix, which is taken care of before */
    MODRM = 'M',
    MODRM_REGISTER = 'C', /* its mod is taken for 3, whatever it says: mov to and from cr, dr */
    MODRM_8 = 'b',        /* and an immediate */
    MODRM_Z = 'z',
    MODRM_32 = '4',
    MODRM_TEST = 'T', /* an immediate for /0 and /1 only */
    IMMEDIATE_8 = 'B',
    IMMEDIATE_16 = 'W',
    IMMEDIATE_24 = 'E', /* enter */
    IMMEDIATE_Z = 'Z',  /* 2 or 4 bytes by operand size */
    IMMEDIATE_V = 'V',  /* 2, 4 or 8 */
    ADDRESS = 'O',      /* 4 or 8 by address size */
    RELATIVE_8 = 'r',
    RELATIVE_32 = 'R',
};

static const char one_byte[] = "MMMMBZ..MMMMBZ.." /* 00 */
                               "MMMMBZ..MMMMBZ.."
                               "MMMMBZ..MMMMBZ.." /* 20 */
                               "MMMMBZ..MMMMBZ.."
                               "................" /* 40 */
                               "----------------"
                               "...M....ZzBb----" /* 60 */
                               "rrrrrrrrrrrrrrrr"
                               "bz.bMMMMMMMMMMMM" /* 80 */
                               "----------.-----"
                               "OOOO----BZ------" /* a0 */
                               "BBBBBBBBVVVVVVVV"
                               "bbW-..bzE-W--B.-" /* c0 */
                               "MMMM...-MMMMMMMM"
                               "rrrrBBBBRR.r----" /* e0 */
                               ".-..--TT------MM";
_Static_assert(sizeof(one_byte) == 257, "a letter an opcode");

static const char two_byte[] = "MMMM.-----.-.M-b" /* 0f 00 */
                               "MMMMMMMMMMMMMMMM"
                               "CCCC....MMMMMMMM" /* 20 */
                               "------.-........"
                               "MMMMMMMMMMMMMMMM" /* 40 */
                               "MMMMMMMMMMMMMMMM"
                               "MMMMMMMMMMMMMMMM" /* 60 */
                               "bbbbMMM-MM..MMMM"
                               "RRRRRRRRRRRRRRRR" /* 80 */
                               "MMMMMMMMMMMMMMMM"
                               "---MbMMM---MbMMM" /* a0 */
                               "MMMMMMMMMMbMMMMM"
                               "MMbMbbbM--------" /* c0 */
                               "MMMMMMMMMMMMMMMM"
                               "MMMMMMMMMMMMMMMM" /* e0 */
                               "MMMMMMMMMMMMMMMM";
_Static_assert(sizeof(two_byte) == 257, "a letter an opcode");

/* The maps in which what follows depends on nothing but the map: which opcodes are defined, a row
 * of 16 opcodes a word, the lowest bit the first. VEX and EVEX share a map. */
enum sparse { SSE_38, SSE_3A, VECTOR_0F, VECTOR_38, VECTOR_3A, VECTOR_5, VECTOR_6, SPARSE_COUNT };
/* clang-format off */
static const uint16_t defined[SPARSE_COUNT][16] = {
    [SSE_38] = {0x0fff, 0x70b1, 0x0f3f, 0xffbf, 0x0003, 0, 0, 0,
                0x0007, 0, 0, 0, 0xbf00, 0xf900, 0, 0x1f63},
    [SSE_3A] = {0xff00, 0x00f0, 0x0007, 0, 0x0017, 0, 0x000f, 0,
                0, 0, 0, 0, 0xd000, 0x8000, 0, 0x0001},
    [VECTOR_0F] = {0, 0x00ff, 0xff00, 0, 0x0cf6, 0xffff, 0xffff, 0xffff,
                   0, 0x030f, 0x4000, 0, 0x0074, 0xffff, 0xffff, 0x7fff},
    [VECTOR_38] = {0xffff, 0xffff, 0xffff, 0xffff, 0xfaff, 0x5f3f, 0x117c, 0xffef,
                   0xff08, 0xffcf, 0xffcf, 0xfff3, 0xbdd0, 0xfc0c, 0xffff, 0x00ec},
    [VECTOR_3A] = {0xff7f, 0xeff0, 0x00ef, 0xcf0f, 0x1f5f, 0xf0f3, 0xffcf, 0xff0f,
                   0, 0, 0, 0, 0xc004, 0xc000, 0, 0x0001},
    [VECTOR_5] = {0, 0x2003, 0xf400, 0, 0, 0xff02, 0x4000, 0x7f00},
    [VECTOR_6] = {0, 0x0008, 0x3000, 0, 0xf00c, 0x00c0, 0, 0,
                  0, 0xffc0, 0xffc0, 0xffc0, 0, 0x00c0},
};
/* clang-format on */

/* As far as an instruction has been read. */
struct scan {
    const uint8_t *code;
    size_t room;
    size_t at;
    uint8_t map; /* 0: one byte, 1: 0f, 2: any other */
    uint8_t opcode;
    uint8_t modrm;
    uint8_t repeat; /* f2 or f3, the last one */
    bool operand_16, address_32, rex, rex_w, lock;
};

static bool next(struct scan *s, uint8_t *byte) {
    if (s->at >= s->room)
        return false;
    *byte = s->code[s->at++];
    return true;
}

/* Legacy prefixes in any order, then at most one REX. */
static void read_prefixes(struct scan *s) {
    for (; s->at < s->room; s->at++) {
        uint8_t byte = s->code[s->at];
        if (byte == 0x66)
            s->operand_16 = true;
        else if (byte == 0x67)
            s->address_32 = true;
        else if (byte == 0xf2 || byte == 0xf3)
            s->repeat = byte;
        else if (byte == 0xf0)
            s->lock = true;
        else if ((byte & 0xe7) != 0x26 && (byte & 0xfe) != 0x64) /* es cs ss ds, fs gs */
            break;
    }
    if (s->at < s->room && (s->code[s->at] & 0xf0) == 0x40) {
        s->rex = true;
        s->rex_w = s->code[s->at++] & 8;
        s->operand_16 &= !s->rex_w;
    }
}

static bool is_defined(enum sparse map, uint8_t opcode) {
    return defined[map][opcode >> 4] >> (opcode & 15) & 1;
}

/* Behind c4, c5 or 62: the bytes of the prefix that name a map, then the opcode. */
static enum follows open_vector(struct scan *s, uint8_t escape) {
    static const uint8_t maps[] = {0, VECTOR_0F, VECTOR_38, VECTOR_3A, 0, VECTOR_5, VECTOR_6};
    uint8_t first, byte, map = 1;
    if (s->operand_16 || s->repeat || s->lock || s->rex || !next(s, &first))
        return UNDEFINED;
    if (escape == 0xc4)
        map = first & 31;
    else if (escape == 0x62)
        map = first & 15;
    if (map >= ARRAY_SIZE(maps) || maps[map] == 0 || (map > 3 && escape != 0x62))
        return UNDEFINED;
    if (escape != 0xc5 && !next(s, &byte))
        return UNDEFINED;
    if (escape == 0x62 && (!(byte & 4) || !next(s, &byte)))
        return UNDEFINED;
    if (!next(s, &s->opcode) || !is_defined(maps[map], s->opcode))
        return UNDEFINED;
    s->map = 2;
    if (map == 1 && s->opcode == 0x77) /* vzeroupper */
        return escape == 0x62 ? UNDEFINED : NOTHING;
    if (map == 1)
        return two_byte[s->opcode] == MODRM_8 ? MODRM_8 : MODRM;
    return map == 3 ? MODRM_8 : MODRM;
}

/* Behind 8f, when it is AMD's XOP and not pop: its maps begin at 8, where pop has a /0. */
static enum follows open_xop(struct scan *s) {
    uint8_t map = s->code[s->at] & 31;
    s->at += 2;
    s->map = 2;
    if (s->operand_16 || s->repeat || s->lock || s->rex || map > 10 || !next(s, &s->opcode))
        return UNDEFINED;
    return map == 8 ? MODRM_8 : map == 9 ? MODRM : MODRM_32;
}

/* Reads the opcode and tells what follows it. */
static enum follows open(struct scan *s) {
    if (!next(s, &s->opcode))
        return UNDEFINED;
    if (s->opcode == 0x8f && s->at < s->room && (s->code[s->at] & 31) >= 8)
        return open_xop(s);
    if (s->opcode == 0xc4 || s->opcode == 0xc5 || s->opcode == 0x62)
        return open_vector(s, s->opcode);
    if (s->opcode != 0x0f)
        return one_byte[s->opcode];
    s->map = 1;
    if (!next(s, &s->opcode))
        return UNDEFINED;
    if (s->opcode != 0x38 && s->opcode != 0x3a)
        return two_byte[s->opcode];
    bool is_3a = s->opcode == 0x3a;
    s->map = 2;
    if (!next(s, &s->opcode) || !is_defined(is_3a ? SSE_3A : SSE_38, s->opcode))
        return UNDEFINED;
    return is_3a ? MODRM_8 : MODRM;
}

/* ModRM, SIB and displacement. */
static bool read_modrm(struct scan *s, struct insn *out) {
    uint8_t sib = 0;
    if (!next(s, &s->modrm))
        return false;
    unsigned mod = s->modrm >> 6, rm = s->modrm & 7;
    if (mod == 3)
        return true;
    if (rm == 4 && !next(s, &sib))
        return false;
    if (mod == 0 && rm == 5) {
        if (s->address_32)
            out->kind = INSN_FIXED;
        else
            out->disp_at = (uint8_t)s->at;
    }
    if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5))))
        s->at += 4;
    else if (mod == 1)
        s->at += 1;
    return true;
}

/* Members of groups, and forms, that have no meaning: not all, but the common ones. */
static bool is_undefined(const struct scan *s) {
    unsigned reg = s->modrm >> 3 & 7;
    bool is_register = s->modrm >= 0xc0;
    switch (s->map << 8 | s->opcode) {
    case 0x08c: /* mov to and from a segment register */
    case 0x08e:
        return reg > 5;
    case 0x08d: /* lea */
        return is_register;
    case 0x08f: /* pop */
        return reg != 0;
    case 0x1a6: /* VIA's hashes and ciphers */
    case 0x1a7:
        return !is_register;
    case 0x0c6: /* mov; xabort and xbegin */
    case 0x0c7:
        return reg != 0 && s->modrm != 0xf8;
    case 0x0fe:
        return reg > 1;
    case 0x0ff:
        return reg == 7 || (is_register && (reg == 3 || reg == 5));
    case 0x100:
        return reg > 5;
    case 0x1b8: /* popcnt */
        return s->repeat != 0xf3;
    case 0x1ba:
        return reg < 4;
    default:
        return false;
    }
}

static size_t immediate_size(const struct scan *s, enum follows follows) {
    size_t z = s->operand_16 ? 2 : 4;
    switch (follows) {
    case MODRM_8:
    case IMMEDIATE_8:
    case RELATIVE_8:
        return 1;
    case MODRM_Z:
    case IMMEDIATE_Z:
        return z;
    case MODRM_32:
    case RELATIVE_32:
        return 4;
    case MODRM_TEST:
        return (s->modrm >> 3 & 7) > 1 ? 0 : s->opcode & 1 ? z : 1;
    case IMMEDIATE_16:
        return 2;
    case IMMEDIATE_24:
        return 3;
    case IMMEDIATE_V:
        return s->rex_w ? 8 : z;
    case ADDRESS:
        return s->address_32 ? 4 : 8;
    default: /* SSE4a's extrq and insertq have two of one byte */
        return s->map == 1 && s->opcode == 0x78 && (s->operand_16 || s->repeat == 0xf2) ? 2 : 0;
    }
}

/* The kind of what is neither plain nor has a displacement. */
static enum insn_kind kind_of(const struct scan *s) {
    unsigned reg = s->modrm >> 3 & 7;
    switch (s->map << 8 | s->opcode) {
    case 0x0c2: /* ret, far ret, iret */
    case 0x0c3:
    case 0x0ca:
    case 0x0cb:
    case 0x0cf:
        return INSN_RETURN;
    case 0x0cc: /* int3, hlt */
    case 0x0f4:
    case 0x107: /* sysret, sysexit */
    case 0x135:
    case 0x10b: /* ud2, ud1, ud0 */
    case 0x1b9:
    case 0x1ff:
        return INSN_STOP;
    case 0x0ff:
        return reg == 2 || reg == 3   ? INSN_INDIRECT_CALL
               : reg == 4 || reg == 5 ? INSN_INDIRECT
                                      : INSN_PLAIN;
    default:
        return INSN_PLAIN;
    }
}

/* A direct branch, whose displacement is the last thing in it. With an operand size of 16 bits
 * makers differ in what it means and how long it is. */
static bool set_branch(const struct scan *s, size_t size, struct insn *out) {
    const uint8_t *rel = s->code + s->at - size;
    if (s->operand_16)
        return false;
    out->kind = s->map == 1        ? INSN_BRANCH
                : s->opcode < 0xe8 ? INSN_BRANCH
                : s->opcode > 0xe8 ? INSN_JUMP
                                   : INSN_CALL;
    out->rel_at = (uint8_t)(s->at - size);
    out->rel_size = (uint8_t)size;
    out->target = (int64_t)s->at;
    out->target += size == 1 ? (int8_t)rel[0]
                             : (int32_t)(rel[0] | (uint32_t)rel[1] << 8 | (uint32_t)rel[2] << 16 |
                                         (uint32_t)rel[3] << 24);
    return true;
}

bool insn_decode(const uint8_t *code, size_t room, struct insn *out) {
    struct scan s = {.code = code, .room = room < INSN_LONGEST ? room : INSN_LONGEST};
    *out = (struct insn){0};
    read_prefixes(&s);
    enum follows follows = open(&s);
    switch (follows) {
    case UNDEFINED:
        return false;
    case MODRM_REGISTER:
        if (!next(&s, &s.modrm))
            return false;
        break;
    case MODRM:
    case MODRM_8:
    case MODRM_Z:
    case MODRM_32:
    case MODRM_TEST:
        if (!read_modrm(&s, out) || is_undefined(&s))
            return false;
        break;
    default:
        break;
    }
    size_t size = immediate_size(&s, follows);
    s.at += size;
    if (s.at > s.room)
        return false;
    out->length = (uint8_t)s.at;
    bool is_xbegin = s.map == 0 && s.opcode == 0xc7 && s.modrm == 0xf8;
    if (follows == RELATIVE_8 || follows == RELATIVE_32 || is_xbegin)
        return set_branch(&s, size, out);
    if (out->kind == INSN_PLAIN)
        out->kind = kind_of(&s);
    return true;
}
