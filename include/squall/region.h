/* The region: the one file that libsquall.so writes and squall reads.
 *
 * Why it exists: the live view, what is left after a crash and the final dump are the same bytes,
 * so nothing has to be asked of the watched process and nothing is lost when it is killed.
 *
 * Who writes what: only the watched process writes, and only the rooms src/region and src/shim.
 * Everything else reads, and distrusts every number that it finds here.
 *
 * All integers are of the byte order of the machine that wrote them (byte_order tells), fixed
 * width, and naturally aligned. Offsets count bytes from the start of the file. Row 0 of every
 * table is its overflow row: what fits nowhere else is added there, or, where a sum would mean
 * nothing, it stays zero. A change of any layout below bumps REGION_VERSION. */
#ifndef SQUALL_REGION_H
#define SQUALL_REGION_H

#include <stdint.h>

#define REGION_MAGIC "SQUALLRG" /* 8 bytes, no terminating zero */
#define REGION_VERSION 1u
#define REGION_BYTE_ORDER 0x01020304u
#define REGION_HEADER_SIZE 8192u
/* Tables grow in steps, one populate call each, that double from the first to the second. */
#define REGION_FIRST_STEP (32u * 1024u)
#define REGION_STEP (256u * 1024u)
#define REGION_BOUND_MIN (2u * 1024u * 1024u) /* holds every table */
#define REGION_BOUND_MAX (1ull << 40)

enum region_table {
    REGION_THREADS = 1,     /* struct region_thread */
    REGION_MODULES,         /* struct region_module */
    REGION_STRINGS,         /* bytes; a string is named by its offset in this table, 0 = none */
    REGION_STACKS,          /* struct region_stack */
    REGION_FRAMES,          /* uint64_t, see REGION_FRAME_EXACT */
    REGION_SITES,           /* struct region_site */
    REGION_CELLS,           /* struct region_cell */
    REGION_REMOTE,          /* struct region_remote, same row number as its cell */
    REGION_LARGE,           /* struct region_large */
    REGION_HISTOGRAMS,      /* struct region_histogram */
    REGION_CODEC_FUNCTIONS, /* struct region_codec_function */
    REGION_CODEC_CALLS,     /* struct region_codec_call */
    REGION_CODEC_SIZES,     /* struct region_codec_size, REGION_SIZE_CLASSES rows a codec call */
    REGION_CONCURRENCY,     /* struct region_concurrency, REGION_LEVELS rows a codec call */
    REGION_CONTEXTS,        /* struct region_context */
    REGION_GO,              /* struct region_go */
    REGION_ANON,            /* struct region_anon */
    REGION_TIMELINE,        /* struct region_tick, a ring */
    REGION_TABLE_COUNT = REGION_TIMELINE
};

/* One table. committed and used are written by the watched process while it runs: rows
 * [0, used) hold data, used <= committed <= capacity always. For the ring of ticks, used is the
 * number of ticks ever written and may exceed capacity. */
struct region_directory {
    uint32_t type;      /* enum region_table; readers skip what they do not know */
    uint32_t row_size;  /* bytes; readers accept rows longer than they know */
    uint64_t offset;    /* bytes from the start of the file */
    uint64_t capacity;  /* rows */
    uint64_t committed; /* rows backed by memory or disk */
    uint64_t used;
    uint64_t reserved;
};
_Static_assert(sizeof(struct region_directory) == 48, "crosses the process boundary");

/* What was not recorded, by reason. Counts are events unless said otherwise. */
enum region_lost {
    REGION_LOST_THREADS,    /* threads that share the overflow row */
    REGION_LOST_MODULES,    /* modules without a row */
    REGION_LOST_STRINGS,    /* paths, names and arguments that did not fit */
    REGION_LOST_STACKS,     /* allocations whose new stack did not fit: counted at site 0 */
    REGION_LOST_SITES,      /* allocations whose new site did not fit: counted at site 0 */
    REGION_LOST_CELLS,      /* allocations counted in the site's shared cell: thread not known */
    REGION_LOST_LARGE,      /* cells without a row for their large blocks */
    REGION_LOST_HISTOGRAMS, /* sites without histograms */
    REGION_LOST_LIVE,       /* allocations not recorded at a site: no room among the live blocks */
    REGION_LOST_COMMITS,    /* commits that failed: disk or tmpfs full, memory cgroup */
    REGION_LOST_BUSY,       /* allocations in a signal handler that interrupted squall: site 0 */
    REGION_LOST_UNWIND,     /* allocations whose stack could not be walked at all: site 0 */
    REGION_LOST_TICKS,      /* ticks overwritten in the ring, or without a ring */
    REGION_LOST_CODEC,      /* codec calls that were not recorded */
    REGION_LOST_CONTEXTS,   /* codec contexts without a row */
    REGION_LOST_PRIVATE,    /* threads without private memory: their stacks are not walked */
    REGION_LOST_MAPPINGS,   /* anonymous mappings, or ends of them, that were not recorded */
    REGION_LOST_GO,         /* Go's: allocations whose begin or end was not recorded */
    REGION_LOST_COUNT
};

enum region_mode { REGION_MODE_DEFAULT = 0, REGION_MODE_EXACT = 1 };

/* Where the file is. */
enum region_place {
    REGION_PLACE_DIR = 1,  /* SQUALL_DIR */
    REGION_PLACE_RUNTIME,  /* $XDG_RUNTIME_DIR/squall */
    REGION_PLACE_SHM,      /* /dev/shm/squall-UID */
    REGION_PLACE_TMP,      /* /tmp/squall-UID */
    REGION_PLACE_MEMFD,    /* no file: a memfd, gone when the process ends */
    REGION_PLACE_ANONYMOUS /* not even that: shared anonymous memory, gone likewise */
};

enum region_clock { REGION_CLOCK_TSC = 1, REGION_CLOCK_MONOTONIC_RAW = 2 };

/* Things that went another way than planned; each becomes a line of the visibility part. */
enum region_note {
    REGION_NOTE_DIR_REFUSED = 1u << 0,    /* SQUALL_DIR unusable, another place was taken */
    REGION_NOTE_NOT_TMPFS = 1u << 1,      /* stores may wait for writeback */
    REGION_NOTE_BOUND_LOWERED = 1u << 2,  /* by RLIMIT_FSIZE, RLIMIT_AS or an old kernel */
    REGION_NOTE_NO_POPULATE = 1u << 3,    /* Linux before 5.14: space taken at the start */
    REGION_NOTE_NO_PROC = 1u << 4,        /* /proc not readable */
    REGION_NOTE_NO_WIPEONFORK = 1u << 5,  /* raw clone is not noticed */
    REGION_NOTE_FOREIGN_MALLOC = 1u << 6, /* the executable defines malloc itself: not seen */
    REGION_NOTE_AT_SECURE = 1u << 7,      /* raised privileges: environment ignored */
    REGION_NOTE_BAD_CONF = 1u << 8,       /* SQUALL_CONF had an unknown key or a bad value */
    REGION_NOTE_LIVE_SMALL = 1u << 9,     /* table of live blocks smaller than wanted */
    REGION_NOTE_NO_UNWIND = 1u << 10,     /* stacks are not walked */
    REGION_NOTE_LIBUNWIND = 1u << 11,     /* stacks are walked by libunwind, as asked */
    REGION_NOTE_DISPATCH = 1u << 12,      /* it has system calls handed to itself: none is made */
    REGION_NOTE_SANDBOX = 1u << 13 /* the program installed a seccomp filter: few calls are made */
};

/* Configuration in force (SQUALL_CONF). Sizes in bytes, times in nanoseconds. */
struct region_configuration {
    uint32_t mode; /* enum region_mode */
    uint32_t children;
    uint32_t args;
    uint32_t go;
    uint32_t unwind; /* 0 own, 1 libunwind */
    uint32_t perm;   /* file mode */
    uint64_t large;
    uint64_t sample; /* mean bytes between samples; 0 = only large */
    uint64_t transient_ns;
    uint64_t region;
    uint64_t tick_ns;
    uint64_t seed;  /* of the sampler, 0 = from the kernel */
    uint64_t codec; /* string: names given with codec:, one a line */
};
_Static_assert(sizeof(struct region_configuration) == 80, "crosses the process boundary");

enum region_go_state {
    REGION_GO_NONE,     /* no Go program, or not looked at */
    REGION_GO_HOOKED,   /* its allocator is watched */
    REGION_GO_OFF,      /* go:off */
    REGION_GO_DECLINED, /* something did not verify: it was left alone */
    REGION_GO_DETACHED
};

struct region_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint32_t header_size;
    uint32_t directory_count;
    uint64_t directory_offset;
    uint64_t bound; /* length of the file; never changes */

    /* Who. */
    uint64_t run_id;        /* given by squall run, 0 without */
    uint64_t random;        /* the RANDOM of the file's name */
    uint8_t boot_id[16];    /* zero where /proc is missing */
    uint64_t pid_namespace; /* inode of /proc/self/ns/pid, 0 = not known */
    int32_t pid;            /* in that namespace */
    int32_t parent;
    uint32_t uid;
    uint32_t epoch;       /* forks since the process image was loaded */
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, 0 = not known */
    uint64_t start_realtime_ns;
    uint64_t start_raw_ns; /* CLOCK_MONOTONIC_RAW, read together with start_clock */
    uint64_t start_clock;  /* ticks of the clock below */
    uint32_t clock;        /* enum region_clock; unit of every "ticks" in this file */
    uint32_t place;        /* enum region_place */
    uint64_t filesystem;   /* f_type of statfs */
    uint64_t exe;          /* string */
    uint64_t arguments;    /* string of arguments_size bytes, arguments ended by zeros */
    uint64_t arguments_size;
    struct region_configuration configuration;

    /* How it ended. */
    uint32_t ended;      /* 1 = the exit handlers ran */
    uint32_t notes;      /* enum region_note */
    uint64_t end_raw_ns; /* the last pair of clocks: at the end, else at the last tick */
    uint64_t end_clock;
    uint32_t pair_sequence; /* odd while the pair above is written */
    uint32_t module_event;  /* counts loads and unloads, see region_module */
    /* Go, see struct region_go. Counters are atomic. */
    uint32_t go_state;     /* enum region_go_state */
    uint32_t go_minor;     /* 19 of Go 1.19; 0 = not known */
    uint64_t go_version;   /* string */
    uint64_t go_reason;    /* string: what did not verify */
    uint64_t go_threshold; /* smaller blocks of Go's heap are not seen */
    uint64_t go_entries;   /* of large allocations; with no goroutine in one as many as exits */
    uint64_t go_exits;
    uint64_t go_now; /* goroutines in one now */
    uint64_t go_at_once_max;
    uint64_t go_cycles;  /* collections that ended */
    uint64_t go_stop_ns; /* how long the program was stopped to put the hook in, 0 = not at all */
    uint8_t reserved0[168];
    uint64_t lost[32]; /* by enum region_lost; atomic */

    /* Sums over blocks from `large` up, of this process; atomic, a cache line each group. */
    uint64_t large_live __attribute__((aligned(64))); /* bytes */
    uint64_t large_peak;
    uint64_t large_allocs;
    uint64_t large_bytes;
    uint64_t in_allocator; /* threads now in a slow-path allocation */
    uint64_t codec_bytes;
    uint64_t inherited_frees __attribute__((aligned(64)));
    uint64_t untracked_frees; /* exact mode: of blocks that squall never saw born */
};
_Static_assert(sizeof(struct region_header) <= 2048, "the directory follows at 2048");
#define REGION_DIRECTORY_OFFSET 2048u

/* Rows that begin with a sequence word: odd while the owner writes. A reader that meets an odd or
 * changed one tries again, then takes the row and marks it torn. */

/* One thread, or several one after the other (generations). The hot line is written by the
 * thread itself with plain stores; row 0 is written by many, atomically.
 * Bytes requested by the thread so far = byte_goal - byte_left (mod 2^64): one subtraction on the
 * fast path serves the sum and the sampler. */
struct region_thread {
    uint32_t sequence;
    int32_t tid; /* 0 = not used */
    uint32_t generations;
    uint32_t owner; /* tid of the thread that may write it; written with a compare-and-swap */
    char name[16];  /* as prctl gives it: up to 15 bytes and a zero */
    uint64_t start_clock;
    uint64_t last_clock; /* last slow path of this thread */
    uint32_t codec_call; /* row of the codec call it is in, 0 = none */
    uint32_t reserved0[3];
    uint64_t byte_left __attribute__((aligned(64)));
    uint64_t byte_goal;
    uint64_t allocs;
    uint64_t frees;
    uint64_t reserved1[4];
};
_Static_assert(sizeof(struct region_thread) == 128, "crosses the process boundary");

/* One load of one module. An address of a stack belongs to the module whose range holds it and
 * with born <= stack.module_event and (gone == 0 or gone > stack.module_event). */
struct region_module {
    uint64_t base;  /* load bias: address - base is the address in the file's symbol table */
    uint64_t start; /* first and one past the last mapped address */
    uint64_t end;
    uint64_t path; /* string; for the executable, the target of /proc/self/exe */
    uint32_t born; /* value of header.module_event when it was first seen */
    uint32_t gone; /* the same when it was unloaded, 0 = still there */
    uint8_t build_id[20];
    uint32_t build_id_size; /* 0 = none */
    uint32_t allocator;     /* enum region_allocator, embedded in it */
    uint32_t flags;         /* enum region_module_flag */
    uint64_t link_map;      /* address of the loader's entry, 0 = not known */
    uint64_t reserved[6];
};
_Static_assert(sizeof(struct region_module) == 128, "crosses the process boundary");

enum region_allocator {
    REGION_ALLOCATOR_NONE,
    REGION_ALLOCATOR_GLIBC,
    REGION_ALLOCATOR_JEMALLOC,
    REGION_ALLOCATOR_TCMALLOC,
    REGION_ALLOCATOR_MIMALLOC,
    REGION_ALLOCATOR_OTHER /* defines malloc */
};
enum region_module_flag {
    REGION_MODULE_EXECUTABLE = 1, /* the program itself */
    REGION_MODULE_NEXT = 2,       /* the allocator that squall forwards to */
    REGION_MODULE_VDSO = 4,
    REGION_MODULE_SQUALL = 8
};

/* Why a stack has no further frame. */
enum region_stack_end {
    REGION_END_UNKNOWN,
    REGION_END_OUTERMOST,   /* _start or the thread's first function */
    REGION_END_NO_RULE,     /* a module without unwind information for this address */
    REGION_END_JIT,         /* an address outside every module */
    REGION_END_BOUND,       /* more frames than are kept */
    REGION_END_OTHER_STACK, /* the next frame is not on this stack */
    REGION_END_BAD_MEMORY,  /* the next frame would lie outside the stack */
    REGION_END_TOO_HARD,    /* an unwind rule that the walker does not do */
    REGION_END_NOT_WALKED,  /* busy, no memory, or unwinding is off */
    REGION_END_CYCLE,       /* the walk came back to where it was */
    REGION_END_COUNT
};

/* A distinct stack: `count` addresses from row `first` of the frames, innermost first. */
struct region_stack {
    uint64_t hash;
    uint32_t first;
    uint16_t count;
    uint8_t end; /* enum region_stack_end */
    uint8_t reserved0;
    uint32_t module_event; /* header.module_event when it was recorded */
    uint32_t reserved1;
};
_Static_assert(sizeof(struct region_stack) == 24, "crosses the process boundary");

/* Frames are return addresses (the call is just before them), unless this bit is set: then the
 * address itself was interrupted, by a signal. */
#define REGION_FRAME_EXACT (1ull << 63)
#define REGION_FRAMES_MAX 128u /* a stack keeps no more than these */

enum region_runtime { REGION_RUNTIME_C = 0, REGION_RUNTIME_GO = 1 };

/* A stack and a codec context. The atomic sums cover blocks from `large` up, over all threads. */
struct region_site {
    uint64_t hash; /* of stack and codec context; 0 = row not yet published */
    uint32_t stack;
    uint32_t codec_function; /* row, 0 = not in a codec call */
    uint32_t codec_call;     /* row, 0 = none or arguments not seen */
    uint32_t runtime;        /* enum region_runtime */
    uint32_t histogram;      /* row, 0 = none (yet) */
    uint32_t shared_cell;    /* row of the cell for threads that have none, 0 = none */
    uint32_t direction;      /* enum region_direction of codec_function */
    uint32_t shared_sampled; /* the same as shared_cell, for sampled blocks */
    uint64_t first_clock;
    uint32_t events;   /* until it has histograms */
    uint32_t go_flags; /* enum region_go_flag */
    uint64_t large_live __attribute__((aligned(64)));
    uint64_t large_peak;
    uint64_t go; /* row of REGION_GO, 0 = none */
    uint64_t reserved1[5];
};
_Static_assert(sizeof(struct region_site) == 128, "crosses the process boundary");

/* The runtime makes the blocks for a function that compresses a message; by growing a slice. */
enum region_go_flag { REGION_GO_OUTPUT = 1, REGION_GO_GROWN = 2 };

enum region_cell_kind {
    REGION_CELL_EXACT = 0,  /* every block counted: exact mode, or blocks from `large` up */
    REGION_CELL_SAMPLED = 1 /* estimates: allocs and frees in units of 1/65536 block */
};
#define REGION_SAMPLED_UNIT 65536u

/* The sums of one (site, thread, kind). Written by the owner with plain stores between an odd and
 * an even sequence; a shared cell (thread 0) by many, atomically, and its sequence stays even.
 * Live bytes = bytes - freed_bytes - remote.freed_bytes; the same for blocks. The sums of a
 * sampled cell are estimates, except `samples`, min and max, which are of the blocks sampled. */
struct region_cell {
    uint32_t sequence;
    uint32_t site;
    uint32_t thread; /* row; 0 = shared */
    uint16_t kind;   /* enum region_cell_kind */
    uint16_t check;  /* for the process itself */
    uint64_t allocs;
    uint64_t frees; /* by the thread that allocated */
    uint64_t bytes;
    uint64_t freed_bytes;
    uint64_t peak_bytes; /* of live bytes; exact for an owned cell, an upper bound if shared */
    uint64_t size_min;   /* UINT64_MAX = none yet, or 0 with samples 0 */
    uint64_t size_max;
    uint64_t life_min; /* ticks, as all lives; of blocks freed by the thread that allocated */
    uint64_t life_max;
    uint64_t life_sum;
    uint64_t samples;         /* blocks recorded */
    uint64_t allocator_ticks; /* in the allocator, scaled up from the blocks that were timed */
    uint64_t freed_samples;   /* lives in life_sum; a timed life may stand for several blocks'; both
                                 stop at a sum of 2^63, as those of ratios */
    uint32_t large;           /* row of the large table, 0 = no large block yet */
    uint32_t flags;           /* enum region_cell_flag */
};
_Static_assert(sizeof(struct region_cell) == 128, "crosses the process boundary");
enum region_cell_flag { REGION_CELL_PEAK_IS_BOUND = 1 };

/* Frees of a cell's blocks by other threads; atomic, on a cache line of their own. */
struct region_remote {
    uint64_t frees; /* units as in the cell */
    uint64_t freed_bytes;
    uint64_t life_min_inverted; /* ~life_min, so that 0 = none */
    uint64_t life_max;
    uint64_t life_sum;
    uint64_t freed_samples;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct region_remote) == 64, "crosses the process boundary");

/* The blocks from `large` up of one cell; atomic adds (such blocks are rare and dear). */
struct region_large {
    uint32_t cell;
    uint32_t served_call; /* row of the codec call that used such a block last as output or input */
    uint64_t allocs;
    uint64_t frees;
    uint64_t bytes;
    uint64_t freed_bytes;
    uint64_t size_min_inverted; /* ~min, so that 0 = none */
    uint64_t size_max;
    uint64_t remote_frees;
    /* Blocks that lived at most `transient`, or served one message and were freed; never one that
     * served two. */
    uint64_t transient;
    uint64_t transient_bytes;
    uint64_t mmapped; /* blocks that the allocator took with mmap */
    uint64_t timed;   /* blocks whose time in the allocator is in the cell */
    uint64_t workspace_allocs;
    uint64_t workspace_bytes;
    uint64_t output_allocs;
    uint64_t output_bytes;
    uint64_t input_allocs;
    uint64_t input_bytes;
    uint64_t reused; /* blocks that served two messages or more, or one again from its start */
    uint64_t served; /* messages served, over all blocks */
    /* Ratio of buffer to source and to produced bytes of a message, in 1/65536. */
    uint64_t source_ratio_min_inverted;
    uint64_t source_ratio_max;
    uint64_t source_ratio_sum;
    uint64_t source_ratio_count;
    uint64_t produced_ratio_min_inverted;
    uint64_t produced_ratio_max;
    uint64_t produced_ratio_sum;
    uint64_t produced_ratio_count;
    uint64_t grown;               /* blocks that a realloc made of another large block */
    uint64_t served_source_bytes; /* of the messages that are in the ratios */
    uint64_t served_produced_bytes;
    uint64_t handed_over; /* workspaces that the program took before and gave to the codec */
};
_Static_assert(sizeof(struct region_large) == 256, "crosses the process boundary");

/* Half-octave classes: value v > 0 with top bit b falls into 2b + (next bit below the top), at
 * most REGION_CLASSES - 1; 0 falls into class 0. Class c thus starts at
 * (2 + (c & 1)) << (c / 2) >> 1. Adds are not atomic: a histogram gives a shape, the cells give
 * the sums. Of the small blocks of exact mode only those enter whose life is timed, each as often as
 * there are blocks that it stands for; all classes are halved before one runs over. */
#define REGION_CLASSES 96u
struct region_histogram {
    uint32_t site;
    uint32_t reserved[15];
    uint32_t size[REGION_CLASSES];      /* bytes */
    uint32_t life[REGION_CLASSES];      /* ticks */
    uint32_t allocator[REGION_CLASSES]; /* ticks in the allocator, of the blocks timed */
};
_Static_assert(sizeof(struct region_histogram) == 1216, "crosses the process boundary");
#define REGION_HISTOGRAM_EVENTS 16u /* a site with fewer events has none */

enum region_direction { REGION_DIRECTION_NONE, REGION_COMPRESS, REGION_DECOMPRESS };
enum region_codec_found {
    REGION_FOUND_NAME = 1, /* in a symbol table */
    REGION_FOUND_ARGUMENT, /* reserved */
    REGION_FOUND_FRAMES,   /* a thread of the library's own, without a name */
    REGION_FOUND_MARK      /* the program marked it, see squall.h */
};

/* Why the arguments of a codec function are not seen. */
enum region_refused {
    REGION_REFUSED_NOT,
    REGION_REFUSED_KIND,       /* nothing to see: a bound, a thread of the library */
    REGION_REFUSED_OFF,        /* args:off */
    REGION_REFUSED_RUNNING,    /* it may have been running already when it was first seen */
    REGION_REFUSED_DECODE,     /* its first instructions cannot be moved */
    REGION_REFUSED_JUMP,       /* it jumps back into its first instructions */
    REGION_REFUSED_SHORT,      /* it is shorter than a jump */
    REGION_REFUSED_BREAKPOINT, /* a debugger is there */
    REGION_REFUSED_WRITE,      /* the code cannot be written */
    REGION_REFUSED_ROOM,       /* no memory within reach of a jump, or too many functions */
    REGION_REFUSED_VARIANT     /* a copy that the compiler made, perhaps with other arguments */
};

struct region_codec_function {
    uint64_t name;    /* string */
    uint64_t address; /* in the process */
    uint64_t size;
    uint32_t module;
    uint16_t codec;    /* row of the shim's table of codecs */
    uint8_t direction; /* enum region_direction */
    uint8_t kind;      /* one-shot, stream, create, init, end, free, bound */
    uint8_t found;     /* enum region_codec_found */
    uint8_t patched;   /* 1 = its arguments are seen */
    uint16_t refused;  /* enum region_refused */
    uint32_t reserved0;
    uint64_t reserved1[3];
};
_Static_assert(sizeof(struct region_codec_function) == 64, "crosses the process boundary");

/* Calls whose arguments are seen, by (function, calling stack, thread), written by that thread with
 * plain stores. A call that another one of the same codec makes is nested: it is counted in a row
 * of its own, under the stack of the outermost call, and nothing else is known of it.
 *
 * A message is what the program compresses as one: the source of a one-shot call, or all that goes
 * through a context from its first stream call to its end, reset or new start.
 *
 * CPU time, faults and switches cost system calls, so of short calls they are taken on one in so
 * many; `timed` of them took timed_ticks, which scales them to all. */
struct region_codec_call {
    uint32_t concurrency; /* first of REGION_LEVELS rows, 0 = none */
    uint32_t function;
    uint32_t stack; /* of the caller */
    uint32_t sizes; /* first of REGION_SIZE_CLASSES rows, 0 = none */
    uint64_t calls;
    uint64_t nested;
    uint64_t failures;
    uint64_t source_bytes;
    uint64_t produced_bytes;
    uint64_t output_capacity; /* sum over the calls */
    uint64_t ticks;           /* of all calls */
    uint64_t cpu_ns;
    uint64_t page_faults;
    uint64_t context_switches;
    uint64_t timed;
    uint64_t timed_ticks;
    uint32_t thread; /* row */
    uint32_t left;   /* calls that were left without returning: longjmp, exception, exit */
    uint64_t messages;
};
_Static_assert(sizeof(struct region_codec_call) == 128, "crosses the process boundary");

/* Messages by size: octaves of source bytes; class 0 holds 0, class c from 1 up holds
 * [2^(c-1), 2^c). `ticks` is of all calls for these messages; cpu_ns, page_faults and
 * context_switches of timed calls that took timed_ticks, as above. */
#define REGION_SIZE_CLASSES 48u
struct region_codec_size {
    uint64_t messages;
    uint64_t source_bytes;
    uint64_t produced_bytes;
    uint64_t ticks;
    uint64_t cpu_ns;
    uint64_t page_faults;
    uint64_t context_switches;
    uint64_t timed_ticks;
};
_Static_assert(sizeof(struct region_codec_size) == 64, "crosses the process boundary");

/* Outermost compress calls by how many of them ran in the process when the call began, itself
 * included: level n up to 32 in row n - 1, above that eight levels a row, the last row for all that
 * are more. The rows of all codec calls add up to those of the process; rows [0, REGION_LEVELS) of
 * the table take what found no room, atomically. CPU time as above.
 *
 * wall_ticks is in those first rows only: how long the process had so many calls under way.
 * flow_bytes, the source bytes of calls by the levels at which they began and ended, half each, add
 * up as the calls do. The quotient of the process's is its throughput at a level. */
#define REGION_LEVELS 64u
struct region_concurrency {
    uint64_t calls;
    uint64_t source_bytes;
    uint64_t ticks;
    uint64_t cpu_ns;
    uint64_t timed_ticks;
    uint64_t wall_ticks;
    uint64_t flow_bytes;
    uint64_t reserved;
};
_Static_assert(sizeof(struct region_concurrency) == 64, "crosses the process boundary");

/* Contexts by (function that made them, calling stack): ZSTD_createCCtx, deflateInit2_. */
struct region_context {
    uint32_t function;
    uint32_t stack;
    uint64_t created;
    uint64_t ended;
    uint64_t single; /* ended after one message at most */
    uint64_t messages;
    uint64_t calls;
    uint64_t source_bytes;
    uint64_t reserved;
};
_Static_assert(sizeof(struct region_context) == 64, "crosses the process boundary");

/* A site of a Go program, whose sums are in its shared cell; atomic. Blocks live until they are
 * swept; `transient` are those swept within two collections. Row 0: sites without a row. */
struct region_go {
    uint32_t site;
    uint32_t reserved0;
    uint64_t entries;
    uint64_t exits;
    uint64_t assist_ticks; /* in mallocgc, of the cell's allocator_ticks: helping the collector */
    uint64_t heap_ticks;   /* in the heap: locks, sweeping, memory of the kernel's */
    uint64_t zero_ticks;
    uint64_t at_once_max; /* goroutines in mallocgc, of any site, when one of this site came */
    uint64_t swept;
    uint64_t swept_bytes;
    uint64_t swept_ticks;
    uint64_t longest_ticks;     /* in mallocgc, */
    uint64_t longest_goroutine; /* and by which */
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct region_go) == 128, "crosses the process boundary");

/* Anonymous mappings that malloc does not account for, by the stack that made them: writable ones
 * of at least `large` bytes, in whole pages, made neither by the allocator that squall forwards to
 * nor for a thread's stack. Atomic adds. A mapping is counted as unmapped once no page of it is
 * left, its bytes page by page. mremap ends one mapping and makes another. */
struct region_anon {
    uint64_t stack; /* row; written last, 0 = not yet published */
    uint64_t maps;
    uint64_t unmaps;
    uint64_t bytes;
    uint64_t unmapped_bytes;
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct region_anon) == 64, "crosses the process boundary");

/* One tick of slow-path operations; row = number of the tick modulo capacity. */
struct region_tick {
    uint64_t number; /* ticks ever written when this one was, from 1; 0 = none; written last */
    uint64_t clock;  /* the pair: clock and CLOCK_MONOTONIC_RAW at once */
    uint64_t raw_ns;
    uint64_t live_bytes; /* of blocks from `large` up */
    uint64_t allocated_bytes;
    uint64_t allocs;
    uint64_t codec_bytes;
    uint64_t in_allocator;
};
_Static_assert(sizeof(struct region_tick) == 64, "crosses the process boundary");

#endif
