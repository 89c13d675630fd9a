/* danger: fork and exec in a constructor, while the loader's lock is held and other threads allocate
 * library: forks.so forks_within.c */
#include <dlfcn.h>

#include "danger.h"

int main(void) {
    pthread_t churners[2];
    danger_start(churners, 2, danger_churner);
    for (int i = 0; i < 8; i++) {
        void *p = dlopen("forks.so", RTLD_NOW);
        CHECK(p);
        int *ended = dlsym(p, "forks_ended");
        CHECK(ended && *ended == 3);
        CHECK(dlclose(p) == 0);
    }
    danger_ending = 1;
    danger_join(churners, 2);
    printf("done\n");
}
