/* The inside of the room: what its files share.
 * Nobody outside src/symbol includes this. */
#ifndef SQUALL_SYMBOL_INTERNAL_H
#define SQUALL_SYMBOL_INTERNAL_H

#include <elfutils/libdwfl.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "go/go.h"
#include "symbol.h"

/* ---- spans.c: which of many overlapping address ranges holds an address ---- */

struct span {
    uint64_t low, high; /* [low, high) */
    uint64_t reach;     /* the largest high of this span and all below it, see spans.c */
    uint32_t what;
};

struct spans {
    struct span *items;
    uint32_t count, room;
};

int symbol_spans_add(struct spans *spans, uint64_t low, uint64_t high, uint32_t what);
void symbol_spans_sort(struct spans *spans);
/* The innermost one, that is the one that begins last; NULL if none. Sorted spans only. */
const struct span *symbol_spans_find(const struct spans *spans, uint64_t address);
void symbol_spans_free(struct spans *spans);

/* ---- names.c: one copy of every string, demangled when first shown ---- */

struct name {
    UT_hash_handle hh;
    const char *shown; /* demangled, or text itself; NULL = not tried yet */
    char text[];
};

/* Both return NULL for NULL, "" and when there is no memory. */
const char *symbol_names_keep(struct name **names, const char *text);
const char *symbol_names_demangle(struct name **names, const char *mangled);
void symbol_names_free(struct name **names);

/* ---- table.c: functions of a module by symbol table ---- */

struct function {
    uint64_t start, end; /* end == start: no size given */
    uint64_t limit;      /* end of its section */
    const char *raw;     /* owned by the table */
    uint8_t rank;        /* 0 is the best of several names for one address */
};

struct block; /* of names */

struct table {
    struct function *functions;
    uint32_t count, room;
    struct block *names;
    struct spans spans;
    bool has_symtab; /* some file gave a .symtab: local functions have names too */
};

/* Fills the table from all symbol tables that elfutils finds. */
int symbol_table_build(struct table *table, Dwfl_Module *module);
const struct function *symbol_table_find(const struct table *table, uint64_t address);
void symbol_table_free(struct table *table);

/* ---- debug.c: inlined frames and lines by DWARF ---- */

struct unit {
    Dwarf_Die die;   /* where the functions are (of a .dwo when the program is split) */
    Dwarf_Die lines; /* where the line table is */
    bool indexed;
    bool lines_weighed, lines_fit; /* whether there is memory for its lines */
    Dwarf_Die *functions;
    uint32_t function_count, function_room;
    struct spans spans; /* what = index into functions */
};

struct debug {
    bool tried, lines_left_out; /* of a unit, for the memory that they would take */
    Dwarf_Addr bias;
    struct unit *units;
    uint32_t unit_count, unit_room;
    struct spans spans; /* what = index into units */
};

/* Innermost first; the last one is the function itself. Returns 0 when DWARF knows nothing of
 * the address. */
uint32_t symbol_debug_frames(struct debug *debug, Dwfl_Module *module, struct name **names,
                             uint64_t address, struct symbol_frame *out, uint32_t max);
void symbol_debug_free(struct debug *debug);

/* ---- open.c: from a path and a build-id to something that elfutils reads ---- */

struct source {
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t bias;       /* elfutils' address = offset + bias */
    const char *trouble; /* constant text, NULL = none */
};

/* What the callbacks of elfutils need; stands still as long as any source does. */
struct finder {
    bool debuginfod;
    uint64_t held; /* bytes of copies of files */
    char *root;
    char *debug_path;       /* where elfutils looks before it asks a server */
    char *debug_folders[2]; /* below which .build-id is looked for; NULL = none */
    Dwfl_Callbacks callbacks;
};

int symbol_finder_init(struct finder *finder, const struct symbol_options *options);
void symbol_finder_free(struct finder *finder);
/* Always fills *source; module is NULL when there is nothing to read. */
void symbol_source_open(struct source *source, struct finder *finder,
                        const struct symbol_module *module);
void symbol_source_close(struct source *source);

/* ---- file.c, unpack.c: the files that are read ---- */

#define SYMBOL_FILE_MAX (4ll << 30)

/* A regular file and nothing that blocks or acts when it is opened, or a negative errno; -EFBIG: it
 * is larger than any, or has hardly anything in it but holes; -ENOEXEC, -E2BIG: see
 * symbol_unpacked. What is neither root's alone nor large and one's own is a copy that nobody can
 * change, charged to the finder that is guarded. */
int symbol_open_file(const char *path);
/* What compressed sections of an ELF file become. Returns 0; -ENOEXEC: it is none; -E2BIG: more
 * than any, or than what it is made from makes likely. */
int symbol_unpacked(int fd, uint64_t *bytes);
/* Takes the charge back, too: for one that is not the file that was wanted. */
void symbol_close_file(int fd);
/* Charges the finder that is guarded for what is made of a file. False: it would be too much. */
bool symbol_charge(uint64_t bytes);
void symbol_give_back(uint64_t bytes); /* that were charged, and are not taken after all */
/* The finder's charges, when all of its files are closed. */
void symbol_forget_files(struct finder *finder);

/* ---- find.c: the names of files that a module chose ---- */

/* A Dwfl_Callbacks.find_debuginfo whose data is the finder. */
int symbol_find_debug(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                      const char *file, const char *link, GElf_Word crc, char **found);

/* ---- guard.c: what libdw opens by itself ---- */

/* From now on elfutils opens in this thread what symbol_open_file opens, for this finder; NULL:
 * what it likes. Returns the one before. */
struct finder *symbol_guard(struct finder *finder);
struct finder *symbol_guarded(void);

/* ---- cut.c ---- */

/* From now on a file that is cut while it is mapped reads as zeros there. */
void symbol_survive_cuts(void);

/* ---- go.c: names of Go programs ---- */

struct go_names {
    bool tried, found;
    struct go_image image;
    uint8_t *copies[GO_SEGMENTS_MAX]; /* of segments that are relocated */
};

/* Whether the module is a Go program whose tables can be read. */
bool symbol_go_has(struct go_names *go, Dwfl_Module *module);
/* As the door's functions; NULL or 0 where Go's tables know nothing of the offset. */
const char *symbol_go_function(struct go_names *go, Dwfl_Module *module, uint64_t offset);
uint32_t symbol_go_frames(struct go_names *go, Dwfl_Module *module, uint64_t offset,
                          struct symbol_frame *out, uint32_t max);
void symbol_go_free(struct go_names *go);

/* ---- contains.c: codecs by their data ---- */

uint32_t symbol_source_contains(const struct source *source);

#endif
