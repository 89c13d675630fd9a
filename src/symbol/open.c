/* From the path and build-id of a module that ran to files that elfutils reads: the file itself if
 * it is still the one that ran, else its debug file or, when asked, what a debuginfod server has
 * under that build-id. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define DEBUG_PATH "/usr/lib/debug"
#define BUILD_ID_MAX 64

static char *join(const char *a, const char *b) {
    char *text = NULL;
    return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

int symbol_finder_init(struct finder *finder, const struct symbol_options *options) {
    const char *root = options && options->root ? options->root : "";
    const char *debug = options && options->debug_path ? options->debug_path : DEBUG_PATH;
    elf_version(EV_CURRENT);
    *finder = (struct finder){.debuginfod = options && options->debuginfod};
    finder->root = strdup(root);
    finder->debug_folders[0] = strdup(debug);
    if (*root)
        finder->debug_folders[1] = join(root, debug);
    /* For the search by a server only, which looks here first: not below a root of others. */
    finder->debug_path = strdup(debug);
    finder->callbacks = (Dwfl_Callbacks){
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = symbol_find_debug,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &finder->debug_path,
    };
    if (finder->root && finder->debug_folders[0] && finder->debug_path)
        return 0;
    symbol_finder_free(finder);
    return -ENOMEM;
}

void symbol_finder_free(struct finder *finder) {
    symbol_forget_files(finder);
    free(finder->root);
    free(finder->debug_path);
    free(finder->debug_folders[0]);
    free(finder->debug_folders[1]);
    *finder = (struct finder){0};
}

static bool has_root(const struct symbol_module *module) {
    return module->root && *module->root;
}

/* "file (deleted)" is what the kernel calls a file that was replaced; a new one may be the same. */
static int open_module(const struct finder *finder, const struct symbol_module *module,
                       char **opened) {
    static const char deleted[] = " (deleted)";
    const char *path = module->path;
    size_t length = strlen(path), tail = sizeof(deleted) - 1;
    *opened = join(has_root(module) ? module->root : finder->root, path);
    if (!*opened)
        return -ENOMEM;
    int fd = symbol_open_file(*opened);
    if (fd == -ENOENT && length > tail && strcmp(path + length - tail, deleted) == 0) {
        (*opened)[strlen(*opened) - tail] = 0;
        fd = symbol_open_file(*opened);
    }
    return fd;
}

/* NULL if the file is an ELF file with this build-id, or the trouble with it. */
static const char *check(int fd, const struct symbol_module *module) {
    const char *trouble = NULL;
    const void *id;
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        trouble = "not an ELF file";
    } else if (module->build_id_size) {
        ssize_t size = dwelf_elf_gnu_build_id(elf, &id);
        if (size <= 0)
            trouble = "build-id is missing: the file was replaced";
        else if ((size_t)size < module->build_id_size ||
                 memcmp(id, module->build_id, module->build_id_size) != 0)
            trouble = "build-id differs: the file was replaced";
    }
    elf_end(elf);
    return trouble;
}

static void set_up(Dwfl_Module *module, struct finder *finder) {
    void **data = NULL;
    dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
    if (data)
        *data = finder;
}

/* Takes fd, whatever happens. */
static int report(struct source *source, struct finder *finder, const char *path, int fd) {
    source->dwfl = dwfl_begin(&finder->callbacks);
    if (source->dwfl)
        source->module = dwfl_report_elf(source->dwfl, path, path, fd, 0, true);
    if (!source->module) {
        close(fd);
        return -ENOEXEC;
    }
    set_up(source->module, finder);
    dwfl_report_end(source->dwfl, NULL, NULL);
    GElf_Addr bias = 0;
    if (!dwfl_module_getelf(source->module, &bias))
        return -ENOEXEC;
    source->bias = bias;
    return 0;
}

/* The separate debug file of a module below `folder`. */
static int report_debug_below(struct source *source, struct finder *finder,
                              const struct symbol_module *module, const char *folder) {
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/.build-id/%02x/", folder, module->build_id[0]);
    if (n < 0 || (size_t)n + 2 * BUILD_ID_MAX + sizeof(".debug") > sizeof(path))
        return -ENAMETOOLONG;
    for (uint32_t b = 1; b < module->build_id_size; b++)
        n += sprintf(path + n, "%02x", module->build_id[b]);
    strcpy(path + n, ".debug");
    int fd = symbol_open_file(path);
    if (fd < 0)
        return fd;
    const char *trouble = check(fd, module);
    if (trouble)
        symbol_close_file(fd);
    else if (report(source, finder, path, fd) == 0)
        return 0;
    symbol_source_close(source);
    return -ENOENT;
}

static int report_debug_file(struct source *source, struct finder *finder,
                             const struct symbol_module *module) {
    char *below = has_root(module) ? join(module->root, finder->debug_folders[0]) : NULL;
    const char *folders[] = {finder->debug_folders[0], finder->debug_folders[1], below};
    int status = -ENOENT;
    for (unsigned i = 0; i < ARRAY_SIZE(folders) && status; i++)
        if (folders[i])
            status = report_debug_below(source, finder, module, folders[i]);
    free(below);
    return status;
}

/* The whole file from a server: elfutils looks for it by build-id alone. */
static int report_by_server(struct source *source, struct finder *finder,
                            const struct symbol_module *module) {
    source->dwfl = dwfl_begin(&finder->callbacks);
    if (source->dwfl)
        source->module = dwfl_report_module(source->dwfl, module->path, 0, UINT64_MAX >> 1);
    if (!source->module)
        return -ENOMEM;
    set_up(source->module, finder);
    dwfl_report_end(source->dwfl, NULL, NULL);
    GElf_Addr bias = 0;
    struct finder *before = symbol_guard(NULL);
    int failed =
        dwfl_module_report_build_id(source->module, module->build_id, module->build_id_size, 0) ||
        !dwfl_module_getelf(source->module, &bias);
    symbol_guard(before);
    if (failed) {
        symbol_source_close(source);
        return -ENOENT;
    }
    source->bias = bias;
    return 0;
}

static const char *trouble_of(int error) {
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
        return "file is gone";
    case EACCES:
    case EPERM:
        return "file is not readable";
    case EINVAL:
        return "not a regular file";
    case EFBIG:
        return "file is too large, or hardly anything but holes";
    case ENOEXEC:
        return "not an ELF file";
    case E2BIG:
        return "file has sections that unpack to too much";
    case ENOMEM:
        return "no memory for a copy of the file";
    default:
        return "file could not be opened";
    }
}

void symbol_source_open(struct source *source, struct finder *finder,
                        const struct symbol_module *module) {
    char *path = NULL;
    *source = (struct source){0};
    if (module->path[0] != '/') /* the vdso, a memfd, nothing at all */
        return;
    int fd = open_module(finder, module, &path);
    const char *trouble = fd < 0 ? trouble_of(fd) : check(fd, module);
    if (!trouble) {
        if (report(source, finder, path, fd) == 0)
            goto cleanup;
        symbol_source_close(source);
        trouble = "broken ELF file";
    } else {
        symbol_close_file(fd);
    }
    source->trouble = trouble;
    if (!module->build_id_size || module->build_id_size > BUILD_ID_MAX)
        goto cleanup;
    if (report_debug_file(source, finder, module) == 0 ||
        (finder->debuginfod && report_by_server(source, finder, module) == 0))
        source->trouble = NULL; /* the names are those of what ran */
    else
        source->trouble = trouble;
cleanup:
    free(path);
}

void symbol_source_close(struct source *source) {
    if (source->dwfl)
        dwfl_end(source->dwfl);
    *source = (struct source){0};
}
