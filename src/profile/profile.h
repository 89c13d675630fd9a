/* profile: a region or a packed dump, loaded into one plain data model.
 *
 * Why: everything behind this door (names, findings, formats) works on arrays and strings that
 * were checked once; no other room looks at region bytes. Counts and sizes are as in
 * squall/region.h unless said otherwise; times are nanoseconds (the clock is calibrated here).
 *
 * Who owns what: a profile owns all that it points to until profile_free. Strings are never NULL
 * and are what the watched process wrote: not printable, not UTF-8 until a renderer made them so.
 *
 * Errors: functions return 0 or a negative errno and fill struct profile_error, whose text is the
 * one line to show: "FILE: offset N: REASON". */
#ifndef SQUALL_PROFILE_H
#define SQUALL_PROFILE_H

#include <squall/region.h>
#include <stdio.h>

#include "base/base.h"

struct profile_error {
    char text[512];
};

enum profile_state {
    PROFILE_RUNNING,
    PROFILE_ENDED,    /* the exit handlers ran */
    PROFILE_DIED,     /* it is gone and they did not */
    PROFILE_REPLACED, /* by exec */
    PROFILE_UNKNOWN
};

struct profile_thread {
    uint32_t row; /* 0 = the overflow row: threads that share it */
    int32_t tid;
    uint32_t generations; /* threads that used the row before this one */
    const char *name;
    uint64_t start_ns; /* since the process started */
    uint64_t allocs, frees, bytes;
};

struct profile_module {
    const char *path;
    uint8_t build_id[20];
    uint32_t build_id_size; /* 0 = none */
    uint64_t base, start, end;
    uint32_t born, gone; /* see region_module */
    bool unloaded;
    uint32_t allocator; /* enum region_allocator */
    uint32_t flags;     /* enum region_module_flag */
};

/* A frame's name as a dump kept it; a region has none. */
struct profile_symbol {
    uint64_t address;            /* as in frames, REGION_FRAME_EXACT included */
    uint32_t module;             /* index, see profile_process.modules */
    const char *function, *file; /* "" = not known */
    uint32_t line;
    bool inlined; /* in the next symbol of the same address */
};

struct profile_stack {
    const uint64_t *frames; /* innermost first, see REGION_FRAME_EXACT */
    uint32_t count;         /* at most REGION_FRAMES_MAX */
    uint32_t end;           /* enum region_stack_end */
    uint32_t module_event;
};

/* Estimates are in blocks as elsewhere: the 1/65536 units of sampled cells are gone, rounded. */
struct profile_large {
    uint64_t allocs, frees, bytes, freed_bytes, size_min, size_max; /* frees: by any thread */
    uint64_t transient, transient_bytes, mmapped, reused, served;
    uint64_t workspace_allocs, workspace_bytes, output_allocs, output_bytes, input_allocs,
        input_bytes;
    double source_ratio_min, source_ratio_max, source_ratio_mean; /* count 0: not known */
    uint64_t source_ratio_count;
    double produced_ratio_min, produced_ratio_max, produced_ratio_mean;
    uint64_t produced_ratio_count;
    uint64_t grown, handed_over; /* see region_large */
    uint64_t served_source_bytes, served_produced_bytes;
    uint32_t served_call; /* index into codec_calls, 0 = none */
};

struct profile_life {
    uint64_t count, min, max, sum; /* nanoseconds; count 0: the rest means nothing */
};

/* The sums of one site and thread. A thread that has both an exact and a sampled cell at a site
 * has one of these for each. */
struct profile_cell {
    uint32_t thread; /* index into threads */
    bool sampled;    /* estimates */
    bool shared;     /* the cell of threads without one of their own; thread is 0 then */
    bool torn;       /* read while it was being written, or left so by a kill */
    uint64_t allocs, frees, remote_frees; /* frees: by any thread, remote included */
    uint64_t bytes, freed_bytes;
    uint64_t live_bytes, live_blocks;
    uint64_t peak_bytes;
    bool peak_is_bound;          /* an upper bound, not the peak itself */
    uint64_t size_min, size_max; /* of the blocks recorded */
    uint64_t samples;
    uint64_t allocator_ns;
    struct profile_life life;
    struct profile_large large; /* allocs 0: no large block */
};

/* A site of a Go program, see region_go: time in mallocgc by what it was spent on. */
struct profile_go {
    uint64_t entries, exits;
    uint64_t assist_ns, heap_ns, zero_ns;
    uint64_t at_once_max; /* goroutines in mallocgc */
    uint64_t longest_ns, longest_goroutine;
};

struct profile_go_runtime {
    uint32_t state; /* enum region_go_state */
    const char *version, *reason;
    uint64_t threshold; /* bytes: smaller blocks are not seen */
    uint64_t entries, exits, at_once, at_once_max, cycles;
    uint64_t stop_ns; /* how long it was stopped to put the hook in */
};

struct profile_site {
    uint32_t id;    /* the row in the region: unique within the process */
    uint32_t stack; /* index into stacks; 0 is the empty stack */
    uint32_t runtime;
    uint32_t codec_function; /* index into codec_functions, 0 = none */
    uint32_t codec_call;     /* index into codec_calls: the one it was in first; 0 = not seen */
    uint32_t direction;
    uint32_t first_cell, cell_count; /* cells[first_cell ...], sorted by bytes, largest first */
    /* REGION_CLASSES each, or NULL. The classes of sizes are bytes; those of lives and of time in
     * the allocator are ticks: profile_class_start() divided by ticks_per_ns. */
    const uint32_t *size_classes, *life_classes, *allocator_classes;
    uint64_t large_peak; /* of live bytes of blocks from `large` up, over all threads: exact */
    const struct profile_go *go; /* NULL = not Go's */
};

struct profile_codec_function {
    const char *name;
    uint32_t module, codec, direction, kind, found, patched, refused;
};

/* What region_codec_call says; all times scaled: cpu_ns, page_faults and context_switches stand for
 * all calls, but are estimates where `timed` is less than `calls`. */
struct profile_codec_size {
    uint64_t from, to; /* source bytes [from, to) */
    uint64_t messages, source_bytes, produced_bytes, ns, cpu_ns, page_faults, context_switches;
};

struct profile_concurrency {
    uint32_t level; /* calls at once; above 32 the first of a class */
    uint64_t calls, source_bytes, ns, cpu_ns;
    uint64_t wall_ns, flow_bytes; /* of the process only, see region_concurrency */
};

struct profile_codec_call {
    uint32_t same_as;  /* index: the calls of this row are added up there; calls is 0 elsewhere */
    uint32_t function; /* index into codec_functions */
    uint32_t stack;    /* of the caller */
    uint64_t calls, nested, failures, left, messages;
    uint64_t source_bytes, produced_bytes, output_capacity;
    uint64_t ns, cpu_ns, page_faults, context_switches, timed;
    uint32_t threads;
    const struct profile_codec_size *sizes; /* those with messages, smallest first */
    uint32_t size_count;
    const struct profile_concurrency *levels; /* those with calls, lowest first */
    uint32_t level_count;
};

struct profile_context {
    uint32_t function, stack;
    uint64_t created, ended, single, messages, calls, source_bytes;
};

/* Anonymous mappings that malloc does not account for, by the stack that made them. */
struct profile_anon {
    uint32_t stack;
    uint64_t maps, unmaps, bytes, unmapped_bytes;
};

struct profile_tick {
    uint64_t ns; /* since the process started */
    uint64_t live_bytes, allocated_bytes, allocs, codec_bytes, in_allocator;
};

struct profile_process {
    const char *file; /* where it was read from */
    char root[32];    /* as profile_found.root, if it was found by its number */
    uint64_t key;     /* header.random: names one region */
    int32_t pid, parent;
    uint32_t uid, epoch;
    const char *exe;
    const char **arguments; /* argument_count, then NULL */
    uint32_t argument_count;
    uint64_t run_id;
    uint8_t boot_id[16];
    uint64_t start_ticks;
    uint64_t start_realtime_ns;
    uint64_t seconds_ns; /* from its start to its end, or to now, or to its last sign of life */
    enum profile_state state;
    const char *ended_by; /* "exit 0", "signal 9", "oom"; NULL = not known */
    struct region_configuration configuration;
    const char *codec_patterns;
    uint32_t place, clock, notes;
    uint64_t filesystem;
    double ticks_per_ns; /* of the region's clock; never 0 */
    bool clock_guessed;  /* nothing to calibrate by: all times are ticks taken for nanoseconds */
    bool mapped;         /* some process has the region mapped now: not to be removed */
    uint64_t lost[32];   /* by enum region_lost */
    uint64_t inherited_frees, untracked_frees;
    uint64_t large_live, large_peak, large_allocs, large_bytes;
    uint64_t codec_bytes; /* header.codec_bytes */
    uint64_t torn;        /* rows that were torn */
    struct profile_go_runtime go;

    /* Index 0 is the row 0 of each table. */
    struct profile_thread *threads;
    uint32_t thread_count;
    struct profile_module *modules;
    uint32_t module_count;
    const struct module_index *module_index; /* private to this room; NULL: none was made */
    struct profile_stack *stacks;
    uint32_t stack_count;
    const uint64_t *frames; /* those of all stacks, which may share them */
    uint64_t frame_count;
    struct profile_site *sites;
    uint32_t site_count;
    struct profile_cell *cells;
    uint32_t cell_count;
    struct profile_codec_function *codec_functions;
    uint32_t codec_function_count;
    struct profile_codec_call *codec_calls;
    uint32_t codec_call_count;
    const struct profile_concurrency *levels; /* of the whole process */
    uint32_t level_count;
    struct profile_context *contexts;
    uint32_t context_count;
    struct profile_anon *anons;
    uint32_t anon_count;
    struct profile_tick *ticks; /* oldest first */
    uint32_t tick_count;
    struct profile_symbol *symbols; /* sorted by address, module; innermost first; may be none */
    uint32_t symbol_count;

    void *memory; /* private to this room */
};

struct profile {
    struct profile_process *processes; /* oldest first */
    uint32_t count;
};

/* Called while a long load goes on: done of total bytes. May be NULL. */
typedef void profile_progress(void *data, uint64_t done, uint64_t total);

/* Loads a region, a packed dump, or every one of both in a folder (which may be empty: count 0).
 * `path` may also be a folder of a running producer. On an error nothing is kept: no partial
 * profile. A folder skips (and names through `warn`, if given) files that are not ours, and fails
 * on one that is ours and broken. */
int profile_load(const char *path, struct profile *profile, profile_progress *progress, void *data,
                 void (*warn)(const char *line), struct profile_error *error);
/* The same for the region of a running process, found through /proc/PID/maps and map_files. */
int profile_load_pid(int pid, struct profile *profile, struct profile_error *error);
/* From bytes in memory (fuzzing, tests). */
int profile_load_memory(const void *image, size_t size, const char *name, struct profile *profile,
                        struct profile_error *error);
void profile_free(struct profile *profile);

/* The module that holds an address of a stack, or 0. */
uint32_t profile_find_module(const struct profile_process *p, const struct profile_stack *stack,
                             uint64_t address);
/* The same for a stack recorded at `event` (profile_stack.module_event), and for which events,
 * first to last, the answer is this one: modules come and go. */
struct profile_span {
    uint32_t first, last;
};
uint32_t profile_find_module_span(const struct profile_process *p, uint32_t event, uint64_t address,
                                  struct profile_span *span);

/* The first value of a class of a histogram: see struct region_histogram. */
uint64_t profile_class_start(uint32_t class);

/* Opens a regular file to read it, below a folder's descriptor or AT_FDCWD: -EISDIR, -ELOOP or
 * -EINVAL for anything else, which is not opened at all, as a device may act on that and a FIFO
 * waits. Whoever is watched may have chosen the name, or what it leads to. */
int profile_open_file(int folder_fd, const char *path, bool follow);

/* ---- folders ---- */

/* Where the shim would write: SQUALL_DIR, or the first usable of its other places. Returns 0 and
 * a path in `path`; -EPERM where other users have taken all names. */
int profile_default_folder(char *path, size_t size);
/* Every place in which the shim may have left a region for us to read, those that exist: `folder`
 * (NULL = SQUALL_DIR, if set), its own choices for our user and, for root, for every user (programs
 * change theirs). Calls `each` with each path once; returns what profile_list returns. */
int profile_places(const char *folder, int (*each)(void *data, const char *path), void *data);
/* The newest region or dump in a folder; -ENOENT if there is none. */
int profile_newest(const char *folder, char *path, size_t size);

/* A file that is ours, from its header alone. */
struct profile_file {
    char path[4096];
    bool packed;     /* a dump: the fields of a region are zero */
    bool unfinished; /* of one that is being written, or that a killed process was writing */
    uint64_t key, run_id, start_ticks;
    int32_t pid;
    uint32_t uid;           /* of the file's owner */
    uint64_t device, inode; /* of the file */
    uint64_t pid_namespace;
    enum profile_state state;
    bool mapped;          /* by its process; one that is unfinished: it is being written */
    bool crowded;         /* but by none that has not far more mapped than one process has */
    char exe[256];        /* cut if longer */
    uint64_t bytes;       /* taken on disk or in memory */
    uint64_t realtime_ns; /* its last sign of life */
};

/* Calls `each` for every region and dump in a folder, by name; files that are not ours (other
 * magic, not regular, symbolic links, unreadable) are passed over. Returns 0, a negative errno, or
 * the first thing other than 0 that `each` returned. */
int profile_list(const char *folder, int (*each)(void *data, const struct profile_file *file),
                 void *data);
/* Those that profile_list passes over though they are named as regions and dumps are: `why` tells
 * why one cannot be opened; it is NULL for one that is broken, of which its reader tells. */
int profile_list_refused(const char *folder,
                         int (*each)(void *data, const char *path, const char *why), void *data);
/* The same for unfinished dumps, which profile_list passes over. */
int profile_list_unfinished(const char *folder,
                            int (*each)(void *data, const struct profile_file *file), void *data);
/* Removes such a file, if it is still the same region or dump, is owned by us or root, and no
 * process has it mapped (-EBUSY). */
int profile_remove(const struct profile_file *file);

/* ---- processes that run now ---- */

/* A process that runs under squall, and how its region is reached. */
struct profile_found {
    int pid;           /* as we number it; 0 = out of sight: only its region is seen */
    int32_t inner_pid; /* as it numbers itself */
    uint64_t key, run_id, start_ticks, start_realtime_ns, start_raw_ns;
    uint32_t uid;             /* of the file's owner */
    uint64_t device, inode;   /* of the file */
    uint32_t mode;            /* enum region_mode */
    enum profile_state state; /* running; unknown where its maps are not ours to read */
    char exe[256];            /* cut if longer */
    char file[4096];          /* as the process names it */
    char path[4096];          /* opens it from here */
    bool by_mapping;          /* path is a link of /proc/PID/map_files */
    char root[32];            /* "/proc/PID/root" where it sees other files than we do, else "" */
};

/* What tells a region from all others. The key alone does not: it is in the file's name, for
 * anybody to copy. The same key and owner are one region that was reached by two ways, on
 * filesystems that number a file differently by each. */
struct profile_region {
    uint64_t key, device, inode;
    uint32_t uid;
};
struct profile_region profile_region_of(const struct profile_found *found);
bool profile_region_same(const struct profile_region *a, const struct profile_region *b);
/* A number for it. */
uint64_t profile_region_number(const struct profile_found *found);

/* What could not be looked at. */
struct profile_unseen {
    uint32_t closed;       /* processes whose maps are not ours to read */
    uint32_t out_of_reach; /* processes under squall whose region cannot be opened */
    uint32_t folders;      /* that are closed to us */
    uint32_t left_out;     /* regions: more than one process has, or than can be watched at once */
    bool no_descriptors;   /* processes were not looked at for want of file descriptors */
    bool no_proc;          /* /proc cannot be read at all */
    char why[512];         /* the first that is out of reach */
    char folder[256];      /* the first that is closed */
};

/* Calls `each` for every process on this machine that runs under squall, once each: in the folders
 * of profile_places() and by what processes have mapped, in whatever mount namespace. `unseen` may
 * be NULL. Returns 0, a negative errno, or the first thing other than 0 that `each` returned. */
int profile_find(int (*each)(void *data, const struct profile_found *found), void *data,
                 struct profile_unseen *unseen);
/* The same for one process. -ESRCH: there is none; -ENOENT: it has no region (of its own,
 * yet); -EREMOTE: it has one, which cannot be opened from here. */
int profile_find_pid(int pid, struct profile_found *found, struct profile_error *error);

/* What a process started that runs under squall, too: of the regions beside its own, those that are
 * new. Zeroed before its first use but for since_raw_ns (CLOCK_MONOTONIC_RAW); what began before is
 * not counted. */
struct profile_children {
    uint32_t count;        /* that this look found */
    int32_t last;          /* the youngest's number, as it numbers itself */
    uint64_t since_raw_ns; /* of the youngest of all */
    uint64_t changed_ns;   /* of the folder, when it was looked at */
    int64_t looked_seconds;
};
void profile_children_find(const struct profile_found *found, struct profile_children *children);

/* ---- reading one of them again and again, counters.c ---- */

struct profile_count_thread {
    int32_t tid; /* 0 = not used */
    uint32_t generations;
    uint32_t codec_call; /* row of the codec call it is in now, 0 = none */
    char name[16];
    uint64_t allocs, frees, bytes;
};

struct profile_count_site {
    uint32_t codec_function, direction, stack;
    uint64_t allocs, frees, bytes, freed_bytes, live_bytes, samples, allocator_ticks;
    bool estimated;
};

struct profile_count_function {
    uint16_t codec;
    uint8_t direction; /* enum region_direction */
    uint64_t calls, nested, failures, source_bytes, produced_bytes, ticks;
};

/* The sums of a moment, cheap to have: no names, no stacks. Sums only grow, live bytes apart. */
struct profile_counters {
    uint64_t raw_ns;       /* CLOCK_MONOTONIC_RAW when they were read */
    uint64_t realtime_ns;  /* and CLOCK_REALTIME */
    uint64_t cells_raw_ns; /* when cells were read, which may be earlier (see `cells` below) */
    uint64_t allocs, frees, bytes;    /* of threads: exact */
    uint64_t freed_bytes, live_bytes; /* of cells */
    uint64_t allocator_ticks;
    uint64_t large_allocs, large_bytes, large_live, large_peak;
    uint64_t codec_bytes, in_allocator, inherited_frees, untracked_frees;
    uint64_t lost[32];
    bool ended; /* its exit handlers ran */
    /* By the rows of the region; row 0 is the overflow row. */
    struct profile_count_thread *threads;
    uint32_t thread_count, thread_room;
    struct profile_count_site *sites;
    uint32_t site_count, site_room;
    struct profile_count_function *functions; /* codec functions, over threads and stacks */
    uint32_t function_count, function_room;
};

struct profile_reader;

/* Keeps the region open, also when the process is gone. Not for several threads at once. */
int profile_reader_open(const struct profile_found *found, struct profile_reader **reader,
                        struct profile_error *error);
void profile_reader_close(struct profile_reader *reader);
/* Fills `counters` (zeroed before its first use) anew. Without `cells`, a table that may be long,
 * what comes from them stays as it was. */
int profile_reader_count(struct profile_reader *reader, struct profile_counters *counters,
                         bool cells, struct profile_error *error);
/* All there is, as profile_load; what became of the process is known to who watches it. */
int profile_reader_load(struct profile_reader *reader, enum profile_state state,
                        struct profile *profile, struct profile_error *error);
/* The rate of the region's clock, as known now. */
double profile_reader_ticks_per_ns(struct profile_reader *reader);
int profile_counters_copy(struct profile_counters *to, const struct profile_counters *from);
void profile_counters_free(struct profile_counters *counters);

/* ---- packing ---- */

struct profile_end { /* what squall run knows of an end */
    int32_t pid;
    uint64_t start_ticks; /* 0 = not known: match by pid alone */
    char ended_by[32];
    uint64_t raw_ns; /* CLOCK_MONOTONIC_RAW when it was gone; 0 = not known */
};

/* Names one frame for the dump; called for each distinct (module, address). Appends to `out` up
 * to `max` symbols, innermost first, returns how many. */
typedef uint32_t profile_namer(void *data, const struct profile_process *p, uint32_t module,
                               uint64_t address, struct profile_symbol *out, uint32_t max);

/* Fails where packing into `output` would: no such folder, a closed one, or something that is
 * there and no regular file (a device, say, would be replaced by the dump). */
int profile_pack_check(const char *output, struct profile_error *error);

/* Packs regions (files) into one dump at `output`, written beside it and renamed, mode 0600.
 * The regions are removed after the rename when `remove` is set; one that a process still has
 * mapped stays. `namer` may be NULL: no names. The strings that it gives need to last until its
 * next call only. */
int profile_pack(const char *const *regions, uint32_t count, const char *output,
                 const struct profile_end *ends, uint32_t end_count, profile_namer *namer,
                 void *data, bool remove, struct profile_error *error);

/* The same for one running process: its region as it is at this moment. */
int profile_pack_found(const struct profile_found *found, const char *output, profile_namer *namer,
                       void *data, struct profile_error *error);
/* ---- merging ---- */

struct profile_merged {
    uint64_t processes; /* in the output */
    uint64_t twice;     /* left out: they were there already */
};

/* Puts the processes of many files, dumps and regions, into one dump, as they are; one at a time is
 * in memory. The same process counts once. The files stay. Otherwise as profile_pack. */
int profile_merge(const char *const *files, uint32_t count, const char *output,
                  profile_namer *namer, void *data, struct profile_merged *merged,
                  struct profile_error *error);

#endif
