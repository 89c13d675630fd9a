/* danger: RTLD_DEEPBIND: a library whose malloc goes past everything that was preloaded
 * library: plugin1.so dangerous_plugin.cc
 * allow: frees
 * allocators: glibc (such a library's blocks are the C library's, which another allocator cannot free)
 *
 * Blocks cross over in both directions. */
#include <dlfcn.h>

#include "danger.h"

int main(void) {
    void *p = dlopen("plugin1.so", RTLD_NOW | RTLD_DEEPBIND);
    CHECK(p);
    int (*work)(int) = (int (*)(int))dlsym(p, "plugin_work");
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(p, "plugin_allocate");
    void (*give)(void *) = (void (*)(void *))dlsym(p, "plugin_free");
    CHECK(work(0) > 80000 && work(1) == 70000);
    for (unsigned i = 0; i < 2000; i++) {
        char *theirs = allocate(danger_size(i)), *ours = malloc(danger_size(i)), *same;
        CHECK(theirs && ours);
        *theirs = *ours = 'x';
        free(theirs);
        give(ours);
        /* The address of a block that was freed unseen comes back. */
        CHECK((same = malloc(danger_size(i))));
        CHECK((same = realloc(same, danger_size(i + 3))));
        free(same);
        same = allocate(danger_size(i));
        CHECK((same = realloc(same, danger_size(i) + 1000)));
        give(same);
    }
    CHECK(dlclose(p) == 0);
    printf("done\n");
}
