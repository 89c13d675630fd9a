/* go: the runtime of a Go program: found in its memory or its file, and hooked.
 *
 * Why a room of its own: Go's heap never calls malloc, so its allocator has to be hooked where it
 * is. The shim does that for programs that load it, the companion for those that cannot (static, or
 * running already), and the reading half needs the same tables for names: three users that never
 * include each other, and one reader of Go's tables that all of them can trust with hostile bytes.
 *
 * image.c finds the tables (.gopclntab, moduledata, .go.buildinfo) in segments that the caller
 * gives, pcln.c reads them, plan.c verifies the functions to hook and makes the bytes to write,
 * hook.c is what runs in the program. No C library in any of them, and hook.c with its entry needs
 * no other place: it uses no global data and is linked a second time as a blob (go.ld) that the
 * companion copies into programs.
 *
 * Who writes what: nothing here writes to the program but hook.c, and that to struct go_state and
 * to the region only. Applying a plan is the caller's. */
#ifndef SQUALL_GO_H
#define SQUALL_GO_H

#include "base/codec_table.h"
#include "region/region.h"

/* ---- image.c: where Go's tables are ---- */

/* A part of the program as it is in memory: `bytes` holds what is at address `start`. */
struct go_segment {
    uint64_t start, size;
    const uint8_t *bytes;
};
#define GO_SEGMENTS_MAX 16u

struct go_image {
    struct go_segment segments[GO_SEGMENTS_MAX];
    uint32_t segment_count;
    uint32_t minor; /* 19 for Go 1.19; 0 = not known */
    char version[40];
    uint64_t pclntab, text; /* addresses */
    uint64_t gofunc;        /* of function data; 0 = not known: no inlined frames */
    const uint8_t *tab;     /* the bytes at pclntab */
    uint64_t tab_size;      /* of them, to the end of the segment */
    uint64_t functions;     /* how many */
    uint64_t names_at, units_at, files_at, pcs_at, functions_at; /* offsets in tab */
    bool is_118; /* the layout of 1.18 and 1.19, else that of 1.20 and later */
};

/* Fills the rest of an image whose segments are set. Returns 0, -ENOENT (not a Go program) or
 * -ENOTSUP (one whose tables are not understood). */
int go_image_find(struct go_image *image);
/* The bytes at an address, NULL unless `size` of them are in one segment. */
const uint8_t *go_image_at(const struct go_image *image, uint64_t address, uint64_t size);

/* ---- pcln.c: functions, lines, inlined calls ---- */

struct go_function {
    uint64_t start, end; /* addresses */
    uint64_t info;       /* of its _func, offset in image->tab */
    const char *name;    /* ended by a zero that is in the image */
};

/* The i-th function by address; false: there is none, or the tables are broken there. */
bool go_function_at(const struct go_image *image, uint64_t i, struct go_function *f);
/* The one that holds an address. */
bool go_function_find(const struct go_image *image, uint64_t address, struct go_function *f);

enum go_table { GO_TABLE_STACK, GO_TABLE_FILE, GO_TABLE_LINE };
/* The value of a table at an address of the function; false: not known. */
bool go_function_value(const struct go_image *image, const struct go_function *f,
                       enum go_table table, uint64_t address, int32_t *value);
/* Calls `each` for the pieces of a function that have one value, in order, until it returns false
 * or the function ends. Returns false if the table is broken. */
bool go_function_walk(const struct go_image *image, const struct go_function *f,
                      enum go_table table,
                      bool (*each)(void *data, uint64_t from, uint64_t to, int32_t value),
                      void *data);

struct go_frame {
    const char *function; /* ended by zeros that are in the image; NULL = not known */
    const char *file;
    uint32_t line;
    bool inlined; /* into the one that follows */
};

/* All frames at an address, inlined ones first; how many were written, 0 = not a Go function. */
uint32_t go_frames(const struct go_image *image, uint64_t address, struct go_frame *out,
                   uint32_t max);

/* ---- plan.c: what to write where ---- */

/* Memory within reach of a jump, in this order: what the trampolines read; what was patched, for
 * whoever takes the hook out again; the trampolines. */
#define GO_NEAR_SITES 8192u
#define GO_NEAR_RECORDS 8192u
#define GO_NEAR_DATA (GO_NEAR_SITES + GO_NEAR_RECORDS)
#define GO_NEAR_CODE 24576u
#define GO_NEAR_SIZE (GO_NEAR_DATA + GO_NEAR_CODE)
#define GO_NEAR_MAGIC 0x6f676c6c61757173ull /* "squallgo" */

struct go_near { /* the first bytes of the data pages */
    uint64_t magic;
    uint64_t entry;   /* address of go_entry */
    uint64_t state;   /* address of struct go_state */
    uint64_t size;    /* of all memory that the hook has here */
    uint64_t patches; /* how many records follow the sites; 0 = it is out */
    uint64_t is_ours; /* 1: put in from outside, with a region that nobody else writes to */
    uint64_t region_size;
    uint64_t reserved;
};

enum go_kind {
    GO_ALLOC,     /* runtime.mallocgc begins */
    GO_ALLOC_END, /* and returns */
    GO_HEAP,      /* the heap is asked: (*mcache).allocLarge */
    GO_ZERO,      /* the block is zeroed: memclrNoHeapPointersChunked */
    GO_FREE,      /* a span of a large block, or as long, is freed: (*mheap).freeSpanLocked */
    GO_CYCLE,     /* a collection ends: gcMarkTermination */
    GO_CALL,      /* a codec function begins */
    GO_CALL_END   /* and returns */
};

/* What a trampoline hands to the hook; in the data pages. */
struct go_site {
    uint64_t kind; /* enum go_kind */
    uint64_t back; /* where to go on */
    uint64_t state;
    uint64_t function; /* number of a codec function, for calls */
};

#define GO_PATCH_MAX 24u
struct go_patch {
    uint64_t at;
    uint8_t size;
    uint8_t old[GO_PATCH_MAX], new[GO_PATCH_MAX];
};
#define GO_PATCHES_MAX 200u

/* What of a patch is needed to take it out. */
struct go_record {
    uint64_t at;
    uint8_t size, old[GO_PATCH_MAX], reserved[7];
};
_Static_assert(sizeof(struct go_record) * GO_PATCHES_MAX <= GO_NEAR_RECORDS, "all fit");

#define GO_CODECS_MAX 1024u /* a program with all codecs that are known has 400 */
#define GO_NEEDED 5u        /* functions of the runtime */
struct go_codec {           /* a codec function of the program */
    uint64_t start, end;
    const char *name; /* in the image */
    const struct codec_entry *entry;
    uint32_t row;     /* in REGION_CODEC_FUNCTIONS, set by the caller of go_codec_rows */
    uint8_t patched;  /* its arguments are seen */
    uint16_t refused; /* enum region_refused */
};

struct go_plan {
    uint64_t near; /* address of the memory, chosen by the caller */
    uint64_t entry, state;
    uint64_t threshold; /* smaller blocks are passed over */
    bool calls;         /* codec functions get hooks as well: only before the program runs */
    uint32_t patch_count, site_count;
    uint32_t used; /* bytes of `code` */
    uint32_t codec_count;
    const char *refused;           /* what did not verify: a function, or why; NULL = all did */
    uint64_t grow_start, grow_end; /* of runtime.growslice */
    struct go_function needed[GO_NEEDED];
    struct go_patch patches[GO_PATCHES_MAX];
    struct go_codec codecs[GO_CODECS_MAX];
    uint8_t data[GO_NEAR_DATA]; /* to be written at near */
    uint8_t code[GO_NEAR_CODE]; /* and behind it, and made executable */
};

/* Large objects of Go's heap have spans, and pages, of their own from this size on. Of 1.22 and
 * later it depends on what is in them: with pointers, eight bytes are the header's. */
#define GO_LARGE_MIN 32769u
#define GO_LARGE_MIN_122 32761u

/* Which of the functions that the hook needs are there, and the codec functions. Slow: reads every
 * name. Returns 0 or -ENOTSUP with plan->refused. */
int go_plan_look(struct go_plan *plan, const struct go_image *image);
/* Verifies and makes all bytes. plan: near, entry, state, threshold and calls are set, look was
 * done. Returns 0, or -ENOTSUP with plan->refused: then nothing is to be written. */
int go_plan_make(struct go_plan *plan, const struct go_image *image);
/* Writes rows of the codec functions, module `module`. */
void go_codec_rows(struct go_plan *plan, struct region *r, uint32_t module);
/* Go's assembler pads so that no jump, nor what it is fused with, crosses 32 bytes: where, depends
 * on the program. How long such an instruction at p is; 0 = it is none. */
uint32_t go_nop_length(const uint8_t *p, uint64_t room);
/* Offset of goid in Go's g; 0 = not known. */
uint32_t go_goid_offset(uint32_t minor);

/* ---- hook.c: in the program ---- */

#define GO_STACKS 256u       /* threads in the hook at once */
#define GO_STACK_SIZE 16384u /* of its own stack */
#define GO_FLIGHTS 16384u    /* goroutines in mallocgc at once */
#define GO_LIVE (1u << 17)   /* blocks */
#define GO_INDEX (1u << 16)  /* stacks */

struct go_range { /* a codec function, sorted by address */
    uint64_t start, end;
    uint32_t row;
    uint8_t direction, kind, shape, reserved;
};

struct go_flight {                    /* of a goroutine that is in mallocgc */
    uint64_t size, start, heap, zero; /* clock; 0 = not there yet */
    uint32_t site, is_in;
    uint64_t goroutine;
};

struct go_call {                              /* of a goroutine that is in a codec function */
    uint64_t start, source, capacity, before; /* before: bytes that the destination had */
    uint32_t function, row;                   /* row: in REGION_CODEC_CALLS, 0 = none */
};

#define GO_CYCLE_MASK 0x3fffffffu
struct go_live {      /* a block */
    uint64_t address; /* 0 = free, 1 = being written */
    uint64_t size, born;
    uint32_t site;
    uint32_t cycle : 30; /* in which it was made */
    uint32_t uses : 2;   /* as a codec's destination: none, one, more; by whoever has the block */
};

/* Private memory of the program, from mmap: the parts that are not touched cost nothing. Written by
 * whoever installs the hook before the first patch, then by hook.c alone, atomically. */
struct go_state {
    uint64_t busy[GO_STACKS / 64]; /* a bit each: 1 = the stack is free; go_entry knows where */
    uint64_t stacks;               /* address */
    uint32_t is_on;                /* 0: the hook does nothing */
    uint32_t has_tsc;
    const uint32_t *mine; /* see struct shim; NULL = always ours */
    struct region region; /* a copy of our own */
    uint64_t threshold, transient_cycles, tick_ticks, next_tick;
    uint64_t goid_offset;
    uint64_t grow_start, grow_end; /* of runtime.growslice */
    uint32_t range_count, reserved;
    struct go_range ranges[GO_CODECS_MAX];
    struct {
        uint64_t hash;
        uint32_t row, reserved; /* of a site; 0 = not yet written */
    } sites[GO_INDEX];
    struct {
        uint64_t hash;
        uint32_t row, reserved; /* of a codec call */
    } call_rows[1024];
    uint64_t flying[GO_FLIGHTS]; /* which g, 0 = free */
    struct go_flight flights[GO_FLIGHTS];
    uint64_t calling[GO_FLIGHTS];
    struct go_call calls[GO_FLIGHTS];
    struct go_live live[GO_LIVE];
};

/* The clock of go_state. */
uint64_t go_clock(const struct go_state *state);
/* What is the same wherever the hook is put in; `stacks` is the address of GO_STACKS *
 * GO_STACK_SIZE bytes in the program. The rest of a zeroed state is the caller's to set. */
void go_state_init(struct go_state *state, uint64_t stacks);
/* Opens the tables that the hook writes to. Returns 0 or -errno. */
int go_state_open(struct region *r);
/* The ranges of a plan's codec functions. */
void go_state_ranges(struct go_state *state, const struct go_plan *plan);

/* Where trampolines lead. Not a function to call. */
void go_entry(void);

#endif
