/* counters_dump LIBRARY: writes the .gcda files of the library's coverage build, from the file of
 * its counters, which it finds mapped because it loads the library itself. */
#include <dlfcn.h>
#include <gcov.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static FILE *out;

static void open_file(const char *name, void *arg) {
    (void)arg;
    out = fopen(name, "wb");
    if (!out) {
        perror(name);
        exit(1);
    }
}

static void write_file(const void *bytes, unsigned size, void *arg) {
    (void)arg;
    if (fwrite(bytes, 1, size, out) != size) {
        perror("counters_dump");
        exit(1);
    }
}

static void *allocate(unsigned size, void *arg) {
    (void)arg;
    return malloc(size);
}

int main(int argc, char **argv) {
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    const void *(*infos)(uint64_t *) = library ? (const void *(*)(uint64_t *))dlsym(library, "squall_infos") : NULL;
    if (!infos) {
        fprintf(stderr, "counters_dump: %s\n", argc == 2 ? dlerror() : "no library named");
        return 1;
    }
    uint64_t count;
    const struct gcov_info *const *info = infos(&count);
    for (uint64_t i = 0; i < count; i++) {
        __gcov_info_to_gcda(info[i], open_file, write_file, allocate, NULL);
        if (fclose(out)) {
            perror("counters_dump");
            return 1;
        }
    }
    return 0;
}
