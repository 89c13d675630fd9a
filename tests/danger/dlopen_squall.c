/* danger: the library itself is opened again, as another file, and closed: what it changed in the program leads into it
 * build: -ldl
 * needs: libz.so.1 libzstd.so.1
 *
 * A program that looks for plugins opens what it finds. Alone there is nothing to open. */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "danger.h"

/* The file of the library that is preloaded, copied; false: there is none. */
static bool copy(const char *to) {
    char line[5000], path[4096];
    bool is_there = false;
    struct stat st;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (!is_there && fgets(line, sizeof line, maps))
        is_there = strstr(line, "libsquall.so") && sscanf(line, "%*s %*s %*s %*s %*s %4095s", path) == 1;
    fclose(maps);
    if (!is_there)
        return false;
    int in = open(path, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    CHECK(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    CHECK(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size);
    CHECK(close(in) == 0 && close(out) == 0);
    return true;
}

static void work(void) {
    static char text[100000], packed[120000];
    typedef int compress(void *, unsigned long *, const void *, unsigned long);
    unsigned long size = sizeof packed;
    for (unsigned i = 0; i < 300; i++) {
        char *p = malloc(danger_size(i) * 10);
        CHECK(p);
        free(p);
    }
    void *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED && munmap(at, 1 << 20) == 0);
    void *z = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(z && ((compress *)dlsym(z, "compress"))(packed, &size, text, sizeof text) == 0);
    CHECK(dlclose(z) == 0);
}

int main(void) {
    work();
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "./plugin%d.so", i);
        void *plugin = copy(name) ? dlopen(name, i == 1 ? RTLD_NOW | RTLD_GLOBAL : RTLD_LAZY) : NULL;
        work();
        if (plugin)
            CHECK(dlclose(plugin) == 0);
        work();
        pid_t pid = fork();
        if (!pid) {
            work();
            _exit(0);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    puts("done");
}
