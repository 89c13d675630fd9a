/* shim: what the files of libsquall.so share.
 *
 * The path of an event: interpose (the exported hooks) → decide (record it?) → unwind → account
 * (cells of the region) and live (pointer → cell). lifecycle makes the region, at start and in
 * forked children. A hook owns nothing: errno, signal mask, floating-point state and the red zone
 * are the program's.
 *
 * Who writes what: `shim` is written by lifecycle only; `shim_self` by its own thread only. */
#ifndef SQUALL_SHIM_H
#define SQUALL_SHIM_H

#include "region/region.h"
#include "unwind.h"

enum shim_state {
    SHIM_BOOT, /* before the constructor: forward only */
    SHIM_ON,
    SHIM_OFF /* nothing is recorded: children:off, no memory, a foreign malloc */
};

/* The compiler keeps the order of a thread's stores; so does the processor (x86). */
#define ORDER() __asm__ volatile("" ::: "memory")

/* Read by every hook, so on lines of its own. */
struct shim_hot {
    /* Blocks of at least this many bytes take the slow path: `large`, 0 in exact mode, and
     * before the constructor and when off all that can be: then no thread has a row either. */
    size_t large;
    uint8_t *filter; /* see live.h */
} __attribute__((aligned(64)));

struct shim {
    struct shim_hot hot;
    uint32_t state; /* enum shim_state */
    bool exact;
    /* 1 on a page that the kernel zeroes in a child (MADV_WIPEONFORK): the region is ours. */
    uint32_t *mine;
    /* On such pages too: the row of each thread by its number, [0] is the provisional one. */
    struct region_thread **slots;
    uint64_t slot_count;
    struct region region;
    /* epoch + 1 when the region of this process is complete. Nobody looks at `region` before. */
    uint32_t ready;
    struct region_configuration conf;
    uint64_t large;
    uint64_t seed; /* of the sampler */
    bool walks;    /* stacks are walked */
    bool walks_by_lib;
    uint32_t pid;
    uint16_t epoch;                   /* of this process among its forks; on live entries */
    struct region_thread provisional; /* of a forked child that recorded nothing yet */
    uint64_t provisional_inherited;
    /* Of a child's threads while its first one makes the region; atomic, added to row 0 later. */
    uint64_t unplaced_allocs, unplaced_bytes, unplaced_frees;
};
extern struct shim shim HIDDEN;

/* Time in the allocator is taken on one small block in so many. */
#define SHIM_TIMED_EVERY 64u

#define SHIM_RECENT_BITS 10u
#define SHIM_RECENT (1u << SHIM_RECENT_BITS)
#define SHIM_CALLS 16u /* codec calls that a thread can be in at once */
#define SHIM_CALL_BLOCKS 6u
#define SHIM_NESTED 64u
#define SHIM_READABLE 16u
#define SHIM_RECENT_CALLS_BITS 6u

/* A codec call that the thread is in, see call.h. */
struct shim_call {
    uint64_t frame; /* address of the stub's frame */
    uint64_t cookie;
    uint64_t source; /* bytes */
    uint64_t message;
    uint32_t row;
    uint32_t mark;                     /* row of the function, if the program marked it */
    uint32_t context;                  /* number, 0 = none or not known yet */
    uint32_t blocks[SHIM_CALL_BLOCKS]; /* large ones made in it while the context is not known */
    uint8_t block_count;
    uint8_t codec;
    uint8_t direction;
    uint8_t is_running; /* counted among those that run at once */
};

/* Memory of one thread that squall needs and the region does not; by number of the thread's row. */
struct shim_private {
    uint64_t random;   /* of the sampler */
    uint64_t timed_in; /* small blocks until the next one that is timed */
    struct unwind_thread *unwind;
    /* The cell of exact mode of the stack that the walker remembers, if that is still of its walk
     * of this number. */
    uint64_t last_walk;
    uint32_t last_cell;
    /* The cells of the stacks seen last, by the upper bits of their hash. */
    struct {
        uint64_t hash;
        uint32_t cell; /* 0 = none; only cells that the thread owns */
    } recent[SHIM_RECENT];
    uint32_t call_depth;
    uint16_t epoch; /* of the process when a thread got this */
    uint64_t call_sequence;
    /* Rows of calls that a codec makes of itself, by the caller's row and the function. */
    struct {
        const void *function;
        uint32_t outer;
        uint32_t row; /* 0 = none */
    } nested[SHIM_NESTED];
    uint32_t last_source, last_output; /* rows of block.h that served the last call */
    /* Pages that calls of a function were found to be able to read, see call_read.c. */
    struct {
        const void *function;
        uint64_t page;
        uint64_t stamp, modules; /* of what was there then */
    } readable[SHIM_READABLE];
    struct shim_call calls[SHIM_CALLS];
    /* Rows of the places that calls came from last, by the upper bits of their hash. */
    struct {
        uint64_t hash;
        uint32_t row;
    } recent_calls[1u << SHIM_RECENT_CALLS_BITS];
};

struct shim_self {
    uint64_t slot; /* see shim_slot */
    uint32_t row;     /* 0 = the thread shares the overflow row, or is provisional */
    uint32_t epoch;   /* shim.epoch + 1 when it was registered, 0 = never */
    uint32_t busy;    /* inside squall: a signal handler that allocates now finds this */
    uint32_t counted; /* allocations counted on slow paths */
    struct shim_private *private;
};
extern __thread struct shim_self shim_self HIDDEN __attribute__((tls_model("initial-exec")));
extern struct region_thread *shim_no_row HIDDEN; /* NULL, for ever */

/* The thread's row, through a pointer on a page that is wiped on fork. Hot paths go on only if it leads
 * to a row: not before the first event, not in a new child. Kept as a distance from the pointer that
 * leads to none, for the hooks are called before thread-local data has any values but zeros (by
 * resolvers of the program's indirect functions, as the loader relocates it). */
INLINE struct region_thread **shim_slot(const struct shim_self *self) {
    return (struct region_thread **)((uint64_t)&shim_no_row + self->slot);
}
INLINE void shim_lead_to(struct shim_self *self, struct region_thread **slot) {
    self->slot = (uint64_t)slot - (uint64_t)&shim_no_row;
}

INLINE bool shim_is_ready(void) {
    return __atomic_load_n(&shim.ready, __ATOMIC_ACQUIRE) == shim.epoch + 1u;
}

/* The thread may count: it has a row, or shares one, and what it leads to is this process's own.
 * In a forked child that recorded nothing yet the row is provisional. */
bool shim_enter_slow(struct shim_self *self);
INLINE bool shim_enter(struct shim_self *self) {
    return LIKELY(RELAXED_LOAD(shim_slot(self)) != NULL) || shim_enter_slow(self);
}

/* The same before anything is recorded at a site: makes a forked child's region now. */
bool shim_enter_region_slow(struct shim_self *self);
INLINE bool shim_enter_region(struct shim_self *self) {
    return LIKELY(self->row && RELAXED_LOAD(shim_slot(self))) || shim_enter_region_slow(self);
}

#endif
