/* Names for a dump, so that it can be read on a machine that has none of the modules. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "symbol/symbol.h"

#define FRAMES_MAX 64u

struct namer {
    struct symbols *symbols;
    uint64_t key;      /* of the process that `modules` is about */
    uint32_t *modules; /* 1 + the number that src/symbol gave, 0 = not asked yet */
    uint32_t count;
};

struct namer *namer_open(void) {
    return namer_open_below("");
}

struct namer *namer_open_below(const char *root) {
    struct symbol_options options = {.root = *root ? root : NULL};
    struct namer *n = calloc(1, sizeof *n);
    if (n && !(n->symbols = symbol_open(&options))) {
        free(n);
        return NULL;
    }
    return n;
}

void namer_close(struct namer *n) {
    if (!n)
        return;
    symbol_close(n->symbols);
    free(n->modules);
    free(n);
}

static bool enter(struct namer *n, const struct profile_process *p) {
    if (n->modules && n->key == p->key && n->count == p->module_count)
        return true;
    free(n->modules);
    n->modules = calloc(p->module_count, sizeof *n->modules);
    n->key = p->key;
    n->count = p->module_count;
    return n->modules != NULL;
}

static uint32_t number_of(struct namer *n, const struct profile_process *p, uint32_t module) {
    const struct profile_module *m = &p->modules[module];
    struct symbol_module wanted = {
        .path = m->path, .build_id = m->build_id, .build_id_size = m->build_id_size};
    if (n->modules[module] == 0)
        n->modules[module] = symbol_module(n->symbols, &wanted) + 1;
    return n->modules[module] - 1;
}

uint32_t namer_name(void *data, const struct profile_process *p, uint32_t module, uint64_t address,
                    struct profile_symbol *out, uint32_t max) {
    struct namer *n = data;
    struct symbol_frame frames[FRAMES_MAX];
    uint64_t exact = address & REGION_FRAME_EXACT, plain = address & ~REGION_FRAME_EXACT;
    if (module == 0 || module >= p->module_count || p->modules[module].flags & REGION_MODULE_VDSO ||
        !enter(n, p))
        return 0;
    uint64_t offset = plain - p->modules[module].base - !exact; /* into the call, not behind it */
    uint32_t count = symbol_frames(n->symbols, number_of(n, p, module), offset, frames,
                                   max < FRAMES_MAX ? max : FRAMES_MAX);
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct profile_symbol){
            .address = address,
            .module = module,
            .function = frames[i].function ? frames[i].function : "",
            .file = frames[i].file ? frames[i].file : "",
            .line = frames[i].line,
            .inlined = frames[i].inlined,
        };
    return count;
}
