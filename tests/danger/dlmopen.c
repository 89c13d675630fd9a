/* danger: dlmopen: a library with a C library of its own, that squall is not in
 * library: plugin1.so dangerous_plugin.cc */
#include <dlfcn.h>

#include "danger.h"

int main(void) {
    pthread_t churner;
    danger_start(&churner, 1, danger_churner);
    for (int round = 0; round < 5; round++) {
        void *p = dlmopen(LM_ID_NEWLM, "plugin1.so", RTLD_NOW | RTLD_LOCAL);
        if (!p)
            dprintf(2, "%s\n", dlerror());
        CHECK(p);
        int (*work)(int) = (int (*)(int))dlsym(p, "plugin_work");
        void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(p, "plugin_allocate");
        void (*give)(void *) = (void (*)(void *))dlsym(p, "plugin_free");
        CHECK(work && allocate && give);
        CHECK(work(0) > 80000 && work(1) == 70000);
        void *blocks[20];
        for (int i = 0; i < 20; i++)
            CHECK((blocks[i] = allocate(danger_size((unsigned)i))));
        danger_churn(50, (unsigned)round);
        for (int i = 0; i < 20; i++)
            give(blocks[i]);
        CHECK(dlclose(p) == 0);
    }
    danger_ending = 1;
    danger_join(&churner, 1);
    printf("done\n");
}
