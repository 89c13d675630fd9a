/* Can a program be preloaded? The loader does it, so there has to be one, it has to be the C
 * library's, of our kind of machine, and the program must not gain privileges. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run.h"

#define SCRIPTS_MAX 5 /* as the kernel: a script whose interpreter is a script, and so on */

/* ---- finding ---- */

static int try_path(const char *path, char *out, size_t size) {
    struct stat s;
    if (stat(path, &s) != 0)
        return errno;
    snprintf(out, size, "%s", path);
    if (S_ISDIR(s.st_mode))
        return EISDIR;
    if (!S_ISREG(s.st_mode) || access(path, X_OK) != 0)
        return EACCES;
    return 0;
}

/* As execvp: along PATH, and what is there but may not be executed is remembered. */
static int find(const char *name, char *out, size_t size) {
    const char *path = getenv("PATH");
    int error = ENOENT;
    if (!*name)
        return ENOENT;
    if (strchr(name, '/'))
        return try_path(name, out, size);
    for (const char *at = path ? path : "/bin:/usr/bin"; at;) {
        char candidate[4096];
        size_t length = strcspn(at, ":");
        snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, at, length ? "/" : "./",
                 name);
        int result = try_path(candidate, out, size);
        if (result == 0)
            return 0;
        if (result == EACCES)
            error = EACCES;
        at = at[length] ? at + length + 1 : NULL;
    }
    return error;
}

/* ---- privileges ---- */

/* The loader ignores LD_PRELOAD if the kernel says that the program has gained some. */
static const char *gained(const char *path, const struct stat *s) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return NULL;
    if (s->st_mode & S_ISUID && s->st_uid != getuid())
        return "is setuid";
    if ((s->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && s->st_gid != getgid())
        return "is setgid";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "has file capabilities";
    return NULL;
}

/* ---- ELF ---- */

/* The path of the loader; "" if there is none. */
static void read_loader(Elf *elf, int fd, char *loader, size_t size) {
    size_t count = 0;
    loader[0] = 0;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_INTERP)
            continue;
        size_t length = header.p_filesz < size - 1 ? header.p_filesz : size - 1;
        ssize_t got = pread(fd, loader, length, (off_t)header.p_offset);
        loader[got > 0 ? got : 0] = 0;
        return;
    }
}

static bool is_named(const char *path, const char *beginning) {
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, beginning, strlen(beginning)) == 0;
}

static void judge_elf(Elf *elf, int fd, const char *path, struct program *program) {
    char loader[256];
    GElf_Ehdr header;
    const char *why = NULL;
    if (!gelf_getehdr(elf, &header))
        return; /* the kernel will say what is wrong with it */
    read_loader(elf, fd, loader, sizeof loader);
    if (header.e_machine == EM_386 ||
        (header.e_machine == EM_X86_64 && header.e_ident[EI_CLASS] == ELFCLASS32)) {
        why = "is a 32-bit program";
        program->keep_preload = false; /* its loader would complain */
    } else if (header.e_machine != EM_X86_64) {
        why = "is a program for another processor";
        program->keep_preload = false;
    } else if (!loader[0] && !is_named(path, "ld-linux") && !is_named(path, "ld.so")) {
        why = "is statically linked";
        program->is_static = strcmp(path, program->path) == 0;
    } else if (is_named(loader, "ld-musl")) {
        why = "uses the C library musl, not glibc";
        program->keep_preload = false; /* it would not start */
    }
    if (why)
        snprintf(program->reason, sizeof program->reason, "%s", why);
}

/* ---- scripts ---- */

/* What "#!" names: the interpreter, or the program that env looks for. */
static bool read_script(int fd, char *interpreter, size_t size) {
    char line[512], *rest;
    ssize_t got = pread(fd, line, sizeof line - 1, 0);
    if (got < 2 || line[0] != '#' || line[1] != '!')
        return false;
    line[got] = 0;
    line[strcspn(line, "\n")] = 0;
    char *word = strtok_r(line + 2, " \t", &rest);
    if (word && is_named(word, "env")) {
        char *next = strtok_r(NULL, " \t", &rest);
        while (next && (next[0] == '-' || strchr(next, '=')))
            next = strtok_r(NULL, " \t", &rest);
        word = next ? next : word;
    }
    snprintf(interpreter, size, "%s", word ? word : "");
    return word != NULL;
}

/* Looks at one file; fills `next` with what really runs if it is a script. */
static void look(const char *path, struct program *program, char *next, size_t size) {
    struct stat s;
    Elf *elf = NULL;
    next[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        /* It may be executed but not read: who knows. */
        if (stat(path, &s) != 0)
            return;
    } else if (fstat(fd, &s) != 0) {
        goto cleanup;
    }
    const char *privilege = gained(path, &s);
    if (privilege) {
        snprintf(program->reason, sizeof program->reason, "%s", privilege);
        goto cleanup;
    }
    if (fd < 0)
        return;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        judge_elf(elf, fd, path, program);
    else if (!read_script(fd, next, size))
        snprintf(next, size, "/bin/sh"); /* what execvp does with a file of no kind */
cleanup:
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

void program_inspect(const char *name, struct program *program) {
    char path[4096], next[512];
    memset(program, 0, sizeof *program);
    program->keep_preload = true;
    snprintf(program->path, sizeof program->path, "%s", name);
    program->error = find(name, program->path, sizeof program->path);
    if (program->error)
        return;
    snprintf(path, sizeof path, "%s", program->path);
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        look(path, program, next, sizeof next);
        if (!next[0] || program->reason[0])
            break;
        if (find(next, path, sizeof path) != 0)
            break;
    }
    if (program->reason[0] && strcmp(path, program->path) != 0) {
        char reason[128];
        snprintf(reason, sizeof reason, "%.100s", program->reason);
        snprintf(program->reason, sizeof program->reason, "runs in %.100s, which %s", path, reason);
    }
}
