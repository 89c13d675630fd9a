/* Loads, uses and unloads libraries given as arguments, each at the place of the one before. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *volatile sink;

int main(int argc, char **argv) {
    for (int round = 0; round < 10; round++)
        for (int i = 1; i + 1 < argc; i += 2) {
            void *h = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
            if (!h)
                return 1;
            ((void (*)(void))dlsym(h, argv[i + 1]))();
            dlclose(h);
            free(sink = malloc(70000));
        }
    puts("done");
    return 0;
}
