/* Names: every string once, and demangled once, when it is first shown.
 *
 * A symbol table may be hostile, and a short mangled name can stand for one of many gigabytes.
 * So the demanglers are used through their callbacks, which keep what they build on the stack,
 * and are left by longjmp when the result grows beyond all use. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#undef ARRAY_SIZE /* libiberty has the same */
#include <libiberty/demangle.h>

#define MANGLED_MAX 65536u /* a longer one is shown as it is */
#define SHOWN_MAX 65536u   /* a longer one is given up */
#define OPTIONS (DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI)

static struct name *find(struct name **names, const char *text) {
    size_t length = strlen(text);
    struct name *name;
    HASH_FIND(hh, *names, text, length, name);
    if (name)
        return name;
    name = calloc(1, sizeof(*name) + length + 1);
    if (!name)
        return NULL;
    memcpy(name->text, text, length);
    HASH_ADD_KEYPTR(hh, *names, name->text, length, name);
    if (!name->hh.tbl) {
        free(name);
        return NULL;
    }
    return name;
}

const char *symbol_names_keep(struct name **names, const char *text) {
    struct name *name = text && *text ? find(names, text) : NULL;
    return name ? name->text : NULL;
}

struct output {
    jmp_buf too_long;
    size_t length;
    char text[SHOWN_MAX];
};

/* An identifier of no length ("_RNvCs_0") comes as NULL. */
static void collect(const char *text, size_t length, void *opaque) {
    struct output *output = opaque;
    if (!length)
        return;
    if (length >= sizeof(output->text) - output->length)
        longjmp(output->too_long, 1);
    memcpy(output->text + output->length, text, length);
    output->length += length;
}

/* Returns a copy on the heap, or NULL: not mangled, or nothing that one would want to read. */
static char *demangle(const char *mangled) {
    char *volatile shown = NULL;
    if (mangled[0] != '_' || strlen(mangled) > MANGLED_MAX)
        return NULL;
    struct output *volatile output = malloc(sizeof(*output));
    if (!output)
        return NULL;
    output->length = 0;
    if (setjmp(output->too_long))
        goto cleanup;
    /* Rust first: its older names are C++ names with a hash. */
    if (!rust_demangle_callback(mangled, OPTIONS, collect, output)) {
        output->length = 0;
        if (!cplus_demangle_v3_callback(mangled, OPTIONS, collect, output))
            goto cleanup;
    }
    if (output->length)
        shown = strndup(output->text, output->length);
cleanup:
    free(output);
    return shown;
}

/* "memcpy@@GLIBC_2.14" is memcpy. */
static char *without_version(const char *text) {
    const char *at = strchr(text + 1, '@');
    return at ? strndup(text, (size_t)(at - text)) : NULL;
}

const char *symbol_names_demangle(struct name **names, const char *mangled) {
    struct name *name = mangled && *mangled ? find(names, mangled) : NULL;
    if (!name)
        return NULL;
    if (!name->shown) {
        char *bare = without_version(name->text);
        char *plain = demangle(bare ? bare : name->text);
        name->shown = plain ? plain : bare ? bare : name->text;
        if (plain)
            free(bare);
    }
    return name->shown;
}

void symbol_names_free(struct name **names) {
    struct name *name, *next;
    HASH_ITER(hh, *names, name, next) {
        HASH_DEL(*names, name);
        if (name->shown != name->text)
            free((char *)name->shown);
        free(name);
    }
}
