/* danger: the kernel's probes (uprobes) by name at functions that squall changes: set, hit and taken away, also before squall comes
 * deadline: 60
 * needs: root libz.so.1 libzstd.so.1 liblz4.so.1 /sys/bus/event_source/devices/uprobe/type
 *
 * The kernel puts a breakpoint over the first byte of a function, runs the first instruction of the file elsewhere,
 * goes on behind it, and puts the file's byte back in the end. All in this process alone, and of the codecs in
 * copies of their libraries. Where perf_event_open is refused nothing is probed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "danger.h"

enum { TEXT = 50000, ROOM = 80000, PROBES = 16 };
static char text[TEXT], packed[ROOM], back[TEXT];

static const struct library {
    const char *name, *original, *functions[PROBES];
} libraries[] = {
    {"./z.so", "libz.so.1", {"compress", "compress2", "uncompress", "uncompress2", "deflate", "deflateInit_", "deflateEnd",
                             "inflate", "inflateInit_", "inflateEnd"}},
    {"./zstd.so", "libzstd.so.1", {"ZSTD_compress", "ZSTD_decompress", "ZSTD_createCCtx", "ZSTD_compressCCtx",
                                       "ZSTD_compress2", "ZSTD_freeCCtx"}},
    {"./lz4.so", "liblz4.so.1", {"LZ4_compress_default", "LZ4_compress_fast", "LZ4_decompress_safe"}},
    {NULL, NULL, {"mmap", "munmap", "mremap", "prctl", "syscall"}},
};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

static void copy(const struct library *l) {
    Dl_info info;
    struct stat st;
    void *library = dlopen(l->original, RTLD_LAZY | RTLD_LOCAL);
    CHECK(library && dladdr(dlsym(library, l->functions[0]), &info));
    int in = open(info.dli_fname, O_RDONLY), out = open(l->name, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    CHECK(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    CHECK(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size);
    CHECK(close(in) == 0 && close(out) == 0 && dlclose(library) == 0);
}

/* ---- probes ---- */

struct probe {
    char path[4096];
    uint64_t offset; /* in the file */
    int fd;
};
static struct probe probes[LIBRARIES][PROBES];

/* By what is loaded now. */
static void find(struct probe *p, void *function, const char *path) {
    Dl_info info;
    CHECK(function && dladdr(function, &info));
    CHECK(realpath(path ? path : info.dli_fname, p->path));
    const Elf64_Ehdr *header = info.dli_fbase;
    const Elf64_Phdr *part = (const void *)((const char *)header + header->e_phoff);
    uint64_t at = (uint64_t)function - (uint64_t)header;
    p->offset = 0;
    for (int i = 0; i < header->e_phnum; i++)
        if (part[i].p_type == PT_LOAD && at - part[i].p_vaddr < part[i].p_filesz)
            p->offset = at - part[i].p_vaddr + part[i].p_offset;
    CHECK(p->offset);
}

static int type;
static bool is_refused;
static void set(struct probe *p) {
    struct perf_event_attr a = {.size = sizeof a, .type = (uint32_t)type};
    a.config1 = (uint64_t)(uintptr_t)p->path;
    a.config2 = p->offset;
    p->fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    is_refused |= p->fd < 0;
}

static void each(unsigned library, void (*act)(struct probe *)) {
    for (int i = 0; i < PROBES && libraries[library].functions[i]; i++)
        act(&probes[library][i]);
}

static void take_away(struct probe *p) {
    uint64_t hits = 0;
    CHECK(is_refused || (read(p->fd, &hits, sizeof hits) == sizeof hits && hits));
    CHECK(p->fd < 0 || close(p->fd) == 0);
}

/* ---- what is probed ---- */

typedef int zlib_function(char *, unsigned long *, const char *, unsigned long);
typedef int zlib_level_function(char *, unsigned long *, const char *, unsigned long, int);
typedef size_t zstd_function(void *, size_t, const void *, size_t, int);
typedef int lz4_function(const char *, char *, int, int, int);
#define CALL(kind, library, name) ((__typeof__(kind) *)dlsym(library, name))

/* What is in `packed` is what the first call of this way, without probes, made. */
static void check_packed(int way, size_t n) {
    static char first[3][ROOM];
    static size_t sizes[3];
    if (!sizes[way])
        memcpy(first[way], packed, sizes[way] = n);
    CHECK(n && n == sizes[way] && !memcmp(first[way], packed, n));
    memset(back, 0, sizeof back);
}

static void use_zlib(void *z) {
    for (int i = 0; i < 2; i++) {
        unsigned long n = ROOM, size = TEXT;
        CHECK((i ? CALL(zlib_level_function, z, "compress2")(packed, &n, text, TEXT, -1)
                 : CALL(zlib_function, z, "compress")(packed, &n, text, TEXT)) == 0);
        check_packed(0, n);
        CHECK(CALL(zlib_function, z, "uncompress")(back, &size, packed, n) == 0);
        CHECK(size == TEXT && !memcmp(back, text, TEXT));
    }
}

static void use_zstd(void *z) {
    void *c = CALL(void *(void), z, "ZSTD_createCCtx")();
    check_packed(1, CALL(zstd_function, z, "ZSTD_compress")(packed, ROOM, text, TEXT, 3));
    size_t n = CALL(size_t(void *, void *, size_t, void *, size_t, int), z, "ZSTD_compressCCtx")(c, packed, ROOM, text, TEXT, 3);
    check_packed(1, n);
    check_packed(1, CALL(size_t(void *, void *, size_t, void *, size_t), z, "ZSTD_compress2")(c, packed, ROOM, text, TEXT));
    CHECK(CALL(size_t(void *), z, "ZSTD_freeCCtx")(c) == 0);
    CHECK(CALL(zstd_function, z, "ZSTD_decompress")(back, TEXT, packed, n, 0) == TEXT && !memcmp(back, text, TEXT));
}

static void use_lz4(void *z) {
    int n = CALL(lz4_function, z, "LZ4_compress_fast")(text, packed, TEXT, ROOM, 1);
    check_packed(2, (size_t)n);
    check_packed(2, (size_t)CALL(lz4_function, z, "LZ4_compress_default")(text, packed, TEXT, ROOM, 0));
    CHECK(CALL(lz4_function, z, "LZ4_decompress_safe")(packed, back, n, TEXT, 0) == TEXT && !memcmp(back, text, TEXT));
}

static void use_libc(void *unused) {
    (void)unused;
    char name[16] = "";
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    strcpy(p, "kept");
    p = mremap(p, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
    CHECK(p != MAP_FAILED && !strcmp(p, "kept") && munmap(p, 2 << 20) == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0 && name[0] && syscall(SYS_getpid) == getpid());
}

static void (*const uses[LIBRARIES])(void *) = {use_zlib, use_zstd, use_lz4, use_libc};

/* Loaded, then probed; then loaded again while the probes are there. */
static void try(unsigned i) {
    const struct library *l = &libraries[i];
    void *library = l->name ? dlopen(l->name, RTLD_NOW | RTLD_LOCAL) : RTLD_DEFAULT;
    CHECK(library || !l->name);
    uses[i](library);
    for (int k = 0; k < PROBES && l->functions[k]; k++)
        find(&probes[i][k], dlsym(library, l->functions[k]), l->name);
    for (int round = 0; round < 2; round++) {
        each(i, set);
        uses[i](library);
        each(i, take_away);
        uses[i](library);
    }
    if (!l->name)
        return;
    each(i, set);
    CHECK(dlclose(library) == 0 && (library = dlopen(l->name, RTLD_NOW | RTLD_LOCAL)));
    uses[i](library);
    each(i, take_away);
    uses[i](library);
    CHECK(dlclose(library) == 0);
}

int main(void) {
    FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
    CHECK(f && fscanf(f, "%d", &type) == 1 && fclose(f) == 0);
    for (unsigned i = 0; i < TEXT; i++)
        text[i] = (char)('a' + (i * i >> 7) % 23);
    for (unsigned i = 0; i < LIBRARIES; i++) {
        if (libraries[i].name)
            copy(&libraries[i]);
        try(i);
    }
    puts("gone through");
}
