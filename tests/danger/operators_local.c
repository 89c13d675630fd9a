/* danger: plugins of a C program with C++ operators of their own: local, global, lazy, RTLD_DEEPBIND, two with one libstdc++
 * library: pool1.so operators_own.cc -std=c++17
 * library: pool2.so operators_own.cc -std=c++17
 * library: partial.so operators_own.cc -std=c++17 -DPARTIAL
 * library: user.so operators_use.cc -std=c++17
 * program: linked operators_own.cc -std=c++17 -DPROGRAM -rdynamic
 * processes: 12
 * allocators: glibc jemalloc tcmalloc (mimalloc is given blocks of the C library's by one that is RTLD_DEEPBIND)
 *
 * Which operators a caller is bound to is the loader's business, and depends on what was opened
 * how and when: each case is a child of its own, and prints how often each library's were called. */
#include <dlfcn.h>

#include "danger.h"

enum { OPENED = 3 };
struct opening {
    const char *name;
    int flags;
};

static void use(void *library) {
    void (*f)(void) = (void (*)(void))dlsym(library, "operators_use");
    CHECK(f);
    f();
}

static void tell(const struct opening *o, void *library) {
    unsigned counts[3];
    void (*f)(unsigned *) = (void (*)(unsigned *))dlsym(library, "own_count");
    if (!f)
        return;
    f(counts);
    printf("  %s: %u taken, %u given, %u strange\n", o->name, counts[0], counts[1], counts[2]);
}

/* Not there without squall; who asks for them may use them where they are. */
extern void *_Znwm(size_t) __attribute__((weak));
extern void _ZdlPv(void *) __attribute__((weak));
extern void *_ZnamSt11align_val_t(size_t, size_t) __attribute__((weak));
extern void _ZdaPvSt11align_val_t(void *, size_t) __attribute__((weak));
static void use_weak(void) {
    for (unsigned i = 0; i < 100; i++) {
        size_t n = danger_size(i);
        if (_Znwm && _ZdlPv)
            _ZdlPv(memset(_Znwm(n), 1, n));
        if (_ZnamSt11align_val_t && _ZdaPvSt11align_val_t) {
            void *p = _ZnamSt11align_val_t(n, 256);
            CHECK((uintptr_t)p % 256 == 0);
            _ZdaPvSt11align_val_t(memset(p, 1, n), 256);
        }
    }
}

static void open_all(const char *what, const struct opening *o) {
    void *library[OPENED] = {NULL};
    printf("%s\n", what);
    for (unsigned i = 0; i < OPENED && o[i].name; i++) {
        library[i] = dlopen(o[i].name, o[i].flags);
        if (!library[i])
            printf("%s\n", dlerror());
        CHECK(library[i]);
        use(library[i]);
    }
    for (unsigned i = 0; i < OPENED && o[i].name; i++)
        use(library[i]);
    for (unsigned i = 0; i < OPENED && o[i].name; i++)
        tell(&o[i], library[i]);
    for (unsigned i = 0; i < OPENED && o[i].name; i++)
        CHECK(dlclose(library[i]) == 0);
    printf("  operators for all: %s\n", dlsym(RTLD_DEFAULT, "_Znwm") ? "yes" : "no");
    use_weak();
}

#define CASE(...)                                       \
    do {                                                \
        const struct opening o[OPENED] = {__VA_ARGS__}; \
        pid_t pid = fork();                             \
        CHECK(pid >= 0);                                \
        if (!pid) {                                     \
            danger_churn(10, 1);                        \
            open_all(#__VA_ARGS__, o);                  \
            exit(0);                                    \
        }                                               \
        CHECK(danger_wait(pid) == 0);                   \
    } while (0)

int main(void) {
    use_weak();
    danger_churn(10, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    CASE({"pool1.so", RTLD_NOW});
    CASE({"pool1.so", RTLD_LAZY});
    CASE({"partial.so", RTLD_NOW}, {"user.so", RTLD_NOW});
    CASE({"pool1.so", RTLD_NOW | RTLD_GLOBAL}, {"user.so", RTLD_NOW});
    CASE({"user.so", RTLD_LAZY}, {"pool1.so", RTLD_LAZY | RTLD_GLOBAL}, {"pool2.so", RTLD_LAZY});
    CASE({"pool1.so", RTLD_NOW}, {"pool2.so", RTLD_NOW}, {"user.so", RTLD_NOW});
    CASE({"user.so", RTLD_NOW}, {"pool1.so", RTLD_NOW});
    CASE({"pool1.so", RTLD_NOW | RTLD_DEEPBIND}, {"user.so", RTLD_NOW});
    CASE({"pool1.so", RTLD_NOW | RTLD_GLOBAL}, {"pool2.so", RTLD_NOW | RTLD_DEEPBIND});
    CASE({"user.so", RTLD_NOW | RTLD_GLOBAL}, {"pool1.so", RTLD_NOW});
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        char path[4096];
        snprintf(path, sizeof path, "%s/linked", getenv("DANGER_BIN"));
        execl(path, path, (char *)NULL);
        _exit(1);
    }
    CHECK(danger_wait(pid) == 0);
}
