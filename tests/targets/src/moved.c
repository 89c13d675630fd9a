/* Puts a jump at the entry of every codec function of the libraries named, and of this program's
 * own try_* functions, to their moved first instructions; what they do stays the same. Prints how
 * many were moved and how many refused. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/codec_table.h"
#include "shim/move.h"

#define UNDO 8 /* lea undo(%rsp),%rsp */
#define SLOT 80
static unsigned moved, refused;

/* Room for trampolines, some MiB below or above `address`. */
static uint8_t *room_near(uint64_t address) {
    for (int64_t away = 16 << 20; away < 1 << 30; away = away < 0 ? (16 << 20) - away : -away) {
        uint8_t *p = mmap((void *)((address & ~4095ull) - (uint64_t)away), 65536,
                          PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (p != MAP_FAILED)
            return p;
    }
    exit(3);
}

static void jump(uint8_t *at, uint8_t *to) {
    int32_t distance = (int32_t)(to - (at + 5));
    *at = 0xe9;
    memcpy(at + 1, &distance, 4);
}

/* Leads a function through its moved first instructions. */
static void detour(uint8_t *function, uint64_t size, uint8_t **slot) {
    struct move m;
    uint8_t *out = *slot + UNDO;
    if (move_prologue(function, (uint64_t)function, size, out, MOVE_OUT_MOST, (uint64_t)out, &m)) {
        refused++;
        return;
    }
    memcpy(*slot, "\x48\x8d\xa4\x24", 4);
    memcpy(*slot + 4, &m.undo, 4);
    if (!m.ends)
        jump(out + m.size, function + m.skip + m.taken);
    void *page = (void *)((uint64_t)function & ~4095ull);
    if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
        exit(4);
    jump(function + m.skip, *slot);
    memset(function + m.skip + 5, 0xcc, m.taken - 5u); /* nobody comes here */
    *slot += SLOT;
    moved++;
}

/* The codec functions and try_* of a loaded object, each once. */
static void detour_all(const struct link_map *map) {
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    for (const Elf64_Dyn *d = map->l_ld; d->d_tag; d++) {
        if (d->d_tag == DT_SYMTAB)
            symbols = (const void *)d->d_un.d_ptr;
        if (d->d_tag == DT_STRTAB)
            strings = (const void *)d->d_un.d_ptr;
    }
    uint8_t *slot = NULL, *seen[400];
    unsigned n = 0;
    /* The strings lie behind the symbols. */
    for (const Elf64_Sym *s = symbols; (const char *)(s + 1) <= strings; s++) {
        const char *name = strings + s->st_name;
        uint8_t *function = (uint8_t *)map->l_addr + s->st_value;
        if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || !s->st_shndx || n == 400 ||
            (!codec_table_find(name, strlen(name)) && strncmp(name, "try_", 4)))
            continue;
        unsigned i = 0;
        while (i < n && seen[i] != function)
            i++;
        if (i < n)
            continue;
        seen[n++] = function;
        if (!slot)
            slot = room_near((uint64_t)function);
        detour(function, s->st_size, &slot);
    }
}

/* ---- what is run ---- */

int table[] = {3, 1, 4, 1, 5, 9, 2, 6};
volatile int deep;

int try_load(int x) {
    return table[x & 7] + table[0];
}
int try_branch(int x) {
    return x < 0 ? table[1] - x : x > 5 ? x * table[2] : table[3];
}
int try_switch(int x) {
    switch (x) {
    case 0:
        return deep + 8;
    case 1:
        return table[x] * 7;
    case 2:
        deep += 1;
        return deep;
    case 3:
        return -1;
    case 4:
        return deep * 3;
    default:
        return x ^ 0x55;
    }
}
int try_frame(int x) {
    char text[64];
    return snprintf(text, sizeof(text), "%d of %d", x, table[4]) + text[0];
}
int try_recurse(int x) {
    return x < 2 ? x + table[0] : try_recurse(x - 1) + try_recurse(x - 2);
}
int try_tail(int x) {
    return try_frame(x + 1);
}
double try_float(double x) {
    return x * 1.5 + table[5];
}
int try_loop(int x) {
    int sum = 0;
    while (x-- > 0)
        sum += table[x & 7] * x;
    return sum;
}

static uint64_t run_own(void) {
    uint64_t all = deep = 0;
    for (int i = -3; i < 12; i++) {
        int (*const tries[])(int) = {try_load, try_branch,  try_switch, try_frame,
                                     try_tail, try_recurse, try_loop};
        for (unsigned t = 0; t < ARRAY_SIZE(tries); t++)
            all = base_mix(all + (uint64_t)tries[t](i));
        all = base_mix(all + (uint64_t)try_float(i));
    }
    return all;
}

/* Compresses and decompresses with zlib and zstd, where they are loaded. */
static uint64_t run_codecs(void) {
    static char in[200000], packed[300000], out[200000];
    int (*compress2)(void *, unsigned long *, void *, unsigned long, int) =
        dlsym(RTLD_DEFAULT, "compress2");
    int (*uncompress)(void *, unsigned long *, void *, unsigned long) =
        dlsym(RTLD_DEFAULT, "uncompress");
    size_t (*zstd)(void *, size_t, void *, size_t, int) = dlsym(RTLD_DEFAULT, "ZSTD_compress");
    size_t (*unzstd)(void *, size_t, void *, size_t) = dlsym(RTLD_DEFAULT, "ZSTD_decompress");
    int (*lz4)(void *, void *, int, int) = dlsym(RTLD_DEFAULT, "LZ4_compress_default");
    int (*unlz4)(void *, void *, int, int) = dlsym(RTLD_DEFAULT, "LZ4_decompress_safe");
    uint64_t all = 0;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (char)(base_mix(i >> 6) >> (i & 7) & 0x3f);
    for (int level = 1; level <= 9; level++) {
        unsigned long n = sizeof(packed), back = sizeof(out);
        if (compress2 && (compress2(packed, &n, in, sizeof(in), level) ||
                          uncompress(out, &back, packed, n) || memcmp(in, out, sizeof(in))))
            exit(5);
        all = base_mix(all + n);
        if (zstd && (n = zstd(packed, sizeof(packed), in, sizeof(in), level),
                     unzstd(out, sizeof(out), packed, n) != sizeof(in)))
            exit(6);
        all = base_mix(all + n);
    }
    int n = lz4 ? lz4(in, packed, sizeof(in), sizeof(packed)) : 0;
    if (lz4 && unlz4(packed, out, n, sizeof(out)) != (int)sizeof(in))
        exit(7);
    return base_mix(all + (uint64_t)n);
}

int main(int argc, char **argv) {
    struct link_map *maps[16] = {dlopen(NULL, RTLD_NOW)};
    int n = 1;
    for (int i = 1; i < argc && n < 16; i++)
        if ((maps[n] = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL)))
            n++;
    uint64_t own = run_own(), codecs = run_codecs();
    for (int i = 0; i < n; i++)
        detour_all(maps[i]);
    if (run_own() != own || run_codecs() != codecs)
        return 1;
    printf("%u %u\n", moved, refused);
    return moved == 0;
}
