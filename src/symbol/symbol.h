/* symbol: addresses of a module → function, file, line and inlined frames.
 *
 * Why: the region holds addresses only; this room finds the module's file (the path, a separate
 * debug file by build-id or debug link, debuginfod only when asked), checks that it is the file
 * that ran (build-id), and names what it can. elfutils does the reading; names are demangled
 * (C++, Rust).
 *
 * Who owns what: struct symbols owns every string it returns until symbol_close. Not for several
 * threads at once. A file that is broken or hostile gives no names, never a crash. */
#ifndef SQUALL_SYMBOL_H
#define SQUALL_SYMBOL_H

#include "base/base.h"

struct symbols;

struct symbol_options {
    bool debuginfod;        /* ask servers named by DEBUGINFOD_URLS */
    const char *root;       /* prefix for paths (a container's /proc/PID/root), NULL = none */
    const char *debug_path; /* NULL = /usr/lib/debug */
};

struct symbol_module {
    const char *path;
    const uint8_t *build_id;
    uint32_t build_id_size; /* 0 = unknown: the file is trusted as it is */
    const char *root; /* prefix for its path in place of that of the options; NULL or "" = none */
};

struct symbol_frame {
    const char *function; /* demangled; NULL = not known */
    const char *file;     /* NULL = not known */
    uint32_t line;        /* 0 = not known */
    bool inlined;         /* into the frame that follows */
};

struct symbols *symbol_open(const struct symbol_options *options); /* NULL: no memory */
void symbol_close(struct symbols *s);

/* A number that stands for the module from now on (the same for an equal one); never fails: a
 * module without a usable file names nothing. */
uint32_t symbol_module(struct symbols *s, const struct symbol_module *module);
/* Why a module names nothing or less than all: "file is gone", "build-id differs: the file was
 * replaced", "no symbol table (stripped)"; NULL = nothing to say. */
const char *symbol_trouble(struct symbols *s, uint32_t module);

/* The function alone, from the symbol tables (.symtab, .dynsym, mini debug info, separate debug
 * file): cheap, for every frame of every site. `offset` = address - base (a virtual address of the
 * file); for a return address the caller passes the address minus 1. NULL = not known. */
const char *symbol_function(struct symbols *s, uint32_t module, uint64_t offset);

/* Which codecs' code is in the module's file, by their data (copyright lines, messages, tables):
 * bit (1 << enum codec) each. Says nothing of those that leave no trace. Reads the constant data of
 * the file, once; 0 where there is no file. */
uint32_t symbol_contains(struct symbols *s, uint32_t module);
/* "its copyright line is": what of such a codec is in the file; NULL = it leaves nothing. */
const char *symbol_contains_by(uint32_t codec);

/* All frames at an offset, inlined ones first, with file and line; uses DWARF, for what is shown.
 * Returns how many were written to out[0 .. max), at least 1 (its function may be NULL). */
uint32_t symbol_frames(struct symbols *s, uint32_t module, uint64_t offset,
                       struct symbol_frame *out, uint32_t max);

#endif
