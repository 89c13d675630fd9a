/* The door of the room: modules by number, opened when first asked for. */
#include "symbol.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct module {
    UT_hash_handle hh;
    uint32_t number;
    bool opened, has_table, searched;
    uint32_t contains;         /* bits of enum codec */
    struct symbol_module what; /* points into key */
    struct source source;
    struct table table;
    struct debug debug;
    struct go_names go;
    size_t key_size;
    char key[]; /* build-id, path, zero, root, zero */
};

struct symbols {
    struct finder finder;
    struct name *names;
    struct module *modules; /* by key */
    struct module **numbers;
    uint32_t count, room;
};

struct symbols *symbol_open(const struct symbol_options *options) {
    struct symbols *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    if (symbol_finder_init(&s->finder, options)) {
        free(s);
        return NULL;
    }
    symbol_survive_cuts();
    return s;
}

void symbol_close(struct symbols *s) {
    if (!s)
        return;
    HASH_CLEAR(hh, s->modules);
    for (uint32_t i = 0; i < s->count; i++) {
        struct module *module = s->numbers[i];
        symbol_debug_free(&module->debug);
        symbol_table_free(&module->table);
        symbol_go_free(&module->go);
        symbol_source_close(&module->source);
        free(module);
    }
    free(s->numbers);
    symbol_names_free(&s->names);
    symbol_finder_free(&s->finder);
    free(s);
}

static struct module *create(const struct symbol_module *what, uint32_t number) {
    const char *below = what->root ? what->root : "";
    size_t path = strlen(what->path) + 1, root = strlen(below) + 1;
    size_t size = what->build_id_size + path + root;
    struct module *module = calloc(1, sizeof(*module) + size);
    if (!module)
        return NULL;
    if (what->build_id_size)
        memcpy(module->key, what->build_id, what->build_id_size);
    memcpy(module->key + what->build_id_size, what->path, path);
    memcpy(module->key + what->build_id_size + path, below, root);
    module->key_size = size;
    module->number = number;
    module->what = (struct symbol_module){
        .path = module->key + what->build_id_size,
        .root = module->key + what->build_id_size + path,
        .build_id = (const uint8_t *)module->key,
        .build_id_size = what->build_id_size,
    };
    return module;
}

static bool make_room(struct symbols *s) {
    if (s->count < s->room)
        return true;
    uint32_t room = s->room ? s->room * 2 : 64;
    struct module **numbers = reallocarray(s->numbers, room, sizeof(struct module *));
    if (!numbers)
        return false;
    s->numbers = numbers;
    s->room = room;
    return true;
}

uint32_t symbol_module(struct symbols *s, const struct symbol_module *what) {
    struct module *module = create(what, s->count), *known;
    if (!module)
        return UINT32_MAX; /* names nothing */
    HASH_FIND(hh, s->modules, module->key, module->key_size, known);
    if (known || !make_room(s)) {
        free(module);
        return known ? known->number : UINT32_MAX;
    }
    HASH_ADD_KEYPTR(hh, s->modules, module->key, module->key_size, module);
    if (!module->hh.tbl) {
        free(module);
        return UINT32_MAX;
    }
    s->numbers[s->count++] = module;
    return module->number;
}

static struct module *open_source(struct symbols *s, uint32_t number) {
    if (number >= s->count)
        return NULL;
    struct module *module = s->numbers[number];
    if (!module->opened)
        symbol_source_open(&module->source, &s->finder, &module->what);
    module->opened = true;
    return module;
}

/* The module with its symbol table read, or NULL. */
static struct module *open_module(struct symbols *s, uint32_t number) {
    struct module *module = open_source(s, number);
    if (module && !module->has_table) {
        module->has_table = true;
        if (module->source.module &&
            symbol_table_build(&module->table, module->source.module) == 0 &&
            !module->table.has_symtab && !symbol_go_has(&module->go, module->source.module))
            module->source.trouble = module->table.count
                                         ? "stripped: only exported functions have names"
                                         : "stripped: no symbol table";
    }
    return module;
}

static uint32_t contains(struct symbols *s, uint32_t number) {
    struct module *module = open_source(s, number);
    if (!module)
        return 0;
    if (!module->searched)
        module->contains = symbol_source_contains(&module->source);
    module->searched = true;
    return module->contains;
}

static const char *function(struct symbols *s, uint32_t number, uint64_t offset) {
    struct module *module = open_module(s, number);
    if (!module)
        return NULL;
    const char *go = symbol_go_function(&module->go, module->source.module, offset);
    if (go)
        return go;
    const struct function *f = symbol_table_find(&module->table, offset + module->source.bias);
    return f ? symbol_names_demangle(&s->names, f->raw) : NULL;
}

static uint32_t frames(struct symbols *s, uint32_t number, uint64_t offset,
                       struct symbol_frame *out, uint32_t max) {
    struct module *module = open_module(s, number);
    uint32_t count =
        module ? symbol_go_frames(&module->go, module->source.module, offset, out, max) : 0;
    if (count)
        return count;
    const char *name = function(s, number, offset);
    if (module && module->source.module)
        count = symbol_debug_frames(&module->debug, module->source.module, &s->names,
                                    offset + module->source.bias, out, max);
    if (module && module->debug.lines_left_out && !module->source.trouble)
        module->source.trouble = "lines left out: they would take too much memory";
    if (count == 0) {
        out[0] = (struct symbol_frame){0};
        count = 1;
    }
    if (name) /* the same name whether lines were asked for or not */
        out[count - 1].function = name;
    return count;
}

/* ---- what others call; all that reads files is guarded ---- */

const char *symbol_trouble(struct symbols *s, uint32_t number) {
    struct finder *before = symbol_guard(&s->finder);
    struct module *module = open_module(s, number);
    symbol_guard(before);
    return module ? module->source.trouble : NULL;
}

uint32_t symbol_contains(struct symbols *s, uint32_t number) {
    struct finder *before = symbol_guard(&s->finder);
    uint32_t found = contains(s, number);
    symbol_guard(before);
    return found;
}

const char *symbol_function(struct symbols *s, uint32_t number, uint64_t offset) {
    struct finder *before = symbol_guard(&s->finder);
    const char *name = function(s, number, offset);
    symbol_guard(before);
    return name;
}

uint32_t symbol_frames(struct symbols *s, uint32_t number, uint64_t offset,
                       struct symbol_frame *out, uint32_t max) {
    struct finder *before = symbol_guard(&s->finder);
    uint32_t count = max ? frames(s, number, offset, out, max) : 0;
    symbol_guard(before);
    return count;
}
