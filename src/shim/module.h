/* module: which loaded object holds an address; keeps the region's module table.
 *
 * Why of our own: dl_iterate_phdr takes the loader's lock, and a thread that holds it may be
 * waiting for the one that mallocs. Here nothing waits: glibc's _dl_find_object (2.35) is
 * lock-free, and before that the loader's list of link maps is read with process_vm_readv, which
 * gives an error where a plain load would crash.
 *
 * Who writes what: any thread may add a module; the one that gets the claim does, the others go
 * without. Rows of REGION_MODULES are written here and nowhere else. */
#ifndef SQUALL_SHIM_MODULE_H
#define SQUALL_SHIM_MODULE_H

#include "region/region.h"

struct module {
    uint64_t start, end;         /* mapped addresses [start, end) */
    uint64_t base;               /* load bias */
    uint64_t link_map;           /* the loader's entry, 0 = not known */
    uint64_t eh_frame_hdr;       /* address, 0 = none */
    uint64_t tables, tables_end; /* the segment that eh_frame_hdr is in; 0 = not known */
    uint64_t dynamic;            /* address of its PT_DYNAMIC, 0 = none */
    uint64_t fingerprint;        /* of its headers: tells a reload at the same place */
    uint32_t row;                /* in REGION_MODULES, 0 = none */
    uint32_t gone;               /* 1 when it was unloaded */
    uint32_t steady;             /* 1: it can be read directly, nobody can have unmapped it */
    uint32_t permanent;          /* 1: loaded with the program, and so for as long as it runs */
    uint32_t seen;               /* private to module_check */
    uint32_t is_split;  /* 1: there are gaps in [start, end): what lies in one may not be there */
    uint32_t contested; /* 1: another one was at the same addresses once */
    uint32_t is_told;   /* 1: the loader told of it, and tells when it goes */
    uint32_t flags;     /* enum region_module_flag */
};

/* At start: records the executable, the loader, libc and whatever else is loaded. Called in the
 * constructor. `r` may be NULL: then modules are known, but no rows are written. `auxv` (may be
 * NULL) is the auxiliary vector: it tells which module is the vdso. `offer` (may be NULL) is given
 * the address of the hooks of each module that marks calls, see mark.h. */
void module_init(struct region *r, const uint64_t *auxv, void (*offer)(uint64_t hooks));
/* After module_init, when the hooks work: puts detours at the codec functions of what is loaded, if
 * the process has this one thread only, and has the loader tell of what comes and goes. Without
 * that (a debugger's breakpoint is there), later modules are seen when a stack passes through. */
void module_follow(bool is_alone);
/* In a forked child that got a region of its own: writes all that are still loaded into it. */
void module_adopt(struct region *r);
/* In a forked child until then: no rows are written. */
void module_detach(void);

/* The module that holds an address, or NULL: JIT code, or not found without a lock. The pointer
 * stays valid for ever, its fields do not change except gone, link_map (when the same file comes
 * back to the same place) and, after module_adopt, row. Registers a module that is seen for the
 * first time. */
const struct module *module_find(uint64_t address);

/* The same as a copy, which also works for a module that could not be registered: the table is
 * full, or another thread is registering one at this moment. */
bool module_look(uint64_t address, struct module *copy);

/* The i-th known module, or NULL behind the last one. */
const struct module *module_at(uint32_t i);

/* Sets an enum region_module_flag on the module that holds `address`, in its row too. */
void module_mark(uint64_t address, uint32_t flag);

/* Stands for which of the modules that contest the same addresses are there now; 0 while none
 * does. Part of a stack's identity: equal addresses mean the same code only with an equal layout.
 */
extern uint64_t module_layout HIDDEN;

/* Addresses of link maps that may be given back, by hash. */
extern uint64_t module_maps_seen[64] HIDDEN;
INLINE uint32_t module_map_bit(uint64_t address) {
    return (uint32_t)((address >> 4) * 0x9e3779b97f4a7c15ull >> 52);
}

/* The loader gives the memory of a link map back as the last act of an unload, while it holds its
 * lock: the earliest moment at which nothing else can have been loaded in the place. Called with
 * each freed address that may be one. */
INLINE bool module_may_be_map(uint64_t address) {
    uint32_t bit = module_map_bit(address);
    return RELAXED_LOAD(&module_maps_seen[bit / 64]) >> bit % 64 & 1;
}
void module_freed(uint64_t address);

/* Looks which modules were unloaded or replaced since the last call; marks their rows, bumps
 * header.module_event and calls unwind_invalidate. Cheap (0.1 us a module); called on ticks and at
 * the end. */
void module_check(void);

#endif
