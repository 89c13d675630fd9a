/* A program that marks the calls of a codec of its own, which no table of squall's has. Also built
 * as C++, and as a plugin (-DPLUGIN) with a program around it (-DHOST). Says what it did, which is
 * the same when nobody listens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HOST
#include <dlfcn.h>
int main(int argc, char **argv) {
    void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!plugin) {
        puts(dlerror());
        return 1;
    }
    return ((int (*)(void))dlsym(plugin, "marked_main"))();
}
#else

#include <squall/squall.h>

#define CALLS 100
#define MOST 200000u
static unsigned char text[MOST], packed[2 * MOST], unpacked[MOST];

/* Runs of a byte: (length, byte) pairs. 0: no room. */
static size_t pack(const unsigned char *source, size_t n, unsigned char *to, size_t room) {
    size_t made = 0;
    for (size_t i = 0; i < n;) {
        size_t run = 1;
        while (run < 255 && i + run < n && source[i + run] == source[i])
            run++;
        if (made + 2 > room)
            return 0;
        to[made++] = (unsigned char)run;
        to[made++] = source[i];
        i += run;
    }
    return made;
}
static size_t unpack(const unsigned char *source, size_t n, unsigned char *to, size_t room) {
    size_t made = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (made + source[i] > room)
            return 0;
        memset(to + made, source[i + 1], source[i]);
        made += source[i];
    }
    return made;
}

static size_t marked_pack(const unsigned char *source, size_t n, unsigned char *to, size_t room) {
    struct squall_call call;
    squall_begin(&call, "runs", SQUALL_COMPRESS, source, n, to, room);
    size_t made = pack(source, n, to, room);
    squall_end(&call, made ? made : SQUALL_FAILED);
    return made;
}
static size_t marked_unpack(const unsigned char *source, size_t n, unsigned char *to, size_t room) {
    struct squall_call call;
    squall_begin(&call, "runs", SQUALL_DECOMPRESS, source, n, to, room);
    size_t made = unpack(source, n, to, room);
    squall_end(&call, made ? made : SQUALL_FAILED);
    return made;
}

static unsigned char *fresh_output(size_t n) {
    return (unsigned char *)malloc(n);
}

__attribute__((noinline)) static int run(void) {
    size_t source = 0, produced = 0;
    for (size_t i = 0; i < MOST; i++)
        text[i] = (unsigned char)(i / 40);
    for (int i = 0; i < CALLS; i++) {
        size_t n = 70000 + (size_t)i * 1300;
        unsigned char *output = fresh_output(n); /* as large as its source */
        size_t made = marked_pack(text, n, output, n);
        memcpy(packed, output, made); /* else the block would serve as a source too */
        free(output);
        if (marked_unpack(packed, made, unpacked, sizeof unpacked) != n ||
            memcmp(text, unpacked, n) != 0)
            return 2;
        source += n;
        produced += made;
    }
    for (int i = 0; i < 7; i++)
        if (marked_pack(text, 1000, packed, 10))
            return 3;
    printf("%d calls, %zu bytes to %zu\n", CALLS, source, produced);
    return 0;
}

#ifdef PLUGIN
#ifdef __cplusplus
extern "C"
#endif
    int
    marked_main(void);
int marked_main(void) {
    return run();
}
#else
int main(void) {
    return run();
}
#endif
#endif
