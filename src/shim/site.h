/* site: finds or makes the rows of stacks, sites and cells. Not a door: account's own. */
#ifndef SQUALL_SHIM_SITE_H
#define SQUALL_SHIM_SITE_H

#include "shim.h"

int site_init(void);

/* What each cell's rows in the region would tell as well, but from lines that one thread writes all
 * the time and others would take from it at every free. Private to the process, by cell. */
struct site_cells {
    uint32_t *thread;      /* the row that owns the cell, 0 = shared; written once */
    uint64_t *remote_seen; /* remote.freed_bytes when the owner looked last; the owner's */
};
extern struct site_cells site_cells HIDDEN;

/* The row of a stack; 0 = no room (counted as lost). */
uint32_t site_stack(const struct unwind_result *stack);
/* The site of a stack; 0 = the overflow site (counted as lost). */
uint32_t site_find(const struct unwind_result *stack);
/* The thread's cell at a stack, made at the first event, or the shared cell of the site where
 * there is no room for it. Never 0 unless the site is 0: then it is the overflow cell. */
uint32_t site_cell(struct shim_self *self, const struct unwind_result *stack, uint32_t kind);
/* The cell of those who have none. */
uint32_t site_shared_cell(uint32_t site, uint32_t kind);
/* The row of a cell's large blocks, 0 = no room. Any thread. */
uint32_t site_large(uint32_t cell);
/* The histograms of a site, NULL = none (yet). */
struct region_histogram *site_histogram(uint32_t site);

#endif
