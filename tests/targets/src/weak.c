/* Asks, in the ways that programs ask, whether zstd is there and where. Built three times: without
 * zstd (it must stay invisible), with it (-DLINKED), and as a plugin that uses it (-DPLUGIN). What
 * is printed must be the same under squall. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef size_t compress_function(void *, size_t, const void *, size_t, int);

static char text[100000], room[200000];
static void fill(void) {
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "level=info msg=x path=/a/b"[(i * 7 + i / 97) % 26];
}

#ifdef PLUGIN
compress_function ZSTD_compress;
size_t plugin_calls(int n) {
    size_t made = 0;
    fill();
    for (int i = 0; i < n; i++)
        made += ZSTD_compress(room, sizeof room, text, sizeof text, 1);
    return made;
}
#else

#ifdef LINKED
compress_function ZSTD_compress;
#else
__attribute__((weak)) compress_function ZSTD_compress;
#endif
/* The address must not be a constant of this file. */
static compress_function *volatile through_got;

static const char *file_of(const void *address) {
    Dl_info info;
    if (!address || !dladdr(address, &info) || !info.dli_fname)
        return "nowhere";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

static const char *symbol_of(const void *address) {
    Dl_info info;
    return dladdr(address, &info) && info.dli_sname ? info.dli_sname : "none";
}

static void ask(const char *when) {
    static const char *const names[] = {"ZSTD_compress", "deflate", "LZ4_compress_default",
                                        "squall_begin"};
    printf("%s:", when);
    for (int i = 0; i < 4; i++)
        printf(" %s %s %s", names[i], file_of(dlsym(RTLD_DEFAULT, names[i])),
               file_of(dlsym(RTLD_NEXT, names[i])));
    puts("");
}

static size_t call(compress_function *compress) {
    return compress(room, sizeof room, text, sizeof text, 1);
}
static size_t main_calls(compress_function *compress) {
    return call(compress);
}

static void load_and_unload(const char *plugin) {
    size_t made = 0;
    for (int i = 0; i < 200; i++) {
        void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
            puts(dlerror());
            exit(1);
        }
        made += ((size_t(*)(int))dlsym(handle, "plugin_calls"))(3);
        dlclose(handle);
        if (through_got) /* in between, with the plugin gone */
            made += main_calls(through_got);
    }
    printf("200 plugins made %zu, and left %s\n", made,
           dlopen(plugin, RTLD_NOW | RTLD_NOLOAD) ? "one" : "none");
}

/* From then on everybody may find it. */
static void open_globally(const char *library) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    void *found = dlsym(RTLD_DEFAULT, "ZSTD_compress");
    printf("opened: %s %s, same %d\n", file_of(found), symbol_of(found),
           found == dlsym(handle, "ZSTD_compress"));
    printf("opened made %zu\n", call((compress_function *)found));
}

static void in_another_namespace(const char *library) {
    void *handle = dlmopen(LM_ID_NEWLM, library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        puts("no namespace");
        return;
    }
    compress_function *compress = (compress_function *)dlsym(handle, "ZSTD_compress");
    size_t made = 0;
    for (int i = 0; i < 10; i++)
        made += call(compress);
    printf("namespace: %s made %zu, own %d\n", file_of((void *)compress), made,
           compress != through_got);
    dlclose(handle);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 1;
    fill();
    through_got = ZSTD_compress;
    printf("weak: %s\n", file_of((void *)through_got));
    ask("at first");
#ifdef LINKED
    void *found = dlsym(RTLD_DEFAULT, "ZSTD_compress");
    printf("pointers equal: %d, symbol %s\n", (void *)through_got == found, symbol_of(found));
    printf("made %zu\n", main_calls(through_got) + main_calls((compress_function *)found));
#endif
    load_and_unload(argv[1]);
    ask("after plugins");
    in_another_namespace(argv[2]);
    open_globally(argv[2]);
    load_and_unload(argv[1]);
    ask("at last");
    return 0;
}
#endif
