/* insn: how long an x86-64 instruction is, and whether it depends on where it stands.
 *
 * Why: a detour overwrites the first instructions of a function, so they must be told apart, moved
 * and fixed up, and no jump of the function may land among them. Only lengths and what is relative
 * to the instruction's address are found out; operands mean nothing here. Nothing is written but
 * the result. */
#ifndef SQUALL_SHIM_INSN_H
#define SQUALL_SHIM_INSN_H

#include "base/base.h"

#define INSN_LONGEST 15

enum insn_kind {
    INSN_PLAIN,         /* goes on to the next one; may be moved as it is, but for disp_at */
    INSN_JUMP,          /* direct, unconditional */
    INSN_BRANCH,        /* direct, conditional: jcc, loop, jrcxz, xbegin */
    INSN_CALL,          /* direct */
    INSN_INDIRECT,      /* jmp through a register or memory */
    INSN_INDIRECT_CALL, /* call likewise */
    INSN_RETURN,
    INSN_STOP,  /* ud2, int3, hlt and the like: nothing follows */
    INSN_FIXED, /* goes on to the next one, but cannot be moved: an address relative to eip */
};

struct insn {
    uint8_t length;
    uint8_t kind;    /* enum insn_kind */
    uint8_t disp_at; /* offset of a displacement of 4 bytes relative to rip; 0: none */
    uint8_t rel_at;  /* offset of a direct branch's displacement; 0: none */
    uint8_t rel_size;
    int64_t target; /* where that branch goes, from the instruction's first byte */
};

/* Reads at most `room` bytes. False: the instruction is cut short, has no meaning in 64-bit mode,
 * or is none that is known here (APX). An undefined member of a group may pass. */
bool insn_decode(const uint8_t *code, size_t room, struct insn *out);

#endif
