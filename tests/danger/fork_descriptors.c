/* danger: fork while another thread opens a codec library: the children have no way into their parent's memory
 * build: -lzstd
 *
 * What a child does not have it cannot pass on, whoever it becomes: no descriptor of the parent's that leads to
 * /proc/PID/mem, for writing or reading, at any of the moments at which the code of the library is changed. */
#include <dlfcn.h>
#include <fcntl.h>
#include <zstd.h>

#include "danger.h"

enum { FORKS = 400, DESCRIPTORS = 64 };
static _Atomic unsigned loads;

/* Of a child; it says nothing of its own: what it finds is its status. */
static int find(void) {
    char path[64], to[256];
    for (int fd = 3; fd < DESCRIPTORS; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, to, sizeof to - 1);
        to[n > 0 ? n : 0] = 0;
        if (n > 4 && !strncmp(to, "/proc/", 6) && !strcmp(to + n - 4, "/mem"))
            return 4;
    }
    return 3;
}

static void *opener(void *unused) {
    Dl_info info;
    CHECK(dladdr((void *)ZSTD_compress, &info));
    int in = open(info.dli_fname, O_RDONLY), out = open("copy.so", O_CREAT | O_WRONLY, 0700);
    char part[4096];
    ssize_t n;
    while ((n = read(in, part, sizeof part)) > 0)
        CHECK(write(out, part, (size_t)n) == n);
    CHECK(n == 0 && close(in) == 0 && close(out) == 0);
    for (; !danger_ending; loads++) {
        void *library = dlopen("./copy.so", RTLD_NOW | RTLD_LOCAL);
        CHECK(library);
        size_t (*bound)(size_t) = (size_t(*)(size_t))dlsym(library, "ZSTD_compressBound");
        CHECK(bound && bound(1000) == ZSTD_compressBound(1000) && dlclose(library) == 0);
    }
    return unused;
}

int main(void) {
    pthread_t t;
    int found = 0;
    danger_churn(20, 1);
    danger_start(&t, 1, opener);
    for (unsigned i = 0; i < FORKS || loads < FORKS; i++) {
        pid_t pid = fork();
        if (!pid)
            _exit(find());
        CHECK(pid > 0);
        int status = danger_wait(pid);
        CHECK(status == 3 || status == 4);
        found += status == 4;
    }
    danger_ending = 1;
    danger_join(&t, 1);
    printf("of the children %s\n", found ? "some can write their parent's memory" : "none has a way in");
}
