/* codec_scan: finds codec functions in the symbol tables of one module.
 *
 * Why its own: .dynsym is in memory, but .symtab, which alone names what is linked statically, is
 * only in the file. Only codec.c uses it; it keeps nothing. */
#ifndef SQUALL_SHIM_CODEC_SCAN_H
#define SQUALL_SHIM_CODEC_SCAN_H

#include "base/codec_table.h"
#include "module.h"

struct codec_symbol {
    uint64_t start, size;            /* in the process */
    const struct codec_entry *entry; /* NULL: it matches one of the user's patterns */
    const char *name;                /* good during the call only, not ended by a zero */
    size_t name_length;
    /* A function of one source file: its arguments may be what its compiler made of them. Not what
     * the linker made local, as far as that can be told. */
    bool is_local;
};

#define CODEC_SCAN_BEGINNING 34u /* no detour is longer, with what stands before it */

struct codec_scan {
    const struct module *module;
    const char *path;     /* of its file */
    const char *patterns; /* the user's, each ended by a newline */
    void (*each)(void *data, const struct codec_symbol *symbol);
    /* NULL, or is told what else begins within CODEC_SCAN_BEGINNING bytes of one that was found,
     * and perhaps elsewhere. */
    void (*beside)(void *data, uint64_t start);
    void *data;
};

/* Calls `each` for every function found; one address may come several times. Returns 0, or a
 * negative errno when a table that may be there could not be read: then not all were seen. */
int codec_scan(const struct codec_scan *scan);

#endif
