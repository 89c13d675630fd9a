/* unwind_fde: finds and reads the entry of .eh_frame that holds an address (LSB 5.0).
 *
 * Why its own: finding and reading bytes that may not be there is one matter, what they mean
 * (unwind_rule.c) another. Every number read is distrusted: a reader leaves the module only by
 * saying so (`bad`), and then gives zeros. Only unwind_rule.c uses this; nothing is shared. */
#ifndef SQUALL_SHIM_UNWIND_FDE_H
#define SQUALL_SHIM_UNWIND_FDE_H

#include "shim/module.h"

#define FDE_SCRATCH 1024u
#define FDE_RA 16u /* the number that the return address has as a register */

/* Bytes of one module. Where its memory cannot vanish, which is in [steady, steady_end), `at` is
 * that memory; elsewhere it is the scratch buffer, holding a copy of [lo, hi). */
struct fde_reader {
    uint64_t pos;
    uint64_t lo, hi;
    const uint8_t *at;
    uint64_t start, end; /* of the module */
    uint64_t steady, steady_end;
    uint8_t *scratch;
    bool bad;
};

/* A reader at the start of a module; scratch of FDE_SCRATCH bytes. */
void fde_open(struct fde_reader *r, const struct module *m, uint8_t *scratch);

uint8_t fde_get8(struct fde_reader *r);
uint64_t fde_get(struct fde_reader *r, unsigned n); /* little endian, n <= 8 */
uint64_t fde_get_uleb(struct fde_reader *r);
int64_t fde_get_sleb(struct fde_reader *r);
/* Passes over `n` bytes, never backwards: more than the module has is bad. */
void fde_skip(struct fde_reader *r, uint64_t n);

struct fde {
    uint64_t cie_code, cie_end; /* the CFA program that both begin with */
    uint64_t fde_code, fde_end;
    uint64_t begin; /* first address covered */
    uint64_t size;
    uint64_t code_align;
    int64_t data_align;
    bool is_signal; /* the frame of a signal handler's return */
};

/* The address of the last entry that begins at or before `address`, 0 = none. `header` is that
 * of .eh_frame_hdr. */
uint64_t fde_find(struct fde_reader *r, uint64_t header, uint64_t address);

/* False: not readable, or of a kind that is not known. */
bool fde_parse(struct fde_reader *r, uint64_t address, struct fde *e);

#endif
