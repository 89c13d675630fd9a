/* account: adds events to the region: threads, stacks, sites, cells.
 *
 * Who writes what: a cell is written by the thread that owns its row, with plain stores between
 * an odd and an even sequence word; frees by other threads go to the cell's remote counters,
 * atomically; what belongs to no row (a full table, a signal handler inside squall) goes to
 * shared cells, atomically. Nothing here waits for another thread. */
#ifndef SQUALL_SHIM_ACCOUNT_H
#define SQUALL_SHIM_ACCOUNT_H

#include "live.h"
#include "shim.h"

struct account_event {
    uint64_t address;
    uint64_t size;
    const struct unwind_start *at;
    uint64_t now;             /* clock after the allocation */
    uint64_t allocator_ticks; /* spent in the allocator, if timed */
    bool timed;
    bool sampled; /* a small block of default mode: counts for more than itself */
    bool grown;   /* a realloc made it of another large block */
};

/* Private indexes of a region's stacks, sites and cells. Once per region; in a forked child it
 * empties them. Commits the first rows of the tables that nothing works without. Returns 0 or
 * -errno. */
int account_init(void);

/* Gives the calling thread a row of its own (or a dead thread's of the same name, or the shared
 * one) and the private memory that goes with it. */
void account_register(struct shim_self *self);

/* For threads that share the overflow row: one of a few walkers, NULL = all are in use. What it
 * gave is valid until it is given back. */
struct unwind_thread *account_borrow_walker(void);
void account_return_walker(struct unwind_thread *walker);

/* Records a block: its live entry and its sums. */
void account_alloc(struct shim_self *self, const struct account_event *event);
/* The same for a block of exact mode under `large` that was not timed, by a thread with a row,
 * where there is a map (live_leaves): what nearly all blocks of that mode are. */
void account_alloc_small(struct shim_self *self, uint64_t address, uint64_t size,
                         const struct unwind_start *at);
/* Takes the block out of the map and undoes it, if it is there and the thread's own; false:
 * nothing was done. There must be a map. */
bool account_free_small(struct shim_self *self, uint64_t address);

/* Undoes the entry of a block that was taken out of the live table. */
void account_free(struct shim_self *self, const struct live_entry *entry);
/* Threads that ended in the middle of codec calls: those are left. On ticks. */
void account_reap(void);
/* Atomic counts of a thread that shares the overflow row. */
void account_shared_counts(uint64_t allocs, uint64_t bytes, uint64_t frees);
/* Reads the thread's name anew into its row. */
void account_name(struct shim_self *self);
/* The number of the calling thread; 0: a sandbox does not say. */
uint32_t account_thread_id(void);
/* At the start. */
void account_find_thread_id(void);

#endif
