/* loader: what the dynamic loader says about loaded objects, without its lock.
 *
 * Why: glibc's _dl_find_object (2.35) is lock-free; its public list of link maps (link.h) may be
 * changing while we look, so it is read through the kernel. Only module.c uses this; nothing is
 * kept here but the place of the executable's headers. */
#ifndef SQUALL_SHIM_LOADER_H
#define SQUALL_SHIM_LOADER_H

#include "module.h"

/* glibc's, declared here because headers before 2.35 lack it. */
struct loader_object {
    unsigned long long flags;
    uint64_t start, end;
    uint64_t link_map;
    uint64_t eh_frame_hdr;
    unsigned long long reserved[7];
};
_Static_assert(sizeof(struct loader_object) == 96, "struct dl_find_object of glibc");
extern int _dl_find_object(void *address, struct loader_object *result) __attribute__((weak));
/* The loader's, which uses vector registers. A codec function may have arguments in them, and what
 * is of the program's in them has to outlast a detour. */
int loader_find_object(uint64_t address, struct loader_object *result);

/* The public heads of the loader's structures (link.h). */
struct loader_entry {
    uint64_t base;
    uint64_t name;
    uint64_t dynamic;
    uint64_t next;
    uint64_t previous;
};
struct loader_state {
    int version;
    uint64_t first;
    uint64_t changed; /* the function that it calls after each change */
    int state;        /* 0 = the list is consistent */
};
extern struct loader_state _r_debug __attribute__((weak));

#define LOADER_LIST_MAX 8192u /* a list that is longer is not one */

/* The first entry of the list, 0 = there is none to be had. */
INLINE uint64_t loader_first(void) {
    return &_r_debug ? RELAXED_LOAD(&_r_debug.first) : 0;
}
bool loader_read(uint64_t link_map, struct loader_entry *entry);
/* The same for who holds the loader's lock: nobody changes the list meanwhile. */
void loader_read_locked(uint64_t link_map, struct loader_entry *entry);

/* The file of a module into name[size], its length, 0 = none: as the loader has it, made absolute,
 * for what it was relative to may change; the executable's as the kernel has it. */
size_t loader_name(const struct module *m, char *name, size_t size);

/* Program headers of the executable, from the auxiliary vector. */
void loader_init(uint64_t program_headers);

/* Fills the module from a list entry: where its headers are is not told, so they are looked for.
 * Only what has headers that name the same dynamic section is believed. */
bool loader_describe_entry(uint64_t link_map, const struct loader_entry *entry, struct module *m);
/* The executable, by its headers alone: of a program that loads nothing but us (Go as a
 * position-independent executable without cgo) the loader's own symbols are not to be had. */
bool loader_describe_program(struct module *m);
bool loader_is_program(const struct module *m);
/* By _dl_find_object, which must be there. `steady`: the loader has said just now that it is
 * there, and `address` is from the stack of this thread, so nobody unloads it while we look. */
bool loader_describe(uint64_t address, struct module *m);
/* Whether the object that the loader has now is the module that we know. */
bool loader_is_object(const struct module *m, const struct loader_object *o);

#endif
