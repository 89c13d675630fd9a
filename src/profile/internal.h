/* What the files of this room share. Nothing outside src/profile includes this.
 *
 * The way of the bytes: a source (file or memory) gives a region, which image.c copies into an
 * image (private memory, checked once), or a packed dump, from which dump.c takes such images.
 * decode*.c and cells.c make a profile_process of an image; state.c and clock.c say what became of
 * the process and what its ticks are worth. */
#ifndef SQUALL_PROFILE_INTERNAL_H
#define SQUALL_PROFILE_INTERNAL_H

#include <stdarg.h>
#include <sys/stat.h>

#include "profile.h"
#include "region/region.h"

/* ---- error.c ---- */

/* Writes "FILE: offset N: REASON"; returns `code`, a negative errno. */
int profile_fail(struct profile_error *error, int code, const char *file, uint64_t offset,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- memory.c: memory that goes all at once ---- */

struct arena {
    struct arena_chunk *chunks;
};

void *arena_take(struct arena *arena, size_t size); /* zeroed, aligned to 16; NULL: no memory */
void *arena_take_array(struct arena *arena, size_t count, size_t size);
char *arena_copy(struct arena *arena, const char *text, size_t size); /* adds a zero */
void arena_free(struct arena *arena);

/* ---- source.c: where bytes come from ---- */

struct source {
    const char *name;
    int fd; /* -1: bytes in memory */
    const uint8_t *bytes;
    uint64_t size;
    struct stat stat; /* of the file; zero for memory */
    profile_progress *progress;
    void *progress_data;
    uint64_t done, total;
};

enum source_kind { SOURCE_OTHER, SOURCE_EMPTY, SOURCE_REGION, SOURCE_DUMP };

/* Opens a regular file, and nothing else is opened even to look; `follow` symbolic links or not. */
int source_open(struct source *source, int folder_fd, const char *path, bool follow,
                struct profile_error *error);
/* What profile_open_file returned, for a source of that name. */
int source_take(struct source *source, int fd, const char *name, struct profile_error *error);
/* The file of a path, in the folder of it that is open. */
int source_open_in(struct source *source, int folder_fd, const char *path,
                   struct profile_error *error);
void source_memory(struct source *source, const void *bytes, size_t size, const char *name);
void source_close(struct source *source);
/* Exactly `size` bytes; a file that ends before is an error. */
int source_read(struct source *source, uint64_t offset, void *out, size_t size,
                struct profile_error *error);
/* Judged by the first bytes. */
enum source_kind source_kind(struct source *source);
void source_progress(struct source *source, uint64_t bytes);

/* ---- image.c: a private copy of a region ---- */

struct image {
    uint8_t *header;                         /* header and directory as they lie in the file */
    uint8_t *tables[REGION_TABLE_COUNT + 1]; /* the readable rows; NULL if in `header` */
    uint64_t directory_at[REGION_TABLE_COUNT + 1]; /* place of each entry; 0 = no such table */
    struct region_view view;
};

int image_copy(struct source *source, struct image *image, struct profile_error *error);
/* Header and directory alone: view->rows tell where the tables lie, as if the file was at
 * image->header; no row is there. */
int image_open(struct source *source, struct image *image, struct profile_error *error);
/* Reads again how many rows of a table may be read now. */
int image_refresh(struct source *source, struct image *image, unsigned table,
                  struct profile_error *error);
/* Takes over `bytes` (from aligned_alloc), a whole image, even when it fails. */
int image_adopt(uint8_t *bytes, uint64_t size, const char *name, struct image *image,
                struct profile_error *error);
void image_free(struct image *image);

/* ---- rows.c: rows that are being written ---- */

/* Looks again at each row of a copied table; what changed meanwhile is read again from the live
 * file. What stays torn has an odd sequence in `rows` afterwards. */
void rows_settle(int fd, uint64_t offset, uint8_t *rows, uint64_t row_size, uint64_t count);
/* The same for all cells of an image, each together with its rows of remote frees and large blocks,
 * which have no sequence: they then tell of one moment, or of two with nothing freed that was not
 * allocated. */
void rows_settle_cells(int fd, struct image *image);

/* ---- moment.c: the totals of a region that is being written, at the moment of its cells ---- */

struct moment { /* what totals were before the cells were copied */
    struct region_thread *threads;
    uint64_t count, row_size;
    uint64_t large_allocs, large_bytes;
};

int moment_begin(struct moment *before, struct source *source, struct image *image,
                 struct profile_error *error);
/* Moves the totals, which were copied last, to where the cells are, never before what they were at
 * the beginning. Changes nothing where nothing changed. */
void moment_settle(const struct moment *before, struct image *image);
void moment_end(struct moment *before);

/* ---- state.c ---- */

struct maps; /* what processes have mapped, and what lies beside, read once for a whole folder */

struct maps *maps_open(void); /* reads nothing yet; NULL: no memory */
void maps_close(struct maps *maps);

struct state {
    enum profile_state state;
    bool mapped;
    bool crowded; /* by none but processes that have too many mapped to be what they say */
};

/* What became of the process of a region; stat of its file, and the path of it for a look at its
 * neighbours (NULL = do not look). */
struct state state_of(struct maps *maps, const struct region_header *header,
                      const struct stat *file, const char *path);
/* True if both are set and equal: the clocks of that boot are ours. */
bool state_is_this_boot(const struct region_header *header);

/* ---- heirs.c ---- */

struct heirs; /* of the folders that were gone through */

/* True if a later image of the region's process left a region beside it. `known` (NULL = keep
 * nothing) begins as NULL and grows. */
bool has_heir(struct heirs **known, const struct region_header *header, const char *path);
void heirs_free(struct heirs *known);

/* ---- clock.c ---- */

struct calibration {
    double ticks_per_ns;
    bool guessed;
    bool this_boot;
    uint64_t now_raw_ns;
};

void clock_calibrate(const struct image *image, struct calibration *out);
/* Ticks to nanoseconds; saturates. */
uint64_t clock_ns(double ticks_per_ns, uint64_t ticks);

/* ---- modules.c ---- */

/* Lays out which module holds which addresses when; needs modules. Returns 0 or -ENOMEM. */
int modules_index(struct profile_process *p, struct arena *arena);

/* ---- decode.c, decode_codec.c, cells.c ---- */

/* Behind profile_process.memory. */
struct memory {
    struct image image;
    struct arena arena;
};

/* Fills `p` from an image, which it takes over even when it fails (profile_process_free then
 * frees what there is). state, seconds_ns and the clock are set before by the caller. */
int decode_process(struct profile_process *p, struct image *image, const char *file,
                   struct profile_error *error);
/* Codec calls, contexts, mappings; needs stacks and codec functions. */
/* The row where the calls of this one are added up, 0 = no such call. */
uint32_t decode_call_of(const struct profile_process *p, uint32_t row);
int decode_codec(struct profile_process *p, struct memory *memory);
/* Sites and their cells; needs all that they refer to. */
int decode_cells(struct profile_process *p, struct memory *memory);
/* What Go programs have besides; needs sites. */
int decode_go(struct profile_process *p, struct memory *memory);
/* The age of a process at its last sign of life in the image. */
uint64_t decode_last_sign(const struct image *image, double ticks_per_ns);
/* All of it from a region. */
int decode_region(struct source *source, struct maps *maps, const char *path,
                  struct profile_process *p, struct profile_error *error);
/* The same where it is known what became of the process. */
int decode_region_as(struct source *source, struct state state, struct profile_process *p,
                     struct profile_error *error);
void profile_process_free(struct profile_process *p);
/* A string of arguments or the like: any `size` bytes inside the table. */
const char *decode_bytes(const struct region_view *view, uint64_t offset, uint64_t *size);

/* ---- dump.c: the packed format, docs/format.md ---- */

#define DUMP_MAGIC "SQUALLDP" /* 8 bytes, no terminating zero */
#define DUMP_VERSION 1u
#define DUMP_WINDOW_LOG 23 /* memory of the decompressor: 8 MiB */

struct dump_header { /* not compressed; one zstd frame follows */
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
};
_Static_assert(sizeof(struct dump_header) == 16, "crosses the process boundary");

enum dump_type {
    DUMP_PROCESS = 1, /* struct dump_process: begins one */
    DUMP_IMAGE,       /* a region, its tables moved together */
    DUMP_SYMBOLS,     /* struct dump_symbols, struct dump_symbol each, strings */
    DUMP_END          /* struct dump_end: nothing follows */
};

struct dump_record {
    uint32_t type;
    uint32_t reserved;
    uint64_t length; /* of what follows */
};
_Static_assert(sizeof(struct dump_record) == 16, "crosses the process boundary");

struct dump_process {
    uint32_t state;        /* enum profile_state, when it was packed */
    uint32_t flags;        /* enum dump_flag */
    uint64_t ticks_per_ns; /* of the region's clock, in 1/2^32 */
    uint64_t seconds_ns;
    uint64_t packed_realtime_ns;
    char ended_by[32]; /* empty = not known */
};
_Static_assert(sizeof(struct dump_process) == 64, "crosses the process boundary");
enum dump_flag { DUMP_CLOCK_GUESSED = 1 };

struct dump_symbols {
    uint32_t count;
    uint32_t reserved;
    uint64_t strings_size; /* the last byte of the strings is a zero, and so is the first */
};
_Static_assert(sizeof(struct dump_symbols) == 16, "crosses the process boundary");

struct dump_symbol { /* sorted by address, then module; innermost first */
    uint64_t address;
    uint32_t module;
    uint32_t line;
    uint32_t function; /* offset in the strings, 0 = not known */
    uint32_t file;
    uint32_t flags; /* enum dump_symbol_flag */
    uint32_t reserved;
};
_Static_assert(sizeof(struct dump_symbol) == 32, "crosses the process boundary");
enum dump_symbol_flag { DUMP_SYMBOL_INLINED = 1 };

struct dump_end {
    uint64_t processes;
};
_Static_assert(sizeof(struct dump_end) == 8, "crosses the process boundary");

/* Appends the processes of a dump to `profile`. On failure the caller frees the profile. */
int dump_load(struct source *source, struct profile *profile, struct profile_error *error);

/* Gives each process to `each` and drops it, so that one at a time is in memory; stops at the first
 * status other than 0. What comes before damage was given already. */
typedef int dump_each(void *data, const struct profile_process *p);
int dump_walk(struct source *source, dump_each *each, void *data, struct profile_error *error);

/* ---- pid.c ---- */

/* What the region itself says: name of the program, number, key. `path` is filled before. */
void found_fill(struct profile_found *found, struct source *source);
int found_open(const struct profile_found *found, struct source *source,
               struct profile_error *error);

/* ---- load.c ---- */

/* Room for one more process, zeroed; NULL: no memory. */
struct profile_process *profile_add(struct profile *profile);

/* ---- held.c: the folder of a file, by descriptor ---- */

struct held {
    int fd;
    struct stat stat;
    const char *path; /* of a file in it */
};

/* To list a folder; no link where the shim follows none. Returns a descriptor or a negative errno.
 */
int held_folder(const char *folder);
/* The folder that the file of a path lies in, to name files in it. `path` has to last as long. */
int held_open(struct held *held, const char *path);
void held_close(struct held *held);
const char *held_name(const char *path); /* the last part of it */
/* By their paths, do both lie in the same folder? */
bool held_is_beside(const char *one, const char *other);
/* Removes a file from it if it still is the one that was opened (its stat), and belongs to us or to
 * whom the folder belongs; or the folder is ours or root's. */
int held_remove(const struct held *held, const char *name, const struct stat *file);

/* ---- places.c ---- */

/* A name that anybody may take before us: a link there is not followed. */
bool places_is_shared(const char *path);

/* ---- folder.c ---- */

/* Fills `file` from an open source of a known kind; looks at what lies beside it if that is asked
 * for, else one that exec took away is not told from one that died. */
int folder_inspect(struct source *source, struct maps *maps, const char *path, bool beside,
                   struct profile_file *file);
/* The names that the shim and we ourselves give: such a file has to be sound. */
bool folder_is_our_name(const char *name);
/* The name of a region's program alone. */
int folder_exe(struct source *source, char *exe, size_t size);
/* The file name of a region, as the shim gives it. */
void folder_region_name(const struct region_header *header, char *name, size_t size);

#endif
