/* Files that a module names: its debug file, and what that in turn names. Whoever made the module
 * chose the names; elfutils' own search would take the first file that has one. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "internal.h"

/* ---- does it belong to the module? ---- */

static bool has_build_id(int fd, const void *wanted, size_t size) {
    const void *id;
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    ssize_t found = elf ? dwelf_elf_gnu_build_id(elf, &id) : -1;
    bool same = found > 0 && (size_t)found == size && memcmp(id, wanted, size) == 0;
    elf_end(elf);
    return same;
}

/* No more is read than there was at first: it may be written to for ever. */
static bool has_sum(int fd, GElf_Word wanted) {
    unsigned char block[65536];
    uLong sum = crc32(0, NULL, 0);
    struct stat status;
    off_t at = 0;
    if (fstat(fd, &status) != 0 || status.st_size > SYMBOL_FILE_MAX)
        return false;
    while (at < status.st_size) {
        ssize_t got = pread(fd, block, sizeof block, at);
        if (got <= 0)
            return false;
        sum = crc32(sum, block, (uInt)got);
        at += got;
    }
    return sum == wanted;
}

/* What a debug file shares with others (dwz): .gnu_debugaltlink has a name and the build-id. */
static bool is_shared_part(int fd, const char *of) {
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    size_t names;
    bool same = false;
    int owner = symbol_open_file(of);
    Elf *elf = owner >= 0 ? elf_begin(owner, ELF_C_READ, NULL) : NULL;
    if (elf && elf_getshdrstrndx(elf, &names) == 0)
        while (!same && (section = elf_nextscn(elf, section))) {
            const char *name =
                gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
            Elf_Data *data =
                name && strcmp(name, ".gnu_debugaltlink") == 0 ? elf_rawdata(section, NULL) : NULL;
            const char *end = data && data->d_buf ? memchr(data->d_buf, 0, data->d_size) : NULL;
            size_t before = end ? (size_t)(end + 1 - (const char *)data->d_buf) : 0;
            same = end && data->d_size > before && has_build_id(fd, end + 1, data->d_size - before);
        }
    elf_end(elf);
    symbol_close_file(owner);
    return same;
}

/* ---- the search ---- */

struct wanted {
    const unsigned char *id; /* of the module */
    int id_size;             /* 0 = it has none */
    GElf_Word sum;           /* of the debug file; 0 = a part that is shared is looked for */
    const char *file;        /* that names it */
};

/* Takes the file if it is the one; `path` is then *found. */
static int try_file(const struct wanted *w, char *path, char **found) {
    int fd = path ? symbol_open_file(path) : -ENOMEM;
    if (fd >= 0 && !(w->id_size && w->sum ? has_build_id(fd, w->id, (size_t)w->id_size)
                     : w->sum             ? has_sum(fd, w->sum)
                                          : is_shared_part(fd, w->file))) {
        symbol_close_file(fd);
        fd = -1;
    }
    if (fd >= 0)
        *found = path;
    else
        free(path);
    return fd;
}

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...) {
    char *out = NULL;
    va_list list;
    va_start(list, text);
    if (vasprintf(&out, text, list) < 0)
        out = NULL;
    va_end(list);
    return out;
}

static int try_build_id(const struct finder *finder, const struct wanted *w, char **found) {
    struct wanted exact = *w;
    char name[2 * 64 + 16];
    int at = 0, fd = -1;
    exact.sum = 1; /* by build-id */
    if (w->id_size < 2 || w->id_size > 64)
        return -1;
    for (int i = 0; i < w->id_size; i++)
        at += snprintf(name + at, sizeof name - (size_t)at, i ? "%02x" : "%02x/", w->id[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(finder->debug_folders) && fd < 0; i++)
        if (finder->debug_folders[i])
            fd = try_file(&exact, format("%s/.build-id/%s.debug", finder->debug_folders[i], name),
                          found);
    return fd;
}

/* Beside the file, in .debug there, and below the folders for debug files. */
static int try_link(const struct finder *finder, const struct wanted *w, const char *link,
                    char **found) {
    const char *slash = strrchr(w->file, '/');
    int length = slash ? (int)(slash - w->file) : 0;
    if (*link == '/')
        return try_file(w, strdup(link), found);
    int fd = try_file(w, format("%.*s/%s", length, w->file, link), found);
    if (fd < 0)
        fd = try_file(w, format("%.*s/.debug/%s", length, w->file, link), found);
    for (unsigned i = 0; i < ARRAY_SIZE(finder->debug_folders) && fd < 0; i++)
        if (finder->debug_folders[i])
            fd = try_file(w, format("%s%.*s/%s", finder->debug_folders[i], length, w->file, link),
                          found);
    return fd;
}

int symbol_find_debug(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                      const char *file, const char *link, GElf_Word crc, char **found) {
    const struct finder *finder = *data;
    GElf_Addr address;
    struct wanted w = {.sum = crc, .file = file ? file : ""};
    w.id_size = dwfl_module_build_id(module, &w.id, &address);
    w.id_size = w.id_size > 0 ? w.id_size : 0;
    bool is_part = link && !crc;
    int fd = is_part ? -1 : try_build_id(finder, &w, found);
    if (fd < 0 && link && *link)
        fd = try_link(finder, &w, link, found);
    if (fd < 0 && finder->debuginfod && !is_part && w.id_size) { /* by build-id alone, no file */
        struct finder *before = symbol_guard(NULL);
        fd = dwfl_standard_find_debuginfo(module, data, name, base, NULL, NULL, 0, found);
        symbol_guard(before);
    }
    return fd;
}
