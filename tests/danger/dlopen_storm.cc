/* danger: dlopen and dlclose storms with allocation in constructors, while other threads allocate and unwind
 * library: plugin1.so dangerous_plugin.cc
 * library: plugin2.so dangerous_plugin.cc
 * library: plugin3.so dangerous_plugin.cc
 * build: -rdynamic */
#include "danger.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdexcept>
#include <string>

static std::atomic<unsigned> loads, throws;

static void *loader(void *number) {
    const char *names[] = {"plugin1.so", "plugin2.so", "plugin3.so"};
    for (unsigned i = 0; i < 60; i++) {
        void *p = dlopen(names[(i + (unsigned)(uintptr_t)number) % 3], i % 2 ? RTLD_NOW : RTLD_LAZY);
        if (!p)
            dprintf(2, "%s\n", dlerror());
        CHECK(p);
        int (*work)(int) = (int (*)(int))dlsym(p, "plugin_work");
        CHECK(work && work(0) > 80000 && work(1) == 70000);
        CHECK(dlclose(p) == 0);
        loads++;
    }
    return nullptr;
}

static __attribute__((noinline)) int deep(int n) {
    if (n)
        return deep(n - 1) + 1;
    void *stack[64];
    char **names = backtrace_symbols(stack, backtrace(stack, 64));
    free(names);
    throw std::runtime_error(std::string(70000, 'd'));
}

static void *unwinder(void *) {
    for (unsigned i = 0; !danger_ending; i++) {
        danger_churn(5, i);
        try {
            deep(10);
        } catch (const std::exception &e) {
            CHECK(e.what()[69999] == 'd');
            throws++;
        }
    }
    return nullptr;
}

int main() {
    pthread_t loaders[2], unwinders[2];
    danger_start(unwinders, 2, unwinder);
    danger_start(loaders, 2, loader);
    danger_join(loaders, 2);
    while (throws < 10)
        sched_yield();
    danger_ending = 1;
    danger_join(unwinders, 2);
    printf("%u loads\n", loads.load());
}
