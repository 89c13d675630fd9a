/* danger: what symbol tables may say of codec functions: one within another, sizes beyond the code, addresses of nothing
 * library: within.so symbols_odd.c -DSECOND=ZSTD_compress2
 * library: huge.so symbols_odd.c -DSIZE=0x10000000
 * library: endless.so symbols_odd.c -DSIZE=-64
 * library: far.so symbols_odd.c -DAT=0x40000000
 * library: sound.so symbols_odd.c
 * build: -Wl,--no-as-needed $DANGER_BIN/within.so $DANGER_BIN/huge.so $DANGER_BIN/endless.so $DANGER_BIN/far.so -ldl
 *
 * Those are there at the start; copies of them come later, and one whose code may be executed but not be read,
 * where the processor has that. */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "danger.h"

static const char *const names[] = {"within.so", "huge.so", "endless.so", "far.so", "sound.so"};
enum { LIBRARIES = sizeof names / sizeof *names };

typedef size_t compress(void *, size_t, const void *, size_t, int);
typedef size_t compress2(void *, void *, size_t, const void *, size_t);

static void use(const char *name) {
    static char from[100], to[100];
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    CHECK(library && dlsym(library, "ZSTD_compress"));
    if (!strstr(name, "far"))
        CHECK(((compress *)dlsym(library, "ZSTD_compress"))(to, 70, from, 90, 1) == (size_t)from + 90);
    compress2 *second = (compress2 *)dlsym(library, "ZSTD_compress2");
    if (second)
        CHECK(second(NULL, to, 70, from, 90) == 70 + (size_t)from);
    CHECK(dlclose(library) == 0);
}

static void copy(const char *name, const char *to) {
    struct stat st;
    Dl_info info;
    void *library = dlopen(name, RTLD_LAZY);
    CHECK(library && dladdr(dlsym(library, "squall_here"), &info));
    int in = open(info.dli_fname, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    CHECK(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    CHECK(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size);
    CHECK(close(in) == 0 && close(out) == 0 && dlclose(library) == 0);
}

/* Its code: executable, and no more. */
static void hide_code(const char *path) {
    Elf64_Ehdr header;
    Elf64_Phdr part;
    int fd = open(path, O_RDWR);
    CHECK(pread(fd, &header, sizeof header, 0) == sizeof header);
    for (int i = 0; i < header.e_phnum; i++) {
        off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof part);
        CHECK(pread(fd, &part, sizeof part, at) == sizeof part);
        if (part.p_type != PT_LOAD || !(part.p_flags & PF_X))
            continue;
        part.p_flags = PF_X;
        CHECK(pwrite(fd, &part, sizeof part, at) == sizeof part);
    }
    CHECK(close(fd) == 0);
}

int main(void) {
    char path[64];
    for (int i = 0; i < LIBRARIES; i++) {
        use(names[i]);
        snprintf(path, sizeof path, "./copy_%s", names[i]);
        copy(names[i], path);
        if (i == LIBRARIES - 1)
            hide_code(path);
        use(path);
    }
    puts("done");
}
